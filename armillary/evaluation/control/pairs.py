"""Evaluation sets: pairs of start and goal, made once under a seed of their own, kept in a file, and never changed.

A pair is only as hard as the simplest policy finds it. So pairs are drawn by the world's own sampler, and those are rejected
that are solved at the start, or within the budget by doing nothing, or by a random policy in even one of 40 tries: whatever
a random policy solves more often than 5% of the time is likely to fall to one of them.
The content hash covers everything in the file and is part of every result; a file that was changed does not load.
"""

import hashlib
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from armillary.acting.baselines import DoNothing, RandomBaseline
from armillary.arguments import seed_of, whole
from armillary.errors import ArmillaryError, CorruptFile, SpecMismatch
from armillary.evaluation.control.rollouts import run
from armillary.files import parse_json, write_whole
from armillary.worlds.world import HasShortestPath, Judged

FORMAT = 1
ROUNDS = 30
LONGEST = 100_000
"""Env steps of a budget, at most: a file of pairs cannot ask for ever."""
DEVELOPMENT_SEED = 10_000
"""Of the pairs and scenes that choices are made on. Recordings are made under seeds below it."""
TEST_SEED = 20_000
"""Of the pairs and scenes that are reported. Nothing was chosen on them."""
PAIRS = 0x70616972  # "pair": no stream of a world or a policy has this beside its seed


