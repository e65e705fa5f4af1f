"""Worlds that are made of somebody's own environment."""

import json

import gymnasium
import numpy as np
import own_fakes
import pytest
from gymnasium.spaces import Box
from own_fakes import NEAR, STEP, Puck, success

from armillary import cli
from armillary.acting.baselines import RandomBaseline
from armillary.episodes.record import rollouts
from armillary.errors import ArmillaryError
from armillary.evaluation.control.pairs import EvalSet
from armillary.evaluation.control.rollouts import run
from armillary.evaluation.run import world_and_pairs
from armillary.worlds import Judged, make
from armillary.worlds.goals import WithGoals
from armillary.worlds.gym import resizing_note
from armillary.worlds.own import own_world
from armillary.worlds.world import HasOracle, HasShortestPath


@pytest.fixture(params=["settable", "seeded", "vector", "seeded_vector"])
def world(request):
    return make(f"own_fakes:{request.param}", num_envs=4, autoreset_mode="Disabled")


def test_it_is_judged_and_says_what_else_it_can_do(world):
    assert isinstance(world, Judged)
    known = world.name == "own_fakes:settable"
    assert isinstance(world, HasShortestPath) == isinstance(world, HasOracle) == known
    assert world.any_state == ("seeded" not in world.name)
    assert world.budget == (2.0 if known else 8 if "seeded" in world.name else 50)
    assert [stream.name for stream in world.stream_spec.truth] == ["place"] * known


def test_pairs_can_be_begun_and_shown_again(world):
    start, goal = world.sample_pairs(6, np.random.default_rng(3))
    assert start.shape == goal.shape == (6, 2 if world.any_state else 4)
    np.testing.assert_array_equal(world.sample_pairs(6, np.random.default_rng(3)), [start, goal])
    mixed = np.concatenate([goal[[4, 0, 4]], start[:2], goal[1:2]])
    np.testing.assert_allclose(world.render_states(mixed)["place"], mixed[:, -2:], atol=1e-6)
    begun, _ = world.reset(options={"state": start[:4]})
    np.testing.assert_allclose(begun["place"], start[:4, -2:], atol=1e-6)
    np.testing.assert_allclose(world.state, start[:4])
    assert world.success(goal, goal).all()
    assert (world.success(start, goal) == (np.abs(start - goal)[:, -2:].max(1) < NEAR)).all()


@pytest.mark.parametrize("name", ["settable", "vector"])
def test_where_any_state_can_be_set_episodes_under_way_go_on(name):
    world = WithGoals(make(f"own_fakes:{name}", num_envs=4, autoreset_mode="Disabled"))
    first, _ = world.reset(seed=3)
    world.step(np.full((4, 2), 0.1, np.float32))
    before, mask = world.state, np.array([True, False, False, True])
    assert not np.allclose(world.goals(np.arange(4))["place"], first["place"])
    np.testing.assert_allclose(world.state, before)
    world.reset(options={"reset_mask": mask})
    np.testing.assert_allclose(world.state[~mask], before[~mask])
    assert (np.abs(world.state - before).max(axis=1) > 1e-3).tolist() == mask.tolist()


def test_the_end_of_an_episode_does_not_stop_the_judge(world):
    start, _ = world.sample_pairs(4, np.random.default_rng(0))
    world.reset(options={"state": start})
    for _ in range(8):  # to the edge, where Puck says that it has ended, and back
        world.step(np.ones((4, 2), np.float32))
    world.step(np.full((4, 2), -1, np.float32))
    np.testing.assert_allclose(world.state[:, -2:], 1 - STEP, atol=1e-6)


def test_without_set_state_a_state_amid_an_episode_is_refused():
    world = make("own_fakes:seeded", num_envs=2, autoreset_mode="Disabled")
    start, _ = world.sample_pairs(2, np.random.default_rng(0))
    world.reset(options={"state": start})
    world.step(np.ones((2, 2), np.float32))
    with pytest.raises(ArmillaryError, match="only starts and goals of its pairs can be entered again; give `set_state`"):
        world.render_states(world.state)


