"""What a cell of a text table says: a number, nothing, yes or no, a date, or a word.

A column has one style, judged over all of its cells, since a single cell can be ambiguous: 1,234 is one thing in Berlin and
another in Boston. The styles are
- `.`: a decimal point, the default;
- `,`: a decimal comma;
- `.g` and `,g`: the same, with digits grouped by the other sign, as in 1,234.5 and 1.234,5;
- `bool`: words for yes and no, which are 1 and 0. In a column of numbers such a word is no number.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Float64

from armillary.episodes.offsets import FLOAT64_WHOLE

_NOTHING = (
    "|-|--|---|.|?|*|na|n/a|n.a.|nan|null|nil|none|bad|bad input|missing|no data|nodata|invalid|error|i/o timeout|inf|-inf|"
    "#n/a|#value!|#div/0!|#num!|#ref!"
)
MISSING = frozenset(_NOTHING.split("|"))
"""Words, in lower case, that people and loggers write where there is no number."""
YES_NO = {"true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0, "on": 1.0, "off": 0.0}
FLOAT32_MAX = float(np.finfo(np.float32).max)
_POINT = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_COMMA = re.compile(r"[+-]?(?:\d+,\d*|,\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_POINT_GROUPED = re.compile(r"[+-]?\d{1,3}(?:[,' \u00a0\u202f]\d{3})+(?:\.\d+)?", re.ASCII)
_COMMA_GROUPED = re.compile(r"[+-]?\d{1,3}(?:[.' \u00a0\u202f]\d{3})+(?:,\d+)?", re.ASCII)
_EITHER = re.compile(r"[+-]?[1-9]\d{0,2}[.,]\d{3}", re.ASCII)
_SPACES = re.compile(r"[' \u00a0\u202f]")


def is_missing(cell: str) -> bool:
    """Whether a cell says that there is no number."""
    return cell.strip().lower() in MISSING


def number(cell: str, style: str = ".") -> float:
    """A cell as a number; NaN where it is none in this style."""
    cell, nothing = cell.strip(), float("nan")
    if style == "bool":
        return YES_NO.get(cell.lower(), float(cell) if cell in ("0", "1", "0.0", "1.0") else nothing)
    comma = style[0] == ","
    if _POINT.fullmatch(cell) and not (comma and _EITHER.fullmatch(cell)):
        return float(cell)
    if comma and _COMMA.fullmatch(cell):
        return float(cell.replace(",", "."))
    sign, grouped = (".", _COMMA_GROUPED) if comma else (",", _POINT_GROUPED)
    sure = style.endswith("g") or ("." in cell and "," in cell) or cell.count(sign) > 1 or _SPACES.search(cell)
    if sure and grouped.fullmatch(cell):
        return float(_SPACES.sub("", cell).replace(sign, "").replace(",", "."))
    return nothing


def numbers(cells: Sequence[str], style: str = ".") -> Float64[np.ndarray, " n"]:
    """Cells of one column as numbers; NaN, or infinity, where there is none."""
    if style == ".":
        try:
            found = np.array([*map(float, cells)])
            if "_" not in "".join(cells):  # which Python takes for a number, and nobody else
                return found
        except ValueError:
            pass
    known = {cell: number(cell, style) for cell in set(cells)}
    return np.array([known[cell] for cell in cells], np.float64)


@dataclass
class Evidence:
    """What the cells of a column are, counted; `+` puts those of several files together.

    Args:
        total: cells.
        number, missing, yes_no, date: how many of each; the others are text.
        comma, point: numbers whose decimal sign that is beyond doubt.
        comma_grouped, point_grouped: of these, those whose digits are grouped by the other sign.
        either: such as 1,234, whose comma may do either.
        long: numbers of columns that hold whole ones beyond 2^53, which float64 rounds.
        text: one of the words.
        low, high: the smallest and the largest number.
        rises: no number is below the one before it.
    """

    total: int = 0
    number: int = 0
    missing: int = 0
    yes_no: int = 0
    date: int = 0
    comma: int = 0
    point: int = 0
    comma_grouped: int = 0
    point_grouped: int = 0
    either: int = 0
    long: int = 0
    text: str = ""
    low: float = float("inf")
    high: float = float("-inf")
    rises: bool = True

    @property
    def has_gaps(self) -> bool:
        """Whether some cell holds no number that float32 can."""
        return self.number + self.yes_no < self.total or max(abs(self.low), abs(self.high)) > FLOAT32_MAX

    def __add__(self, other: "Evidence") -> "Evidence":
        both = {f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self) if f.type is int}
        low, high = min(self.low, other.low), max(self.high, other.high)
        return Evidence(**both, text=self.text or other.text, low=low, high=high, rises=self.rises and other.rises)

    def add(self, cells: Sequence[str], is_date: Callable[[str], bool]) -> None:
        """Count more cells of the column, in their order."""
        self.total += len(cells)
        found = numbers(cells)
        alike = bool(np.isfinite(found).all())
        if not alike:
            found = np.where(np.isfinite(found), found, numbers(cells, ","))
        plain = found[np.isfinite(found)]
        if len(plain):
            self.rises &= bool(plain[0] >= self.high and (np.diff(plain) >= 0).all()) or self.high == float("-inf")
            self.low, self.high = min(self.low, float(plain.min())), max(self.high, float(plain.max()))
            if max(-self.low, self.high) > FLOAT64_WHOLE:
                self.long += sum(cell.strip().lstrip("+-").isdigit() for cell in cells)
        if alike:
            self.number += len(cells)
            self.point = self.point or int(any("." in cell and not _EITHER.fullmatch(cell.strip()) for cell in cells))
            return
        for cell, count in Counter(cells).items():
            self._one(cell.strip(), count, is_date)

    def _one(self, cell: str, count: int, is_date: Callable[[str], bool]) -> None:
        word = cell.lower()
        if word in MISSING:
            self.missing += count
            return
        if word in YES_NO:
            self.yes_no += count
            return
        comma = bool(_COMMA.fullmatch(cell) or _COMMA_GROUPED.fullmatch(cell))
        point = bool(_POINT.fullmatch(cell) or _POINT_GROUPED.fullmatch(cell))
        if comma or point:
            self.number += count
            if _EITHER.fullmatch(cell):
                self.either += count * ("," in cell)
            elif comma != point and ("," in cell or "." in cell):
                self.comma, self.point = self.comma + count * comma, self.point + count * point
                self.comma_grouped += count * (comma and "." in cell)
                self.point_grouped += count * (point and "," in cell)
        elif is_date(cell):
            self.date += count
        else:
            self.text = self.text or cell

    @property
    def kind(self) -> str:
        """What most cells that are not missing are: `number`, `bool`, `date`, `text`, or `empty` where there are none."""
        known = self.total - self.missing
        if not known:
            return "empty"
        counts = {"number": self.number, "bool": self.yes_no, "date": self.date}
        counts["text"] = known - sum(counts.values())
        return max(counts, key=counts.__getitem__)

    @property
    def style(self) -> str | None:
        """The column's style, or None where no cell tells."""
        if self.kind == "bool":
            return "bool"
        if self.comma:
            return ",g" if self.comma_grouped else ","
        if self.point:
            return ".g" if self.point_grouped else "."
        return None

    @property
    def why(self) -> str:
        """Why the column is no sensor."""
        if self.kind == "empty":
            return "no number in it"
        if self.kind == "date":
            return "dates"
        words = self.total - self.missing - self.number - self.date - self.yes_no
        example = f", such as {self.text!r}" if self.text else ""
        return f"text in {words:,} of {self.total:,} cells{example}"


def styles_of(columns: dict[str, Evidence], delimiter: str) -> dict[str, str]:
    """The styles of a file's columns as far as its cells tell; one that is ambiguous is as the file's others are."""
    found = {name: evidence.style for name, evidence in columns.items()}
    signs = {style[0] for style in found.values() if style and style != "bool"}
    usual = "," if "," in signs else ".g" if delimiter == "," or "." in signs else ","
    return {n: found[n] or usual for n, evidence in columns.items() if found[n] or evidence.either}
