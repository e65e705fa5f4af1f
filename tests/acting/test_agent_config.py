"""An agent as data: what is saved is what acts, by registered names alone, and a stranger's file is refused in words."""

import json
import math
from dataclasses import dataclass, replace

import pytest
from small_models import small_model

from armillary.acting.agent import Agent
from armillary.acting.config import HABIT, AgentConfig, default_planner
from armillary.acting.habit import Habit, HabitConfig
from armillary.costs import CriticGoal, Effort, LatentGoal
from armillary.costs.registry import make_cost
from armillary.errors import ArmillaryError, CorruptFile, PluginError, SpecMismatch
from armillary.planning import CEM, ICEM, GraphSearch, StayAtGoal
from armillary.planning.registry import planner_from_json, planner_to_json
from armillary.suite.tasks import SUITE
from armillary.training.recipes import RECIPES

QUICK = HabitConfig(width=8, steps=2)


def with_critic():
    model = small_model()
    model.add_term("critic")
    return model.eval()


def saved(config, path, habit=None):
    """A run's folder with a small model that has a critic, and its agent."""
    model = with_critic()
    model.provenance = {"agent": config.to_json()}
    model.save(path / "model.safetensors")
    if habit is not None:
        Habit(model, habit).save(path / HABIT)
    return path


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_says_how_its_agent_decides(name):
    agent = RECIPES[name].agent
    assert AgentConfig.from_json(json.loads(json.dumps(agent.to_json()))) == agent


@pytest.mark.parametrize("name", SUITE)
def test_the_suite_judges_the_agent_of_the_recipe_which_a_run_saves(name, tmp_path):
    recipe = RECIPES[SUITE[name].recipe].agent
    run = saved(recipe, tmp_path, recipe.habit and replace(recipe.habit, context=1))
    if recipe.habit is not None:
        recipe = replace(recipe, habit=replace(recipe.habit, context=1))
        saved(recipe, tmp_path)
    agent = Agent.load(run, device="cpu")
    judged = Agent.of(agent.model, AgentConfig.of(agent.model), agent.habit)
    assert agent.planner == judged.planner == recipe.planner
    assert repr(agent.cost) == repr(judged.cost) == "CriticGoal(TemporalDistance, reduce='sum')"
    assert (agent.habit and agent.habit.config) == recipe.habit
    assert (agent.execute, judged.execute) == (recipe.execute, recipe.execute)


def test_an_agent_of_a_model_alone_uses_what_the_model_has():
    model = small_model()
    assert Agent(model).planner == CEM()
    assert isinstance(Agent(model).cost, LatentGoal)
    model = with_critic()
    assert isinstance(Agent(model, CEM(horizon=2)).cost, CriticGoal)
    assert Agent(model).planner == default_planner(model) != CEM()


def test_settings_that_json_has_no_number_for_come_back():
    planner = StayAtGoal(refine=ICEM(horizon=3))
    plain = json.loads(json.dumps(planner_to_json(planner), allow_nan=False))
    assert planner_from_json(plain) == planner
    assert planner_from_json(plain).habit_beyond == math.inf


def test_a_part_is_replaced_by_name_and_the_rest_is_kept():
    config = AgentConfig(GraphSearch(horizon=3, places=20), habit=QUICK, execute=2)
    assert config.changed({"name": "graph_search", "places": 30}).planner == GraphSearch(horizon=3, places=30)
    other = config.changed({"name": "icem"}, cost="latent", habit=False, execute=1)
    assert other == AgentConfig(ICEM(), "latent")
    assert config.changed() == config


def test_costs_are_made_for_the_model_and_add_up():
    model = small_model()
    assert isinstance(make_cost(model, "auto"), LatentGoal)
    (one, latent), (other, effort) = make_cost(model, "2*latent + 0.1 * effort").terms
    assert (one, other) == (2, 0.1)
    assert isinstance(latent, LatentGoal)
    assert isinstance(effort, Effort)
    with pytest.raises(PluginError, match="cost 'comfort' is none of auto, latent, effort; train"):
        make_cost(model, "comfort")
    with pytest.raises(PluginError, match="cost 'critic' is none of auto, latent, effort; train"):
        make_cost(model, "critic")
    assert isinstance(make_cost(with_critic(), "critic"), CriticGoal)


