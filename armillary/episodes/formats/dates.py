"""Dates as people write them, to seconds.

ISO 8601 in its usual forms, 2026/03/03 12:00, 03.03.2026 12:00, 3/3/2026 12:00 PM, 03-Mar-26 12:00:00, Mar 3, 2026 12:00, and
the time of day alone. Which of two numbers is the day cannot be told from 3/4/2026: it is decided over a whole column, by days
that are no month, or by the order of the rows; with dots between them, the day comes first. A date without a zone is in UTC.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from jaxtyping import Float64

_EPOCH = datetime(1970, 1, 1)
_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTHS = {name: i for i, name in enumerate(_NAMES, 1)}
_TIME = (
    r"(?:[T ,;:]+(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<part>\d{1,9}))?)?"
    r"\s*(?P<half>[AaPp]\.?[Mm]\.?)?\s*(?P<zone>Z|UTC|GMT|[+-]\d{2}:?\d{2})?)?"
)
_WEEKDAY = r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?,?\s+)?"
_FORMS = [
    re.compile(form + _TIME, re.IGNORECASE | re.ASCII)
    for form in (
        r"(?P<year>\d{4})(?P<sep>[-/.])(?P<month>\d{1,2})(?P=sep)(?P<day>\d{1,2})",
        r"(?P<first>\d{1,2})(?P<sep>[-/.])(?P<other>\d{1,2})(?P=sep)(?P<year>\d{4}|\d{2})",
        _WEEKDAY + r"(?P<day>\d{1,2})[-/ .]+(?P<name>[a-z]{3,9})[-/ .,]+(?P<year>\d{4}|\d{2})",
        _WEEKDAY + r"(?P<name>[a-z]{3,9})\.? (?P<day>\d{1,2}),? (?P<year>\d{4})",
    )
]
_CLOCK = re.compile(r"(\d{1,3}):(\d{2})(?::(\d{2}))?(?:[.,](\d{1,9}))?\s*([AaPp]\.?[Mm]\.?)?", re.ASCII)
DAY = 86400.0


def date(cell: str, day_first: bool = True) -> float:
    """A date, or a time of day, in seconds since 1970 or since midnight; NaN where it is neither."""
    cell = cell.strip()
    if cell[4:5] == "-":
        try:
            found = datetime.fromisoformat(cell.replace("Z", "+00:00"))
            return (found - _EPOCH).total_seconds() if found.tzinfo is None else found.timestamp()
        except ValueError:
            pass
    try:
        if form := _CLOCK.fullmatch(cell):
            return _time_of_day(form)
        form = next((found for pattern in _FORMS if (found := pattern.fullmatch(cell))), None)
        return _seconds(form.groupdict(), day_first) if form else float("nan")
    except (ValueError, KeyError, OverflowError):  # such as 30 February
        return float("nan")


def is_date(cell: str) -> bool:
    """Whether a cell is a date or a time of day, in either order of day and month."""
    return any(np.isfinite(date(cell, day_first)) for day_first in (True, False))


def is_time_of_day(cell: str) -> bool:
    """Whether a cell is a time without a date."""
    return bool(_CLOCK.fullmatch(cell.strip()))


def is_day(cell: str) -> bool:
    """Whether a cell is a date without a time."""
    return is_date(cell) and ":" not in cell


def has_zone(cell: str) -> bool:
    """Whether a date says its zone."""
    return bool(re.search(r":\d{2}.*(?:Z|UTC|GMT|[+-]\d{2}:?\d{2})$", cell.strip()))


def _seconds(found: dict[str, Any], day_first: bool) -> float:
    if name := found.get("name"):
        month, day = _MONTHS[name[:3].lower()], int(found["day"])
    elif found.get("month"):
        month, day = int(found["month"]), int(found["day"])
    else:
        one, other = int(found["first"]), int(found["other"])
        day, month = (one, other) if day_first or found["sep"] == "." else (other, one)
    year = int(found["year"]) + (2000 if len(found["year"]) == 2 else 0)
    moment = datetime(year, month, day)
    if found["hour"]:
        hour = _hour(int(found["hour"]), found["half"])
        minute, second = int(found["minute"]), int(found["second"] or 0)
        if not (hour < 24 and minute < 60 and second < 61):
            raise ValueError("no time of day")
        moment += timedelta(hours=hour, minutes=minute, seconds=second)
    zone = found["zone"] or "Z"
    away = 0 if zone[0] not in "+-" else int(zone[0] + "1") * (3600 * int(zone[1:3]) + 60 * int(zone[-2:]))
    return (moment - _EPOCH).total_seconds() + (float(f"0.{found['part']}") if found["part"] else 0.0) - away


def _time_of_day(form: re.Match) -> float:
    first, second, third, part, half = form.groups()
    fraction = float(f"0.{part}") if part else 0.0
    if third is None and part:  # minutes and seconds
        return 60.0 * int(first) + int(second) + fraction
    return 3600.0 * _hour(int(first), half) + 60 * int(second) + int(third or 0) + fraction


def _hour(hour: int, half: str | None) -> int:
    if half and not 1 <= hour <= 12:
        raise ValueError("no hour of half a day")
    return hour % 12 + 12 * (half[0] in "pP") if half else hour


def dates(cells: Sequence[str], day_first: bool = True) -> Float64[np.ndarray, " n"]:
    """Cells as seconds; NaN where there is no date."""
    return np.array([date(cell, day_first) for cell in cells], np.float64)


@dataclass
class _Way:
    """Dates read in one order: whether every cell is one and none is before the one above, and the longest step."""

    possible: bool = True
    longest: float = 0.0
    last: float | None = None

    def add(self, seconds: Float64[np.ndarray, " n"]) -> None:
        steps = np.diff(seconds, prepend=seconds[0] if self.last is None else self.last)
        self.possible = self.possible and bool((steps > -DAY / 2).all())
        self.longest, self.last = max(self.longest, float(steps.max())), float(seconds[-1])


class Order:
    """Whether the day comes before the month in a column of dates, as far as its cells tell."""

    def __init__(self) -> None:
        self._ways = {True: _Way(), False: _Way()}
        self._apart: float | None = None
        self._matters = False
        self._rows = self._days = 0

    def add(self, cells: Sequence[str]) -> None:
        """Look at more cells, in their order."""
        plain = [cell for cell in cells if not cell[:4].isdigit()]
        day, month = (dates(plain, way) for way in (True, False))
        known = np.isfinite(day) | np.isfinite(month)
        day, month = day[known], month[known]
        if not len(day):
            return
        self._apart = float(day[0] - month[0]) if self._apart is None else self._apart
        self._matters = self._matters or bool((day - month != self._apart).any())
        self._rows += len(day)
        self._days += len(np.unique(np.where(np.isfinite(day), day, month) // DAY))
        self._ways[True].add(day)
        self._ways[False].add(month)

    @property
    def decided(self) -> bool | None:
        """Day first, month first (False), or None where both are possible or neither is.

        Where the rows of many hours go on over midnight, the next day is the one that is not a month away.
        """
        if not self._matters:  # nothing but the same number of days for all rows
            return True
        first, other = self._ways[True], self._ways[False]
        if first.possible != other.possible:
            return first.possible
        if first.possible and self._rows > 2 * self._days and max(first.longest, other.longest) > 20 * DAY:
            near = min(first.longest, other.longest) < 2 * DAY
            return first.longest < other.longest if near else None
        return None
