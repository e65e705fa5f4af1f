"""Files that hold tensors: safetensors with a JSON header of ours, written atomically, read without running any code."""

import errno
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from armillary.errors import ArmillaryError, CorruptFile
from armillary.files import as_json, parse_json, write_whole

KEY = "armillary"


def write(path: str | Path, tensors: dict[str, Tensor], header: dict[str, Any]) -> None:
    """Write tensors and a JSON-able header to `path`, or leave what was there.

    Raises:
        ArmillaryError: the disk is full or the folder cannot be written to.
    """
    path = Path(path)
    # safetensors refuses tensors that share memory or are not contiguous.
    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    content = save(tensors, {KEY: as_json(header)})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, content)
    except OSError as error:
        reason = "the disk is full" if error.errno == errno.ENOSPC else error.strerror
        raise ArmillaryError(f"{path}: {reason}; nothing was written") from error


def read(path: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors (on the CPU) and header of a file that `write` made.

    Raises:
        ArmillaryError: there is no such file.
        CorruptFile: it is truncated, or no file of ours.
    """
    if not Path(path).is_file():
        raise ArmillaryError(f"{path}: no such file; expected a checkpoint, or the folder of a trained run")
    try:
        with safe_open(path, "pt") as file:
            header = parse_json((file.metadata() or {})[KEY], path)
            if not isinstance(header, dict):
                raise CorruptFile(f"{path}: its header is not one of ours")
            return {name: file.get_tensor(name) for name in file.keys()}, header  # noqa: SIM118 (not a dict)
    except (SafetensorError, OSError, KeyError) as error:
        raise CorruptFile(f"{path}: not an Armillary checkpoint, or a truncated one ({error})") from error
