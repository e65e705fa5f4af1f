"""Checkpoints of LeWM as stable-worldmodel writes them, read into a WorldModel that predicts as they do.

Such a checkpoint is a folder with one state dict (`*.pt`) and `config.json`. What it lacks is given here: the stream and the
actions (a Spec), and how images and actions were normalised in training. Differences of form vanish on reading: image
statistics go into the patch embedding, the action encoder's two linear layers with nothing between them become one, keys and
values share a matrix. The vision transformer's names differ between the major versions of the library that it comes
from (transformers 4 and 5); both are known.

One difference stays: images that do not have the model's size are reduced by area here, bilinearly there.
"""

import pickle
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from armillary.device import pick_device
from armillary.errors import ArmillaryError, CorruptFile
from armillary.files import parse_json
from armillary.model.config import ModelConfig
from armillary.model.perception.convolutional import centre_pixels
from armillary.model.world_model import WorldModel
from armillary.spec import Spec

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
HEADS = {"tiny": 3, "small": 6, "base": 12, "large": 16, "huge": 16}  # of its vision transformers

VIT = "perception.encoders.0."
NAMES = (  # theirs, ours; each is applied in turn
    (r"^encoder\.(encoder\.)?layers?\.", VIT + "blocks."),
    (r"^encoder\.embeddings\.cls_token", VIT + "token"),
    (r"^encoder\.embeddings\.position_embeddings", VIT + "position"),
    (r"^encoder\.embeddings\.patch_embeddings\.projection", VIT + "stem"),
    (r"^encoder\.layernorm", VIT + "norm"),
    (r"layernorm_before", "norm1"),
    (r"layernorm_after", "norm2"),
    (r"attention\.(attention\.query|q_proj)", "q"),
    (r"attention\.(attention\.key|k_proj)", "k"),
    (r"attention\.(attention\.value|v_proj)", "v"),
    (r"attention\.(output\.dense|o_proj)", "out"),
    (r"intermediate\.dense|mlp\.fc1", "mlp.0"),
    (r"output\.dense|mlp\.fc2", "mlp.3"),
    (r"^projector\.net", "perception.projector"),
    (r"^pred_proj\.net", "predictor.head"),
    (r"^action_encoder\.patch_embed", "smooth"),
    (r"^action_encoder\.embed", "predictor.embed"),
    (r"^predictor\.pos_embedding", "predictor.position"),
    (r"^predictor\.transformer\.norm", "predictor.norm"),
    (r"^predictor\.transformer\.layers", "predictor.blocks"),
    (r"attn\.norm", "norm1"),
    (r"attn\.to_qkv", "qkv"),
    (r"attn\.to_out\.0", "out"),
    (r"mlp\.net\.0", "norm2"),
    (r"mlp\.net\.1", "mlp.0"),
    (r"mlp\.net\.4", "mlp.3"),
    (r"adaLN_modulation", "modulation"),
)


def load_lewm(
    path: str | Path,
    spec: Spec,
    *,
    action_mean: Sequence[float],
    action_std: Sequence[float],
    image_mean: Sequence[float] = IMAGENET_MEAN,
    image_std: Sequence[float] = IMAGENET_STD,
    device: str = "auto",
) -> WorldModel:
    """A LeWM checkpoint, ready to use (in eval mode) on `device`. Nothing in it is run.

    Args:
        path: the `.pt` file, with `config.json` beside it, or the folder that holds one of each.
        spec: one observed stream, of colour images, and box actions. A planner searches within its bounds, if it has any.
        action_mean, action_std: of each number of an action in the recording that it was trained on; each action of a block
            is scaled alike.
        image_mean, image_std: of each channel, as shares of 255; ImageNet's are what its training script takes.
        device: auto, cpu, cuda or mps.

    Raises:
        ArmillaryError: no such file or device, or a spec or statistics that do not fit.
        CorruptFile: no LeWM checkpoint, or one of a shape that this package has no model for.
    """
    images = spec.observed
    if len(images) != 1 or not images[0].is_picture or images[0].shape[2] != 3 or spec.action.kind != "box":
        raise ArmillaryError(f"LeWM sees one stream of colour images and takes box actions; the spec has {spec}")
    if {len(action_mean), len(action_std)} != {spec.action.n} or {len(image_mean), len(image_std)} != {3}:
        raise ArmillaryError(f"give a mean and a std for each of {spec.action.n} numbers of an action and 3 channels")
    if min(*action_std, *image_std) <= 0:
        raise ArmillaryError(f"a std is above 0, not {min(*action_std, *image_std)}; give 1 for a number that never changes")
    theirs, described = _read(Path(path))
    try:
        tensors = _renamed(theirs)
        _rearrange(tensors, image_mean, image_std)
        model = WorldModel(spec, _config(tensors, described, spec.action.n))
        model.actions.mean.copy_(torch.tensor(action_mean).repeat(model.config.skip))
        for scale in (model.actions.std, model.actions.spread):
            scale.copy_(torch.tensor(action_std).repeat(model.config.skip))
        kept = {name: tensor for name, tensor in model.state_dict().items() if name.startswith("actions.")}
        model.load_state_dict({**tensors, **kept})
    except ArmillaryError:
        raise
    except (LookupError, TypeError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:300]
        raise CorruptFile(f"{path}: not a LeWM of a shape that is known here ({type(error).__name__}: {reason})") from error
    model.provenance = {"lewm": Path(path).name}
    return model.to(pick_device(device)).eval()


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    found = sorted(path.glob("*.pt")) if path.is_dir() else [path]
    if len(found) != 1 or not found[0].is_file():
        raise ArmillaryError(f"{path}: expected a .pt file, or a folder with one; it has {[file.name for file in found]}")
    beside = found[0].with_name("config.json")
    if not beside.is_file():
        raise ArmillaryError(f"{beside}: no such file; stable-worldmodel writes it beside the weights")
    try:
        tensors, described = torch.load(found[0], map_location="cpu", weights_only=True), parse_json(beside.read_text(), beside)
    except (pickle.UnpicklingError, RuntimeError, EOFError, CorruptFile) as error:
        reason = str(error).splitlines()[0]
        raise CorruptFile(f"{found[0]}: not a state dict with a config.json, or a truncated one ({reason})") from error
    if not isinstance(tensors, dict) or not all(isinstance(tensor, Tensor) for tensor in tensors.values()):
        raise CorruptFile(f"{found[0]}: not a state dict; save `model.state_dict()` alone")
    return tensors, described


