"""Which episodes a model never sees: a split that stays as it is when a recording grows or gains a stream.

- An episode has a side by a hash of its id, so no other episode has a say in it. The id is what the source calls it, and its
  digest where the source calls it nothing. Streams are no part of it.
- Exact copies follow the first of them to its side.
- Parts that were cut from one long source (their info has `row`) are not told apart by a hash: neighbours share a row, and what
  is near in time is alike. Many parts are split by time: the last ones are held out, and between them and the training part
  at least `gap` rows, in whole parts, are on no side. A few parts stay together, as one episode.
- With a starting model, what it has learned from is never held out.
"""

import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Int

from armillary.episodes.store import Episodes
from armillary.errors import ArmillaryError

TRAINING, LEFT_OUT = 0, -1
_NAMED_BY = ("source", "env", "policy", "seed", "worker", "count", "episode", "group")  # keys of an episode's info


def split(
    episodes: Episodes,
    held_out: float | int | Sequence[float | int] = 0.1,
    *,
    seed: int = 0,
    gap: int = 1,
    seen: Bool[np.ndarray, " e"] | None = None,
) -> tuple[Int[np.ndarray, " _"], ...]:
    """Split a recording by episode.

    A share never changes the side of an episode when others are appended (unless they continue a source that is split by time).
    It is met on average: of 200 episodes, 0.1 holds out about 20. A number is met exactly, or exceeded by copies. It is drawn
    from the first 1, 2 or 5 times a power of ten of the episodes, so that appending changes it only at the next such number.

    Args:
        held_out: share (below 1) or number of the episodes to hold out; several of them for several parts.
        seed: of the hash. A split by time has none.
        gap: rows, at least, between what is held out of a source and what is trained on of it.
        seen: episodes that must not be held out, see `was_seen`.

    Returns:
        Sorted episode numbers: the training part, then each part held out. What is in none is in a gap.

    Raises:
        ArmillaryError: not enough different episodes, so that a part would be empty.
    """
    wanted = [held_out] if isinstance(held_out, (int, float)) else list(held_out)
    if min(wanted) <= 0:
        raise ArmillaryError(f"a part that is held out is a share or a number above 0, not {min(wanted)}")
    count = len(episodes.require_some())
    seen = np.zeros(count, bool) if seen is None else seen
    shares = [part if part < 1 else part / count for part in wanted]
    side = np.zeros(count, np.int64)
    units, together = _units(episodes), []
    for unit in units:
        enough = 2 * len(wanted) + 1  # parts, with a gap before each that is held out
        if len(unit.members) >= (enough if unit is units[0] else max(enough, 1 / min(shares))) and unit.is_series:
            side[unit.members] = _by_time(episodes, unit, shares, gap, seen[unit.members])
        else:
            together.append(unit)
    _by_hash(together, wanted, seed, seen, side, guaranteed=together[:1] == units[:1])
    _follow(episodes, units, side)
    parts = [np.flatnonzero(side == number) for number in range(len(wanted) + 1)]
    exact = len(together) == len(units)  # else parts of a source are counted by their rows
    least = [part if part >= 1 and exact else 1 for part in wanted]
    if not len(parts[TRAINING]) or any(len(part) < size for part, size in zip(parts[1:], least, strict=True)):
        _refuse(units, wanted, seen)
    return tuple(parts)


def split_off(
    episodes: Episodes, held_out: Iterable[int | str], *, gap: int = 1, seen: Bool[np.ndarray, " e"] | None = None
) -> tuple[Int[np.ndarray, " _"], Int[np.ndarray, " _"]]:
    """Hold out the episodes that are named.

    Args:
        held_out: numbers of episodes in the store, from 0; or, as strings, what the source calls them (`episode` or `source` in
            their info), of which all are taken.
        gap, seen: as for `split`.

    Returns:
        Sorted episode numbers: the training part, without copies and near neighbours of the others, and the part held out.

    Raises:
        ArmillaryError: no such episode, one that is in `seen`, or nothing left to train on.
    """
    count, named = len(episodes.require_some()), list(held_out)
    called: dict[str, list[int]] = {}
    for number, info in enumerate(episodes.infos):
        called.setdefault(str(info.get("episode", info.get("source"))), []).append(number)
    held: set[int] = set()
    for name in named:
        found = called.get(name, []) if isinstance(name, str) else [int(name)] if 0 <= name < count else []
        if not found:
            raise ArmillaryError(f"{episodes.path} has {count} episodes, counted from 0; none is {name!r}")
        held |= set(found)
    part = np.array(sorted(held), np.int64)
    if seen is not None and seen[part].any():
        raise ArmillaryError(
            f"the starting model was trained on episodes {part[seen[part]][:8].tolist()}; hold out others, or start anew"
        )
    side = np.zeros(count, np.int64)
    side[part] = 1
    for unit in _units(episodes):
        chosen = side[unit.members] == 1
        if unit.is_series and chosen.any():
            first, last = unit.rows.T
            near = (first[:, None] <= last[chosen] + gap) & (last[:, None] >= first[chosen] - gap)
            side[unit.members[near.any(1) & ~chosen]] = LEFT_OUT
    digests = np.array(episodes.digests)
    side[np.isin(digests, digests[part]) & (side == TRAINING)] = LEFT_OUT
    if not len(part) or not (side == TRAINING).any():
        raise ArmillaryError(f"{len(part)} of {count} episodes are held out, and {int((side == 0).sum())} are left to train on")
    return np.flatnonzero(side == TRAINING), part


