"""The run of a command that makes its own recording, which says so: begun anew, and nothing else removed."""

from collections.abc import Sequence
from pathlib import Path

from armillary.episodes.store import Episodes
from armillary.episodes.tiers import remove_cache
from armillary.errors import ArmillaryError

RECORDING = "recording"
LOCKS = ".lock"  # how names of files end that processes lock


def clear_run(folder: Path, made_by: str, files: Sequence[str]) -> None:
    """Remove what an earlier run of a command has written into its folder, apart from the recording, which is overwritten.

    Args:
        folder: of the run.
        made_by: what the recording there has to say in its info.
        files: names of what the command writes.

    Raises:
        ArmillaryError: the folder holds something, and no such recording.
    """
    if not folder.exists() or (folder.is_dir() and all(path.suffix == LOCKS for path in folder.iterdir())):
        return
    try:
        made_here = Episodes.open(folder / RECORDING).info.get("made_by") == made_by
    except ArmillaryError:
        made_here = False
    if not made_here:
        raise ArmillaryError(f"{folder} holds something that this command has not made there; move it, or take another folder")
    for name in files:
        (folder / name).unlink(missing_ok=True)
    remove_cache(folder / "cache")
