"""In the peer's interpreter: its LeWM, as its training script configures it, and its images.

stable-worldmodel imports torchvision, which has no build for the CPU on some machines, and whose CUDA build doesn't load its
operators beside a torch without CUDA. Nothing here uses an operator, so declaring the two whose absence stops the import is
enough. Where torchvision is whole, nothing is declared.
"""

import sys

import common
import torch
from torch import Tensor, nn

torch.set_num_threads(common.SETTINGS["cores"])
try:
    import torchvision
except RuntimeError:
    for module in [module for module in sys.modules if module.split(".")[0] == "torchvision"]:
        del sys.modules[module]
    for operator in ("nms", "qnms"):
        torch.library.define(f"torchvision::{operator}", "(Tensor a, Tensor b, float c) -> Tensor")
    import torchvision  # noqa: F401

PLACE = "stable_worldmodel.wm.lewm"
MLP = {
    "_target_": f"{PLACE}.module.MLP", "input_dim": 192, "output_dim": 192, "hidden_dim": 2048,
    "norm_fn": {"_target_": "torch.nn.BatchNorm1d", "_partial_": True},
}  # fmt: skip
CONFIG = {
    "_target_": f"{PLACE}.LeWM",
    "encoder": {
        "_target_": "stable_pretraining.backbone.utils.vit_hf", "size": "tiny", "patch_size": 14, "image_size": 224,
        "pretrained": False, "use_mask_token": False,
    },
    "predictor": {
        "_target_": f"{PLACE}.module.Predictor", "num_frames": 3, "input_dim": 192, "hidden_dim": 192, "output_dim": 192,
        "depth": 6, "heads": 16, "mlp_dim": 2048, "dim_head": 64, "dropout": 0.1, "emb_dropout": 0.0,
    },
    "action_encoder": {"_target_": f"{PLACE}.module.Embedder", "input_dim": 10, "emb_dim": 192},
    "projector": MLP,
    "pred_proj": MLP,
}  # fmt: skip
"""The `model` part of scripts/train/config/lewm.yaml, for two-dimensional actions in blocks of 5."""


def build() -> nn.Module:
    """A new model, in eval mode."""
    from hydra.utils import instantiate

    return instantiate(CONFIG).eval()


def load() -> nn.Module:
    """The model that `weights_theirs.py` left in the work folder."""
    model = build()
    model.load_state_dict(torch.load(common.WORK / "lewm" / "weights.pt", weights_only=True))
    return model


def normalise(images: Tensor) -> Tensor:
    """(N, H, W, 3) uint8 to (N, 3, H, W), as its training does: ImageNet's mean and standard deviation."""
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    return ((images / 255 - mean) / std).permute(0, 3, 1, 2)