def test_a_vector_without_set_state_cannot_begin_at_goals():
    world = make("own_fakes:seeded_vector", num_envs=2)
    _, goal = world.sample_pairs(2, np.random.default_rng(0))
    with pytest.raises(ArmillaryError, match="without set_state, a vector environment begins at starts alone"):
        world.reset(options={"state": goal})


def test_pairs_of_a_vector_without_set_state_are_drawn_and_run_again():
    world, pairs = world_and_pairs({}, 3, {}, None, world="own_fakes:seeded_vector")
    runs = [run(world, RandomBaseline(world.stream_spec.action, 1, 0), pairs.start, pairs.goal, pairs.budget) for _ in range(2)]
    np.testing.assert_array_equal(runs[0].states, runs[1].states)
    np.testing.assert_allclose(runs[0].states[0], pairs.start)


class OneSeed(own_fakes.Pucks):
    def reset(self, *, seed=None, options=None):
        gymnasium.vector.VectorEnv.reset(self, seed=seed)
        return super().reset(seed=seed)


def test_chance_beside_the_seed_is_found():
    def anywhere(env, rng):
        return own_fakes.sample_goal(env, np.random.default_rng())

    world = own_world(Puck, sample_goal=anywhere, success=success, autoreset_mode="Disabled")
    _, goal = world.sample_pairs(1, np.random.default_rng(0))
    with pytest.raises(ArmillaryError, match="one seed gave two states"):
        world.render_states(goal)


def test_a_dictionary_is_recorded_as_it_is():
    world = make("own_fakes:seeded", num_envs=2, max_steps=3)
    episodes = list(rollouts(world, world.play(), episodes=4))
    assert {name: values.shape[1:] for name, values in episodes[0].observations.items()} == {
        "image": (64, 64, 3),
        "place": (2,),
    }
    assert max(len(episode.actions) for episode in episodes) <= 3


def test_pictures_are_rendered_where_the_observation_has_none():
    class Plain(Puck):
        observation_space, render_mode = Box(0, 1, (2,), np.float32), "rgb_array"

        def see(self):
            return super().see()["place"]

        def render(self):
            return own_fakes.draw(self.place[None])[0]

    world = own_world(Plain, 2, sample_goal=own_fakes.sample_goal, success=success, size=8)
    observation, _ = world.reset(seed=0)
    assert {name: values.shape for name, values in observation.items()} == {"image": (2, 8, 8, 3), "vector": (2, 2)}
    assert (
        resizing_note(world) == "resized: image from 16 x 16 to 8 x 8 px; --options size=N, or size of own_world, sets another"
    )
    assert resizing_note(own_world(Plain, 2, sample_goal=own_fakes.sample_goal, success=success, size=16)) is None
    assert resizing_note(make("two_room")) is None


class Dark(Puck):
    observation_space = own_fakes.SPACE["image"]

    def see(self):
        return super().see()["image"]


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: make("own_fakes:nothing"), "'own_fakes:nothing': expected package.module:function.*has no attribute"),
        (lambda: make("no_such_module:make"), "cannot be imported from .*No module named 'no_such_module'"),
        (lambda: make("own_fakes:STEP"), "expected a function that makes a world, got 0.2"),
        (lambda: make("own_fakes:Puck"), "expected a vector environment with a stream_spec, got Puck; wrap it"),
        (lambda: make("own_fakes:vector", door="random"), "no option door; its options are num_envs, max_steps"),
        (lambda: own_world(Dark, sample_goal=own_fakes.sample_goal, success=success), "nothing .* flat list of numbers; give"),
        (lambda: own_world(Puck, sample_goal=own_fakes.sample_goal, success=success, truth=["pose"]), "truth names pose, and"),
        (
            lambda: own_world(own_fakes.Pucks(2), sample_goal=own_fakes.sample_goals, success=success),
            "expected a vector .*reset.*seed for each start.*equal seeds gave different starts. Give set_state",
        ),
        (
            lambda: own_world(OneSeed(2), sample_goal=own_fakes.sample_goals, success=success),
            "it raised Error: Seed must be a python integer.*Give set_state",
        ),
    ],
)
def test_what_cannot_be_judged_is_said(build, message):
    with pytest.raises(ArmillaryError, match=message):
        build()


