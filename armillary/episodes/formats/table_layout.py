"""What each column of a table is: a sensor, an action, truth, a clock, the episode, or left out, and why."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from armillary.episodes.formats.table_clock import is_clock
from armillary.episodes.formats.table_files import Survey, Table
from armillary.errors import ArmillaryError
from armillary.spec import NO_ACTION, ActionSpace, Spec, Stream

SENSORS = "sensors"
CLOCK = "it is a clock; name it in time"
_ROW_NUMBERS = re.compile(r"unnamed: ?\d+|index|row|#|no\.?", re.IGNORECASE)


@dataclass
class TableLayout:
    """What each column is.

    Args:
        sensors, controls, truth: columns of numbers.
        time, episode: the columns that order and divide rows.
        ignored: columns that stay out, and why.
        remarks: what a person should know of it.
        masked: sensors that may be missing, each a stream of its own; the others are one stream.
    """

    sensors: list[str]
    controls: list[str]
    truth: list[str]
    time: tuple[str, ...]
    episode: str | None
    ignored: dict[str, str]
    remarks: list[str]
    masked: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        table: Table,
        survey: Survey,
        pooled: Survey,
        time: tuple[str, ...],
        controls: Sequence[str],
        truth: Sequence[str],
        episode: str | None,
        ignore: Sequence[str],
        mask: bool = False,
    ) -> "TableLayout":
        """The layout of tables whose columns are the first's, which `pooled` surveys all together.

        Raises:
            ArmillaryError: a column that is named and not there, named twice or no number; nothing left to sense.
        """
        named = [*time, *controls, *truth, *([episode] if episode else []), *ignore]
        for name in named:
            if name not in table.columns:
                there = ", ".join(filter(None, table.columns))
                raise ArmillaryError(f"{table.name}: there is no column {name!r}; there are {there}")
            if named.count(name) > 1:
                raise ArmillaryError(f"column {name!r} is named twice; it is one of time, controls, truth, episode and ignore")
        table.require([name for name in table.columns if name and name not in ignore])
        numbers = [name for name in table.columns if name in pooled.numbers]
        for name in (*controls, *truth):
            if name not in numbers:
                raise ArmillaryError(f"{table.name}: column {name!r} is {pooled.columns[name].why}, not numbers")
            if name in controls and is_clock(name, survey):
                raise ArmillaryError(
                    f"{table.name}: column {name!r} is a clock, which is no action; name it in time, or leave it out"
                )
        ignored = dict.fromkeys(ignore, "as asked")
        for name in table.columns:
            if name not in named and (why := _no_sensor(name, survey, pooled)):
                ignored[name or "(no name)"] = why
        sensors = [name for name in numbers if name not in named and name not in ignored]
        if not sensors:
            raise ArmillaryError(f"{table.name}: no column of numbers is left to sense; there are {', '.join(table.columns)}")
        remarks = [
            f"warning: column {name!r} is no sensor: {why}"
            for name, why in ignored.items()
            if name in pooled.columns and pooled.columns[name].kind == "text" and pooled.columns[name].number
        ]
        if words := [name for name in (*sensors, *controls, *truth) if pooled.columns[name].kind == "bool"]:
            remarks.append(f"words for yes and no are 1 and 0: {', '.join(words)}")
        if long := [name for name in (*sensors, *controls, *truth) if pooled.columns[name].long]:
            remarks.append(
                f"warning: whole numbers beyond 2^53 lose their last digits in {', '.join(long)}; subtract a constant first"
            )
        masked = tuple(name for name in sensors if mask and pooled.columns[name].has_gaps)
        sensors = [*(name for name in sensors if name not in masked), *masked]
        return cls(sensors, list(controls), list(truth), time, episode, ignored, remarks, masked)

    def no_clock_note(self) -> str:
        """What is assumed of a table without a time column, in a line for a person."""
        clocks = [name for name, why in self.ignored.items() if why == CLOCK]
        return (
            "no clock: each row is one step, and seconds are unknown; name the column of time "
            f"(--time {clocks[0] if clocks else 'COLUMN'}), or tell armillary watch how long a row is (--seconds-per-row)"
        )

    @property
    def numbers(self) -> list[str]:
        """The columns that are read as numbers, in the order in which the reader splits them again."""
        return [*self.sensors, *self.controls, *self.truth]

    @property
    def whole(self) -> list[str]:
        """The sensors that are never missing, the first ones."""
        return self.sensors[: len(self.sensors) - len(self.masked)]

    @property
    def used(self) -> list[str]:
        """The columns that a table has to have."""
        return [*self.numbers, *self.time, *([self.episode] if self.episode else [])]

    def spec(self, table: Table, step: float | None) -> Spec:
        """The streams and the action, at the rate of the usual step."""
        units = {name: table.unit(name) for name in self.numbers}

        def vector(name: str, channels: Sequence[str], truth: bool = False, optional: bool = False) -> Stream:
            unit = tuple(units[channel] for channel in channels)
            return Stream(name, "vector", (len(channels),), unit=unit, channels=tuple(channels), truth=truth, optional=optional)

        streams = [vector(SENSORS, self.whole)] if self.whole else []
        streams += [vector(name, [name], optional=True) for name in self.masked]
        streams += [vector(name, [name], truth=True) for name in self.truth]
        action, unit = NO_ACTION, tuple(units[name] for name in self.controls)
        if self.controls:
            action = ActionSpace("box", len(self.controls), unit=unit, channels=tuple(self.controls))
        return Spec(tuple(streams), action, rate=1 / step if step else None)


def _no_sensor(name: str, survey: Survey, pooled: Survey) -> str | None:
    """Why a column that nobody named is no sensor, or None."""
    if not name:
        return "it has no name"
    evidence = survey.columns[name]
    if pooled.columns[name].kind not in ("number", "bool"):
        return pooled.columns[name].why
    if is_clock(name, survey):
        return CLOCK
    counts = evidence.rises and evidence.total == evidence.number == evidence.high - evidence.low + 1
    return "row numbers" if counts and _ROW_NUMBERS.fullmatch(name) else None
