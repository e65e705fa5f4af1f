"""What the tests of several worlds check in the same way."""

import hashlib

import numpy as np

from armillary.worlds.world import Judged


def assert_same(ours: dict, theirs: dict) -> None:
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        np.testing.assert_array_equal(value, theirs[name], err_msg=name)


def digest(*arrays: np.ndarray) -> str:
    return hashlib.sha256(b"".join(np.ascontiguousarray(a).tobytes() for a in arrays)).hexdigest()[:16]


def assert_oracle_holds_along_the_shortest_path(world: Judged, start: np.ndarray, goal: np.ndarray, slack: float) -> None:
    """The oracle holds every goal at the end of its budget, and no step gains more than 1 and `slack` of the path: a bound."""
    world.reset(options={"state": start})
    left = world.shortest_path(start, goal)
    budget, held = np.ceil(2 * left) + 3, np.ones(len(start), bool)
    for step in range(1, int(budget.max()) + 1):
        actions = world.oracle(world.state, goal)
        assert actions in world.action_space
        world.step(actions)
        held &= world.success(world.state, goal) | (step <= budget - 3)
        before, left = left, world.shortest_path(world.state, goal)
        assert (before - left <= 1 + slack).all()
    assert held.all()
