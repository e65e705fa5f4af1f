"""Numbers in the names of image files: which files are one series, and where some are missing between two of them.

- A series is the files whose names differ in their numbers alone: `left_0.png` and `right_0.png` are two. Dates, decimals and
  seconds with nanoseconds are one number. Names that have no form in common tell nothing, and all are one series.
- The number that counts is the first one that tells the files apart, together with those before it. Where one of these changes
  (`run_3_frame_0.png`), the count begins anew.
- The most common step is the step. Any other is a gap; of steps above ten, which are times, one that is half a step off. Where
  no step is that of half of the files, numbers are time stamps, and a gap is as long as a jump of a clock.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float64

from armillary.episodes.formats.clocks import JUMP
from armillary.episodes.formats.dates import date

_DATE = re.compile(
    r"(?<!\d)((?:19|20)\d\d)(?P<day>[-_.]?)([01]\d)(?P=day)([0-3]\d)"
    r"(?:[-_. T]*([0-2]\d)(?P<time>[-_.:]?)([0-5]\d)(?P=time)([0-5]\d)(?:[-_.]?(\d{1,9}))?)?(?!\d)"
)
_NUMBER = re.compile(rf"{_DATE.pattern}|(?<!\d)\d{{9,10}}_\d{{3,9}}(?!\d)|\d+\.\d+|\d+")
COUNTED = 10  # the largest step of numbers that are counts, and no times


@dataclass(frozen=True)
class Series:
    """Files in order.

    Args:
        form: of their names, with # for numbers; empty where they have none in common.
        files: the files.
        at: (n,) where each is, in steps since the first; its place, where numbers do not tell.
        begins: (n,) whether files are missing before it, or a count begins anew.
    """

    form: str
    files: tuple[Path, ...]
    at: Float64[np.ndarray, " n"]
    begins: Bool[np.ndarray, " n"]


def series_of(files: Sequence[Path]) -> list[Series]:
    """The series among some files in natural order, of one folder."""
    again = len({file.stem for file in files}) < len(files)  # a.png beside a.jpg
    named: dict[str, list[Path]] = {}
    for file in files:
        named.setdefault(_NUMBER.sub("#", file.stem) + file.suffix.lower() * again, []).append(file)
    if 2 * sum(len(some) for some in named.values() if len(some) > 1) < len(files):
        named = {"": [*files]}
    return [Series(form, tuple(some), *(_counted(some) if form else _uncounted(some))) for form, some in named.items() if some]


def _uncounted(files: Sequence[Path]) -> tuple[Float64[np.ndarray, " n"], Bool[np.ndarray, " n"]]:
    return np.arange(float(len(files))), np.zeros(len(files), bool)


def _counted(files: Sequence[Path]) -> tuple[Float64[np.ndarray, " n"], Bool[np.ndarray, " n"]]:
    """`at` and `begins` of a series."""
    cells = [[found[0] for found in _NUMBER.finditer(file.stem)] for file in files]
    columns = [_numbers(column) for column in zip(*cells, strict=True)]
    apart = [len(set(zip(*columns[: i + 1], strict=True))) == len(files) for i in range(len(columns))]
    if len(files) < 2 or not any(apart):
        return _uncounted(files)
    *before, counts = columns[: apart.index(True) + 1]
    anew = np.array([one != other for one, other in pairwise(zip(*before, strict=True))] or [False] * (len(files) - 1))
    steps = np.array([float(other - one) for one, other in pairwise(counts)])
    usual, often = Counter(steps[~anew].round(6).tolist() or [1.0]).most_common(1)[0]
    if 2 * often >= (~anew).sum():
        gap = abs(steps - usual) >= (0.5 if usual <= COUNTED and usual % 1 == 0 else usual / 2)
    else:
        usual = float(np.median(steps[~anew]))
        gap = steps > JUMP * usual
    if 2 * (anew | gap).sum() > len(files):
        return _uncounted(files)
    moved = np.where(gap & ~anew, np.maximum(1, (steps / usual).round()), 1)
    return np.concatenate([[0.0], np.cumsum(moved)]), np.concatenate([[False], anew | gap])


def _numbers(cells: Sequence[str]) -> list[float]:
    """One number of the name of each file."""
    digits = max(len(cell.partition("_")[2]) for cell in cells)  # of what comes after whole seconds, often without its zeros

    def one(cell: str) -> float:
        if (found := _DATE.fullmatch(cell)) and (day := date("{}-{}-{}".format(*found.group(1, 3, 4)))) == day:
            hour, minute, second, rest = found.group(5, 7, 8, 9)
            return day + 3600 * int(hour or 0) + 60 * int(minute or 0) + int(second or 0) + float(f"0.{rest or 0}")
        whole, _, rest = cell.partition("_")
        return int(whole) + int(rest) / 10**digits if rest.isdigit() else float(cell) if "." in cell else int(cell)

    return [one(cell) for cell in cells]