@dataclass(frozen=True, eq=False)
class EvalSet:
    """n pairs, and all that is needed to judge by them again.

    Args:
        world, version: which world they are pairs of.
        options: `worlds.make(world, **options)` builds it.
        seed: they were drawn under; no recording may use it.
        hold: the goal must be held for the last so many steps of the budget.
        start, goal: (n, S) full states.
        distance: (n,) shortest path in env steps; None in a world that has none.
        budget: (n,) env steps that each pair runs for.
        rule: in words, how budgets came about and what pairs were asked for.
        rejected: candidates that were thrown away, by reason.
    """

    world: str
    version: str
    options: dict[str, Any]
    seed: int
    hold: int
    start: np.ndarray
    goal: np.ndarray
    distance: np.ndarray | None
    budget: np.ndarray
    rule: str
    rejected: dict[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.start)

    @property
    def hash(self) -> str:
        """SHA-256 of the content, the first 16 hexadecimal digits."""
        return hashlib.sha256(json.dumps(self._content(), sort_keys=True).encode()).hexdigest()[:16]

    def check(self, world: Judged) -> None:
        """Require that these are pairs of `world`.

        Raises:
            SpecMismatch: another world or version.
        """
        if (self.world, self.version) != (world.name, world.version):
            raise SpecMismatch(
                f"the evaluation set is of world {self.world!r} {self.version}, and this is {world.name!r} {world.version}; "
                f"make a new set, or the world from {self.options}"
            )

    def refuse(self, seeds: Iterable[int | None]) -> None:
        """Require that no recording used this set's seed.

        Raises:
            ArmillaryError: one of `seeds` is.
        """
        _refuse(self.seed, seeds)

    def take(self, n: int) -> "EvalSet":
        """The first n pairs, as a set (and with a hash) of its own."""
        parts = {name: values[:n] for name in _ARRAYS if (values := getattr(self, name)) is not None}
        return EvalSet(**{**self.__dict__, **parts})

    def save(self, path: str | Path) -> None:
        """Write one JSON file, whole or not at all."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps({"hash": self.hash, **self._content()}, indent=1))

    @classmethod
    def load(cls, path: str | Path) -> "EvalSet":
        """Read what `save` wrote.

        Raises:
            ArmillaryError: there is no such file.
            CorruptFile: it is no evaluation set, or was changed after it was made.
        """
        try:
            content = parse_json(Path(path).read_text(), path)
            said, form = content.pop("hash"), content.pop("format")
            parts = {name: content.pop(name) for name in _ARRAYS}
            arrays = {name: None if parts[name] is None else np.array(parts[name], dtype) for name, dtype in _ARRAYS.items()}
            pairs = cls(**content, **arrays)
            pairs._check()
        except OSError as error:
            raise ArmillaryError(
                f"expected a number of pairs or a file of them, got {path}, which cannot be read ({error.strerror})"
            ) from error
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
            raise CorruptFile(f"{path} is not an evaluation set ({type(error).__name__}: {error})") from error
        if form != FORMAT or pairs.hash != said:
            raise CorruptFile(f"{path} was changed after it was made: its hash is {pairs.hash}, and it says {said}")
        return pairs

    def _check(self) -> None:
        n, kinds = len(self.start), {"world": str, "version": str, "options": dict, "seed": int, "hold": int, "rule": str}
        for name, kind in kinds.items():
            if not isinstance(getattr(self, name), kind):
                raise ValueError(f"{name} is a {type(getattr(self, name)).__name__}")
        if (
            self.start.ndim != 2
            or self.goal.shape != self.start.shape
            or self.budget.shape != (n,)
            or (self.distance is not None and self.distance.shape != (n,))
        ):
            raise ValueError("start, goal, distance and budget are of different shapes")
        if n and not ((self.budget >= 1) & (self.budget <= LONGEST)).all():
            raise ValueError(f"budgets are from 1 to {LONGEST:,} env steps")

    def _content(self) -> dict[str, Any]:
        plain = {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in self.__dict__.items()}
        return {"format": FORMAT, **plain}


_ARRAYS = {"start": np.float64, "goal": np.float64, "distance": np.float64, "budget": np.int64}


def make_eval_set(
    world: Judged,
    n: int,
    seed: int,
    *,
    budget: float = 2.0,
    hold: int = 3,
    random_hold: int = 1,
    rollouts: int = 40,
    forbidden_seeds: Iterable[int] = (),
    options: dict[str, Any] | None = None,
    **constraints: Any,
) -> EvalSet:
    """Draw n pairs of `world` that cannot be solved by accident.

    Args:
        world: any number of environments; many are faster.
        seed: of the pairs, not among `forbidden_seeds`, the seeds of the recordings.
        budget: env steps of a pair as a multiple of its shortest path, rounded up, plus `hold`. In a world
            without a shortest path, the env steps themselves.
        hold: steps that the goal must be held for at the end.
        random_hold: steps that the random policy holds an action for; held ones wander farther.
        rollouts: tries of the random policy at each candidate pair.
        options: what `worlds.make` was given, for the record (JSON-able).
        constraints: of the world's sampler: `min_distance` in steps, and its own, such as `cross=True` in two rooms.

    Raises:
        ArmillaryError: the seed is forbidden, or not enough pairs pass; the message says why they were rejected.
    """
    n, seed = whole(n, "the number of pairs", 1), seed_of(seed)
    _refuse(seed, forbidden_seeds)
    rng = np.random.default_rng((seed, PAIRS))
    space, measured = world.stream_spec.action, world if isinstance(world, HasShortestPath) else None
    kept: list[tuple[np.ndarray, ...]] = []
    rejected = {"solved at the start": 0, "solved by doing nothing": 0, "solved by a random policy": 0}
    found = 0
    for _ in range(ROUNDS):
        start, goal = world.sample_pairs(max(n - found, 8), rng, **constraints)
        if measured is None:
            distance, steps = np.full(len(start), np.nan), np.full(len(start), math.ceil(budget))
        else:
            distance = measured.shortest_path(start, goal)
            steps = np.ceil(budget * distance).astype(np.int64) + hold
        reasons = {}
        reasons["solved at the start"] = world.success(start, goal)
        reasons["solved by doing nothing"] = run(world, DoNothing(space), start, goal, steps).success.any(axis=0)
        # Of each candidate, `rollouts` copies with numbers of their own.
        copies = [np.repeat(x, rollouts, axis=0) for x in (start, goal, steps)]
        lucky = run(world, RandomBaseline(space, random_hold, seed), *copies).held(hold)
        reasons["solved by a random policy"] = lucky.reshape(-1, rollouts).any(axis=1)
        good = np.ones(len(start), bool)
        for reason, bad in reasons.items():
            rejected[reason] += int((good & bad).sum())
            good &= ~bad
        kept.append(tuple(x[good] for x in (start, goal, distance, steps)))
        found += int(good.sum())
        if found >= n:
            break
    else:
        raise ArmillaryError(f"only {found} of {n} pairs passed ({rejected}); take harder goals, by a larger min_distance")
    start, goal, distance, steps = (np.concatenate(x)[:n] for x in zip(*kept, strict=True))
    asked = ", ".join(f"{name}={value}" for name, value in constraints.items()) or "none"
    how = f"ceil({budget:g} x shortest path) + {hold}" if measured is not None else f"{math.ceil(budget)}"
    rule = f"budget = {how} env steps; constraints: {asked}"
    identity = (world.name, world.version, options or {}, seed)
    known = distance if measured is not None else None
    return EvalSet(*identity, hold, start.astype(np.float64), goal.astype(np.float64), known, steps, rule, rejected)


def _refuse(seed: int, forbidden: Iterable[int | None]) -> None:
    if seed in set(forbidden):
        raise ArmillaryError(f"seed {seed} was used for a recording, so that its episodes could be repeated; take another")
