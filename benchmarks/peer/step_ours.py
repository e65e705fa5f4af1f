"""Our training step of the same model on as many clips, which lie as bytes in memory, after one that is not counted."""

import common
import torch

from armillary.device import autocast
from armillary.episodes.clips import Batch
from armillary.model.config import ModelConfig
from armillary.model.world_model import WorldModel
from armillary.spec import ActionSpace, Spec, Stream


def main() -> None:
    torch.set_num_threads(common.SETTINGS["cores"])
    torch.manual_seed(common.SETTINGS["seed"])
    spec = Spec((Stream("pixels", "image", (224, 224, 3)),), ActionSpace("box", 2))
    model = WorldModel(spec, ModelConfig.sized("base", skip=5)).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-5, weight_decay=1e-3, fused=True)
    count = common.SETTINGS["clips"]
    images = torch.randint(256, (count, 4, 224, 224, 3), dtype=torch.uint8)
    batch = Batch({"pixels": images}, torch.randn(count, 3, 10), {}, torch.arange(count), torch.zeros(count, dtype=torch.int64))

    def step() -> None:
        with autocast(model.device):
            loss = model.losses(batch, torch.Generator().manual_seed(0))["loss"]
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    common.timed(step, 1)
    measured = common.timed(step, common.SETTINGS["repeats"])
    with autocast(model.device):
        common.answer(**measured, precision="bfloat16" if torch.is_autocast_enabled("cpu") else "float32")


main()
