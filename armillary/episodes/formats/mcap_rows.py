"""The rows of a file of ROS messages: which ticks of the clock are fit to be rows, and what each holds."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from armillary.episodes.formats import clocks
from armillary.episodes.formats.importing import ImportSummary, Missing
from armillary.episodes.formats.mcap_plan import Plan
from armillary.episodes.formats.ros_files import RosFile, reading
from armillary.episodes.formats.ros_messages import Sense
from armillary.episodes.store import Episode
from armillary.errors import CorruptFile

UNEVEN = 0.1  # of a step


@dataclass(kw_only=True)
class McapSummary(ImportSummary):
    """What an import did.

    Args:
        clock: the control clock, in words.
        rules: of each stream, its topic, rate and what a row holds of it.
        late: by topic, how long after its stamp a message was logged, in seconds, where it has one.
        on_clock, in_files: seconds that have every topic, and those of the files.
        uneven: steps that are off the clock by more than a tenth, where it is a topic.
        irregular: by topic of which a row has so many messages, the steps in which another number of them came.
    """

    clock: str
    rules: dict[str, str]
    late: dict[str, float] = field(default_factory=dict)
    on_clock: float = 0.0
    in_files: float = 0.0
    uneven: int = 0
    irregular: dict[str, int] = field(default_factory=dict)

    def notes(self) -> list[str]:
        lines = [f"clock: {self.clock}; {self.on_clock:.1f} s of {self.in_files:.1f} s have every topic"]
        if self.uneven:
            lines.append(f"{self.uneven} steps are off the clock by more than a tenth; --rate gives an even one")
        lines += [f"{name}: {rule}" for name, rule in self.rules.items()]
        lines += [
            f"in {steps} steps another number of messages of {name} came" for name, steps in self.irregular.items() if steps
        ]
        if self.late:
            lines.append("logged after their stamps: " + ", ".join(f"{name} {late:.3f} s" for name, late in self.late.items()))
        return lines


def examine(
    file: RosFile, plan: Plan, summary: McapSummary, gap: float | None, tolerance: float, missing: Missing
) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """The ticks of a file, and the stretches of them that are fit; what is not, is refused or counted in the summary."""
    wanted = dict.fromkeys((*plan.senses, *([plan.clock] if plan.clock else [])))
    for name in wanted:
        if name not in file.topics:
            raise CorruptFile(f"{file.path.name}: there is no topic {name}, which the first file has")
    times, needed = {name: file.topics[name].times for name in wanted}, dict(plan.needed)
    for name, moments in times.items():
        _check_drift(file, name, tolerance, summary)
        if name in plan.senses and plan.senses[name].merged:
            needed[name] = _until_whole(file, name, plan.senses[name])
        if len(moments) < needed.get(name, 1):
            raise CorruptFile(f"{file.path.name}: {name} has {len(moments)} messages, and a row needs {needed[name]}")
    ticks = clocks.ticks_of(times, needed, rate=plan.rate, topic=plan.clock)
    if len(ticks) < 2:
        raise CorruptFile(f"{file.path.name}: there are no two rows in which every topic has a message")
    fit, begins = np.ones(len(ticks), bool), np.zeros(len(ticks), bool)
    for name, moments in times.items():
        longest = gap or clocks.JUMP * plan.periods[name]
        if missing == "refuse":
            _check_silence(file, times, name, longest, ticks)
        stale = fit & (clocks.ages(ticks, moments) > longest)
        summary.leave(f"{name} is silent", int(stale.sum()))
        fit &= ~stale
        if name == plan.clock:
            begins[1:] = np.diff(ticks) > 1e9 * longest
            off = np.abs(np.diff(ticks) / 1e9 - plan.step) > UNEVEN * plan.step
            summary.uneven += int((off & ~begins[1:]).sum())
        if name in plan.needed:
            counts = np.diff(np.searchsorted(moments, ticks, "right"))
            summary.irregular[name] = summary.irregular.get(name, 0) + int((counts != plan.needed[name]).sum())
    found = clocks.stretches(fit, begins)
    summary.leave("alone between two gaps", int(fit.sum()) - sum(stop - start for start, stop in found))
    summary.on_clock += (ticks[-1] - ticks[0]) / 1e9
    summary.in_files += (max(moments[-1] for moments in times.values()) - min(m[0] for m in times.values())) / 1e9
    return ticks, found


def _until_whole(file: RosFile, name: str, found: Sense) -> int:
    """How many messages it takes until every channel has come; one more than there are, where one does not come."""
    there = np.zeros(found.stream.shape, bool)
    for count, message in enumerate(file.decoded(name), 1):
        with reading(file.path):
            there |= np.isfinite(found.read(message))
        if there.all():
            return count
    return len(file.topics[name].times) + 1


def _check_drift(file: RosFile, name: str, tolerance: float, summary: McapSummary) -> None:
    late = file.latency(name)
    if late is None:
        return
    if abs(late[1] - late[0]) > tolerance:
        raise CorruptFile(
            f"{file.path.name}: {name} is logged {late[0]:.3f} s after its stamps at the beginning and {late[1]:.3f} s at the "
            f"end: a clock drifts or a queue grows, by more than the tolerance of {tolerance:.3f} s"
        )
    summary.late[name] = float(np.mean(late))


def _check_silence(file: RosFile, times: dict[str, np.ndarray], name: str, longest: float, ticks: np.ndarray) -> None:
    """Require that no two messages, between the first tick and the last, are further apart than `longest` seconds."""
    moments = times[name]
    silent = (np.diff(moments) > 1e9 * longest) & (moments[1:] > ticks[0]) & (moments[:-1] < ticks[-1])
    for last in np.flatnonzero(silent)[:1]:
        since, seconds = (moments[last] - min(m[0] for m in times.values())) / 1e9, (moments[last + 1] - moments[last]) / 1e9
        raise CorruptFile(
            f"{file.path.name}: {name} is silent for {seconds:.2f} s from {since:.2f} s on, and {longest:.2f} s at most is "
            "held; give a larger gap, or leave such rows out (missing skip)"
        )


class Rows:
    """The rows of a file, one after the other; the one that was had last can be had again."""

    def __init__(self, file: RosFile, plan: Plan, ticks: list[int]):
        self._file, self._plan, self._ticks = file, plan, ticks
        self._aligned, self._number, self._row = self._all(), -1, {}

    def _all(self) -> Iterator[dict[str, np.ndarray]]:
        """By topic, what each row holds; of the actions, what was done since the row before."""

        def reader(topic: str) -> Callable[[bytes], np.ndarray]:
            def read(data: bytes) -> np.ndarray:
                with reading(self._file.path):
                    return self._plan.senses[topic].read(self._file.decode(topic, data))

            return read

        parts = {topic: make(reader(topic)) for topic, make in self._plan.aligned.items()}
        ticks = iter(self._ticks)
        tick = next(ticks)
        for time, topic, data in self._file.messages(parts):
            while tick is not None and tick < time:
                yield {name: part.row(tick) for name, part in parts.items()}
                tick = next(ticks, None)
            parts[topic].take(time, data)
        while tick is not None:
            yield {name: part.row(tick) for name, part in parts.items()}
            tick = next(ticks, None)

    def episode(self, first: int, last: int) -> Iterator[Episode]:
        """The episode of the rows from `first` to before `last`; a CorruptFile says where the file cannot be read."""
        spec, plan = self._plan.spec, self._plan
        values = {
            stream.name: np.empty((last - first, *stream.shape), np.float64 if stream.is_tabular else stream.dtype)
            for stream in spec.streams
        }
        actions = np.empty((last - first - 1, spec.action.n), np.float32)
        for row in range(first, last):
            found = self._upto(row)
            for topic, sensed in plan.senses.items():
                if topic != plan.action:
                    values[sensed.stream.name][row - first] = found[topic]
            if plan.action and row > first:
                actions[row - first - 1] = found[plan.action]
        truth = {stream.name: values.pop(stream.name) for stream in spec.truth}
        about = {"source": self._file.path.name, "row": int(first), "log_time": self._ticks[first]}
        yield Episode(values, actions, truth, about)

    def _upto(self, number: int) -> dict[str, np.ndarray]:
        try:
            with reading(self._file.path):
                while self._number < number:
                    self._row = next(self._aligned)
                    self._number += 1
        except CorruptFile as error:
            since = (self._ticks[self._number + 1] - self._ticks[0]) / 1e9
            raise CorruptFile(f"{self._file.path.name}, {since:.2f} s after its first row: {error}") from error
        return self._row
