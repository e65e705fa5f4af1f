"""MCAP files of ROS 2 into a store: messages of many rates on one control clock.

- The clock is even, at `rate` Hz, or the messages of one topic: of `clock`, or else of the actions, or else of the slowest.
  What a row holds of each topic is told in clocks.py. Times are those at which messages were logged, so that a row holds
  nothing that was not there yet. The info of the store says of every stream its topic, its rate and its rule;
- a topic that is silent for longer than `gap` makes rows stale: they are refused with the figure, or left out, and an episode
  ends there. What is before every topic has begun, and after the first has ended, is left out; the summary says how much it is;
- where messages carry stamps of their sensor's clock, the time from stamp to log must be the same at the end as at the start
  (`tolerance`): a clock that drifts, or a queue that grows, is refused with the figure;
- times come from the index, and messages a chunk at a time: memory is bounded by the chunks and by `longest` rows.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from armillary.episodes.formats import clocks
from armillary.episodes.formats.folders import files_in
from armillary.episodes.formats.importing import ImportSummary, Missing, Name, check_options, import_units, parts
from armillary.episodes.formats.mcap_files import McapFile, Topic, reading
from armillary.episodes.formats.ros_messages import Sense, sense, without_nothing
from armillary.episodes.formats.ros_numbers import has_lists
from armillary.episodes.store import Episode
from armillary.errors import ArmillaryError, CorruptFile
from armillary.spec import NO_ACTION, ActionSpace, Spec

UNEVEN = 0.1  # of a step
SHARED = ("sensor_msgs/msg/JointState", "sensor_msgs/JointState")  # of which several publishers may share a topic
FIRST = 200  # messages that tell whether they do
FEWEST, WHOLE = 10, 0.9  # messages, and share of the recording, of a topic that is a stream without being asked for


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

    def leave(self, reason: str, rows: int) -> None:
        """Count rows that are left out."""
        if rows:
            self.left_out[reason] = self.left_out.get(reason, 0) + rows

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


def import_mcap(
    path: str | Path,
    out: str | Path,
    *,
    streams: Sequence[str] | None = None,
    truth: Sequence[str] = (),
    action: str | None = None,
    rate: float | None = None,
    clock: str | None = None,
    gap: float | None = None,
    tolerance: float | None = None,
    image_size: int | None = None,
    points: int = 1024,
    longest: int = 10_000,
    missing: Missing = "refuse",
    max_episodes: int | None = None,
    resume: bool = False,
    overwrite: bool = False,
    progress: bool = True,
) -> McapSummary:
    """Read MCAP files of ROS 2 into a new store.

    Args:
        path: a file, or a folder of them (a bag), each of which begins an episode.
        out: the store to create.
        streams: topics that a model may see; None for all that have a kind of stream, but actions and truth.
        truth: topics to keep as privileged truth, for probes and judges.
        action: the topic of what was done, of any messages of numbers; None for a recording without actions.
        rate: of the control clock in Hz, evenly; or
        clock: the topic whose messages are the control clock. None of both takes that of `action`, or else the slowest.
        gap: seconds of silence of a topic that make a row stale; None for ten times the topic's own median step.
        tolerance: seconds by which the time from stamp to log may differ between beginning and end; None for half of a step.
        image_size: images (by area) and depth (by the nearest pixel) become image_size x image_size; None keeps them.
        points: of a cloud, at most.
        longest: rows of an episode; what is longer is cut, with the row between two parts in both.
        missing: "refuse" raises where rows are stale or a file is unfit; "skip" leaves them out and counts them.
        max_episodes: stop after this many.
        resume, overwrite: what to do with a store that is there; see `import_units`.
        progress: show a progress bar.

    Raises:
        ArmillaryError: no MCAP file there, topics that are not there or of no kind, a clock that drifts, rows that are stale,
            nothing to import.
        CorruptFile: a file that is truncated, damaged, or without an index.
        MissingExtra: mcap or mcap-ros2-support is needed and not installed.
    """
    check_options(
        missing, rate=rate, gap=gap, tolerance=tolerance, image_size=image_size, points=points, max_episodes=max_episodes
    )
    if longest < 2:
        raise ArmillaryError(f"longest is 2 rows or more, not {longest}")
    if rate is not None and clock is not None:
        raise ArmillaryError(f"give the rate of the control clock or its topic, not both ({rate} and {clock!r})")
    path = Path(path)
    files = files_in(path, [".mcap"])
    if not files or files[0].suffix.lower() in (".bag", ".db3"):
        how = "pip install rosbags; rosbags-convert --src BAG --dst FOLDER --dst-storage mcap"
        raise ArmillaryError(f"{path}: there is no MCAP file there (*.mcap); of .bag and .db3 it is made so: {how}")
    with McapFile(files[0]) as first:
        try:
            plan = _plan(first, *_senses(first, streams, truth, action, image_size, points), action, rate, clock, gap)
        except CorruptFile:
            raise
        except ArmillaryError as error:
            raise ArmillaryError(f"{files[0]}: {error}") from error
    summary = McapSummary(
        format="MCAP", source=str(path), out=str(out), spec=plan.spec, ignored=plan.ignored, clock=plan.said, rules=plan.rules
    )
    runs = []
    for file in files:
        try:
            with McapFile(file) as opened:
                ticks, fit = _examine(opened, plan, summary, gap, tolerance or plan.step / 2, missing)
        except CorruptFile as error:
            if missing == "refuse" or len(files) == 1:
                raise
            summary.skipped[str(file)] = str(error)
            continue
        runs.append((file, ticks, [(a + start, a + stop) for a, b in fit for start, stop in parts(b - a, longest)]))

    def units() -> Generator[tuple[Name, Iterator[Episode]], None, None]:
        for file, ticks, pieces in runs:
            with McapFile(file) as opened:
                rows = _Rows(opened, plan, ticks.tolist())
                for first, last in pieces:
                    if str(file) not in summary.skipped:  # since then
                        yield str(file), rows.episode(first, last)

    about = {"source": f"MCAP {path.name}", "clock": plan.said, "streams": plan.rules}
    options = {"total": sum(len(pieces) for *_, pieces in runs), "missing": missing, "max_episodes": max_episodes}
    options |= {"resume": resume, "overwrite": overwrite}
    return import_units(units(), summary, info=about, progress=progress, **options)


@dataclass(frozen=True)
class _Plan:
    """What is to be read, and how it is put on the clock.

    Args:
        spec: of the store.
        senses: by topic, of all streams and of the action.
        action: the topic of the actions, or None.
        aligned: by topic, what its messages become.
        needed: by topic, how many messages the first row needs.
        periods: by topic, also that of the clock, the median time between two messages, in seconds.
        rate, clock: of the control clock, one of them: Hz, or a topic.
        step: of the control clock, in seconds.
        said: the clock, in words.
        rules, ignored: by stream, what a row holds; by topic, why it is not in the store.
    """

    spec: Spec
    senses: dict[str, Sense]
    action: str | None
    aligned: dict[str, Callable[[Callable[[Any], np.ndarray]], clocks.Aligned]]
    needed: dict[str, int]
    periods: dict[str, float]
    rate: float | None
    clock: str | None
    step: float
    said: str
    rules: dict[str, str]
    ignored: dict[str, str]


def _senses(
    file: McapFile, streams: Sequence[str] | None, truth: Sequence[str], action: str | None, size: int | None, points: int
) -> tuple[dict[str, Sense], dict[str, str]]:
    """By topic, the senses that are asked for, or that there are; and which of the latter have none, with the reason."""
    asked = [*(streams or ()), *truth, *([action] if action else [])]
    for name in asked:
        if name in file.others:
            raise ArmillaryError(f"{name}: {file.others[name]}")
        if name not in file.topics:
            raise ArmillaryError(f"there is no topic {name!r} of ROS 2; there are {_listed(file)}")
        if asked.count(name) > 1:
            raise ArmillaryError(f"topic {name!r} is named twice; it is one of streams, truth and action")
    senses, ignored = {}, dict(file.others)
    for name in asked if streams is not None else dict.fromkeys((*file.topics, *truth, *([action] if action else []))):
        stream, options = name.strip("/").replace("/", "."), {"size": size, "points": points, "truth": name in truth}
        try:
            with reading(file.path):  # a definition may lack the fields that its kind has
                first, *more = islice(file.decoded(name), FIRST if file.topics[name].kind in SHARED else 1)
                found = sense(stream, file.topics[name].kind, first, more=more, **options)
                if not _period(file.topics[name], found) > 0:
                    raise ArmillaryError("it has no rate: there is one message, or many are logged at one time")
                if found.general and name not in asked:
                    _check_steady(file, file.topics[name], first)
                senses[name], empty = without_nothing(found, file.decoded(name))
            ignored |= {f"{name} {channel}": "it is NaN in every message" for channel in empty}
        except ArmillaryError as error:
            if name in asked:
                raise ArmillaryError(f"{name}: {error}") from error
            ignored[name] = str(error)
    if action and not senses[action].stream.is_tabular:
        raise ArmillaryError(f"{action}: an action is numbers, not {senses[action].stream.kind}")
    if action and senses[action].merged:
        raise ArmillaryError(f"{action}: several publishers share it, each with joints of its own; an action needs one")
    if not set(senses) - {*truth, action}:
        raise ArmillaryError(
            f"no topic is left to be seen; there are {_listed(file)}{''.join(f'; {n}: {why}' for n, why in ignored.items())}"
        )
    return senses, ignored


def _period(topic: Topic, found: Sense) -> float:
    """Median time in seconds from a message to the next; of several publishers, until each has sent one."""
    return clocks.period(topic.times) if not found.merged else clocks.period(topic.times[:: found.merged])


def _check_steady(file: McapFile, topic: Topic, first: Any) -> None:
    """Require that a topic that nobody asked for could be a stream: as many numbers each time, and all the time."""
    begin, end = (pick([pick(other.times) for other in file.topics.values()]) for pick in (min, max))
    if has_lists(first):
        raise ArmillaryError(f"messages of {topic.kind} hold lists, which may vary; name the topic to take it")
    steady = np.diff(topic.times).max() <= 1e9 * clocks.JUMP * clocks.period(topic.times)
    if not steady or len(topic.times) < FEWEST or topic.times[-1] - topic.times[0] < WHOLE * (end - begin):
        raise ArmillaryError("its messages come now and then; name the topic to take it")


def _listed(file: McapFile) -> str:
    return ", ".join(f"{topic.name} ({topic.kind}, {len(topic.times)})" for topic in file.topics.values()) or "none"


def _plan(
    file: McapFile,
    senses: dict[str, Sense],
    ignored: dict[str, str],
    action: str | None,
    rate: float | None,
    clock: str | None,
    gap: float | None,
) -> _Plan:
    """What becomes of each topic, by the rates in the first file."""
    periods = {name: clocks.period(topic.times) for name, topic in file.topics.items()}
    periods |= {name: _period(file.topics[name], found) for name, found in senses.items()}
    if rate is None:
        clock = clock or action or max(senses, key=periods.__getitem__)
        if not periods.get(clock, 0) > 0:
            raise ArmillaryError(f"there is no topic {clock!r} that could be a clock; there are {_listed(file)}")
    step = periods[clock] if rate is None else 1 / rate
    aligned, needed, rules, streams = {}, {}, {}, []
    for name, found in senses.items():
        if name == action:
            continue
        stream, samples = replace(found.stream, rate=float(f"{1 / periods[name]:.6g}")), None
        rule, aligned[name] = "the last message", clocks.Held
        if found.merged:
            rule, aligned[name] = (
                "the last value of each joint",
                partial(clocks.Merged, longest=1e9 * (gap or clocks.JUMP * periods[name])),
            )
        if found.measured and periods[name] < step:
            samples = clocks.samples_a_step(periods[name], step)
            rule, aligned[name] = "the mean since the row before", clocks.Mean
        if samples:
            rule, aligned[name] = f"the last {samples} messages", partial(clocks.Samples, count=samples)
            stream, needed[name] = replace(stream, kind="signal", shape=(samples, *stream.shape)), samples
        rules[stream.name] = f"{name} at {stream.rate:.4g} Hz, {rule}"
        streams.append(stream)
    space = NO_ACTION
    if action:
        did = senses[action].stream
        space, aligned[action] = ActionSpace("box", *did.shape, unit=did.unit, channels=did.channels), clocks.InForce
        rules["action"] = f"{action} at {1 / periods[action]:.4g} Hz, the mean of the command in force until the next row"
    said = f"{clock} at {1 / step:.4g} Hz" if rate is None else f"even, {rate:g} Hz"
    spec = Spec(tuple(streams), space, float(f"{1 / step:.6g}"))
    return _Plan(spec, senses, action, aligned, needed, periods, rate, clock, step, said, rules, ignored)


def _examine(
    file: McapFile, plan: _Plan, summary: McapSummary, gap: float | None, tolerance: float, missing: Missing
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


def _until_whole(file: McapFile, name: str, found: Sense) -> int:
    """How many messages it takes until every channel has come; one more than there are, where one does not come."""
    there = np.zeros(found.stream.shape, bool)
    for count, message in enumerate(file.decoded(name), 1):
        with reading(file.path):
            there |= np.isfinite(found.read(message))
        if there.all():
            return count
    return len(file.topics[name].times) + 1


def _check_drift(file: McapFile, name: str, tolerance: float, summary: McapSummary) -> None:
    late = file.latency(name)
    if late is None:
        return
    if abs(late[1] - late[0]) > tolerance:
        raise CorruptFile(
            f"{file.path.name}: {name} is logged {late[0]:.3f} s after its stamps at the beginning and {late[1]:.3f} s at the "
            f"end: a clock drifts or a queue grows, by more than the tolerance of {tolerance:.3f} s"
        )
    summary.late[name] = float(np.mean(late))


def _check_silence(file: McapFile, times: dict[str, np.ndarray], name: str, longest: float, ticks: np.ndarray) -> None:
    """Require that no two messages, between the first tick and the last, are further apart than `longest` seconds."""
    moments = times[name]
    silent = (np.diff(moments) > 1e9 * longest) & (moments[1:] > ticks[0]) & (moments[:-1] < ticks[-1])
    for last in np.flatnonzero(silent)[:1]:
        since, seconds = (moments[last] - min(m[0] for m in times.values())) / 1e9, (moments[last + 1] - moments[last]) / 1e9
        raise CorruptFile(
            f"{file.path.name}: {name} is silent for {seconds:.2f} s from {since:.2f} s on, and {longest:.2f} s at most is "
            "held; give a larger gap, or leave such rows out (missing skip)"
        )


class _Rows:
    """The rows of a file, one after the other; the one that was had last can be had again."""

    def __init__(self, file: McapFile, plan: _Plan, ticks: list[int]):
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
        values = {stream.name: np.empty((last - first, *stream.shape), stream.dtype) for stream in spec.streams}
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
