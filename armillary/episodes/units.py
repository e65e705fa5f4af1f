"""Signs of a wrong unit in a recording's numbers: a channel that changes its unit.

A change of unit is one moment in the order of the recording that separates all that is smaller from all that is larger, by the
factor between two units in use. What is compared are blocks of some rows each, so that a number near 0 does not count.
"""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

FACTORS = {
    10: "cm and mm", 100: "bar and kPa, or a share and percent", 1000: "m and mm, or kilo", 1e4: "", 1e5: "bar and Pa",
    1e6: "mega", 180 / np.pi: "rad and degrees", 14.504: "bar and psi", 60: "seconds and minutes", 3600: "seconds and hours",
    25.4: "inches and mm", 9.807: "kgf and N", 9.549: "rad/s and rpm",
}  # fmt: skip
"""Between two units in use. Smaller ones, as between psi and kPa, are also what a machine does by itself."""
APART = 3.0  # least ratio of any block on one side of the change to any on the other
MATCH = 0.15  # how far the ratio may be from the factor
KELVIN, KELVIN_MATCH = 273.15, 10.0
BLOCK = 50  # rows


@dataclass
class Blocks:
    """Size and mean of each channel in blocks of rows, in the order of the recording; episode and first row of each block."""

    where: list[tuple[int, int]] = field(default_factory=list)
    size: list[Float[np.ndarray, " c"]] = field(default_factory=list)
    mean: list[Float[np.ndarray, " c"]] = field(default_factory=list)

    def add(self, episode: int, rows: Float[np.ndarray, "t c"]) -> None:
        """Take the rows of one more episode."""
        for first in range(0, len(rows), BLOCK):
            some = rows[first : first + BLOCK].astype(np.float64)
            self.where.append((episode, first))
            self.size.append(np.sqrt((some**2).mean(0)))
            self.mean.append(some.mean(0))

    def changes(self) -> list["Change"]:
        """One for each channel that seems to change its unit."""
        found = []
        with np.errstate(divide="ignore"):
            size, mean = np.log(np.array(self.size)), np.array(self.mean)
        for channel in range(size.shape[1]):
            at, before, after = _split(size[:, channel], np.log(APART))
            border = float(np.exp((before + after) / 2))
            for factor, units in FACTORS.items():
                if at and abs(abs(after - before) - np.log(factor)) < np.log1p(MATCH):
                    how = f"{factor:.4g} times{f' ({units})' if units else ''}"
                    found.append(Change(channel, *self.where[at], border, after > before, how))
                    break
            else:
                at, before, after = _split(mean[:, channel], KELVIN - 2 * KELVIN_MATCH)
                if at and abs(abs(after - before) - KELVIN) < KELVIN_MATCH:
                    how = "273 more or less (Celsius and Kelvin)"
                    found.append(Change(channel, *self.where[at], (before + after) / 2, after > before, how))
        return found


@dataclass(frozen=True)
class Change:
    """A change of unit: channel, episode, first row of the block after it, the size in between, whether it rises, and how."""

    channel: int
    episode: int
    block: int
    border: float
    rises: bool
    how: str

    def row(self, values: Float[np.ndarray, " t"]) -> int:
        """The first row of its episode in the new unit, of the channel's values there."""
        first = max(0, self.block - BLOCK) if self.block else 0
        large = np.flatnonzero(np.abs(values[first : self.block + BLOCK]) > self.border)
        if not self.block or not len(large):
            return self.block
        return first + int(large[0] if self.rises else large[-1] + 1)


def _split(values: Float[np.ndarray, " n"], gap: float) -> tuple[int, float, float]:
    """Where all values before are apart from all after by the gap, 0 if nowhere; and the medians before and after."""
    values = np.where(np.isfinite(values), values, np.nan)
    for sign in (1, -1):
        most = np.fmax.accumulate(sign * values)[:-1]
        least = np.fmin.accumulate((sign * values)[::-1])[::-1][1:]
        apart = np.flatnonzero(least - most > gap)
        if len(apart):
            at = int(apart[0]) + 1
            return at, float(np.nanmedian(values[:at])), float(np.nanmedian(values[at:]))
    return 0, 0.0, 0.0
