"""The table of a model whose parts are replaced by the truth, from a recording and a run of seconds."""

import json
from dataclasses import replace
from functools import partial

import numpy as np
import own_fakes
import pytest
from judging_fakes import Known

from armillary.actor import TRUE_STATE
from armillary.console import plain_console
from armillary.episodes.record import record
from armillary.episodes.store import Episodes
from armillary.errors import ArmillaryError, SpecMismatch
from armillary.evaluation import diagnose as diagnosing
from armillary.evaluation.control.pairs import make_eval_set
from armillary.evaluation.control.substitution import Simulated, labelled_distance
from armillary.evaluation.diagnose import diagnose
from armillary.model.config import ModelConfig
from armillary.model.world_model import WorldModel
from armillary.planning import CEM
from armillary.training.fit import fit
from armillary.training.loop import TrainConfig
from armillary.training.recipes import Recipe
from armillary.training.stages import StageConfig
from armillary.worlds import make
from armillary.worlds.own import own_world

SMALL = CEM(horizon=2, samples=6, iterations=1, elites=2)
ROWS = ["model", "true state", "true distance", "true dynamics", "true dynamics and distance", "random", "oracle"]


@pytest.fixture(autouse=True)
def few_labels(monkeypatch):
    few = partial(labelled_distance, episodes=4, steps=5, updates=5)
    monkeypatch.setattr(diagnosing, "labelled_distance", few)


def made(folder, info=None, name="two_room", **options):
    """A run of seconds, and its recording."""
    world = make(name, num_envs=8, max_steps=8, **options)
    about = {"world": name, "options": options} if info is None else info
    episodes = record(world, world.play(), folder / "store", episodes=8, seed=3, info=about)
    config = ModelConfig(width=4, projector=8, latent=4, predictor_width=8, image_size=32)
    recipe = Recipe(config, (StageConfig("joint", steps=3, batch=4), StageConfig("dynamics", steps=2, batch=4)))
    fit(episodes, folder / "run", recipe, TrainConfig(progress=False), held_out=2, device="cpu")
    return folder / "run"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return made(tmp_path_factory.mktemp("run"))


def test_every_row_has_its_numbers(run, tmp_path, capsys):
    found = diagnose(run, pairs=3, constraints={"cross": True}, planner=SMALL, seed=1, device="cpu")
    assert list(found.rows) == ROWS
    told = capsys.readouterr().out
    assert all(f"s  {name}: " in told for name in ROWS)
    for row in found.rows.values():
        assert 0 <= row.success.low <= row.success.value <= row.success.high <= 1
        assert len(row.held) == 3
    imagined = {name: row.model_calls for name, row in found.rows.items()}
    assert imagined == {name: 0 if name in ("random", "oracle") else imagined["model"] for name in ROWS}
    assert found.rows["oracle"].success.value == 1
    assert all(check.ok for check in found.checks)
    found.save(tmp_path / "diagnosis.json")
    said = json.loads((tmp_path / "diagnosis.json").read_text())
    assert list(said["rows"]) == ROWS
    assert said["rows"]["model"]["held"] == found.rows["model"].held
    assert (said["pairs"], said["eval_set_hash"], said["facts"]["seed"]) == (3, found.eval_set_hash, 1)
    assert said["facts"]["model"]["recording_hash"] == WorldModel.load(run, "cpu").provenance["recording_hash"]
    assert found.table().row_count == len(ROWS)
    assert found.table().caption is None
    found.checks[0] = replace(found.checks[0], ok=False)
    assert "RED: oracle" in found.table().caption


def test_without_stages_and_in_layouts_that_float32_does_not_hold(run, tmp_path):
    options = {"door": [20.1], "factors": ["agent_colour"]}
    world = make("two_room", num_envs=8, max_steps=None, autoreset_mode="Disabled", **options)
    pairs = make_eval_set(world, 2, 10_001, rollouts=2, min_distance=2.0, options=options)
    pairs.save(tmp_path / "pairs.json")
    model = WorldModel.load(run, "cpu")
    model.save(tmp_path / "model.safetensors", {k: v for k, v in model.provenance.items() if k != "stages"})
    found = diagnose(tmp_path, pairs=tmp_path / "pairs.json", planner=SMALL, device="cpu")
    assert found.eval_set_hash == pairs.hash
    assert list(found.rows) == [row for row in ROWS if row != "true state"]


