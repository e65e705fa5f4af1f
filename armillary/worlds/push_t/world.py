"""Push-T: a disc pushes a T-shaped block to where it should be, and as it should be turned. Seen from above, 64 x 64 RGB.

Contact comes and goes, the T turns as it is pushed, and it can only be pushed: never pulled, never grasped.

Design choices:
- physics is pymunk's, with the figures of gym-pusht (`arena`); the pictures are ours, and fast (`boxes`, `drawing`);
- an action is a displacement of the disc, gone at constant velocity, so that a single image tells all there is to know. Under
  `control="absolute"` it is what it is in gym-pusht: a target that a PD controller takes the disc to, in px;
- goals are where play brought the T from the start, so that each can be reached, and in time.

Data to learn from are `play()`: pushes against all sides of the T (`play`).

Sources: the task is Push-T of Chi et al., "Diffusion Policy" (arXiv 2303.04137), as the package gym-pusht (0.1.8) has it.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode

from armillary.actor import Actor
from armillary.errors import ArmillaryError
from armillary.spec import ActionSpace, Spec, Stream
from armillary.worlds.drawing import cover, draw, hue_colour, paint
from armillary.worlds.over_base import DrawnOverBase
from armillary.worlds.push_t import tee
from armillary.worlds.push_t.arena import THICK, TICK, Arena, controlled
from armillary.worlds.push_t.boxes import draw_boxes
from armillary.worlds.push_t.expert import expert
from armillary.worlds.push_t.play import FacePushing
from armillary.worlds.push_t.scenes import push_t_scenes
from armillary.worlds.push_t.ways import MARGIN
from armillary.worlds.scenes import Scenes
from armillary.worlds.single import single_of
from armillary.worlds.transition import TransitionWorld

VERSION = "1"  # of physics and rendering

ARENA = 512.0  # px, whatever the size of the image
TICKS = 10  # of physics, in a control step of 0.1 s
MOVE = 15.0  # px along an axis, of the disc in a control step
SEEN, TURNED = (-ARENA / 2, 1.5 * ARENA), 1e3  # bounds of what is observed, px and rad: walls give way to squeezing
THRESHOLD, ANGLE_THRESHOLD = 20.0, np.deg2rad(20)
BLOCK_COLOUR, AGENT_COLOUR, FLOOR_COLOUR, WALL_COLOUR = (90, 110, 140), (220, 60, 40), (235, 235, 230), (170, 170, 165)

# Columns of the state vector; BODIES is what moves, and the rest is the layout, which lasts an episode.
BODIES, LAYOUT = slice(0, 10), slice(10, 24)
AGENT, AGENT_VELOCITY, BLOCK, ANGLE, BLOCK_VELOCITY = slice(0, 2), slice(2, 4), slice(4, 6), slice(6, 7), slice(7, 10)
FRICTION, BLOCK_RGB, AGENT_RGB, FLOOR_RGB = 10, slice(11, 14), slice(14, 17), slice(17, 20)
WAVE = slice(20, 24)  # a plane wave on the floor: amplitude (0-255), periods along x and y, phase (rad)

# factor -> the columns that it draws, uniformly from low to high. The agent's colour is a hue of full saturation.
FACTORS: dict[str, tuple[int | slice, Any, Any]] = {
    "friction": (FRICTION, 0.0, 1.0),
    "block_colour": (BLOCK_RGB, 20.0, 130.0),
    "agent_colour": (AGENT_RGB, 0.0, 1.0),
    "floor_colour": (FLOOR_RGB, 170.0, 250.0),
    "background": (WAVE, (0.0, -4.0, -4.0, 0.0), (30.0, 4.0, 4.0, 2 * np.pi)),
}


class PushT(TransitionWorld, DrawnOverBase):
    """The Push-T world, a native Gymnasium vector environment and a `World`.

    Actions are (N, 2) in [-1, 1], along x and y (down), clipped: the share of the greatest displacement.
    Observations are `image` (N, size, size, 3) uint8 and, as ground truth, `agent` and `block` (N, 2) in px of the 512 px arena
    and `angle` (N, 1) in rad, which does not wrap. The block's position is the middle of the T's top edge.

    Args:
        size: height and width of the image in px, at least 16; the arena is 512 px, whatever it is.
        factors: what is drawn for each episode (factors of variation): "friction" of the T (0 otherwise), "block_colour",
            "agent_colour", "floor_colour", "background" (a plane wave: a gradient or stripes on the floor).
        control: "velocity"; or "absolute", where actions are targets in px, from 0 to 512. Pairs, paths, play and the oracle
            are of "velocity" alone.
        action_repeat: control steps of 0.1 s that a step makes; the disc moves up to 15 px along each axis in one.
        num_envs, max_steps, autoreset_mode, render_mode: as for `NativeWorld`.
    """

    name = "push_t"
    factors_of_variation = FACTORS
    layout = LAYOUT
    layout_said = "friction and all colours"

    def __init__(
        self,
        num_envs: int = 1,
        *,
        size: int = 64,
        factors: Sequence[str] = (),
        control: str = "velocity",
        action_repeat: int = 5,
        max_steps: int | None = 40,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
    ) -> None:
        self._whole("size", size, 16)
        self._whole("action_repeat", action_repeat, 1)
        if control not in ("velocity", "absolute"):
            raise ArmillaryError(f"push_t: control is 'velocity' or 'absolute', not {control!r}")
        self.size, self.scale, self.control = size, size / ARENA, control
        self.ticks, self.reach = TICKS * action_repeat, MOVE * action_repeat
        self.version = f"{VERSION}/{size}px/{control}/repeat{action_repeat}"
        low, high, unit = (-1.0, 1.0, f"{self.reach:g} px") if control == "velocity" else (0.0, ARENA, "px")
        spec = Spec(
            (
                Stream("image", "image", (size, size, 3)),
                Stream("agent", "vector", (2,), unit=("px", "px"), channels=("x", "y"), truth=True),
                Stream("block", "vector", (2,), unit=("px", "px"), channels=("x", "y"), truth=True),
                Stream("angle", "vector", (1,), unit=("rad",), channels=("angle",), truth=True),
            ),
            ActionSpace("box", 2, (low,) * 2, (high,) * 2, unit=(unit,) * 2, channels=("x", "y")),
        )
        common = {"factors": factors, "max_steps": max_steps, "autoreset_mode": autoreset_mode, "render_mode": render_mode}
        bounds = {"agent": SEEN, "block": SEEN, "angle": (-TURNED, TURNED)}
        super().__init__(num_envs, spec, LAYOUT.stop, bounds=bounds, **common)
        self._arena = Arena()

    def play(self) -> Actor:
        """Behaviour to learn from: pushes against all sides of the T.

        Raises:
            ArmillaryError: under `control="absolute"`.
        """
        self._counted("play")
        return FacePushing(self.reach)

    # How it goes

    def _moved(self, state: np.ndarray, actions: np.ndarray) -> np.ndarray:
        states, busy = state.copy(), np.ones(len(state), bool)
        if self.control == "velocity":
            target = np.clip(states[:, AGENT] + actions * self.reach, *tee.REACHABLE)
            way = target - states[:, AGENT]
            motions = [[(tuple(v), self.ticks)] for v in (way / (self.ticks * TICK)).tolist()]
            # A T at rest that nothing comes to stays as it is.
            pose, moves = _pose(states), states[:, BLOCK_VELOCITY].any(axis=1)
            busy = moves | (tee.gap(pose, states[:, AGENT]) < np.hypot(*way.T) + 1) | (tee.clearance(pose) < 1)
        else:
            motions = controlled(states[:, AGENT], states[:, AGENT_VELOCITY], actions, self.ticks)
        for i in np.flatnonzero(busy):
            states[i, BODIES] = self._arena.run(states[i, BODIES], float(states[i, FRICTION]), motions[i])
        if self.control == "velocity":
            states[:, AGENT], states[:, AGENT_VELOCITY] = target, 0
        return states

    # The judge's side

    def sample_pairs(
        self, n: int, rng: np.random.Generator, *, min_distance: float = 1.0, min_change: float = 2.0, steps: int = 10
    ) -> tuple[np.ndarray, np.ndarray]:
        """Start and goal states, (n, 24) each: random starts, and what play made of them within `steps` steps.

        So there is a way to every goal. Of the states that play went through, those are goals that are clear of the walls, far
        enough from the start, and were reached within the budget that an evaluation allows by default: in no more than
        2 x shortest path + 1 steps, which leaves the time to hold it.

        Args:
            min_distance: least `shortest_path` of a pair, in env steps.
            min_change: the T's position or its angle is to change by more than so many times the threshold of success.
            steps: that play takes.

        Raises:
            ArmillaryError: the constraints leave next to nothing, or `control` is "absolute".
        """
        self._counted("sample_pairs")
        pairs: list[np.ndarray] = []
        for _ in range(100):
            history = self._played(self._new_states(2 * (n - len(pairs)) + 8, rng), steps, rng)
            for start, later in zip(history[0], history[1:].swapaxes(0, 1), strict=True):
                first = np.broadcast_to(start, later.shape)
                distance = self.shortest_path(first, later)
                good = (distance >= min_distance) & (np.arange(1, steps + 1) <= np.ceil(2 * distance) + 1)
                good &= (self._error(first, later) > min_change).any(axis=1) & (tee.clearance(_pose(later)) > THRESHOLD)
                if good.any():
                    pairs.append(np.stack([start, rng.choice(later[good])]))
            if len(pairs) >= n:
                start, goal = np.stack(pairs[:n], axis=1) if n else np.empty((2, 0, LAYOUT.stop))
                goal[:, BLOCK_VELOCITY] = 0
                return start, goal
        raise ArmillaryError(
            f"push_t: {len(pairs)} of {n} pairs found with min_distance={min_distance}; lower it, or more steps"
        )

    def shortest_path(self, start: np.ndarray, goal: np.ndarray) -> np.ndarray:
        """No fewer env steps lead from start to goal states (n, 24), as a real number; (n,).

        The disc has to come to the T, and then to push for `tee.least_push`; it is `reach` px fast along each axis, and so no
        more than sqrt(2) x `reach`. Walls can do what pushing alone does not: a T that is wedged between wall and disc may slip
        out faster. From or to a T at a wall the bound is therefore half as large, and the way to the T is not counted.
        Where disc and T overlap, it has less to push. Counted to the goal itself, not to its threshold.

        Raises:
            ArmillaryError: states that cannot be, or `control` is "absolute".
        """
        self._counted("shortest_path")
        start, goal = self._pair(start, goal)
        here, there = _pose(start), _pose(goal)
        pushed, way = tee.least_push(here, there), tee.gap(here, start[:, AGENT])
        walled = np.minimum(tee.clearance(here), tee.clearance(there)) < 1
        moves = pushed > 1e-3  # px; less is rounding
        length = np.where(walled, pushed / 2, np.where(moves, np.maximum(pushed + way, 0), 0))
        return length / (np.sqrt(2) * self.reach)

    def oracle(self, state: np.ndarray, goal: np.ndarray) -> np.ndarray:
        """Actions (n, 2) of an expert that plans with the true state (`expert`), from states to goals (n, 24).

        Raises:
            ArmillaryError: states that cannot be, or `control` is "absolute".
        """
        self._counted("oracle")
        state, goal = self._pair(state, goal)
        done = (self._error(state, goal) < 0.75).all(axis=1)
        actions = np.zeros((len(state), 2), np.float32)
        state, goal = state[~done], goal[~done]
        actions[~done] = expert(_pose(state), state[:, AGENT], _pose(goal), state[:, FRICTION], self.reach)
        return actions

    def success(self, state: np.ndarray, goal: np.ndarray) -> np.ndarray:
        """Whether the T is within 20 px and 20 degrees of the goal's, wherever the disc is, in states (n, 24); (n,) bool."""
        return np.asarray((self._error(*self._pair(state, goal)) < 1).all(axis=1))

    def scenes(self, n: int, seed: int, skip: int = 1) -> list[Scenes]:
        """n scenes of each property that can be violated (`scenes.py`).

        Raises:
            ArmillaryError: under `control="absolute"`, or where a step is too short to pass the T.
        """
        self._counted("scenes")
        return push_t_scenes(self, self._new_states, n, seed, skip=skip)

    # What both share

    def _new_states(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """States to begin in: the T about the middle, turned anyhow, the disc anywhere else."""
        state, uniform = np.zeros((n, LAYOUT.stop)), rng.random((n, LAYOUT.stop))
        state[:, BLOCK_RGB], state[:, AGENT_RGB], state[:, FLOOR_RGB] = BLOCK_COLOUR, AGENT_COLOUR, FLOOR_COLOUR
        self._vary(state, uniform)
        if "agent_colour" in self.factors:
            state[:, AGENT_RGB] = hue_colour(state[:, AGENT_RGB.start])
        state[:, ANGLE] = (2 * uniform[:, ANGLE] - 1) * np.pi
        centre = ARENA / 2 + (2 * uniform[:, BLOCK] - 1) * 136  # px; the T then is 36 or more from the walls
        state[:, BLOCK] = centre + tee.rotated(tee.ORIGIN, state[:, ANGLE.start])
        missing = np.ones(n, bool)
        while missing.any():
            state[missing, AGENT] = rng.uniform(*tee.REACHABLE, (int(missing.sum()), 2))
            missing = tee.gap(_pose(state), state[:, AGENT]) < MARGIN
        return state

    def _played(self, start: np.ndarray, steps: int, rng: np.random.Generator) -> np.ndarray:
        """States (steps + 1, n, 24) that play goes through."""
        play, history = FacePushing(self.reach), [start]
        play.start(range(len(start)))
        play.rng = rng
        for _ in range(steps):
            history.append(self._moved(history[-1], play.act(self._truth(history[-1])).values.astype(float)))
        return np.stack(history)

    def _error(self, state: np.ndarray, goal: np.ndarray) -> np.ndarray:
        """Distance of position and angle by their thresholds, (n, 2)."""
        apart = np.hypot(*(state - goal)[:, BLOCK].T)
        turn = np.abs(tee.turn(state[:, ANGLE.start], goal[:, ANGLE.start]))
        return np.stack([apart / THRESHOLD, turn / ANGLE_THRESHOLD], axis=1)

    def _base_images(self, state: np.ndarray) -> np.ndarray:
        walls = np.array([tee.WALLS]) * self.scale
        inside = cover(self.size, walls[:, :1], walls[:, 1:])[0, 0]
        floor = np.tile(np.outer(inside, inside), (len(state), 1, 1))
        return paint(floor, (np.tile(WALL_COLOUR, (len(state), 1)).astype(float), state[:, FLOOR_RGB]), state[:, WAVE])

    def _sense_over(self, state: np.ndarray, base: np.ndarray, index: np.ndarray) -> dict[str, np.ndarray]:
        pose, n, base = _pose(state), len(state), base[index]
        pose[:, :2] *= self.scale
        draw_boxes(base, pose, tee.CENTRES * self.scale, tee.HALVES * self.scale, state[:, BLOCK_RGB])
        radius = np.full(n, tee.RADIUS * self.scale)
        image = draw(base, np.arange(n), state[:, AGENT] * self.scale, radius, state[:, AGENT_RGB])
        return {"image": image, **self._truth(state)}

    def _truth(self, state: np.ndarray) -> dict[str, np.ndarray]:
        columns = {"agent": AGENT, "block": BLOCK, "angle": ANGLE}
        return {name: state[:, column].astype(np.float32) for name, column in columns.items()}

    def _possible(self, states: np.ndarray) -> np.ndarray:
        places = np.concatenate([states[:, AGENT], _pose(states)[:, :2]], axis=1)
        inside = (np.abs(places - ARENA / 2) < ARENA / 2 + THICK).all(axis=1)  # or in a wall, where squeezing may bring the T
        outside = ~(inside & np.isfinite(states).all(axis=1))
        if outside.any():
            i = int(outside.argmax())
            where = f"disc {states[i, AGENT].tolist()}, T {states[i, BLOCK].tolist()}"
            raise ArmillaryError(f"push_t: state {i} is not in the arena, which is from 0 to {ARENA:g} px: {where}")
        return states

    def _counted(self, what: str) -> None:
        if self.control != "velocity":
            raise ArmillaryError(f"push_t: {what} counts in steps of control='velocity', and this is control={self.control!r}")


def _pose(state: np.ndarray) -> np.ndarray:
    return tee.pose_at(state[:, BLOCK], state[:, ANGLE])


single = single_of(PushT)
