"""Recording by the name of an actor: the world's own, chance, an expert, a function in a file, a trained run."""

import numpy as np
import pytest
from judging_fakes import Known
from small_models import small_model

from armillary.acting.agent import Agent
from armillary.acting.config import AgentConfig
from armillary.acting.recording import named, record
from armillary.actor import TRUE_STATE
from armillary.episodes.record import rollouts
from armillary.episodes.scripted import Random
from armillary.errors import ArmillaryError
from armillary.planning import CEM
from armillary.worlds.goals import WithGoals
from armillary.worlds.world import make

POLICY = """
import numpy as np

def right(observations, rng):
    return np.tile(np.float32([1, 0]), (len(observations["position"]), 1))
"""


def world(**options):
    return make("two_room", num_envs=3, **{"max_steps": 12, "autoreset_mode": "Disabled", **options})


def test_play_and_chance_by_name_are_the_same_recordings(tmp_path):
    made = {name: record(world(), name, tmp_path / name, episodes=5, seed=2) for name in ("play", "random", "smooth")}
    assert made["play"].content_hash() == made["random"].content_hash() != made["smooth"].content_hash()
    by_hand = record(world(), Random(world().stream_spec.action, 4), tmp_path / "hand", episodes=5, seed=2)
    held = record(world(), "random", tmp_path / "held", hold=4, episodes=5, seed=2)
    assert held.content_hash() == by_hand.content_hash() != made["random"].content_hash()
    assert held.info["policy"] == "Random(hold=4)"


def test_a_recording_names_the_world_that_made_it(tmp_path):
    made = record(world(door="random"), "play", tmp_path / "random", episodes=3)
    assert (made.info["world"], made.info["options"]) == ("two_room", {"door": "random"})
    other = record(world(), "play", tmp_path / "other", episodes=3, info={"options": {"door": "fixed"}, "site": 4})
    assert (other.info["world"], other.info["options"], other.info["site"]) == ("two_room", {"door": "fixed"}, 4)
    odd = world()
    odd.made_with = {"door": object()}  # what no file can hold
    assert "world" not in record(odd, "play", tmp_path / "odd", episodes=3).info


def test_a_function_in_a_file_acts_on_all_streams(tmp_path):
    (tmp_path / "mine.py").write_text(POLICY)
    store = record(world(), f"{tmp_path}/mine.py:right", tmp_path / "store", episodes=3)
    assert (store.actions(2) == [1, 0]).all()
    assert store.info["policy"] == "right"


def test_an_expert_pursues_a_new_goal_in_each_episode(tmp_path):
    goals, env = [], WithGoals(world())
    given = env.goals

    def watched(ids):
        goals.append(given(ids))
        return goals[-1]

    env.goals = watched
    episodes = list(rollouts(env, named("oracle", env), episodes=7, seed=1))
    reached = np.concatenate([goal["position"] for goal in goals])[:6]
    ends = np.array([episode.truth["position"][-1] for episode in episodes[:6]])
    assert np.abs(ends - reached).max() < 4  # px
    assert len(np.unique(reached, axis=0)) == 6
    assert all(TRUE_STATE in goal for goal in goals)
    starts = np.array([episode.truth["position"][0] for episode in episodes[:6]])
    assert np.abs(starts - reached).max(axis=1).min() > 1
    one, two = (record(world(), "oracle", tmp_path / name, episodes=4, seed=3).content_hash() for name in ("a", "b"))
    assert one == two


def test_an_agent_pursues_goals_and_sees_no_truth(tmp_path, monkeypatch):
    agent = Agent(Known(world().stream_spec), CEM(horizon=2, samples=96, iterations=4, elites=8))
    shown, act = [], Agent.act
    monkeypatch.setattr(Agent, "act", lambda self, seen, ids=None: shown.append(set(seen)) or act(self, seen, ids))
    store = record(world(), agent, tmp_path / "store", episodes=3, seed=4)
    assert shown[0] == {"image"}
    assert len(store) == 3
    assert store.info["policy"] == str(agent)


def test_a_run_is_an_actor_by_its_folder(tmp_path):
    model = small_model()
    model.provenance = {"agent": AgentConfig(CEM(horizon=2, samples=16, iterations=2, elites=3)).to_json()}
    model.save(tmp_path / "model.safetensors")
    found = named(str(tmp_path), world())
    assert isinstance(found, Agent)
    assert found.planner == CEM(horizon=2, samples=16, iterations=2, elites=3)


def test_names_that_are_none(tmp_path):
    (tmp_path / "mine.py").write_text(POLICY)
    for name, words in (
        ("nobody", "expected one of play, random, smooth, oracle, FILE.py:function"),
        (f"{tmp_path}/mine.py:left", "there is no left in it"),
        (f"{tmp_path}/yours.py:left", "expected a file of Python"),
        (str(tmp_path), "model"),
    ):
        with pytest.raises(ArmillaryError, match=words):
            named(name, world())
    with pytest.raises(ArmillaryError, match="hold is for the actor random"):
        named("smooth", world(), hold=2)
    with pytest.raises(ArmillaryError, match="autoreset_mode='Disabled'"):
        record(world(autoreset_mode="NextStep"), "oracle", tmp_path / "x", episodes=1)
    with pytest.raises(ArmillaryError, match="needs goals, and the environment gives none"):
        list(rollouts(world(), named("oracle", world()), episodes=1))