def fingerprint(episodes: Episodes, which: Iterable[int]) -> dict[str, Any]:
    """What `was_seen` needs to know these episodes again, in this store or another one. JSON-able.

    Returns:
        streams: names of the observed ones; ids: short hash of what each episode was cut from -> [first, last] rows; digests:
        short ones.
    """
    ids: dict[str, list[list[int]]] = {}
    chosen = set(map(int, which))
    for unit in _units(episodes):
        if rows := [rows.tolist() for number, rows in zip(unit.members, unit.rows, strict=True) if number in chosen]:
            ids[_short(unit.id)] = rows
    digests = sorted({_short(episodes.digests[number]) for number in chosen})
    return {"streams": [stream.name for stream in episodes.spec.observed], "ids": ids, "digests": digests}


def was_seen(episodes: Episodes, trained: Iterable[Mapping[str, Any]]) -> Bool[np.ndarray, " e"]:
    """Which episodes are among those that `fingerprint` described, one call for each recording.

    The digest tells, and, of parts of a longer source and where the streams are other ones, the id and rows.
    """
    streams = [stream.name for stream in episodes.spec.observed]
    result = np.zeros(len(episodes), bool)
    digests, units = [_short(digest) for digest in episodes.digests], _units(episodes)
    for known in trained:
        result |= np.isin(digests, known["digests"])
        for unit in units:
            for first, last in known["ids"].get(_short(unit.id), ()) if unit.is_series or known["streams"] != streams else ():
                result[unit.members] |= (unit.rows[:, 0] <= last) & (unit.rows[:, 1] >= first)
    return result


@dataclass(eq=False)
class _Unit:
    """Episodes that stay together unless they are split by time: one, copies of it, or the parts of a source.

    Args:
        id: what the source calls it.
        members: their numbers; of a series, in the order of its rows.
        rows: (members, 2) first and last row in the source.
    """

    id: str
    members: np.ndarray
    rows: np.ndarray

    @property
    def is_series(self) -> bool:
        """Whether it is more than one part of a source."""
        return len(np.unique(self.rows[:, 0])) > 1

    def hash(self, seed: int) -> float:
        """From 0 to 1, always the same."""
        return int(hashlib.sha256(f"{seed}:{self.id}".encode()).hexdigest()[:13], 16) / 16**13


def _units(episodes: Episodes) -> list[_Unit]:
    """The units of a recording, in the order of their first members."""
    found: dict[str, list[tuple[int, int, int]]] = {}
    times: Counter[tuple] = Counter()
    for number, (info, digest) in enumerate(zip(episodes.infos, episodes.digests, strict=True)):
        named = {key: info[key] for key in _NAMED_BY if info.get(key) is not None}
        name, first = json.dumps(named) if named else digest, int(info.get("row") or 0)
        # Recordings of other senses, merged, hold the same episodes; within one, each has to be told from the next.
        again = times[name, first, info.get("recording")] if named else 0
        times[name, first, info.get("recording")] += 1
        rows = first, first + int(episodes.lengths[number]) - 1
        found.setdefault(f"{name}#{again}" if again else name, []).append((first, number, rows[1]))
    units: dict[str, _Unit] = {}
    owner: dict[str, str] = {}  # of each digest, among what is no series
    for name, members in found.items():
        first, number, last = np.array(sorted(members), np.int64).T
        unit = _Unit(name, number, np.stack([first, last], 1))
        digests = [] if unit.is_series else [episodes.digests[number] for number in unit.members]
        of = next((owner[digest] for digest in digests if digest in owner), name)
        owner |= dict.fromkeys(digests, of)
        if of != name:
            copied = units[of]
            rows = np.concatenate([copied.rows, np.broadcast_to(copied.rows[0], unit.rows.shape)])
            unit = _Unit(of, np.append(copied.members, unit.members), rows)
        units[of] = unit
    return list(units.values())


