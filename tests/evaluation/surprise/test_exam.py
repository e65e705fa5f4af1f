"""The exam of a run, from a recording and a run of seconds."""

import json

import pytest

from armillary.episodes.record import record
from armillary.errors import ArmillaryError
from armillary.evaluation.control.pairs import DEVELOPMENT_SEED, TEST_SEED
from armillary.evaluation.statistics import Estimate
from armillary.evaluation.surprise.discern import Discernment
from armillary.evaluation.surprise.evaluate import SurpriseResult
from armillary.evaluation.surprise.exam import Exam, examine
from armillary.model.config import ModelConfig
from armillary.model.world_model import WorldModel
from armillary.training.fit import fit
from armillary.training.loop import TrainConfig
from armillary.training.recipes import Recipe
from armillary.training.stages import StageConfig
from armillary.worlds import make


def run_in(folder, world, steps=9, **options):
    env = make(world, num_envs=4, max_steps=steps, **options)
    episodes = record(env, env.play(), folder / "recording", episodes=8, info={"world": world, "options": options})
    small = ModelConfig(latent=4, projector=8, predictor_width=8, width=4)
    recipe = Recipe(small, (StageConfig("joint", steps=2, batch=4),))
    fit(episodes, folder / "run", recipe, TrainConfig(progress=False), held_out=3, device="cpu")
    return folder / "run"


def at(value):
    return Discernment(*[Estimate(value, value - 0.05, value + 0.05)] * 3)


def test_a_run_is_examined_on_scenes_of_its_own_world(tmp_path):
    run = run_in(tmp_path, "two_room", door="random")
    exam = examine(run, scenes=4, untrained=2)
    assert exam.facts["scenes_seed"] == TEST_SEED
    assert exam.facts["options"] == {"door": "random"}
    assert set(exam.result.scenes.values()) == {4}
    assert {"model", "untrained", "frame difference", "copy last, untrained"} <= set(exam.result.rows)
    exam.save(tmp_path / "exam.json")
    assert json.loads((tmp_path / "exam.json").read_text())["rows"]["model"].keys() == exam.result.scenes.keys()
    assert examine(run, scenes=2, untrained=0, development=True).facts["scenes_seed"] == DEVELOPMENT_SEED


def test_a_run_of_a_world_that_stages_nothing_is_examined_on_its_held_out_episodes(tmp_path):
    run = run_in(tmp_path, "maze", steps=24)
    exam = examine(run, scenes=4, untrained=0)
    assert set(exam.result.scenes) == {"time reversed", "frames swapped", "actions exchanged"}
    held_out = WorldModel.load(run, "cpu").provenance["held_out"]
    others = examine(run, scenes=4, untrained=0, development=True)
    assert sorted(exam.facts["episodes"] + others.facts["episodes"]) == held_out
    with pytest.raises(ArmillaryError, match="leave out --ceiling"):
        examine(run, scenes=4, ceiling=True)
    with pytest.raises(ArmillaryError, match=r"expected no options, got door: the recording is of maze"):
        examine(run, scenes=4, options={"door": 3})


def test_a_ceiling_is_a_column_and_no_shortcut():
    exam = Exam(SurpriseResult({"model": {"a": at(0.7)}, "angle": {"a": at(0.55)}, "ceiling": {"a": at(1.0)}}, {"a": 4}, 0), {})
    assert exam.solved_by_shortcut() == []
    assert exam.table().columns[-1].header == "ceiling"


def test_an_item_that_a_shortcut_orders_either_way_says_nothing():
    shares = {"model": (0.9, 0.9, 0.9), "untrained": (0.5, 0.52, 0.5), "angle": (0.59, 0.65, 0.3)}
    rows = {name: dict(zip("abc", map(at, values), strict=True)) for name, values in shares.items()}
    exam = Exam(SurpriseResult(rows, dict.fromkeys("abc", 10), 1), {})
    assert exam.solved_by_shortcut() == ["b", "c"]
    assert exam.shortcut("c")[0] == "angle"
    assert exam.table().row_count == 3