@pytest.mark.parametrize("text", ["", "auto +", "x*auto", "nan*auto", "+".join(["auto"] * 101), 3, None])
def test_what_is_no_cost_is_refused(text):
    with pytest.raises(ArmillaryError, match="expected a cost such as auto"):
        AgentConfig(cost=text)


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"planner": {"name": "os.system"}}, PluginError, "planner 'os.system' is none of cem, icem"),
        ({"planner": {"name": "cem", "command": "rm"}}, CorruptFile, "cem has no setting 'command'; it has horizon, samples"),
        ({"planner": {"name": "cem", "samples": "64"}}, CorruptFile, "expected samples to be a int; got '64'"),
        ({"planner": {"name": "cem", "samples": True}}, CorruptFile, "expected samples to be a int; got True"),
        ({"planner": {"name": "cem", "samples": 10**9}}, CorruptFile, "too large a search"),
        ({"planner": {"name": "cem", "elites": 0}}, CorruptFile, "CEM needs 1 <= elites"),
        ({"planner": {"name": "graph_search", "refine": 3}}, CorruptFile, "expected a planner with a name; got 3"),
        ({"planner": [1]}, CorruptFile, "expected a planner with a name"),
        ({"cost": 3}, CorruptFile, "expected a cost"),
        ({"habit": {"reach": 0}}, CorruptFile, "reach is at least 1"),
        ({"habit": {"reach": "far"}}, CorruptFile, "says of its agent"),
        ({"habit": 3}, CorruptFile, "says of its agent"),
        ({"execute": 0}, CorruptFile, "whole number from 1"),
        ({"execute": 1.5}, CorruptFile, "whole number from 1"),
        ({"hook": "x"}, CorruptFile, "says of its agent"),
    ],
)
def test_a_strangers_agent_is_refused_in_words(changes, error, words, tmp_path):
    run = saved(AgentConfig(), tmp_path)
    agent = Agent.load(run, device="cpu")
    agent.model.provenance["agent"] |= changes
    agent.model.save(run / "model.safetensors")
    with pytest.raises(error, match=words):
        Agent.load(run, device="cpu")


def test_a_planner_in_a_planner_without_end_is_refused():
    deep = "cem"
    for _ in range(5000):
        deep = {"name": "graph_search", "refine": deep}
    with pytest.raises(CorruptFile, match="agent"):
        AgentConfig.from_json({"planner": deep})


def test_a_planner_without_a_name_is_refused_before_training():
    @dataclass
    class Beam(CEM):
        """Known to nobody."""

    with pytest.raises(ArmillaryError, match="Beam has no name to be saved under; register it as an entry point"):
        AgentConfig(Beam()).to_json()


def test_a_habit_that_is_missing_or_another_is_refused(tmp_path):
    run = saved(AgentConfig(habit=QUICK), tmp_path)
    with pytest.raises(ArmillaryError, match=r"habit\.safetensors: no such file.*--resume.*--no-habit"):
        Agent.load(run, device="cpu")
    without = AgentConfig.of(Agent.load(run, device="cpu", config=AgentConfig()).model).changed(habit=False)
    assert Agent.load(run, device="cpu", config=without).habit is None
    saved(AgentConfig(habit=QUICK), tmp_path, replace(QUICK, width=16))
    with pytest.raises(ArmillaryError, match="another habit than the agent asks for"):
        Agent.load(run, device="cpu")
    saved(AgentConfig(habit=QUICK), tmp_path, QUICK)
    assert Agent.load(run / "model.safetensors", device="cpu").habit.config == QUICK
    Habit(small_model(seed=1), QUICK).save(run / HABIT)
    with pytest.raises(SpecMismatch, match="latents of another model"):
        Agent.load(run, device="cpu")
