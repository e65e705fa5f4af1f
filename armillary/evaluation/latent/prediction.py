"""Prediction on held-out episodes, with the actions that were taken: how far ahead does the model know what comes?

Two measures, by horizon, that collapse cannot win:
- error as a share of the error of "nothing changes" (persistence). Every dimension of the latent is divided by its standard
  deviation over the held-out frames first, so that a dimension counts for what it tells and not for its scale. A latent
  that never changes scores 1;
- retrieval: which frame of the same episode is nearest to the predicted latent, and how far in time is it from the one that
  was to be predicted? It reads in seconds (in env steps, where the recording has no rate). Persistence scores the horizon
  itself, a perfect model 0, a collapsed one as badly as chance.

Intervals are by bootstrap over episodes. Rows: model, untrained (each in its own latent space), persistence, chance (any frame
of the episode, in the model's latent space).
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from armillary.episodes.store import Episodes
from armillary.errors import ArmillaryError
from armillary.evaluation.statistics import Estimate, bootstrap
from armillary.latents import Encoded, encode_episodes, imagine
from armillary.model.world_model import WorldModel
from armillary.training.collapse import dead_share, effective_rank

NEAR = 0.1
"""Seconds within which a retrieved frame counts as right; without a rate, only the exact step does."""
RESAMPLES = 300


@dataclass(frozen=True)
class Horizon:
    """What one row scores at one horizon.

    Args:
        horizon: in `unit`.
        error: as a share of persistence's error.
        time_error: median absolute time error of the retrieved frame, in `unit`.
        near: share of retrieved frames within 0.1 s (exact, without a rate).
    """

    horizon: float
    error: Estimate
    time_error: Estimate
    near: Estimate


@dataclass(frozen=True)
class PredictionResult:
    """The table, by row and horizon, and how much of the latent is in use."""

    unit: str
    episodes: list[int]
    starts: int
    rows: dict[str, list[Horizon]]
    effective_rank: float
    dead_share: float
    latent: int

    def summary(self) -> dict[str, float]:
        """A few numbers for a line of metrics: the model's error and time error at each horizon."""
        numbers = {"held_out_rank": self.effective_rank}
        for at in self.rows["model"]:
            name = f"{at.horizon:g}{'s' if self.unit == 'seconds' else '_steps'}"
            numbers |= {f"error_share_{name}": at.error.value, f"time_error_{name}": at.time_error.value}
        return numbers

    def to_json(self) -> dict[str, Any]:
        """Ready for `json.dumps`."""
        return asdict(self)


def evaluate_prediction(
    model: WorldModel,
    episodes: Episodes,
    held_out: Sequence[int] | np.ndarray,
    horizons: Sequence[float],
    *,
    untrained: bool = True,
    starts: int = 32,
    streams: Sequence[str] | None = None,
    seed: int = 0,
) -> PredictionResult:
    """Judge a model's open-loop predictions on episodes that it was not trained on.

    Args:
        horizons: in seconds where the recording has a rate, else in env steps; rounded to whole action blocks.
        untrained: add that row.
        starts: predictions for each episode, evenly spaced; the same at every horizon.
        streams: what the model is given of what it knows, as when the other sensors are dead; all by default.
        seed: of the untrained weights and of chance.

    Raises:
        ArmillaryError: no held-out episode is long enough for the longest horizon.
    """
    rate, skip, context = episodes.spec.rate, model.config.skip, model.config.context
    per_step = 1 / rate if rate else 1.0
    blocks = sorted({_blocks(h, rate, skip) for h in horizons})
    first = _starts(episodes, held_out, skip * (context - 1 + blocks[-1]), starts)
    has = {number: {name: bool(there[number]) for name, there in episodes.present.items()} for number in first}
    known = {number: model.perception.known(present, model.width).numpy() for number, present in has.items()}
    models = {"model": model}
    if untrained:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            models["untrained"] = model.untrained()
    rng = np.random.default_rng(seed)
    rows: dict[str, list[Horizon]] = {name: [] for name in (*models, "persistence", "chance")}
    for name, one in models.items():
        encoded = encode_episodes(one, episodes, first, streams)
        scale = np.maximum(np.concatenate([e.z for e in encoded]).std(axis=0), 1e-6)
        imagined = [imagine(one, e, first[e.number], blocks[-1]) / scale for e in encoded]
        for e in encoded:
            e.z /= scale
        if one is model:
            z = torch.from_numpy(np.concatenate([e.z * scale for e in encoded]))
        for block in blocks:
            guesses = {name: [x[:, block - 1] for x in imagined]}
            parts = [_Part(e, first[e.number] + skip * (context - 1), skip * block, known[e.number]) for e in encoded]
            if one is model:
                guesses["persistence"] = [p.episode.z[p.row] for p in parts]
                guesses["chance"] = [p.episode.z[rng.integers(len(p.episode.z), size=len(p.row))] for p in parts]
            for row, guess in guesses.items():
                rows[row].append(_horizon(parts, guess, per_step, bool(rate), row == "persistence"))
    unit = "seconds" if rate else "steps"
    count = sum(len(rows) for rows in first.values())
    return PredictionResult(unit, list(first), count, rows, effective_rank(z), dead_share(z), z.shape[1])


