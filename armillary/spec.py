"""What is sensed and what is done: the Spec that a recording, a model and an agent each carry.

A Spec lists the observation streams and the action space. Two that have to agree are compared with `check`, and where
they do not, the error names the stream and both shapes. Design choices:
- a stream is a kind and a shape; its dtype, its encoder and all else that differs between kinds follow from the kind (kinds/);
- `truth` marks privileged ground truth, for probes and judges. `observed` leaves it out, and models see only `observed`;
- JSON in and out, with nothing lost, so that a checkpoint or a store describes itself.
"""

import json
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

import numpy as np

from armillary import kinds
from armillary.errors import ArmillaryError, CorruptFile, PluginError, SpecMismatch
from armillary.files import parse_json


def _is_whole(number: Any) -> bool:
    return isinstance(number, int | np.integer) and not isinstance(number, bool)


def _tuple(values: Any, what: str) -> tuple:
    if isinstance(values, str) or not hasattr(values, "__iter__"):
        raise ArmillaryError(f"{what} is a list, not {values!r}")
    return tuple(values)


@dataclass(frozen=True)
class Stream:
    """One thing that is sensed at every step.

    Args:
        name: how recordings, batches and messages call it, for example `image` or `observation.state`.
        kind: image (H, W, C) uint8; depth (H, W), scan (beams,), points (N, 3 + C) in metres; vector (n,);
            signal (samples per step, channels); or one that a package adds, see `armillary.kinds`. All but images are float32.
        shape: the shape of one observation, without batch and time.
        unit: one unit for each channel of a vector or signal, in order ("rad", "m/s", "" where it is not known), or none at all
            where all channels are alike. It says which channels share a scale, see `scale_groups`.
        channels: a name for each channel, or none.
        rate: observations a second in Hz, or None when time has no unit.
        truth: privileged ground truth, which no model sees.
        full_turn: of a scan whose last beam is beside its first.
        optional: whole episodes may be without it, and a model of it does without it there.
        offset: of a vector, a constant for each channel that is subtracted before float32, which would merge values otherwise
            (an absolute encoder, a pressure in Pa); none where float32 holds them. Recordings hold, and models see, what is
            left; see `in_units` and `stored`.

    Raises:
        ArmillaryError: unknown kind, a shape of the wrong rank, units, names or offsets that do not match the channels, or
            truth that is optional.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    unit: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    rate: float | None = None
    truth: bool = False
    full_turn: bool = False
    optional: bool = False
    offset: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise ArmillaryError(f"a stream needs a name, not {self.name!r}")
        for name in ("shape", "unit", "channels", "offset"):
            object.__setattr__(self, name, _tuple(getattr(self, name), f"stream {self.name!r}: {name}"))
        if not all(_is_whole(side) for side in self.shape):
            raise ArmillaryError(f"stream {self.name!r}: a shape is of whole numbers, not {self.shape}")
        object.__setattr__(self, "shape", tuple(int(side) for side in self.shape))
        if not isinstance(self.kind, str):
            raise ArmillaryError(f"stream {self.name!r}: a kind is a name, not {self.kind!r}")
        try:
            kind = kinds.get(self.kind)
        except PluginError as error:
            raise PluginError(f"stream {self.name!r}: {error}") from error
        if fault := kind.fault(self.shape):
            raise ArmillaryError(f"stream {self.name!r}: {fault}")
        if self.full_turn and not kind.may_turn:
            raise ArmillaryError(f"stream {self.name!r}: full_turn is for scans, and this is {self.kind}")
        if self.optional and self.truth:
            raise ArmillaryError(f"stream {self.name!r}: truth is not optional; keep what is without it in a store of its own")
        object.__setattr__(self, "offset", tuple(float(x) for x in self.offset))
        if self.offset and not (kind.is_tabular and np.isfinite(self.offset).all()):
            raise ArmillaryError(f"stream {self.name!r}: an offset is a finite number for each channel of a vector")
        for field_name in ("unit", "channels", "offset"):
            given = getattr(self, field_name)
            if given and len(given) != self.shape[-1]:
                raise ArmillaryError(
                    f"stream {self.name!r}: {len(given)} entries in {field_name!r} for {self.shape[-1]} channels"
                )
        _check_rate(self.rate, f"stream {self.name!r}")

    @property
    def dtype(self) -> np.dtype:
        """The dtype of its arrays: uint8 for images, float32 for all other kinds that are built in."""
        return np.dtype(kinds.of(self).dtype)

    @property
    def angles(self) -> list[int]:
        """Which channels are angles: those whose unit is "rad"."""
        return [i for i, unit in enumerate(self.unit) if unit == "rad"]

    @property
    def scale_groups(self) -> tuple[int, ...]:
        """For each channel (of the last axis) a number; channels of one number share a scale.

        Channels of one unit do, and those of a stream that declares no units at all; a channel whose unit is "" is by itself.
        Of points, x, y and z share one, and what comes with them another.
        """
        own = None if self.unit else kinds.of(self).scale_groups(self)
        return _groups(self.unit or ("alike",) * self.shape[-1]) if own is None else own

    @property
    def gaps(self) -> bool:
        """Whether it may hold NaN, where nothing was measured."""
        return kinds.of(self).gaps

    @property
    def is_picture(self) -> bool:
        """Whether it is (height, width, channels) uint8, which is stored, resized and shown as pictures are."""
        return kinds.of(self).is_picture

    @property
    def is_tabular(self) -> bool:
        """Whether it is (channels,) float32, each a number by itself, as a column of a table."""
        return kinds.of(self).is_tabular

    @property
    def offsets(self) -> np.ndarray:
        """The offset of each channel (C,) of a vector, 0 where there is none."""
        return np.array(self.offset or (0.0,) * self.shape[-1])

    def in_units(self, values: np.ndarray) -> np.ndarray:
        """Values (..., *shape) as recordings hold them, in the unit of the stream: float64 with an offset, else as they are."""
        return values.astype(np.float64) + self.offset if self.offset else values

    def stored(self, values: np.ndarray) -> np.ndarray:
        """Values (..., *shape) in the unit of the stream, as recordings hold them and models see them, in its dtype."""
        if self.offset and values.dtype.kind in "iu":  # float64 would round large ones, whose difference is exact modulo 2^64
            whole = np.floor(self.offset)
            near = (values.astype(np.uint64) - np.array([int(one) % 2**64 for one in whole], np.uint64)).astype(np.int64)
            return np.where(self.offset, near - (self.offset - whole), values).astype(self.dtype)
        return (values.astype(np.float64) - self.offset if self.offset else values).astype(self.dtype, copy=False)

    @property
    def nbytes(self) -> int:
        """Bytes of one uncompressed observation."""
        return int(np.prod(self.shape)) * self.dtype.itemsize


@dataclass(frozen=True)
class ActionSpace:
    """What can be done at every step: a box of `n` floats, one of `n` choices, or nothing (plain video, plain sensors).

    Args:
        kind: "box", "discrete" or "none"; `NO_ACTION` is the one of the last.
        n: numbers in a box action, or choices of a discrete one.
        low, high: bounds of each number of a box, in its own unit (infinite where there are none); empty for discrete.
        unit, channels: a unit and a name for each number of a box, or none; see `scale_groups`.
        whole: the numbers of a box are whole ones, to which `check` rounds.

    Raises:
        ArmillaryError: bounds, units or names that do not match `n`.
    """

    kind: Literal["box", "discrete", "none"]
    n: int
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    unit: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    whole: bool = False

    def __post_init__(self) -> None:
        if self.kind not in ("box", "discrete", "none"):
            raise ArmillaryError(f"an action space is 'box', 'discrete' or 'none', not {self.kind!r}")
        if not _is_whole(self.n):
            raise ArmillaryError(f"an action space is of a whole number, not {self.n!r}")
        object.__setattr__(self, "n", int(self.n))
        if self.kind == "none" and self.n:
            raise ArmillaryError(f"an action space of kind none has no numbers, not {self.n}")
        if self.kind != "none" and self.n < 1:
            raise ArmillaryError(f"an action space needs at least one number or choice, not {self.n}")
        for name in ("low", "high"):
            default = () if self.kind != "box" else (-np.inf if name == "low" else np.inf,) * self.n
            object.__setattr__(self, name, tuple(float(x) for x in getattr(self, name)) or default)
        for name in ("unit", "channels"):
            object.__setattr__(self, name, _tuple(getattr(self, name), f"action space: {name}"))
        for name in ("low", "high", "unit", "channels"):
            given = getattr(self, name)
            if given and (len(given) != self.n or self.kind != "box"):
                raise ArmillaryError(f"action space {self.kind}({self.n}): {len(given)} entries in {name!r}")
        if self.whole and self.kind != "box":
            raise ArmillaryError(f"action space {self.kind}({self.n}): whole is said of a box")
        if any(not low < high for low, high in zip(self.low, self.high, strict=True)):
            raise ArmillaryError(f"action space: every low must be below its high, not {self.low} and {self.high}")

    @property
    def dtype(self) -> np.dtype:
        """float32 for a box, and for no numbers at all; int64 for choices."""
        return np.dtype("int64" if self.kind == "discrete" else "float32")

    @property
    def scale_groups(self) -> tuple[int, ...]:
        """For each number or choice of an action another; those of one share a scale.

        Numbers of one unit do; where no units are declared, numbers of equal bounds; and all choices. A number whose unit is ""
        is by itself.
        """
        return _groups(self.unit or tuple(map(str, zip(self.low, self.high, strict=True))) or ("alike",) * self.n)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one action: (n,) for a box, (0,) for none, () for a choice."""
        return () if self.kind == "discrete" else (self.n,)

    def check(self, actions: np.ndarray, what: str = "actions") -> np.ndarray:
        """Return `actions` (..., n) or (...,) in this space's dtype.

        Raises:
            ArmillaryError: wrong size, NaN or infinite numbers, or choices that are not there.
        """
        actions = np.asarray(actions)
        if actions.dtype.kind not in "fiub":
            raise ArmillaryError(f"{what}: expected numbers, got {actions.dtype}")
        if self.kind != "discrete":
            if actions.shape[-1:] != (self.n,):
                raise ArmillaryError(f"{what}: expected {self.n} numbers an action, got shape {actions.shape}")
            if not np.isfinite(actions).all():
                where = tuple(int(i) for i in np.argwhere(~np.isfinite(actions))[0])
                raise ArmillaryError(f"{what}: not a finite number at {where}; remove or repair that step")
            actions = np.rint(actions) if self.whole else actions
        elif not np.issubdtype(actions.dtype, np.integer) or ((actions < 0) | (actions >= self.n)).any():
            raise ArmillaryError(f"{what}: expected whole numbers from 0 to {self.n - 1}")
        return actions.astype(self.dtype, copy=False)


