"""An expert for Push-T: tries pushes in its head, where `tee.push` is the physics, and plans anew at every step.

It begins with ways around to points of all sides and straight pushes through them, and lets the best of these mutate. A plan
costs how far the T's corners are from where they should be, summed over the horizon. Since the T rests when the disc does, a
plan that is broken off early is judged in passing. Nothing is remembered between steps, and the random numbers of a decision
are seeded by the state: the same state and goal give the same action, alone or in a batch.
"""

import numpy as np
from jaxtyping import Float

from armillary.worlds.push_t import tee
from armillary.worlds.push_t.ways import INWARD, SIDES, go_around, stand_off

HORIZON = 8
AIMS = np.array([-0.5, -0.2, 0.0, 0.2, 0.5])  # rad, of straight pushes, from the direction into the T
ELITES, CHILDREN = 16, 96
SIGMAS = 0.6, 0.5, 0.4, 0.35, 0.3, 0.2, 0.15, 0.1  # of the mutations, generation by generation
CLOSE = 5.0  # px that the T should keep from walls
CHUNK = 16  # problems at a time


def expert(
    pose: Float[np.ndarray, "n 3"],
    agent: Float[np.ndarray, "n 2"],
    goal: Float[np.ndarray, "n 3"],
    friction: Float[np.ndarray, " n"],
    reach: float,
) -> Float[np.ndarray, "n 2"]:
    """Actions that bring the T from poses to goal poses.

    Args:
        pose, goal: of the T; see `tee`.
        agent: position of the disc, px.
        friction: of the T.
        reach: px that the disc moves under an action of 1.
    """
    actions = np.empty(agent.shape, np.float32)
    for begin in range(0, len(pose), CHUNK):
        part = slice(begin, begin + CHUNK)
        actions[part] = _search(pose[part], agent[part], goal[part], friction[part], reach)
    return actions


def _search(pose: np.ndarray, agent: np.ndarray, goal: np.ndarray, friction: np.ndarray, reach: float) -> np.ndarray:
    seeds = np.ascontiguousarray(np.concatenate([pose, agent, goal], axis=1)).view(np.uint32)
    streams = [np.random.default_rng(seed) for seed in seeds]
    rows, parent = np.arange(len(pose))[:, None], np.arange(CHILDREN) % ELITES
    problem = pose, agent, goal, friction
    plans, costs = _judged(*problem, _straight_pushes(pose, agent, reach), reach)
    for sigma in SIGMAS:
        best = costs.argsort(axis=1, kind="stable")[:, :ELITES]
        plans, costs = plans[rows, best], costs[rows, best]
        noise = np.stack([rng.normal(0, sigma, (CHILDREN, HORIZON, 2)) for rng in streams])
        noise *= np.stack([rng.random((CHILDREN, HORIZON, 1)) < 0.6 for rng in streams])
        children = _judged(*problem, np.clip(plans[:, parent] + noise, -1, 1), reach)
        plans, costs = (np.concatenate(both, axis=1) for both in zip((plans, costs), children, strict=True))
    return plans[rows[:, 0], costs.argmin(axis=1), 0]


def _straight_pushes(pose: np.ndarray, agent: np.ndarray, reach: float) -> np.ndarray:
    """Plans (n, points x aims, HORIZON, 2): around to each point, and through it until the end."""
    n, points = len(pose), len(_POINTS)
    poses, disc = np.repeat(pose, points, axis=0), np.repeat(agent, points, axis=0)
    begin = poses[:, :2] + tee.rotated(np.tile(_POINTS, (n, 1)), poses[:, 2])
    direction = tee.rotated(np.tile(_INWARD, (n, 1))[:, None], poses[:, 2:] + AIMS)
    direction /= np.abs(direction).max(axis=-1, keepdims=True)
    plans = np.broadcast_to(direction[:, :, None], (n * points, len(AIMS), HORIZON, 2)).copy()
    for step in range(HORIZON):
        away = np.abs(disc - begin).max(axis=1) > 1e-6
        if not away.any():
            break
        moved = go_around(poses[away], disc[away], begin[away], reach)
        plans[away, :, step] = ((moved - disc[away]) / reach)[:, None]
        disc[away] = moved
    return plans.reshape(n, -1, HORIZON, 2)


def _judged(
    pose: np.ndarray, agent: np.ndarray, goal: np.ndarray, friction: np.ndarray, plans: np.ndarray, reach: float
) -> tuple[np.ndarray, np.ndarray]:
    """Plans (n, c, HORIZON, 2), broken off where it is best, and what they cost then (n, c)."""
    shape = plans.shape[:2]
    pose, disc, goal, rub = (np.repeat(x, shape[1], axis=0) for x in (pose, agent, goal, friction))
    moves, wanted = plans.reshape(-1, HORIZON, 2) * reach, tee.placed(goal, tee.CORNERS)
    cost = np.empty((len(moves), HORIZON))
    for step in range(HORIZON):
        end = np.clip(disc + moves[:, step], *tee.REACHABLE)
        pose, disc = tee.push(pose, disc, end, friction=rub if rub.any() else None), end
        apart = np.sqrt(((tee.placed(pose, tee.CORNERS) - wanted) ** 2).sum(axis=-1).mean(axis=-1))
        walled = np.maximum(CLOSE - tee.clearance(pose), 0)
        cost[:, step] = apart + 0.05 * np.maximum(tee.gap(pose, disc), 0) + 3 * walled
    rest = cost.cumsum(axis=1) + cost * np.arange(HORIZON - 1, -1, -1)
    last = rest.argmin(axis=1)
    going = (np.arange(HORIZON) <= last[:, None]).reshape(*shape, HORIZON, 1)
    return plans * going, rest.min(axis=1).reshape(shape)


def _points() -> tuple[np.ndarray, np.ndarray]:
    """Where to stand before a push, about every 30 px along the sides, and the directions into the T there."""
    points, inward = [], []
    for side, into in zip(SIDES, INWARD, strict=True):
        count = max(1, round(float(np.hypot(*(side[2:] - side[:2]))) / 30))
        along = (np.arange(count)[:, None] + 0.5) / count
        points.append(stand_off(side[:2] * (1 - along) + side[2:] * along, into))
        inward.append(np.tile(into, (count, 1)))
    return np.concatenate(points), np.concatenate(inward)


_POINTS, _INWARD = _points()