def fitting_horizons(
    episodes: Episodes, held_out: Sequence[int] | np.ndarray, horizons: Sequence[float], skip: int, context: int
) -> tuple[list[float], str]:
    """The horizons for which a held-out episode is long enough, and a line on those that are left out, or nothing."""
    longest = int(episodes.lengths[np.asarray(held_out, np.int64)].max(initial=0))
    need = {h: skip * (context - 1 + _blocks(h, episodes.spec.rate, skip)) + 1 for h in horizons}
    fit, unfit = ([h for h in horizons if (need[h] <= longest) is is_fit] for is_fit in (True, False))
    if not unfit:
        return fit, ""
    asked = f"{' and '.join(f'{h:g}' for h in unfit)} {'s' if episodes.spec.rate else 'steps'}"
    return fit, (
        f"no prediction {asked} ahead is judged: with the context that takes {max(need.values())} rows, and the longest "
        f"held-out episode has {longest}; hold out longer episodes"
    )


def _blocks(horizon: float, rate: float | None, skip: int) -> int:
    """A horizon in whole action blocks, at least one."""
    return max(1, round(horizon * (rate or 1.0) / skip))


def _starts(episodes: Episodes, held_out: Sequence[int] | np.ndarray, reach: int, count: int) -> dict[int, np.ndarray]:
    """Up to `count` evenly spaced rows of each episode that has `reach` rows after them."""
    room = {int(e): int(episodes.lengths[e]) - reach for e in held_out}
    first = {e: np.unique(np.linspace(0, rows - 1, min(count, rows)).astype(int)) for e, rows in room.items() if rows > 0}
    if not first:
        longest = max((int(episodes.lengths[e]) for e in held_out), default=0)
        raise ArmillaryError(
            f"the longest horizon and the context take {reach + 1} rows, and the longest of {len(room)} held-out episodes has "
            f"{longest}; ask for shorter horizons"
        )
    return first


@dataclass
class _Part:
    """One episode's share of a horizon: predicted from `row` (m,), `ahead` rows on, of the numbers that are `known` (D,)."""

    episode: Encoded
    row: np.ndarray
    ahead: int
    known: np.ndarray

    def squared_error(self, guess: np.ndarray) -> np.ndarray:
        squared = np.square(guess - self.episode.z[self.row + self.ahead])
        return squared.mean(axis=1) if self.known.all() else squared[:, self.known].mean(axis=1)

    def rows_off(self, guess: np.ndarray) -> np.ndarray:
        """Rows between the frame that is nearest to each guess (m, D), the first if several are, and the right one."""
        z = self.episode.z
        distance = np.square(z).sum(axis=1) - 2 * guess @ z.T
        return np.abs(distance.argmin(axis=1) - (self.row + self.ahead))


def _horizon(parts: list[_Part], guesses: list[np.ndarray], per_step: float, timed: bool, persists: bool) -> Horizon:
    group = np.repeat(np.arange(len(parts)), [len(p.row) for p in parts])
    error = np.concatenate([p.squared_error(guess) for p, guess in zip(parts, guesses, strict=True)])
    stays = np.concatenate([p.squared_error(p.episode.z[p.row]) for p in parts])
    # Persistence answers with the frame that it was given, though others may look the same.
    off = [np.full(len(p.row), p.ahead) if persists else p.rows_off(guess) for p, guess in zip(parts, guesses, strict=True)]
    seconds = np.concatenate(off) * per_step

    def estimate(*values: np.ndarray, statistic) -> Estimate:
        return bootstrap(*values, groups=group, statistic=statistic, samples=RESAMPLES)

    return Horizon(
        horizon=parts[0].ahead * per_step,
        error=estimate(error, stays, statistic=lambda e, s: (e.mean() + 1e-12) / (s.mean() + 1e-12)),
        time_error=estimate(seconds, statistic=np.median),
        near=estimate(seconds <= (NEAR + 1e-9 if timed else 0), statistic=np.mean),
    )
