import json

import numpy as np
import pytest
from judging_fakes import Known

from armillary.acting.agent import Agent
from armillary.errors import SpecMismatch
from armillary.evaluation.control.evaluate import evaluate, over_seeds
from armillary.evaluation.control.pairs import make_eval_set
from armillary.planning import CEM
from armillary.worlds.world import make


@pytest.fixture(scope="module")
def world():
    return make("two_room", num_envs=24, autoreset_mode="Disabled", max_steps=None)


@pytest.fixture(scope="module")
def result(world):
    pairs = make_eval_set(world, 24, seed=2, rollouts=4, cross=False, min_distance=1.0)
    agent = Agent(Known(world.stream_spec), CEM(horizon=2, samples=96, iterations=6, elites=8))
    return evaluate(world, pairs, agent, singles=2)


def test_a_model_that_knows_beats_every_control(result):
    success = {name: row.success.value for name, row in result.rows.items()}
    assert list(success) == ["do_nothing", "random", "oracle", "untrained", "shuffled", "model"]
    assert success["oracle"] == 1
    assert success["model"] > 0.8
    assert max(success[name] for name in ("do_nothing", "random", "untrained", "shuffled")) < 0.2
    assert result.ok


def test_every_number_has_an_interval_and_its_context(result):
    for row in result.rows.values():
        for estimate in (row.success, row.first_touch, row.spl, row.score, *(rung.success for rung in row.ladder)):
            assert estimate.low <= estimate.value <= estimate.high
        assert row.first_touch.value >= row.success.value >= row.spl.value
        assert sum(rung.n for rung in row.ladder) == result.pairs == len(row.held) == 24
        assert np.mean(row.held) == row.success.value
    model = result.rows["model"]
    assert 0 < model.decision_ms_median <= model.decision_ms_p95
    assert model.model_calls >= 2 * 96 * 6
    assert result.rows["random"].decision_ms_median is None
    assert (result.rows["random"].score.value, result.rows["oracle"].score.value) == (0, 1)


def test_results_are_json(result):
    plain = json.loads(json.dumps(result.to_json(), allow_nan=False))
    assert plain["rows"]["model"]["success"]["value"] == result.rows["model"].success.value
    assert plain["eval_set_hash"] == result.eval_set_hash
    assert {check["name"] for check in plain["checks"]} >= {"oracle", "replay", "batch"}
    assert plain["rollouts"] == {}


def test_over_seeds_keeps_each_seeds_interval(result):
    both = over_seeds([result, result])
    assert both["success"]["low"] == both["success"]["value"] == both["success"]["high"]
    assert len(both["seeds"]) == 2


def test_pairs_of_another_version_are_refused(world):
    other = make("two_room", num_envs=4, threshold=5.0, autoreset_mode="Disabled")
    pairs = make_eval_set(world, 2, seed=2, rollouts=2, min_distance=1.0)
    with pytest.raises(SpecMismatch, match="threshold5"):
        evaluate(other, pairs)
