"""Gymnasium's environments by id, on small ones that are registered here."""

import json

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete
from gymnasium.vector import AutoresetMode

from armillary.episodes.record import record, rollouts
from armillary.episodes.store import Episode, Episodes
from armillary.errors import ArmillaryError
from armillary.spaces import spec_of
from armillary.spec import ActionSpace
from armillary.worlds import Judged, Recorded, make
from armillary.worlds.gym import held_out_goals

pytestmark = pytest.mark.filterwarnings("ignore:.*No render fps")  # without a rate, horizons are in steps
LENGTH = 9


class Counter(gymnasium.Env):
    """Shows on every pixel how many steps were taken, on top of a level that the seed gives; ends after LENGTH steps.

    It observes the count and a constant, or its frame (`pixels`), or both by name (`named`).
    """

    metadata = {"render_modes": ["rgb_array"]}  # noqa: RUF012

    def __init__(
        self, render_mode=None, pixels=False, named=False, choices=0, action_shape=(2,), frame=(20, 30, 3), whole=False
    ):
        self.render_mode, self.pixels, self.named, self.frame = render_mode, pixels, named, frame
        flat, image = Box(-np.inf, np.inf, (2,), np.float64), Box(0, 255, frame, np.uint8)
        self.observation_space = Dict({"flat": flat, "image": image}) if named else image if pixels else flat
        self.action_space = Discrete(choices) if choices else Box(-1, 2, action_shape, np.int32 if whole else np.float32)

    def _observation(self):
        flat = np.array([self.count, 7.5])
        return {"flat": flat, "image": self._draw()} if self.named else self._draw() if self.pixels else flat

    def _draw(self):
        return np.full(self.frame, self.level + self.count, np.uint8)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.count, self.level = 0, 10 * int(self.np_random.integers(1, 20))
        return self._observation(), {}

    def step(self, action):
        self.count, self.taken = self.count + 1, action
        return self._observation(), 0.0, self.count == LENGTH, False, {}

    def render(self):
        return self._draw() if self.render_mode else None


class Blind(Counter):
    metadata = {"render_modes": [], "render_fps": 30}  # noqa: RUF012


for kind in (Counter, Blind):
    gymnasium.register(f"armillary_test/{kind.__name__}-v0", kind)
ID = "gym:armillary_test/Counter-v0"


def counts(episode: Episode) -> np.ndarray:
    return episode.observations["image"][:, 0, 0, 0].astype(int) - episode.observations["image"][0, 0, 0, 0]


def test_spec_of_a_flat_observation_with_rendered_frames():
    world = make(ID, num_envs=3, size=16)
    assert (world.name, world.num_envs) == (ID, 3)
    assert spec_of(world) == world.stream_spec
    assert [(s.name, s.shape, s.truth) for s in world.stream_spec.streams] == [
        ("image", (16, 16, 3), False),
        ("vector", (2,), True),
    ]
    assert world.stream_spec.rate is None
    assert world.stream_spec.action == ActionSpace("box", 2, (-1.0, -1.0), (2.0, 2.0))
    observation, _ = world.reset(seed=4)
    assert observation in world.observation_space
    assert len(np.unique(observation["image"][:, 0, 0, 0])) > 1  # seeds differ
    np.testing.assert_array_equal(observation["image"], make(ID, num_envs=3, size=16).reset(seed=4)[0]["image"])
    before = observation["image"].copy()
    later, *_ = world.step(np.zeros((3, 2), np.float32))
    np.testing.assert_array_equal(later["image"], before + 1)
    np.testing.assert_array_equal(observation["image"], before)
    np.testing.assert_array_equal(later["vector"], [[1, 7.5]] * 3)


def test_vector_can_be_sensed():
    assert [s.name for s in make(ID, vector=True).stream_spec.observed] == ["image", "vector"]


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        ({"pixels": True, "frame": (20, 30, 1)}, (8, 8, 1)),
        ({"pixels": True}, (8, 8, 3)),
        ({"pixels": True, "frame": (3, 20, 30)}, (8, 8, 3)),
        ({"pixels": True, "frame": (4, 20, 30)}, (8, 8, 4)),
    ],
)
def test_images_of_every_order_of_axes(options, shape):
    world = make(ID, size=8, **options)
    observation, _ = world.reset(seed=0)
    assert observation["image"].shape == (1, *shape)


def test_alpha_of_rendered_frames_is_left_out_and_said():
    with pytest.warns(UserWarning, match="renders with alpha"):
        assert make(ID, size=8, frame=(20, 30, 4)).reset()[0]["image"].shape == (1, 8, 8, 3)


def test_parts_of_an_observation_are_streams_by_their_keys():
    world = make(ID, size=8, named=True, num_envs=2)
    assert [(s.name, s.kind, s.truth) for s in world.stream_spec.streams] == [
        ("flat", "vector", True),
        ("image", "image", False),
    ]
    np.testing.assert_array_equal(world.reset()[0]["flat"], [[0, 7.5]] * 2)
    assert [s.name for s in make(ID, size=8, named=True, vector=True).stream_spec.observed] == ["flat", "image"]
    assert world.left_out == {}


def test_whole_actions_stay_whole():
    world = make(ID, size=8, whole=True, num_envs=2)
    assert world.stream_spec.action == ActionSpace("box", 2, (-1, -1), (2, 2), whole=True)
    episodes = list(rollouts(world, world.play(), episodes=6))
    taken = np.concatenate([episode.actions for episode in episodes])
    assert set(taken.ravel().tolist()) == {-1.0, 0.0, 1.0, 2.0}
    world.reset()
    world.step(np.float32([[1, 2], [0, 1]]))
    assert world.envs[0].unwrapped.taken.dtype == np.int32


