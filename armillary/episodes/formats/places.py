"""Where a dataset says that its files are: templates such as `data/chunk-{episode_chunk:03d}/...`, filled in, and kept inside.

Metadata come from strangers. `str.format` would let them read attributes, or ask for a number padded to a gigabyte; a path
could lead to any file of the reader's disk, by `..`, from the root, or through a symbolic link.
"""

import re
from pathlib import Path

from armillary.errors import CorruptFile

_FIELD = re.compile(r"\{(\w+)(?::0?(\d)d)?\}")


def fill(template: str, **values: int | str) -> str:
    """The template with its fields replaced: `{name}`, or `{name:03d}` for a whole number padded to up to nine digits.

    Raises:
        CorruptFile: another kind of field, a field that has no value here, or a value of the wrong type.
    """

    def one(field: re.Match[str]) -> str:
        name, width = field.groups()
        if name not in values or (width and type(values[name]) is not int):
            raise CorruptFile(f"the path template {template[:200]!r} asks for {field[0]}; there are {', '.join(values)}")
        return str(values[name]).zfill(int(width or 0))

    filled = _FIELD.sub(one, template)
    if "{" in _FIELD.sub("", template) or "}" in _FIELD.sub("", template):
        raise CorruptFile(f"the path template {template[:200]!r} has a field that is not {{name}} or {{name:03d}}")
    return filled


def inside(root: Path, place: str) -> Path:
    """The path `place` below `root`.

    Links may lead elsewhere below `root`; in the Hugging Face cache (`snapshots/<commit>`), also into its `blobs`.

    Raises:
        CorruptFile: it leads out of `root`.
    """
    path, real = root / place, root.resolve()
    allowed = [real, *(folder.parent / "blobs" for folder in real.parents if folder.name == "snapshots")]
    try:
        found = path.resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise CorruptFile(f"{root}: {place[:200]!r} is no path ({error})") from error
    if ".." in Path(place).parts or not any(found.is_relative_to(folder) for folder in allowed):
        raise CorruptFile(f"{root}: the metadata name {place[:200]!r}, which leads out of the dataset; copy the file into it")
    return path
