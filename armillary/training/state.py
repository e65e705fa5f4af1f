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
from armillary.errors import ArmillaryError, CorruptFile
from armillary.model.world_model import WorldModel
from armillary.spec import Spec


@dataclass
class Progress:
    """Where a run is: the stage, steps and validations in it, seconds in it and in earlier ones, lines of metrics."""

    stage: int = 0
    step: int = 0
    validated: int = 0
    stage_seconds: float = 0.0
    earlier_seconds: float = 0.0
    lines: int = 0


def save(
    path: Path,
    run: dict[str, str],
    progress: Progress,
    model: WorldModel,
    optimizer: torch.optim.Optimizer | None,
    extra: dict[str, Tensor],
) -> None:
    """Write it all; `run` says which run this is. Before the first step of a stage there is no optimiser."""
    tensors = {f"model/{name}": tensor for name, tensor in model.state_dict().items()}
    tensors |= {f"stage/{name}": tensor for name, tensor in extra.items()}
    for index, moments in optimizer.state_dict()["state"].items() if optimizer is not None else ():
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


def load(path: Path, run: dict[str, str]) -> Saved:
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


def describe(path: Path) -> tuple[Spec, Progress]:
    """What the model of a run that is not finished senses and does, and where the run is.

    Raises:
        CorruptFile: `path` is truncated or something else.
    """
    header = weights.read(path)[1]
    try:
        return Spec.from_json(header["model"]["spec"]), Progress(**header["progress"])
    except (LookupError, TypeError) as error:
        raise CorruptFile(f"{path}: not what a training keeps ({type(error).__name__}: {error})") from error


def check(out: Path, found: dict[str, str] | None, run: dict[str, str]) -> None:
    """Require that the run in the folder `out` is this one: the same in each of its parts.

    Raises:
        ArmillaryError: it is another; the message names what differs.
    """
    found = found if isinstance(found, dict) else {}
    if other := [f"{part} ({found.get(part)} there, {is_} here)" for part, is_ in run.items() if found.get(part) != is_]:
        raise ArmillaryError(f"{out} holds a run of another {', another '.join(other)}; give the same, or take a new folder")
