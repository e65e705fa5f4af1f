import json

import numpy as np
import pytest
from recording_fakes import Point, record

from armillary.errors import ArmillaryError, SpecMismatch
from armillary.evaluation.latent.prediction import evaluate_prediction
from armillary.latents import dense, encode_episodes, imagine
from armillary.spec import ActionSpace


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return record(tmp_path_factory.mktemp("prediction") / "store")


def test_a_perfect_model_is_right_and_persistence_scores_the_horizon(store):
    result = evaluate_prediction(Point(), store, [1, 3, 4], [0.2, 1.0])
    assert (result.unit, result.episodes) == ("seconds", [1, 3, 4])
    for at, horizon in zip(result.rows["model"], (0.2, 1.0), strict=True):
        assert at.horizon == pytest.approx(horizon)
        assert at.error.value < 1e-6
        assert (at.time_error.value, at.near.value) == (0, 1)
    for at, horizon in zip(result.rows["persistence"], (0.2, 1.0), strict=True):
        assert at.error.value == 1
        assert at.time_error.value == at.time_error.low == at.time_error.high == pytest.approx(horizon)
        assert at.near.value == 0
    # Going backwards is worse than standing still.
    assert all(at.error.value > 1.5 for at in result.rows["untrained"])
    # A random frame of 41 is about a third of the episode away.
    assert 0.7 < result.rows["chance"][1].time_error.value < 2.0


def test_a_model_that_says_nothing_changes_is_persistence(store):
    result = evaluate_prediction(Point(gain=0.0), store, [0, 1], [1.0], untrained=False)
    assert set(result.rows) == {"model", "persistence", "chance"}
    assert result.rows["model"][0].error.value == 1
    assert result.rows["model"][0].time_error.value == pytest.approx(1.0)


def test_scale_buys_nothing(store):
    """A dimension that is wrong counts the same whether its numbers are large or small."""

    class HalfRight(Point):
        def _moved(self, actions):
            moved = super()._moved(actions)
            moved[..., 0] = 0
            return moved

    shares = [
        evaluate_prediction(HalfRight(scale=scale), store, [0, 1, 2], [1.0], untrained=False).rows["model"][0].error.value
        for scale in ((1.0, 1000.0), (1000.0, 1.0))
    ]
    assert shares[0] == pytest.approx(shares[1], rel=1e-3)
    assert 0.3 < shares[0] < 0.7


def test_collapse_wins_nothing(store):
    result = evaluate_prediction(Point(scale=(0.0, 0.0)), store, range(6), [1.0], untrained=False)
    model, chance = result.rows["model"][0], result.rows["chance"][0]
    assert model.error.value == 1
    assert model.time_error.value > 0.5 * chance.time_error.value
    assert model.near.value < 0.1
    assert result.dead_share == 1


def test_without_a_rate_time_is_in_steps(tmp_path):
    store = record(tmp_path / "store", episodes=2, rate=None)
    result = evaluate_prediction(Point(rate=None), store, [0, 1], [1, 10], untrained=False)
    assert result.unit == "steps"
    # One step is rounded up to the model's block of two.
    assert [at.horizon for at in result.rows["persistence"]] == [2, 10]
    assert result.rows["persistence"][1].time_error.value == 10
    assert set(result.summary()) >= {"error_share_10_steps", "time_error_10_steps", "held_out_rank"}


def test_results_are_json(store):
    result = evaluate_prediction(Point(), store, [0, 1], [1.0], untrained=False)
    assert json.loads(json.dumps(result.to_json(), allow_nan=False))["rows"]["chance"][0]["horizon"] == 1.0


def test_a_horizon_that_no_episode_has_is_an_error(store):
    with pytest.raises(ArmillaryError, match=r"take 101 rows.* has 41"):
        evaluate_prediction(Point(), store, [0], [10.0])


def test_a_recording_without_the_models_stream_is_refused(store, tmp_path):
    model = Point()
    model.spec = model.spec.__class__((model.spec["state"].__class__("other", "vector", (2,)),), model.spec.action)
    with pytest.raises(SpecMismatch, match="'other'"):
        evaluate_prediction(model, store, [0], [1.0])


def test_imagining_uses_the_actions_between_the_right_rows(store):
    model = Point(skip=3)
    (encoded,) = encode_episodes(model, store, [2])
    first = np.array([0, 7])
    z = imagine(model, encoded, first, 4)
    for h in range(4):
        np.testing.assert_allclose(z[:, h], encoded.z[first + 3 * (h + 1)], rtol=1e-4, atol=1e-2)


def test_choices_become_one_hot():
    assert dense(ActionSpace("discrete", 3), np.array([2, 0])).tolist() == [[0, 0, 1], [1, 0, 0]]
