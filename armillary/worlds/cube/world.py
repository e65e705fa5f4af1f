"""OGBench's cube: a real arm with a gripper, contact, and one cube to pick up and place. An adapter, not a copy.

Design choices:
- an env step holds an action for a quarter of a second, in which the hand moves by up to 11 cm: OGBench's own oracle then
  picks and places in 10 to 16 steps;
- starts and goals are drawn where OGBench draws them, but for a centimetre at the edge. In both the arm is at home: an image of
  a goal shows where the cube shall be, and an idle arm;
- by default a model sees the camera's image alone, as in OGBench's task for pixels; with `arm` it sees what the arm knows of
  itself, too, as on any robot;
- success is OGBench's predicate, the cube within 4 cm of its goal, at the end and held, as everywhere here;
- the same state and action give the same next state, bit for bit (`simulator`).

What the field reports on this task is laxer (`lax_pairs`, `success_lax`): start and goal are two moments of one recorded
episode, 25 control steps apart, and in many of them the cube is at one place; 50 control steps are given, and the first touch
counts. Sources: issues 23 of lucas-maes/le-wm, 271 and 326 of galilai-group/stable-worldmodel.
"""

from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version

import numpy as np
from gymnasium.vector import AutoresetMode
from jaxtyping import Bool, Float

from armillary.errors import ArmillaryError
from armillary.spec import ActionSpace, Spec, Stream
from armillary.worlds.cube.play import CubePlay, PickAndPlace
from armillary.worlds.cube.simulator import CONTROL_STEP, LYING, PLACE, QUATERNION, REPEAT, STATE_SIZE, VELOCITY, simulator
from armillary.worlds.native import NativeWorld
from armillary.worlds.single import single_of

VERSION = "2"  # of what is done with OGBench's package
TOLERANCE = 0.04  # m
EDGE = 0.01  # m; nearest to the arm's base, the hand tilts when it lifts
RATE = 1 / (REPEAT * CONTROL_STEP)  # Hz
BUDGET = 5.0
"""Env steps of an evaluation as a multiple of the shortest path, which knows nothing of grasping, lifting and letting go."""
LAX_OFFSET, LAX_BUDGET = 25 // REPEAT, 50 // REPEAT  # env steps

# The most that was found when the hand went at the cube in every way, and a tenth more: m a step along x and y, and along z, of
# the hand; along x and y of the cube; and how far the hand can be from a cube that it touches.
HAND_SPEED, CUBE_SPEED, TOUCH = np.array([0.17, 0.17, 0.13]), 0.23, np.array([0.12, 0.12, 0.06])

STREAMS = (
    Stream("cube", "vector", (3,), unit=("m",) * 3, channels=("x", "y", "z"), truth=True),
    Stream("cube_turn", "vector", (2,), channels=("cos 4 yaw", "sin 4 yaw"), truth=True),
    Stream("hand", "vector", (3,), unit=("m",) * 3, channels=("x", "y", "z"), truth=True),
    Stream("hand_turn", "vector", (2,), channels=("cos yaw", "sin yaw"), truth=True),
    Stream("gripper", "vector", (2,), channels=("closed", "force"), truth=True),
)
ARM = "hand", "hand_turn", "gripper"