NO_ACTION = ActionSpace("none", 0)


@dataclass(frozen=True)
class Spec:
    """The streams that are sensed and the actions that are taken, at `rate` steps a second.

    Raises:
        ArmillaryError: no stream at all, or two of one name.
    """

    streams: tuple[Stream, ...]
    action: ActionSpace
    rate: float | None = None
    _by_name: dict[str, Stream] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "streams", tuple(self.streams))
        object.__setattr__(self, "_by_name", {stream.name: stream for stream in self.streams})
        if not self.streams:
            raise ArmillaryError("a spec needs at least one stream")
        if len(self._by_name) < len(self.streams):
            raise ArmillaryError(f"two streams of one name: {[stream.name for stream in self.streams]}")
        _check_rate(self.rate, "spec")

    def __getitem__(self, name: str) -> Stream:
        if name not in self._by_name:
            raise SpecMismatch(f"there is no stream {name!r}; the streams are {', '.join(self._by_name)}")
        return self._by_name[name]

    @property
    def observed(self) -> tuple[Stream, ...]:
        """The streams that a model may see."""
        return tuple(stream for stream in self.streams if not stream.truth)

    @property
    def truth(self) -> tuple[Stream, ...]:
        """The streams of ground truth, for probes and judges alone."""
        return tuple(stream for stream in self.streams if stream.truth)

    def select(self, names: tuple[str, ...] | list[str]) -> "Spec":
        """The same spec with these streams alone, in this order."""
        return Spec(tuple(self[name] for name in names), self.action, self.rate)

    def with_offsets(self, other: "Spec") -> "Spec":
        """The same spec, with the offsets that another one has for streams of the same name and shape."""

        def one(stream: Stream) -> Stream:
            same = other._by_name.get(stream.name)
            alike = same is not None and (same.kind, same.shape) == (stream.kind, stream.shape)
            return replace(stream, offset=same.offset) if same is not None and alike else stream

        return Spec(tuple(map(one, self.streams)), self.action, self.rate)

    def check(self, offered: "Spec", what: str = "recording") -> None:
        """Require that `offered` has every observed stream of this spec, and the same action space.

        Streams beyond these are welcome; truth and optional streams are not asked for. Bounds of a box may differ.

        Raises:
            SpecMismatch: naming the stream (or the action) and both shapes.
        """
        for stream in self.observed:
            other = offered._by_name.get(stream.name)
            if other is None and stream.optional:
                continue
            if other is None:
                have = ", ".join(s.name for s in offered.observed)
                raise SpecMismatch(f"the {what} has no stream {stream.name!r} {stream.shape}; it has {have}")
            if other.truth:
                raise SpecMismatch(f"stream {stream.name!r} is ground truth in the {what}, which no model may see")
            if (other.kind, other.shape) != (stream.kind, stream.shape):
                raise SpecMismatch(
                    f"stream {stream.name!r}: expected {stream.kind} {stream.shape}, the {what} has {other.kind} {other.shape}"
                )
            if other.offset != stream.offset:
                raise SpecMismatch(
                    f"stream {stream.name!r}: expected values less {stream.offset or 0}, the {what} has them less "
                    f"{other.offset or 0}; open a recording with .relative_to(model.spec)"
                )
        ours, theirs = (f"{a.kind}({a.n})" for a in (self.action, offered.action))
        if ours != theirs:
            raise SpecMismatch(f"action space: expected {ours}, the {what} has {theirs}")

    def to_json(self) -> str:
        """One line of JSON that `from_json` reads back to an equal Spec."""
        plain = {
            # What came later is written only where it is used, so that the hashes of older recordings stay.
            "streams": [
                {k: v for k, v in asdict(stream).items() if k not in ("optional", "offset") or v} for stream in self.streams
            ],
            "action": {k: v for k, v in asdict(self.action).items() if k != "whole" or v},
            "rate": self.rate,
        }
        # JSON has no infinity: an absent bound is null.
        for bound in ("low", "high"):
            plain["action"][bound] = [x if np.isfinite(x) else None for x in plain["action"][bound]]
        return json.dumps(plain, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> "Spec":
        """Read what `to_json` wrote.

        Raises:
            ArmillaryError: the text is not such JSON.
            PluginError: a stream is of a kind that no installed package registers.
        """
        try:
            plain = parse_json(text)
            action = dict(plain["action"])
            if action["kind"] == "box" and not len(action["low"]) == len(action["high"]) == action["n"]:
                raise ValueError(f"an action of {action['n']} numbers has bounds for {len(action['low'])}")
            for bound, absent in (("low", -np.inf), ("high", np.inf)):
                action[bound] = [absent if x is None else x for x in action[bound]]
            return cls(tuple(Stream(**stream) for stream in plain["streams"]), ActionSpace(**action), plain["rate"])
        except PluginError:
            raise
        except (CorruptFile, LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise ArmillaryError(f"this is not a Spec in JSON ({type(error).__name__}: {error})") from error


def _groups(unit: tuple[str, ...]) -> tuple[int, ...]:
    """For each channel the first of its unit; itself where the unit is ""."""
    return tuple(unit.index(one) if one else i for i, one in enumerate(unit))


def _check_rate(rate: float | None, what: str) -> None:
    known = isinstance(rate, int | float | np.number) and not isinstance(rate, bool)
    if rate is not None and not (known and np.isfinite(rate) and rate > 0):
        raise ArmillaryError(f"{what}: a rate is a positive number of Hz or None, not {rate}")