def _by_time(
    episodes: Episodes, unit: _Unit, shares: Sequence[float], gap: int, seen: Bool[np.ndarray, " m"]
) -> Int[np.ndarray, " m"]:
    """The side of each part of a series: the last parts are held out, as many as come nearest to the share of its rows."""
    side, lengths = np.zeros(len(unit.members), np.int64), episodes.lengths[unit.members]
    at = len(side)
    for number in range(len(shares), 0, -1):
        taken, share = 0, shares[number - 1] * lengths.sum()
        while at and not seen[at - 1] and (not taken or share - taken > lengths[at - 1] / 2):
            at -= 1
            side[at], taken = number, taken + lengths[at]
        if not taken:
            return np.zeros_like(side)  # the starting model has seen the end of it
        near = unit.rows[:, 1] > unit.rows[at, 0] - gap - 1
        side[:at][near[:at]] = LEFT_OUT
        at = int(np.argmax(side != TRAINING))
    return side


def _by_hash(
    units: Sequence[_Unit], wanted: Sequence[float | int], seed: int, seen: np.ndarray, side: np.ndarray, *, guaranteed: bool
) -> None:
    """Write into `side` (e,) the parts of these units: shares by where the hash is, numbers by the lowest hashes."""
    fit = [unit for unit in units if not seen[unit.members].any()]
    rank = {id(unit): unit.hash(seed) for unit in fit}
    edges = np.cumsum([part if part < 1 else 0 for part in wanted])
    for unit in fit:
        side[unit.members] = (np.searchsorted(edges, rank[id(unit)], "right") + 1) % (len(wanted) + 1)
    by_share = [number for number, part in enumerate(wanted, 1) if part < 1]
    if guaranteed and by_share:
        # Of the first units one goes to each part and one is trained on, whatever their hashes: no part is ever empty.
        front = sorted(fit[: len(by_share) + 1], key=lambda unit: rank[id(unit)])
        for number, unit in zip([*by_share, TRAINING], front, strict=False):
            side[unit.members] = number
    for number, part in enumerate(wanted, 1):
        left = [unit for unit in fit if part >= 1 and side[unit.members[0]] == TRAINING]
        for unit in sorted(left[: _round_number(len(left), int(part))], key=lambda unit: rank[id(unit)]):
            if (side == number).sum() < part:
                side[unit.members] = number


def _round_number(count: int, more_than: int) -> int:
    """The largest of 1, 2, 5, 10, 20, 50, ... up to `count`; all, where that is not more than asked for."""
    size = 10 ** int(math.log10(max(count, 1)))
    largest = max((size * step for step in (1, 2, 5) if size * step <= count), default=count)
    return largest if largest > more_than else count


def _follow(episodes: Episodes, units: Sequence[_Unit], side: np.ndarray) -> None:
    """Copies that are in another unit go to the side of the first; parts of a series, which have a place, to none."""
    series = np.zeros(len(side), bool)
    for unit in units:
        series[unit.members] = unit.is_series
    first: dict[str, int] = {}
    for number, digest in enumerate(episodes.digests):
        of = first.setdefault(digest, number)
        if side[number] != side[of]:
            side[number] = LEFT_OUT if series[number] else side[of]


def _refuse(units: Sequence[_Unit], wanted: Sequence[float | int], seen: np.ndarray) -> None:
    if seen.all():
        raise ArmillaryError("the starting model was trained on every episode; add episodes that it has not seen")
    if len(units) == 1 and units[0].is_series:
        raise ArmillaryError(
            f"one source in {len(units[0].members)} parts cannot give {wanted} held out, a gap and any to train on; import it "
            "in shorter parts (--longest), or hold out less"
        )
    raise ArmillaryError(
        f"expected different episodes to hold out {' or '.join(map(str, wanted))} of, and more to train on; got {len(units)}. "
        "Add episodes, hold out fewer, or import one long table in parts: --longest ROWS"
    )


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:10]