@pytest.mark.parametrize("name", ["own_fakes:settable", "own_fakes:seeded"])
def test_it_is_recorded_learned_and_judged_from_the_command_line(name, tmp_path, capsys):
    recording, run = str(tmp_path / "recording"), str(tmp_path / "run")
    cli.main(["record", name, "--out", recording, "--episodes", "12", "--steps", "8"])
    assert (
        "resized: image from 16 x 16 to 64 x 64 px; --options size=N, or size of own_world, sets another"
        in capsys.readouterr().out
    )
    tiny = [f"--recipe.{field}" for field in ("stages.0.steps=6", "stages.1.steps=6", "model.width=8")]
    cli.main(["train", recording, "--out", run, "--config.no-progress", "two-room", *tiny])
    capsys.readouterr()
    cli.main(["eval", run, "--pairs", "3", "--horizons", "0.2"])
    assert f"no control: the recording is of {name}, which no file may import; add --world {name}" in capsys.readouterr().out
    cli.main(["eval", run, "--world", name, "--pairs", "3", "--horizons", "0.2"])
    control = json.loads((tmp_path / "run" / "results.json").read_text())["control"]
    known, row = name == "own_fakes:settable", control["rows"]["model"]
    assert (
        ("oracle" in control["rows"]) == (row["spl"] is not None) == (row["score"] is not None) == bool(row["ladder"]) == known
    )
    assert {"replay", "step", "shortest path", "oracle"} & {check["name"] for check in control["checks"]} == (
        {"replay", "step", "shortest path", "oracle"} if known else set()
    )
    pairs = EvalSet.load(tmp_path / "run" / "pairs.json")
    assert (pairs.distance is not None) == known
    assert control["eval_set_hash"] == pairs.hash
    if not known:
        assert (pairs.budget == 8).all()
        assert len(pairs.take(2).budget) == 2
    again = str(tmp_path / "run" / "pairs.json")
    cli.main(["eval", run, "--world", name, "--pairs", again, "--horizons", "0.2"])
    assert json.loads((tmp_path / "run" / "results.json").read_text())["control"]["rows"]["random"] == control["rows"]["random"]
    capsys.readouterr()
    cli.main(["play", run, "--world", name, "--video", str(tmp_path / "film.gif"), "--goals", "2"])
    assert capsys.readouterr().out.startswith("2 goals, ")


def test_a_world_without_goals_is_named_with_what_is_missing():
    with pytest.raises(ArmillaryError, match="gym:CartPole-v1 has no goals and no success; make it a world of your own"):
        world_and_pairs({}, 2, {}, None, world="gym:CartPole-v1")


def test_a_world_of_vectors_is_learned_and_other_recipes_name_the_one_for_it(tmp_path, capsys):
    recording, run = str(tmp_path / "recording"), str(tmp_path / "run")
    cli.main(["record", "own_fakes:blind", "--out", recording, "--episodes", "12", "--steps", "20"])
    tiny = [f"--recipe.stages.{stage}.steps=3" for stage in (0, 1)]
    for recipe, advised in (("two-room", True), ("control-vectors", False)):
        capsys.readouterr()
        cli.main(["train", recording, "--out", f"{run}-other" if advised else run, "--config.no-progress", recipe, *tiny])
        assert ("all that is observed are vectors; the recipe control_vectors is made" in capsys.readouterr().err) == advised
    cli.main(["eval", run, "--world", "own_fakes:blind", "--pairs", "2", "--horizons", "0.3"])
    control = json.loads((tmp_path / "run" / "results.json").read_text())["control"]
    assert {"untrained", "shuffled", "model"} <= set(control["rows"])
    assert all(check["ok"] for check in control["checks"] if check["name"] in ("batch", "replay"))
