"""Numbers in the names of image files: which files are one series, and where some are missing between two of them.

- A series is the files whose names differ in their numbers alone: `left_0.png` and `right_0.png` are two. Dates and decimals
  are one number. Names that have no form in common tell nothing, and all are one series.
- The number that counts is the first one that tells the files apart, together with those before it. Where one of these changes
  (`run_3_frame_0.png`), the count begins anew.
- The most common step is the step, if half of the files have it. Any other is a gap; of steps above ten, one that is half a
  step off. Else, and of dates and seconds since 1970, which the next number may divide, a gap is as long as a jump of a clock.
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

_DECIMAL = re.compile(r"\d{9,}\.\d+|\d+\.0\d+")  # and no two counts, as in 3.12
_TIME = r"(?P<hour>[0-2]\d){}(?P<minute>[0-5]\d){}(?P<second>[0-5]\d)(?P<thousandths>\d{{3}})?"
_DATE = r"(?P<year>(?:19|20)\d\d)[-_.]?(?P<month>[01]\d)[-_.]?(?P<day>[0-3]\d)"
_STAMPS = [
    rf"(?<!\d){_DATE}(?:[-_. T]*{_TIME.format('[-_.:h]?', '[-_.:m]?')})?(?!\d)",
    rf"(?<!\d){_TIME.format('[-_.:h]', '[-_.:m]')}(?!\d)",
]
_NUMBER = re.compile("|".join([re.sub(r"\?P<\w+>", "?:", one) for one in _STAMPS] + [r"\d+\.\d+", r"\d+"]))
EPOCH = 10**8  # seconds since 1970, or parts of them, are above it
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
    return [_series(form, some) for form, some in named.items() if some]


def _series(form: str, files: list[Path]) -> Series:
    cells = [_NUMBER.findall(file.stem) if form else [] for file in files]
    columns, stamps = [], []
    for column in zip(*cells, strict=True):
        numbers, digits = [*map(_number, column)], max(map(len, column))
        if stamps and stamps[-1] and len(set(columns[-1])) > 1:
            columns[-1] = [whole + part / 10**digits for whole, part in zip(columns[-1], numbers, strict=True)]
        else:
            columns.append(numbers)
            stamps.append(max(numbers) > EPOCH or any(re.fullmatch(one, column[0]) for one in _STAMPS))
    if any(_DECIMAL.fullmatch(cell) for row in cells for cell in row):  # 0.1 comes after 0.05
        order = sorted(range(len(files)), key=[*zip(*columns, strict=True)].__getitem__)
        files, columns = [files[i] for i in order], [[column[i] for i in order] for column in columns]
    return Series(form, tuple(files), *_counted(columns, stamps, len(files)))


def _counted(
    columns: list[list[float]], stamps: list[bool], count: int
) -> tuple[Float64[np.ndarray, " n"], Bool[np.ndarray, " n"]]:
    """`at` and `begins` of files whose names have these numbers, of which some are times."""
    uncounted = np.arange(float(count)), np.zeros(count, bool)
    apart = [len(set(zip(*columns[: i + 1], strict=True))) == count for i in range(len(columns))]
    if count < 2 or not any(apart):
        return uncounted
    *before, counts = columns[: apart.index(True) + 1]
    anew = np.array([one != other for one, other in pairwise(zip(*before, strict=True))] or [False] * (count - 1))
    steps = np.array([float(other - one) for one, other in pairwise(counts)])
    usual, often = Counter(steps[~anew].round(6).tolist() or [1.0]).most_common(1)[0]
    if 2 * often >= (~anew).sum() and not stamps[len(before)]:
        gap = abs(steps - usual) >= (0.5 if usual <= COUNTED and usual % 1 == 0 else usual / 2)
    else:
        usual = float(np.median(steps[~anew])) if not anew.all() else 1.0
        gap = steps > JUMP * usual
    if 2 * (anew | gap).sum() > count:
        return uncounted
    moved = np.where(gap & ~anew, np.maximum(1, (steps / usual).round()), 1)
    return np.concatenate([[0.0], np.cumsum(moved)]), np.concatenate([[False], anew | gap])


def _number(cell: str) -> float:
    """A number of a name; of dates and times of day, seconds."""
    if found := next(filter(None, (re.fullmatch(one, cell) for one in _STAMPS)), None):
        about = {"year": "1970", "month": "1", "day": "1"} | {name: part or "0" for name, part in found.groupdict().items()}
        seconds = date("{year}-{month}-{day}".format(**about)) + sum(
            int(about.get(name, 0)) * size
            for name, size in (("hour", 3600), ("minute", 60), ("second", 1), ("thousandths", 1e-3))
        )
        return seconds if seconds == seconds else int(re.sub(r"\D", "", cell))
    return float(cell) if "." in cell else int(cell)