class Cube(NativeWorld):
    """The cube world, a Gymnasium vector environment and a `World`.

    Actions are (N, 5) in [-1, 1], clipped: by how much the hand shall go on from where it is, at each of the five control steps
    that a step is made of: along x, y and z by up to 5 cm, about z by up to 0.3 rad, and from open (-1) to closed (1).
    Observations are `image` (N, size, size, 3) uint8 and, as ground truth, `cube` and `hand` (N, 3) in m, `cube_turn` and
    `hand_turn` (N, 2) as cosine and sine, and `gripper` (N, 2), how far it is closed and how hard it presses, 0 to 1.

    Args:
        size: height and width of the image in px.
        arm: the arm senses itself: `hand`, `hand_turn` and `gripper` are no ground truth, but observed.
        factors: there are none.
        max_steps: as for `NativeWorld`; 40 are OGBench's limit of 200 control steps.
        num_envs, autoreset_mode, render_mode: as for `NativeWorld`.

    Attributes:
        needs_observations: whether images are drawn. Where nobody sees them, as with random actions, switch it off: they are
            then black, and a step takes half of the time.

    Raises:
        ArmillaryError: an option out of its range; no OpenGL when something is drawn.
        MissingExtra: ogbench is not installed.
    """

    name = "cube"
    budget, lax_budget = BUDGET, LAX_BUDGET
    metadata = {**NativeWorld.metadata, "render_fps": RATE}  # noqa: RUF012

    def __init__(
        self,
        num_envs: int = 1,
        *,
        size: int = 64,
        arm: bool = False,
        factors: Sequence[str] = (),
        max_steps: int | None = 40,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
    ) -> None:
        self._whole("size", size, 16)
        self._simulator, self._expert, self.needs_observations = simulator(size), PickAndPlace(), True
        self.version = f"{VERSION}/ogbench{version('ogbench')}/mujoco{version('mujoco')}/{size}px"
        unit, channels = ("5 cm",) * 3 + ("0.3 rad", ""), ("x", "y", "z", "yaw", "gripper")
        action = ActionSpace("box", 5, (-1.0,) * 5, (1.0,) * 5, unit=unit, channels=channels)
        known = (replace(stream, truth=False) if arm and stream.name in ARM else stream for stream in STREAMS)
        spec = Spec((Stream("image", "image", (size, size, 3)), *known), action, RATE)
        common = {"factors": factors, "max_steps": max_steps, "autoreset_mode": autoreset_mode, "render_mode": render_mode}
        bounds = {"cube": (-10, 10), "hand": (-2, 2), "cube_turn": (-1, 1), "hand_turn": (-1, 1), "gripper": (0, 1)}
        super().__init__(num_envs, spec, STATE_SIZE, bounds=bounds, **common)

    def play(self) -> CubePlay:
        """OGBench's play: its oracle picks the cube up and places it, again and again, with errors in its actions."""
        return CubePlay(self._simulator.table, self._simulator.reach)

    def _new_states(self, n: int, rng: np.random.Generator) -> np.ndarray:
        return np.stack([self._simulator.new_state(int(rng.integers(2**31))) for _ in range(n)])

    def _advance(self, actions: np.ndarray) -> None:
        for i, action in enumerate(actions):
            self._state[i] = self._simulator.advance(self._state[i], action)

    # The judge's side

    def sample_pairs(
        self, n: int, rng: np.random.Generator, *, min_distance: float = 0.0, min_carry: float = 0.1
    ) -> tuple[np.ndarray, np.ndarray]:
        """Start and goal states, (n, 68) each: the cube anywhere on the table, turned anyhow, and the arm at home.

        Args:
            min_distance: least `shortest_path` of a pair, in env steps.
            min_carry: least distance between the two places of the cube, in m.

        Raises:
            ArmillaryError: the constraints leave next to nothing.
        """
        low, high = self._simulator.table + np.array([[EDGE], [-EDGE]])
        start, goal = np.zeros((2, n, STATE_SIZE))
        missing = np.ones(n, bool)
        for _ in range(100):
            places, yaws = rng.uniform(low, high, (2, n, 2)), rng.uniform(-np.pi, np.pi, (2, n))
            for state, place, yaw in zip((start, goal), places, yaws, strict=True):
                for i in np.flatnonzero(missing):
                    state[i] = self._simulator.at_home(place[i], yaw[i])
            far = np.linalg.norm((start - goal)[:, PLACE], axis=1) >= min_carry
            missing &= ~(far & (self.shortest_path(start, goal) >= min_distance) & ~self.success(start, goal))
            if not missing.any():
                return start, goal
        raise ArmillaryError(
            f"cube: found no pairs with min_distance={min_distance} steps and min_carry={min_carry} m; lower them"
        )

    def shortest_path(self, start: np.ndarray, goal: np.ndarray) -> Float[np.ndarray, " n"]:
        """A lower bound on the env steps from start to goal states (n, 68), as a real number; (n,).

        A cube that lies still has to be touched first, and then moved along the table, by a push or a throw if need be. Neither
        can be faster than the fastest that was found in 15,000 steps of going at the cube. Grasping and lifting are not in it.
        """
        start, goal = self._checked(start), self._checked(goal, len(start))
        way = np.abs((goal - start)[:, PLACE])[:, :2].max(axis=1)
        hand = np.array([self._simulator.hand(state) for state in start]).reshape(-1, 3)
        off = hand - start[:, PLACE]
        off[:, :2] = np.abs(off[:, :2])
        reach = np.clip((off - TOUCH) / HAND_SPEED, 0, None).max(axis=1, initial=0)
        still = (np.linalg.norm(start[:, VELOCITY], axis=1) < 0.02) & (start[:, PLACE][:, 2] < 1.5 * LYING)
        return way / CUBE_SPEED + reach * (still & (way > 0.01))

    def oracle(self, state: np.ndarray, goal: np.ndarray) -> Float[np.ndarray, "n 5"]:
        """Actions (n, 5) of OGBench's Markov oracle, from states towards goals (n, 68): it places the cube and goes home."""
        state, goal = self._checked(state), self._checked(goal, len(state))
        actions = np.zeros((len(state), 5), np.float32)
        for i in range(len(state)):
            there = self._simulator.truth(goal[i])
            yaws = np.arctan2(*there["cube_turn"][::-1]) / 4, np.arctan2(*there["hand_turn"][::-1])
            self._expert.begin(there["cube"], yaws[0], there["hand"], yaws[1])
            actions[i] = self._expert.act(self._simulator.truth(state[i]))
        return actions

    def success(self, state: np.ndarray, goal: np.ndarray) -> Bool[np.ndarray, " n"]:
        """Whether the cube is within 4 cm of where it is in the goal, in states (n, 68); (n,) bool."""
        state, goal = self._checked(state), self._checked(goal, len(state))
        return np.linalg.norm((state - goal)[:, PLACE], axis=1) <= TOLERANCE

    def lax_pairs(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Pairs as the field draws them, start and goal states (n, 68): two moments of play, 25 control steps apart.

        The field takes them from the recording that the model was trained on; here the play is fresh. They are run for
        `lax_budget` env steps. Of 200, 52% are solved at the start, a random policy succeeds in 56% by `success_lax`, and doing
        nothing in 54%; of those not solved at the start, a random policy holds 5% at the end.
        """
        play, begin = self.play(), rng.integers(40 - LAX_OFFSET, size=n)
        play.start(range(n))
        play.rng = rng
        states = [self._new_states(n, rng)]
        for _ in range(begin.max() + LAX_OFFSET):
            actions = play.act(self._sense(states[-1], drawn=False)).values
            states.append(np.stack([self._simulator.advance(*pair) for pair in zip(states[-1], actions, strict=True)]))
        start, goal = (np.stack([states[step][i] for i, step in enumerate(at)]) for at in (begin, begin + LAX_OFFSET))
        return start, goal

    def success_lax(self, states: np.ndarray, goal: np.ndarray) -> Bool[np.ndarray, " n"]:
        """Success as the field counts it, at the first touch, over all states (T, n, 68) on the way to goals (n, 68); (n,)."""
        return np.any([self.success(state, goal) for state in states], axis=0)

    # What both share

    def _sense(self, state: np.ndarray, drawn: bool | None = None) -> dict[str, np.ndarray]:
        size, drawn = self._simulator.size, self.needs_observations if drawn is None else drawn
        image = np.zeros((len(state), size, size, 3), np.uint8)
        for i, one in enumerate(state if drawn else ()):
            image[i] = self._simulator.render(one)
        truth = [self._simulator.truth(one) for one in state]
        return {"image": image} | {
            s.name: np.array([t[s.name] for t in truth], np.float32).reshape(-1, *s.shape) for s in STREAMS
        }

    def _possible(self, states: np.ndarray) -> np.ndarray:
        turned = np.abs(np.linalg.norm(states[:, QUATERNION], axis=1) - 1)
        if (bad := ~(np.isfinite(states).all(axis=1) & (turned < 1e-3))).any():
            raise ArmillaryError(f"cube: state {int(bad.argmax())} is not finite, or its quaternion is not of length 1")
        return states


single = single_of(Cube)
