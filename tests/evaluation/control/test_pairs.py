import json
from dataclasses import replace

import numpy as np
import pytest
from judging_fakes import Dial

from armillary.acting.baselines import RandomBaseline
from armillary.errors import ArmillaryError, CorruptFile, SpecMismatch
from armillary.evaluation.control.pairs import EvalSet, make_eval_set
from armillary.evaluation.control.rollouts import run
from armillary.evaluation.run import world_and_pairs
from armillary.worlds.world import make


@pytest.fixture(scope="module")
def world():
    return make("two_room", num_envs=32, door="random", autoreset_mode="Disabled", max_steps=None)


@pytest.fixture(scope="module")
def pairs(world):
    return make_eval_set(world, 12, seed=5, rollouts=4, cross=True, options={"door": "random"})


def test_budget_is_a_multiple_of_the_shortest_path(world, pairs):
    assert len(pairs) == 12
    np.testing.assert_array_equal(pairs.distance, world.shortest_path(pairs.start, pairs.goal))
    np.testing.assert_array_equal(pairs.budget, np.ceil(2 * pairs.distance) + 3)
    assert "cross=True" in pairs.rule


def test_the_seed_fixes_the_set_and_the_hash(world, pairs):
    again = make_eval_set(world, 12, seed=5, rollouts=4, cross=True, options={"door": "random"})
    other = make_eval_set(world, 12, seed=6, rollouts=4, cross=True, options={"door": "random"})
    assert again.hash == pairs.hash != other.hash


def test_a_file_gives_back_the_same_set(pairs, tmp_path):
    path = tmp_path / "sets" / "pairs.json"
    pairs.save(path)
    loaded = EvalSet.load(path)
    assert loaded.hash == pairs.hash
    for name in ("start", "goal", "distance", "budget"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(pairs, name))
    assert [p.name for p in path.parent.iterdir()] == ["pairs.json"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content["budget"].__setitem__(0, content["budget"][0] + 1),
        lambda content: content["goal"][3].__setitem__(0, content["goal"][3][0] + 1e-9),
        lambda content: content.update(hold=1),
        lambda content: content.pop("start"),
        lambda content: content.update(surplus=1),
    ],
)
def test_a_changed_file_does_not_load(pairs, tmp_path, damage):
    path = tmp_path / "pairs.json"
    pairs.save(path)
    content = json.loads(path.read_text())
    damage(content)
    path.write_text(json.dumps(content))
    with pytest.raises(CorruptFile, match=r"pairs\.json"):
        EvalSet.load(path)


def test_a_truncated_file_does_not_load(pairs, tmp_path):
    path = tmp_path / "pairs.json"
    pairs.save(path)
    path.write_text(path.read_text()[:-200])
    with pytest.raises(CorruptFile):
        EvalSet.load(path)
    with pytest.raises(ArmillaryError, match="cannot be read"):
        EvalSet.load(tmp_path / "absent.json")


def test_a_seed_that_a_recording_used_is_refused(world, pairs):
    with pytest.raises(ArmillaryError, match="seed 5 was used for a recording"):
        make_eval_set(world, 2, seed=5, forbidden_seeds=range(10))
    with pytest.raises(ArmillaryError, match="seed 5 was used"):
        pairs.refuse([4, 5])
    pairs.refuse([4, 6])


def test_another_world_is_refused(pairs):
    with pytest.raises(SpecMismatch, match="two_room"):
        pairs.check(Dial())


def test_pairs_that_are_solved_by_accident_are_thrown_away():
    """A tenth of this dial is the goal: many pairs are solved at the start, and most of the others by chance."""
    wide = Dial(num_envs=64, near=0.3)
    pairs = make_eval_set(wide, 10, seed=0, random_hold=5, budget=2.0)
    assert min(pairs.rejected["solved at the start"], pairs.rejected["solved by a random policy"]) > 0
    assert not wide.success(pairs.start, pairs.goal).any()
    random = run(wide, RandomBaseline(wide.stream_spec.action, 5, seed=99), *(np.repeat(x, 40, axis=0) for x in _of(pairs)))
    assert random.held(pairs.hold).mean() < 0.1


def test_too_easy_a_world_is_an_error():
    with pytest.raises(ArmillaryError, match=r"only 0 of 4 pairs passed .*larger min_distance"):
        make_eval_set(Dial(near=4.0), 4, seed=0, rollouts=2)


def test_the_first_pairs_are_a_set_of_their_own(pairs):
    few = pairs.take(3)
    assert len(few) == 3
    assert few.hash != pairs.hash
    np.testing.assert_array_equal(few.goal, pairs.goal[:3])


def _of(pairs):
    return pairs.start, pairs.goal, pairs.budget


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"world": "gym:evil:Env-v0"}, "files may name"),
        ({"world": "gym:CartPole-v1"}, "files may name"),
        ({"options": {"num_envs": 3}}, "not its to choose"),
        ({"options": {"color": "red"}}, "has no option"),
        ({"options": {"door": [1]}}, "door"),
        ({"options": {"factors": 7}}, "cannot be made"),
    ],
)
def test_a_file_of_pairs_names_worlds_of_ours_and_imports_nothing(pairs, changes, said, tmp_path, monkeypatch):
    (tmp_path / "evil.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    replace(pairs, **changes).save(tmp_path / "pairs.json")
    with pytest.raises(ArmillaryError, match=said):
        world_and_pairs({}, tmp_path / "pairs.json", {}, None)


def test_a_recording_names_worlds_of_ours_too():
    with pytest.raises(ArmillaryError, match="files may name"):
        world_and_pairs({"world": "gym:evil:Env-v0", "options": {}}, 3, {}, None)


@pytest.mark.parametrize(
    "changes",
    [
        {"budget": np.full(12, 10**15)},
        {"budget": np.zeros(12, np.int64)},
        {"goal": np.zeros((12, 3))},
        {"distance": np.zeros(3)},
        {"options": [1]},
        {"world": ["two_room"]},
        {"hold": "3"},
    ],
)
def test_a_file_of_pairs_that_could_not_be_judged_does_not_load(pairs, changes, tmp_path):
    replace(pairs, **changes).save(tmp_path / "pairs.json")
    with pytest.raises(CorruptFile, match="is not an evaluation set"):
        EvalSet.load(tmp_path / "pairs.json")
