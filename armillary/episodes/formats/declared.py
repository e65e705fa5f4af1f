"""What a file from a stranger declares, compared with what it holds, before anything is allocated for it.

A few bytes can declare an array of terabytes, or unpack to one. Up to `FREE` bytes nothing is asked; beyond that, the file has
to hold a `RATIO`-th of what it declares. Recordings compress less than that; what compresses more is no recording.
"""

from pathlib import Path

from armillary.errors import CorruptFile, require

FREE = 64 << 20
RATIO = 250


def check_declared(what: str, declared: int, stored: int) -> None:
    """Require that `declared` bytes can plausibly come out of `stored` bytes.

    Args:
        what: the file, and the part of it that declares its size.
        declared, stored: bytes.

    Raises:
        CorruptFile: they cannot.
    """
    if not 0 <= declared <= max(FREE, RATIO * stored):
        raise CorruptFile(
            f"{what}: declares {declared:,} bytes and holds {stored:,}; the file is damaged, or not to be trusted"
        )


def check_parquet(path: Path) -> None:
    """Require that a Parquet file can hold what its footer declares: runs of one value take next to no room in it.

    Raises:
        OSError, pyarrow.ArrowException: it is no Parquet file.
        CorruptFile: it cannot.
    """
    try:
        footer = require("pyarrow.parquet", "data").read_metadata(path)
    except UnicodeDecodeError as error:
        raise CorruptFile(f"{path}: a name in it is no text ({error})") from error
    groups = [footer.row_group(i) for i in range(footer.num_row_groups)]
    numbers = sum(group.column(i).num_values for group in groups for i in range(group.num_columns))
    declared = max(8 * numbers, 8 * footer.num_rows, sum(group.total_byte_size for group in groups))
    check_declared(f"{path}: {footer.num_rows:,} rows", declared, path.stat().st_size)
