"""What a run has to keep so that a kill costs it minutes: one safetensors file, written atomically, read without pickle.

It holds the weights and scales of the model, the optimiser's moments, what the stage keeps beside them, and where the run was:
stage, step, seconds, and how many lines of metrics were true by then.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from armillary import weights
from armillary.errors import ArmillaryError
from armillary.model import WorldModel


@dataclass
class Progress:
    """Where a run is: `stage` and the `step` in it, seconds in this stage and in the earlier ones, lines of metrics."""

    stage: int = 0
    step: int = 0
    stage_seconds: float = 0.0
    earlier_seconds: float = 0.0
    lines: int = 0


def save(
    path: Path, run: str, progress: Progress, model: WorldModel, optimizer: torch.optim.Optimizer, extra: dict[str, Tensor]
) -> None:
    """Write it all; `run` says which run this is."""
    tensors = {f"model/{name}": tensor for name, tensor in model.state_dict().items()}
    tensors |= {f"stage/{name}": tensor for name, tensor in extra.items()}
    for index, moments in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer/{index}/{name}": tensor for name, tensor in moments.items()}
    weights.write(path, tensors, {"run": run, "progress": vars(progress), "model": model.describe()})


@dataclass
class Saved:
    """A file that `save` wrote, opened."""

    progress: Progress
    tensors: dict[str, Tensor]
    model: dict[str, Any]

    def part(self, prefix: str) -> dict[str, Tensor]:
        """The tensors under `prefix/`."""
        return {name.removeprefix(prefix + "/"): x for name, x in self.tensors.items() if name.startswith(prefix + "/")}

    def restore_optimizer(self, optimizer: torch.optim.Optimizer) -> None:
        """Give an optimiser of the same parameters its moments back."""
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        state: dict[int, dict[str, Tensor]] = {}
        for name, tensor in self.part("optimizer").items():
            index, key = name.split("/")
            like = parameters[int(index)]
            # The fused optimiser walks memory: moments must lie in it as their parameter does (channels-last).
            moment = torch.empty_like(like).copy_(tensor) if tensor.shape == like.shape else tensor
            state.setdefault(int(index), {})[key] = moment
        optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def load(path: Path, run: str) -> Saved:
    """Open what `save` wrote.

    Raises:
        ArmillaryError: there is no such file, or it is of another run.
        CorruptFile: it is truncated or something else.
    """
    if not path.exists():
        raise ArmillaryError(f"{path.parent} holds no run to resume; leave --resume out to start one")
    tensors, header = weights.read(path)
    check(path.parent, header.get("run"), run)
    return Saved(Progress(**header["progress"]), tensors, header["model"])


def check(out: Path, found: str | None, run: str) -> None:
    """Require that the run in the folder `out` is this one.

    Raises:
        ArmillaryError: it is another.
    """
    if found != run:
        raise ArmillaryError(
            f"{out} holds a run of another model, other clips, other stages or another seed; give the same, or a new folder"
        )
