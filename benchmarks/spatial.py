"""What does a model know of space? Read off its latents by a small network, on walks in layouts that it never saw.

- Pose: where it is and which way it looks, from one observation, in the frame of the apartment. That is a fair question only
  since the outer walls stand in the same place in all layouts; half a turn apart, many look the same to a range finder.
- Motion: how far it is from where it was some steps ago, and how much it turned, in the frame of then, from the latents of both
  moments. That needs no frame. Odometry answers it, too, by summing up, and drifts.
- Scan: what the range finder measures all round after moves to come, from the imagined latent.

Networks learn from walks in the layouts of training (`probes.mlp`). Errors are medians over moments (of scans, means over
beams that hit something), with intervals by bootstrap over walks.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from armillary.episodes.odometry import reckon, rotated
from armillary.episodes.store import Episodes
from armillary.evaluation.latent.probes import mlp
from armillary.evaluation.statistics import Estimate, bootstrap
from armillary.latents import Encoded, encode_episodes, imagine
from armillary.model.world_model import WorldModel

SAMPLES = 300  # of the bootstrap
WIDTH, STEPS = 128, 500  # of the networks
ROWS = 10_000  # moments that they learn from, at most
VALIDATION = 5  # one training walk in so many, and as many of their moments, say when they stop


@dataclass(frozen=True)
class Walk:
    """One episode: its latents, and `position`, `heading`, `scan` and `odometry` (T, ...) as they are recorded."""

    encoded: Encoded
    truth: dict[str, np.ndarray]

    @property
    def z(self) -> np.ndarray:
        """(T, D)"""
        return self.encoded.z

    @property
    def pose(self) -> np.ndarray:
        """(T, 4): x and y in m, sine and cosine of the heading."""
        heading = self.truth["heading"]
        return np.concatenate([self.truth["position"], np.sin(heading), np.cos(heading)], axis=1).astype(float)

    def motion(self, apart: int) -> np.ndarray:
        """(T - apart, 4): m ahead and to the left in the frame of the earlier moment, sine and cosine of the turn."""
        return _between(self.truth["position"].astype(float), self.truth["heading"][:, 0].astype(float), apart)

    def odometry(self, apart: int) -> np.ndarray:
        """The same, as the odometry of the steps between sums up."""
        pose = reckon(self.truth["odometry"])
        return _between(pose[:, :2], pose[:, 2], apart)


def walks(model: WorldModel, episodes: Episodes, which: Sequence[int] | np.ndarray) -> list[Walk]:
    """These episodes of a recording of the apartment, encoded."""
    found = []
    for encoded in encode_episodes(model, episodes, which):
        rows = episodes.starts[encoded.number] + np.arange(len(encoded.z))
        found.append(Walk(encoded, episodes.read_rows(rows, ["scan", "odometry"], truth=["position", "heading"])))
    return found


def localise(train: list[Walk], test: list[Walk], seed: int = 0) -> dict[str, Estimate]:
    """Median error of the pose that is read off the latent of a moment: `metres` and `degrees`."""
    answer, truth, group = _read(
        [w.z for w in train], [w.pose for w in train], [w.z for w in test], [w.pose for w in test], seed
    )
    return _errors(answer, truth, group)


def locate_motion(train: list[Walk], test: list[Walk], apart: int, seed: int = 0) -> dict[str, Estimate]:
    """Median error of the motion over `apart` steps that is read off the latents before and after."""
    sides = [[np.concatenate([w.z[:-apart], w.z[apart:]], axis=1) for w in some] for some in (train, test)]
    aims = [[w.motion(apart) for w in some] for some in (train, test)]
    return _errors(*_read(sides[0], aims[0], sides[1], aims[1], seed))


def locate_by_odometry(test: list[Walk], apart: int) -> dict[str, Estimate]:
    """The same by odometry alone."""
    return _errors(*_stacked([w.odometry(apart) for w in test], [w.motion(apart) for w in test]))


def locate_by_mean(train: list[Walk], test: list[Walk]) -> dict[str, Estimate]:
    """Error of the mean pose of training, whatever is sensed: what chance gives."""
    mean = np.concatenate([w.pose for w in train]).mean(axis=0)
    return _errors(*_stacked([np.tile(mean, (len(w.z), 1)) for w in test], [w.pose for w in test]))


def predict_scans(
    model: WorldModel, train: list[Walk], test: list[Walk], horizons: Sequence[int], reach: float, seed: int = 0
) -> dict[str, dict[int, Estimate]]:
    """Mean absolute error (m) of scans predicted some steps ahead, with the actions that were taken.

    Rows: `imagined`, read off the imagined latent; `seen`, off the encoded latent of that moment, which imagining could not
    beat; `persistence`, the scan of now; `turned`, the same, turned as the actions say, which is right where nothing moves.

    Args:
        reach: of the range finder, m; where nothing is measured, networks learn this.
    """
    longest, beams = max(horizons), test[0].truth["scan"].shape[1]
    scans = [[np.where(np.isfinite(w.truth["scan"]), w.truth["scan"], reach) for w in some] for some in (train, test)]
    first = [np.arange(0, len(w.z) - longest, 2) for w in test]
    ahead = [imagine(model, w.encoded, start, longest) for w, start in zip(test, first, strict=True)]
    inputs = [np.concatenate([w.z, after.reshape(-1, after.shape[-1])]) for w, after in zip(test, ahead, strict=True)]
    answer, _, group = _read([w.z for w in train], scans[0], inputs, [np.zeros((len(x), beams)) for x in inputs], seed)
    rows: dict[str, dict[int, list[np.ndarray]]] = {name: {h: [] for h in horizons} for name in ROWS_OF_SCANS}
    for number, (walk, start, scan) in enumerate(zip(test, first, scans[1], strict=True)):
        read = answer[group == number]
        seen, imagined = read[: len(walk.z)], read[len(walk.z) :].reshape(len(start), longest, beams)
        for h in horizons:
            true, turn = walk.truth["scan"][start + h], walk.truth["heading"][start + h, 0] - walk.truth["heading"][start, 0]
            shift = np.rint(turn / (2 * np.pi) * beams).astype(int)
            turned = scan[start[:, None], (np.arange(beams) + shift[:, None]) % beams]
            answers = imagined[:, h - 1], seen[start + h], scan[start], turned
            for name, answered in zip(ROWS_OF_SCANS, answers, strict=True):
                rows[name][h].append(np.nanmean(np.abs(answered - true), axis=1))
    groups = np.repeat(np.arange(len(test)), [len(start) for start in first])
    return {
        name: {h: bootstrap(np.concatenate(values), groups=groups, samples=SAMPLES) for h, values in by.items()}
        for name, by in rows.items()
    }


ROWS_OF_SCANS = "imagined", "seen", "persistence", "turned"


def _read(x: list[np.ndarray], y: list[np.ndarray], x_test: list[np.ndarray], y_test: list[np.ndarray], seed: int):
    """What a network that learned y (m, c) from x (m, d) answers to x_test (n, d); the truth; and which walk each row is of."""
    rng = np.random.default_rng(seed)
    held = rng.permutation(len(x))[: max(1, len(x) // VALIDATION)]
    parts = []
    for some, most in ((np.setdiff1d(np.arange(len(x)), held), ROWS), (held, ROWS // VALIDATION)):
        inputs, aims = (np.concatenate([values[i] for i in some]).astype(float) for values in (x, y))
        chosen = rng.permutation(len(inputs))[:most]
        parts.append((inputs[chosen], aims[chosen]))
    inputs, truth, group = _stacked(x_test, y_test)
    centre, spread = (f(parts[0][0], axis=0) for f in (np.mean, np.std))
    middle, scale = (f(parts[0][1], axis=0) for f in (np.mean, np.std))
    spread, scale = (np.where(s > 1e-9, s, 1.0) for s in (spread, scale))
    (a, b), (c, d) = (((p - centre) / spread, (q - middle) / scale) for p, q in parts)
    answer = mlp(a, c, b, d, (inputs - centre) / spread, width=WIDTH, steps=STEPS, seed=seed)
    return answer * scale + middle, truth, group


def _stacked(x: list[np.ndarray], y: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return np.concatenate(x), np.concatenate(y), np.repeat(np.arange(len(x)), [len(rows) for rows in x])


def _errors(answer: np.ndarray, truth: np.ndarray, group: np.ndarray) -> dict[str, Estimate]:
    """Of poses or motions (n, 4)."""
    metres = np.hypot(*(answer - truth)[:, :2].T)
    turn = np.arctan2(answer[:, 2], answer[:, 3]) - np.arctan2(truth[:, 2], truth[:, 3])
    degrees = np.rad2deg(np.abs((turn + np.pi) % (2 * np.pi) - np.pi))
    return {
        name: bootstrap(error, groups=group, statistic=np.median, samples=SAMPLES)
        for name, error in (("metres", metres), ("degrees", degrees))
    }


def _between(position: np.ndarray, heading: np.ndarray, apart: int) -> np.ndarray:
    moved, turn = rotated(position[apart:] - position[:-apart], -heading[:-apart]), heading[apart:] - heading[:-apart]
    return np.concatenate([moved, np.stack([np.sin(turn), np.cos(turn)], axis=1)], axis=1)