def test_pixel_observations_need_no_renderer():
    world = make("gym:armillary_test/Blind-v0", size=8, pixels=True)
    assert world.reset(seed=0)[0]["image"].min() >= 10
    assert world.stream_spec.rate == 30


def test_a_renderer_that_lacks_its_package_is_one_line(monkeypatch):
    def render(self):
        raise gymnasium.error.DependencyNotInstalled("pip install a_renderer")

    monkeypatch.setattr(Counter, "render", render)
    with pytest.raises(ArmillaryError, match=f"{ID} cannot be rendered: pip install a_renderer"):
        make(ID).reset()


def test_a_renderer_without_opengl_is_one_line_with_what_to_install(monkeypatch):
    def render(self):
        raise RuntimeError("an OpenGL platform library has not been loaded")

    monkeypatch.setattr(Counter, "render", render)
    advice = r"cannot be rendered: an OpenGL .* has not been loaded; without a display, set MUJOCO_GL=egl .*libegl1.*libosmesa6"
    with pytest.raises(ArmillaryError, match=advice):
        make(ID).reset()


def test_frames_are_averaged_over_areas():
    world = make(ID, size=2, frame=(4, 6, 3))
    world.envs[0].unwrapped._draw = lambda: np.arange(72, dtype=np.uint8).reshape(4, 6, 3)
    expected = np.arange(72).reshape(2, 2, 2, 3, 3).mean((1, 3))
    np.testing.assert_allclose(world.reset()[0]["image"][0], expected, atol=0.5)


@pytest.mark.parametrize("mode", list(AutoresetMode))
@pytest.mark.parametrize("options", [{}, {"choices": 3}, {"max_steps": 3}])
def test_recorded_rows_are_in_order_however_episodes_begin(mode, options):
    world = make(ID, num_envs=2, size=8, autoreset_mode=mode, **options)
    length = options.get("max_steps", LENGTH)
    for episode in rollouts(world, world.play(), episodes=6, seed=1):
        assert counts(episode).tolist() == list(range(length + 1))
        assert episode.truth["vector"][:, 0].tolist() == list(range(length + 1))
        assert episode.actions.dtype == world.stream_spec.action.dtype
        assert (episode.actions[:3] == episode.actions[0]).all()  # held
        assert episode.info["ended"] == ("truncated" if "max_steps" in options else "terminated")
        assert episode.info["env"] == ID
        assert episode.info["policy"] == "Random(hold=4)"


def test_it_is_recorded_and_not_judged():
    world = make(ID)
    assert isinstance(world, Recorded)
    assert not isinstance(world, Judged)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("gym:armillary_test/Counted-v0", {}, "Counted-v0 cannot be made.*Counter"),
        ("gym:no_such_module:Thing-v0", {}, "cannot be made: No module named 'no_such_module'"),
        (ID, {"colour": 3}, "unexpected keyword argument 'colour'"),
        ("gym:armillary_test/Blind-v0", {}, r"nothing to see.*\(none\) lack rgb_array"),
        (ID, {"vector": True, "pixels": True}, "no flat Box; leave vector out"),
        (ID, {"action_shape": (2, 2)}, "only Box"),
        (ID, {"num_envs": 0}, "num_envs is a whole number"),
        (ID, {"size": "large"}, "size is a whole number of at least 1, not 'large'"),
    ],
)
def test_what_cannot_be_made(name, options, message):
    with pytest.raises(ArmillaryError, match=message):
        make(name, **options)


def test_held_out_goals(tmp_path):
    pytest.importorskip("lance", reason="stores need pip install 'armillary[data]'")
    store = record(make(ID, num_envs=2, size=8), make(ID).play(), tmp_path / "store", episodes=6, seed=0)
    goals, steps = held_out_goals(store, [1, 4], 40, np.random.default_rng(0), min_steps=2, max_steps=4)
    assert set(goals) == {"image"}
    assert set(steps) == {2, 3, 4}
    first = {int(store.read(e)["image"][0, 0, 0, 0]) for e in (1, 4)}
    assert set(goals["image"][:, 0, 0, 0].astype(int) - steps) == first
    with pytest.raises(ArmillaryError, match="none of 2 episodes has a goal from 20 to all steps"):
        held_out_goals(store, [1, 4], 3, np.random.default_rng(0), min_steps=20)


def test_recorded_learned_and_judged_by_prediction_alone(tmp_path, capsys):
    pytest.importorskip("lance", reason="stores need pip install 'armillary[data]'")
    from armillary.cli import main

    def call(*arguments):
        main([str(argument) for argument in arguments])

    call("record", ID, "--out", tmp_path / "store", "--episodes", 20, "--steps", 20, "--envs", 4, "--options", "size=16")
    assert len(Episodes.open(tmp_path / "store")) == 20
    stages = [f"--recipe.stages.{stage}.steps=4" for stage in (0, 1)]
    small = ("--recipe.model.width", 8, "--recipe.model.image-size", 16)
    call("train", tmp_path / "store", "--out", tmp_path / "run", "--config.no-progress", "two-room", *stages, *small)
    call(
        "eval",
        tmp_path / "run",
    )
    assert f"no control: {ID}" in capsys.readouterr().out
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert "control" not in results
    assert results["prediction"]
    assert set(results["probe_r2"]) == {"vector"}