def test_true_distance_is_of_the_states_themselves():
    def make_world(count):
        return make("maze", num_envs=count, factors=("wall_colour",), max_steps=None, autoreset_mode="Disabled")

    world = make_world(2)
    start, goal = world.sample_pairs(2, np.random.default_rng(0), min_distance=3.0)
    actor = Simulated(Known(world.stream_spec), SMALL, make_world=make_world, true_distance=True)
    actor.start(range(2), {**world.render_states(goal), TRUE_STATE: goal})
    observation, _ = world.reset(options={"state": start})
    assert actor.act({**observation, TRUE_STATE: start}).values.shape == (2, 2)


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"pairs": 0}, ArmillaryError, "one pair or more"),
        ({"seed": -1}, ArmillaryError, "seed -1"),
        ({"constraints": {"far": 1}}, ArmillaryError, "'far'"),
        ({"pairs": "nowhere.json"}, ArmillaryError, "nowhere.json"),
        ({"device": "abacus"}, ArmillaryError, "'abacus'"),
    ],
)
def test_refuses(given, error, words, run):
    with pytest.raises(error, match=words):
        diagnose(run, **given)


def test_pairs_that_do_not_fit_the_model_or_its_recording(run, tmp_path):
    for options, seed, error, words in [({"size": 32}, 10_001, SpecMismatch, "image"), ({}, 3, ArmillaryError, "seed 3")]:
        world = make("two_room", num_envs=8, max_steps=None, autoreset_mode="Disabled", **options)
        make_eval_set(world, 2, seed, rollouts=2, options=options).save(tmp_path / "pairs.json")
        with pytest.raises(error, match=words):
            diagnose(run, pairs=tmp_path / "pairs.json", planner=SMALL, device="cpu")


def without_a_state(num_envs=1, **settings):
    paths = {"shortest_path": own_fakes.shortest_path, "sample_goal": own_fakes.push_to_goal}
    return own_world(own_fakes.Puck, num_envs, success=own_fakes.success, **paths, **settings)


def without_a_path(num_envs=1, **settings):
    put = {"set_state": own_fakes.set_place, "sample_goal": own_fakes.sample_goal}
    return own_world(own_fakes.Puck, num_envs, success=own_fakes.success, budget=4, **put, **settings)


@pytest.mark.parametrize(
    ("world", "rows", "marks"),
    [
        ("own_fakes:settable", ROWS, 0),
        (without_a_state, ["model", "true distance", "random"], 3),
        (without_a_path, ["model", "true dynamics", "random"], 6),
    ],
)
def test_own_worlds_have_the_rows_that_they_can_tell(world, rows, marks, tmp_path, capsys):
    run = made(tmp_path, {"world": "mine:make", "options": {}}, world)
    found = diagnose(run, world=world, pairs=2, planner=SMALL, device="cpu")
    assert list(found.rows) == rows
    assert all(check.ok for check in found.checks)
    plain_console().print(found.table())
    assert capsys.readouterr().out.count(" - ") == marks


def test_an_own_world_that_is_not_named_or_knows_too_little(tmp_path):
    run = made(tmp_path, name="own_fakes:seeded")
    with pytest.raises(ArmillaryError, match="which no file may import; add --world own_fakes:seeded"):
        diagnose(run, device="cpu")
    with pytest.raises(
        ArmillaryError, match="own_fakes:seeded cannot be diagnosed: expected set_state, a shortest path or both"
    ):
        diagnose(run, world="own_fakes:seeded", pairs=2, device="cpu")


@pytest.mark.parametrize(
    ("info", "why"),
    [({}, "names no world; add --world"), ({"world": "gym:CarRacing-v3", "options": {}}, "no goals and no success")],
)
def test_a_run_without_a_world_of_ours(info, why, tmp_path):
    run = made(tmp_path, info)
    assert Episodes.open(tmp_path / "store").info.get("world") == info.get("world")
    with pytest.raises(ArmillaryError, match=f"cannot be diagnosed: .*{why}"):
        diagnose(run, device="cpu")
