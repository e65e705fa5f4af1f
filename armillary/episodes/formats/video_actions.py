"""Actions from a table beside a video: which of its rows was in force at each frame.

- The table has the video's name, or is the `actions` of the one video (or folder of frames) that its folder holds.
- Without a time column, row i belongs to frame i, and there has to be one for each frame, or for each but the last.
- With one, a frame has the last row at or before it. Two clocks that were started and stopped together end together: where they
  are further apart at either end than a tolerance and a step (a table that ends early may have a step of its own left to hold),
  one of them drifts, or they are not of one recording.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from armillary.episodes.formats.table_clock import Asked, is_clock
from armillary.episodes.formats.table_files import open_table
from armillary.episodes.formats.table_log import last_before, read_log
from armillary.errors import ArmillaryError, CorruptFile
from armillary.spec import ActionSpace

SUFFIXES = (".csv", ".tsv", ".parquet")


def find_table(video: Path, alone: bool) -> Path | None:
    """The table beside a video, or beside or in a folder of frames.

    Args:
        video: the file, or the folder.
        alone: there is no other video in its folder, so that `actions` there means this one.

    Raises:
        CorruptFile: there are two.
    """
    stems = [video / "actions"] if video.is_dir() else [video.parent / "actions"] if alone else []
    stems.append(video.parent / (video.name if video.is_dir() else video.stem))
    found = [file for stem in stems for suffix in SUFFIXES if (file := stem.parent / (stem.name + suffix)).is_file()]
    if len(found) > 1:
        raise CorruptFile(f"{video}: two tables of actions are beside it, {found[0].name} and {found[1].name}; leave one")
    return found[0] if found else None


@dataclass(frozen=True)
class ActionTable:
    """What to read of each table.

    Args:
        channels: columns that are the action, in order.
        time: the column of dates or of seconds; None where row i belongs to frame i.
        begins: what the time column shows at the first frame, in seconds; None for 0, or for a date, its first.
        drift: seconds that the clocks may be apart at either end.
        ignored: columns that stay out, and why.
        units: of each channel.
    """

    channels: tuple[str, ...]
    time: str | None
    begins: float | None
    drift: float
    ignored: dict[str, str]
    units: tuple[str, ...] = ()

    @classmethod
    def like(
        cls, file: Path, channels: tuple[str, ...] | None, time: str | None, begins: float | None, drift: float
    ) -> "ActionTable":
        """What to read of tables like this one; every column of numbers, unless channels are named.

        Raises:
            ArmillaryError: a column that is not there or holds no numbers.
        """
        table = open_table(file)
        survey, there = table.survey(), ", ".join(filter(None, table.columns))
        clocks = [name for name in survey.numbers if is_clock(name, survey)]
        for name in (*(channels or ()), *filter(None, [time])):
            if name not in table.columns or (name != time and name not in survey.numbers):
                raise ArmillaryError(f"{file}: there is no column {name!r} of numbers; there are {there}")
            if name != time and name in clocks:
                raise ArmillaryError(
                    f"{file}: column {name!r} is a clock, which is no action; name it in time, or leave it out"
                )
        chosen = channels or tuple(name for name in survey.numbers if name != time and name not in clocks)
        if not chosen:
            raise ArmillaryError(f"{file}: no column of numbers is left for actions; there are {there}")
        units = tuple(table.unit(name) for name in chosen)
        reasons = {name: "not asked for" if name in survey.numbers else "not numbers" for name in table.columns if name}
        reasons |= dict.fromkeys(clocks, "it is a clock; name it in time")
        ignored = {name: why for name, why in reasons.items() if name not in (*chosen, time)}
        return cls(chosen, time, begins, drift, ignored, units)

    @property
    def space(self) -> ActionSpace:
        """A box without bounds: a table records none."""
        return ActionSpace("box", len(self.channels), unit=self.units, channels=self.channels)

    def actions_at(
        self, file: Path, frames: Float64[np.ndarray, " f"], moments: Float64[np.ndarray, " t"]
    ) -> tuple[Float64[np.ndarray, "t n"], float | None]:
        """The action in force at each moment, and how far apart the clocks are at the worse end.

        Args:
            file: the table.
            frames: when each frame of the video is, in seconds since the first.
            moments: ascending, on the same clock.

        Returns:
            actions (the last of which nobody knows what it led to), and seconds, or None where the table has no clock.

        Raises:
            CorruptFile: a table that cannot be read, lacks a column or a number, or does not fit the video.
        """
        log = read_log(file, self.channels, Asked((self.time,)) if self.time else None)
        actions, clock = log.numbers, log.clock
        if clock is None:
            if len(actions) not in (len(frames), len(frames) - 1):
                what = f"{len(actions)} rows of actions for {len(frames)} frames, of which each has one, or each but the last"
                raise CorruptFile(f"{file}: {what}; where the table has a clock of its own, name the time column")
            return actions[np.minimum(last_before(frames, moments), len(actions) - 1)], None
        clock = clock - ((clock[0] if log.dated else 0.0) if self.begins is None else self.begins)
        frame = float(np.median(np.diff(frames)))
        step = max(frame, float(np.median(np.diff(clock))) if len(clock) > 1 else 0.0)
        late = np.array([clock[0], clock[-1] - frames[-1]])
        if (late > self.drift + frame).any() or (late < -self.drift - step).any():
            runs = f"runs from {clock[0]:.3f} to {clock[-1]:.3f} s and the video's from 0 to {frames[-1]:.3f} s"
            more = f"more than {self.drift:g} s and a step"
            raise CorruptFile(f"{file}: its clock {runs}: they are {abs(late).max():.3f} s apart, {more}")
        return actions[last_before(clock, moments)], float(abs(late).max())
