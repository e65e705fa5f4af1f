"""What training reports while it runs: a JSON object a line, progress on the terminal, and TensorBoard on request.

A run that is resumed drops the lines that are newer than its save, which would come twice.
"""

from pathlib import Path
from typing import Any

from armillary import distributed
from armillary.console import ProgressBar
from armillary.errors import ArmillaryError, require
from armillary.files import as_json
from armillary.training import state

METRICS = "metrics.jsonl"


class MetricsLog:
    """Metrics as JSON lines, progress on the terminal, and TensorBoard on request; silent on all processes but the first."""

    def __init__(self, out: Path, at: state.Progress, *, tensorboard: bool, progress: bool) -> None:
        self.at, self.quiet = at, distributed.rank() > 0
        if self.quiet:
            return
        self.path = out / METRICS
        try:
            out.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab+") as file:
                file.seek(0)
                for _ in range(at.lines):
                    file.readline()
                file.truncate()
        except OSError as error:
            raise ArmillaryError(f"{out}: cannot write there ({error.strerror})") from error
        self.board = None
        if tensorboard:
            require("tensorboard", "tensorboard")
            self.board = require("torch.utils.tensorboard", "tensorboard").SummaryWriter(str(out))
        self.bar = ProgressBar(progress)

    def __enter__(self) -> "MetricsLog":
        if not self.quiet:
            self.bar.start()
        return self

    def __exit__(self, *failure: object) -> None:
        if not self.quiet:
            self.bar.stop()
            if self.board:
                self.board.close()

    def write(self, numbers: dict[str, Any], done: float) -> None:
        """One line of metrics at the present stage and step."""
        if self.quiet:
            return
        at = self.at
        seconds = at.earlier_seconds + at.stage_seconds
        try:
            with self.path.open("a") as file:
                file.write(as_json({"step": at.step, "seconds": round(seconds, 3), **numbers}) + "\n")
        except OSError as error:
            raise ArmillaryError(f"{self.path}: cannot write there ({error.strerror})") from error
        at.lines += 1
        if self.board:
            for name, value in numbers.items():
                if not isinstance(value, str):
                    self.board.add_scalar(f"{numbers['stage']}/{name}", value, at.step)
        shown = f"loss {numbers['loss']:.4f}" if "loss" in numbers else f"effective rank {numbers['effective_rank']:.1f}"
        self.bar.update(f"train: {numbers['stage']}", done, f"step {at.step}, {shown}")
