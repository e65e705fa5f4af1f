"""Which rows a run was trained on, beside its checkpoint: a monitor must not be calibrated on them (`row_hashes.py`)."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt64

from armillary import weights
from armillary.episodes.row_hashes import row_hashes
from armillary.episodes.store import Episodes
from armillary.errors import CorruptFile
from armillary.spec import Spec

TRAINING_ROWS = "training_rows.safetensors"


def write_training_rows(run: str | Path, episodes: Episodes, which: Iterable[int], spec: Spec) -> None:
    """Note the rows of these episodes, where `spec` observes plain vectors alone: 2 MB at most."""
    if all(stream.is_tabular and not stream.optional for stream in spec.observed):
        hashes = row_hashes(episodes, which, [stream.name for stream in spec.observed])
        weights.write(Path(run) / TRAINING_ROWS, {"hashes": torch.from_numpy(hashes.view(np.int64))}, {})


def read_training_rows(run: str | Path) -> UInt64[np.ndarray, " n"] | None:
    """What `write_training_rows` wrote, or None.

    Raises:
        CorruptFile: it is something else.
    """
    path = Path(run) / TRAINING_ROWS
    if not path.is_file():
        return None
    tensors, _ = weights.read(path)
    if [(name, values.dtype, values.ndim) for name, values in tensors.items()] != [("hashes", torch.int64, 1)]:
        raise CorruptFile(f"{path}: expected hashes of rows; delete it, and name the recording with --recording")
    return tensors["hashes"].numpy().view(np.uint64)
