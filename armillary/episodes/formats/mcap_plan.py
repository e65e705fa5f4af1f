"""Which topics of ROS become which streams, and how they are put on the control clock: told by the first file.

What a row holds of each topic is told in clocks.py.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Any

import numpy as np

from armillary.episodes.formats import clocks
from armillary.episodes.formats.ros_files import RosFile, Topic, reading
from armillary.episodes.formats.ros_messages import Sense, sense, without_nothing
from armillary.episodes.formats.ros_numbers import has_lists
from armillary.errors import ArmillaryError, CorruptFile
from armillary.spec import NO_ACTION, ActionSpace, Spec

SHARED = ("sensor_msgs/msg/JointState", "sensor_msgs/JointState")  # of which several publishers may share a topic
FIRST = 200  # messages that tell whether they do
FEWEST, WHOLE = 10, 0.9  # messages, and share of the recording, of a topic that is a stream without being asked for


@dataclass(frozen=True)
class Plan:
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


def plan_of(
    file: RosFile,
    *,
    streams: Sequence[str] | None,
    truth: Sequence[str],
    action: str | None,
    image_size: int | None,
    points: int,
    rate: float | None,
    clock: str | None,
    gap: float | None,
) -> Plan:
    """What is read of files like this one; the options are those of `import_mcap`.

    Raises:
        ArmillaryError: topics that are not there or of no kind of stream, or none that could be a clock.
    """
    try:
        senses, ignored = _senses(file, streams, truth, action, image_size, points)
        return _put_on_clock(file, senses, ignored, action, rate, clock, gap)
    except CorruptFile:
        raise
    except ArmillaryError as error:
        raise ArmillaryError(f"{file.path}: {error}") from error


def _senses(
    file: RosFile, streams: Sequence[str] | None, truth: Sequence[str], action: str | None, size: int | None, points: int
) -> tuple[dict[str, Sense], dict[str, str]]:
    """By topic, the senses that are asked for, or that there are; and which of the latter have none, with the reason."""
    asked = [*(streams or ()), *truth, *([action] if action else [])]
    for name in asked:
        if name in file.others:
            raise ArmillaryError(f"{name}: {file.others[name]}")
        if name not in file.topics:
            raise ArmillaryError(f"there is no topic {name!r} of ROS; there are {_listed(file)}")
        if asked.count(name) > 1:
            raise ArmillaryError(f"topic {name!r} is named twice; it is one of streams, truth and action")
    senses, ignored = {}, dict(file.others)
    for name in asked if streams is not None else dict.fromkeys((*file.topics, *truth, *([action] if action else []))):
        stream = name.strip("/").replace("/", ".")
        try:
            with reading(file.path):  # a definition may lack the fields that its kind has
                first, *more = islice(file.decoded(name), FIRST if file.topics[name].kind in SHARED else 1)
                found = sense(stream, file.topics[name].kind, first, more=more, size=size, points=points, truth=name in truth)
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


def _check_steady(file: RosFile, topic: Topic, first: Any) -> None:
    """Require that a topic that nobody asked for could be a stream: as many numbers each time, and all the time."""
    begin, end = (pick([pick(other.times) for other in file.topics.values()]) for pick in (min, max))
    if has_lists(first):
        raise ArmillaryError(f"messages of {topic.kind} hold lists, which may vary; name the topic to take it")
    steady = np.diff(topic.times).max() <= 1e9 * clocks.JUMP * clocks.period(topic.times)
    if not steady or len(topic.times) < FEWEST or topic.times[-1] - topic.times[0] < WHOLE * (end - begin):
        raise ArmillaryError("its messages come now and then; name the topic to take it")


def _listed(file: RosFile) -> str:
    return ", ".join(f"{topic.name} ({topic.kind}, {len(topic.times)})" for topic in file.topics.values()) or "none"


def _put_on_clock(
    file: RosFile,
    senses: dict[str, Sense],
    ignored: dict[str, str],
    action: str | None,
    rate: float | None,
    clock: str | None,
    gap: float | None,
) -> Plan:
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
        space, aligned[action] = ActionSpace("box", did.shape[0], unit=did.unit, channels=did.channels), clocks.InForce
        rules["action"] = f"{action} at {1 / periods[action]:.4g} Hz, the mean of the command in force until the next row"
    said = f"{clock} at {1 / step:.4g} Hz" if rate is None else f"even, {rate:g} Hz"
    spec = Spec(tuple(streams), space, float(f"{1 / step:.6g}"))
    return Plan(spec, senses, action, aligned, needed, periods, rate, clock, step, said, rules, ignored)