def _renamed(theirs: dict[str, Tensor]) -> dict[str, Tensor]:
    tensors = {}
    for name, tensor in theirs.items():
        for pattern, ours in NAMES:
            name = re.sub(pattern, ours, name)
        tensors[name] = tensor.float() if tensor.is_floating_point() else tensor
    return tensors


def _rearrange(tensors: dict[str, Tensor], image_mean: Sequence[float], image_std: Sequence[float]) -> None:
    """Join what is one layer here, and part what is two, in place."""
    for name in list(tensors):
        if ".k." in name:
            tensors[name.replace(".k.", ".kv.")] = torch.cat([tensors.pop(name), tensors.pop(name.replace(".k.", ".v."))])
        elif ".qkv." in name:
            whole = tensors.pop(name)
            tensors[name.replace(".qkv.", ".q.")], tensors[name.replace(".qkv.", ".kv.")] = whole.tensor_split(
                (len(whole) // 3,)
            )
    smooth, bias = tensors.pop("smooth.weight").squeeze(-1).double(), tensors.pop("smooth.bias").double()
    first = tensors["predictor.embed.0.weight"].double()
    tensors["predictor.embed.0.weight"] = (first @ smooth).float()
    tensors["predictor.embed.0.bias"] = (tensors["predictor.embed.0.bias"] + first @ bias).float()
    # Their input is (pixel / 255 - mean) / std; ours runs from `dark` to `light`.
    ends = torch.tensor([0, 255], dtype=torch.uint8).reshape(2, 1, 1, 1)
    dark, light = centre_pixels(ends).flatten().double()
    mean, std = (torch.tensor(x, dtype=torch.float64).reshape(3, 1, 1) for x in (image_mean, image_std))
    stem = tensors[VIT + "stem.weight"].double()
    tensors[VIT + "stem.weight"] = (stem / std / (light - dark)).float()
    shift = (-dark / (light - dark) - mean) / std
    tensors[VIT + "stem.bias"] = (tensors[VIT + "stem.bias"] + (stem * shift).sum((1, 2, 3))).float()


def _config(tensors: dict[str, Tensor], described: dict[str, Any], action: int) -> ModelConfig:
    """The shape of the model, from that of its tensors; how many heads share a matrix is in its config alone."""
    width, given = tensors["predictor.embed.0.weight"].shape[1], described["predictor"]
    if width % action:
        raise ArmillaryError(
            f"its action blocks have {width} numbers, no multiple of the {action} that an action of the spec has"
        )
    return ModelConfig.sized(
        "base",
        image_size=described["encoder"]["image_size"],
        width=tensors[VIT + "token"].shape[-1],
        depth=_count(tensors, VIT),
        heads=HEADS[described["encoder"]["size"]],
        patch=tensors[VIT + "stem.weight"].shape[-1],
        projector=tensors["perception.projector.0.weight"].shape[0],
        latent=tensors["perception.projector.3.weight"].shape[0],
        predictor_width=tensors["predictor.blocks.0.mlp.0.weight"].shape[0],
        predictor_depth=_count(tensors, "predictor."),
        predictor_heads=given["heads"],
        predictor_head=tensors["predictor.head.0.weight"].shape[0],
        dropout=given["dropout"],
        context=tensors["predictor.position"].shape[1],
        skip=width // action,
    )


def _count(tensors: dict[str, Tensor], part: str) -> int:
    return sum(name.startswith(f"{part}blocks.") and name.endswith("norm1.weight") for name in tensors)
