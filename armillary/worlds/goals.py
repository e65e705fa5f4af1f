"""Episodes with a goal: a world in which each episode begins at the start of a pair, for recording what pursues goals.

The pairs are the world's own (`sample_pairs`), under a seed of the recording. Evaluation draws its pairs under other seeds.
"""

from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv, VectorWrapper

from armillary.actor import TRUE_STATE, Observations
from armillary.errors import ArmillaryError
from armillary.worlds.world import Judged


class WithGoals(VectorWrapper):
    """A judged world whose episodes have goals, which `record` gives to an actor that needs some.

    Raises:
        ArmillaryError: a world without goals, one that begins episodes by itself, or one that takes no state to begin from.
    """

    def __init__(self, world: Any) -> None:
        if not isinstance(world, VectorEnv) or not isinstance(world, Judged) or not world.any_state:
            raise ArmillaryError(
                f"expected a world that draws goals and begins from any state; got {getattr(world, 'name', world)}. A world of "
                "your own needs sample_goal, success and set_state"
            )
        if world.metadata.get("autoreset_mode") != AutoresetMode.DISABLED:
            raise ArmillaryError("expected a world that begins no episode by itself; build it with autoreset_mode='Disabled'")
        super().__init__(world)
        self.world, self._rng = world, np.random.default_rng()
        self._goal = np.zeros_like(world.state)

    @property
    def state(self) -> np.ndarray:
        """The full state of each environment, (N, S)."""
        return self.world.state

    def reset(self, *, seed: Any = None, options: dict[str, Any] | None = None) -> tuple[dict[str, np.ndarray], dict]:
        """Begin episodes, in all environments or in those of `options["reset_mask"]`, each at the start of a new pair."""
        if seed is not None:
            self._rng = np.random.default_rng([seed, 2])
        mask, state = (options or {}).get("reset_mask", np.ones(self.num_envs, bool)), self.world.state
        state[mask], self._goal[mask] = self.world.sample_pairs(int(mask.sum()), self._rng)
        return self.world.reset(seed=seed, options={"reset_mask": mask, "state": state})

    def goals(self, ids: np.ndarray) -> Observations:
        """What is sensed at the goals of these environments (n, *shape), and their full states under `TRUE_STATE`."""
        return {**self.world.render_states(self._goal[ids]), TRUE_STATE: self._goal[ids]}
