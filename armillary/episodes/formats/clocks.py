"""Messages that come each at its own rate, on one control clock: which moment a row is of, and what it holds.

A row t holds what had come by its tick, and the action that was in force from there to the next. By what is sensed:
- `Held`: the last message. For images, depth, scans, points and joints;
- `Samples`: the last n, for what is measured n times a step, with n the whole ratio of the rates (`samples_a_step`);
- `Mean`: the mean of what came since the tick before, where the ratio is no whole number; the last one where nothing came;
- `Merged`, where a message has some of the channels: the last value of each;
- `InForce`, for actions: a command holds until the next. Its mean over the time from tick to tick is what was done in the step,
  wherever in it the commands came. Where the ticks are the commands' own, that is the command itself, to the last bit.
Nothing is taken from after the tick: an agent would not have had it. A tick at which something is too old is no row.
All times are nanoseconds of the recorder's clock, int64.
"""

from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from jaxtyping import Bool, Float64, Int64

from armillary.errors import CorruptFile, expect

WHOLE = 0.01  # how far the ratio of two rates may be from a whole number, as a share of it
JUMP = 10  # of its own steps, by which a topic may be silent if nothing is said


def period(times: Int64[np.ndarray, " n"]) -> float:
    """Median time from one message to the next, in seconds; not a number of fewer than two."""
    return float(np.median(np.diff(times))) / 1e9 if len(times) > 1 else float("nan")


def ticks_of(
    times: dict[str, Int64[np.ndarray, " _"]], needed: dict[str, int], *, rate: float | None, topic: str | None
) -> Int64[np.ndarray, " t"]:
    """The control clock: evenly at `rate` Hz, or the times of one topic's messages.

    Args:
        times: of the messages of each topic, ascending.
        needed: how many messages of each topic the first tick needs; one unless said.
        rate, topic: one of them.

    Returns:
        Ticks from where every topic has what is needed, to where the first of them ends.
    """
    first = max(int(moments[needed.get(name, 1) - 1]) for name, moments in times.items())
    last = min(int(moments[-1]) + int(1e9 * period(moments)) for name, moments in times.items())
    if topic is not None:
        return np.unique(times[topic][(times[topic] >= first) & (times[topic] <= last)])
    rate = expect(rate, "a rate or a topic")
    return first + np.round(np.arange(max(0, int((last - first) * rate / 1e9) + 1)) * (1e9 / rate)).astype(np.int64)


def ages(ticks: Int64[np.ndarray, " t"], times: Int64[np.ndarray, " n"]) -> Float64[np.ndarray, " t"]:
    """How old the last message is at each tick, in seconds."""
    return (ticks - times[np.searchsorted(times, ticks, "right") - 1]) / 1e9


def stretches(fit: Bool[np.ndarray, " t"], begins: Bool[np.ndarray, " t"]) -> list[tuple[int, int]]:
    """First tick and tick after the last of each stretch of two or more ticks that are fit, and where none but the first begins
    anew."""
    found, ticks = [], np.arange(len(fit))
    for run in np.split(ticks, np.flatnonzero(begins | ~fit | np.concatenate([[False], ~fit[:-1]]))):
        if len(run) > 1 and fit[run].all():
            found.append((int(run[0]), int(run[-1]) + 1))
    return found


def samples_a_step(period: float, step: float) -> int | None:
    """How many messages a step has, where that is a whole number above one; else None."""
    whole = round(step / period)
    return whole if whole > 1 and abs(step / period - whole) <= WHOLE * whole else None


class Aligned(Protocol):
    """What becomes of the messages of one topic."""

    def take(self, time: int, message: Any) -> None:
        """A message has come."""

    def row(self, tick: int) -> np.ndarray:
        """What the row of this tick holds."""


class Held:
    """The last message, which is read only when a row wants it."""

    def __init__(self, read: Callable[[Any], np.ndarray]):
        self._read, self._message, self._value = read, None, None

    def take(self, time: int, message: Any) -> None:
        self._message, self._value = message, None

    def row(self, tick: int) -> np.ndarray:
        if self._value is None:
            self._value = self._read(self._message)
        return self._value


class Samples:
    """The last `count` messages, (count, channels)."""

    def __init__(self, read: Callable[[Any], np.ndarray], count: int):
        self._read, self._last = read, deque(maxlen=count)

    def take(self, time: int, message: Any) -> None:
        self._last.append(self._read(message))

    def row(self, tick: int) -> np.ndarray:
        return np.stack(self._last)


class Mean:
    """The mean of what came since the tick before."""

    def __init__(self, read: Callable[[Any], np.ndarray]):
        self._read, self._since = read, []
        self._last: np.ndarray | None = None

    def take(self, time: int, message: Any) -> None:
        self._since.append(self._read(message))

    def row(self, tick: int) -> np.ndarray:
        if self._since:
            self._last, self._since = np.stack(self._since).mean(0, dtype=np.float64).astype(self._since[0].dtype), []
        return expect(self._last, "a message before the first row")


class Merged:
    """The last value of each channel, of messages that are NaN in those that they say nothing of.

    Args:
        longest: ns that a channel may be silent.
    """

    def __init__(self, read: Callable[[Any], np.ndarray], longest: float):
        self._read, self._longest = read, longest
        self._value = self._since = np.empty(0)

    def take(self, time: int, message: Any) -> None:
        new = self._read(message)
        if not len(self._value):
            self._value, self._since = new, np.full(len(new), time, np.int64)
        came = np.isfinite(new)
        self._value, self._since = np.where(came, new, self._value), np.where(came, time, self._since)

    def row(self, tick: int) -> np.ndarray:
        if (late := tick - self._since > self._longest).any():
            since = (tick - self._since[late].min()) / 1e9
            raise CorruptFile(f"channel {int(np.argmax(late))} of a topic of several publishers is silent for {since:.2f} s")
        return self._value


class InForce:
    """The mean, over the time from the tick before to this one, of the command in force: the action of the row before."""

    def __init__(self, read: Callable[[Any], np.ndarray]):
        self._read, self._done = read, np.zeros(1)
        self._command: np.ndarray | None = None
        self._since = self._tick = 0

    def take(self, time: int, message: Any) -> None:
        if self._command is not None:
            self._done = self._done + (time - self._since) * self._command.astype(np.float64)
        self._command, self._since = self._read(message), time

    def row(self, tick: int) -> np.ndarray:
        done = self._done + (tick - self._since) * expect(self._command, "a command before the first row").astype(np.float64)
        action = (done / (tick - self._tick)).astype(np.float32)
        self._done, self._since, self._tick = np.zeros(1), tick, tick
        return action
