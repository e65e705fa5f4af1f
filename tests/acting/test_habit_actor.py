"""Habits on pairs: they see what is observed, decide every block, and do the same in any batch."""

import numpy as np
import pytest
import torch
from judging_fakes import Known
from linear_model import LinearModel
from small_models import SPEC, small_model

from armillary.acting.habit import Habit, HabitActor, HabitConfig, train_habit
from armillary.episodes.clips import Clips
from armillary.episodes.record import record
from armillary.errors import ArmillaryError, SpecMismatch
from armillary.evaluation.control.evaluate import evaluate
from armillary.evaluation.control.pairs import make_eval_set
from armillary.evaluation.control.rollouts import run
from armillary.spec import Spec, Stream
from armillary.worlds.world import make


@pytest.fixture(scope="module")
def world():
    return make("two_room", num_envs=20, autoreset_mode="Disabled", max_steps=None)


@pytest.fixture(scope="module")
def habitual(tmp_path_factory):
    world = make("two_room", num_envs=20, max_steps=30)
    store = record(world, world.play(), tmp_path_factory.mktemp("recording") / "store", episodes=60, seed=0, progress=False)
    model = Known(world.stream_spec)
    model.fit_scales(Clips(store, 2)[:500])
    config = HabitConfig(reach=8, width=64, steps=400, batch=128, learning_rate=1e-2)
    return HabitActor(model, train_habit(model, store, config))


def test_a_habit_is_a_row_of_the_table(world, habitual):
    pairs = make_eval_set(world, 40, seed=2, rollouts=3, cross=False, min_distance=1.0)
    result = evaluate(world, pairs, others={"habit": habitual})
    assert result.ok
    assert result.rows["habit"].success.value > 0.6 > 0.2 > result.rows["random"].success.value


def test_a_pair_has_the_same_outcome_in_any_batch(world, habitual):
    pairs = make_eval_set(world, 9, seed=3, rollouts=3, min_distance=1.5)
    together, alone = (run(world, habitual, pairs.start, pairs.goal, pairs.budget, batch=b) for b in (9, 1))
    np.testing.assert_allclose(together.states, alone.states, atol=1e-2)
    assert (together.success == alone.success).all()


def test_to_the_last_bit_a_habit_does_the_same_in_any_batch():
    spec = Spec((Stream("image", "image", (32, 32, 3)),), SPEC.action)
    model = small_model("gru", spec=spec, image_size=32, width=32, projector=96, latent=24)
    actor, rng = HabitActor(model, Habit(model, HabitConfig(width=96)).eval()), np.random.default_rng(0)
    frames = rng.integers(256, size=(2, 50, 32, 32, 3), dtype=np.uint8)

    def first(count: int) -> np.ndarray:
        actor.reset()
        actor.start(range(count), {"image": frames[0, :count]})
        return actor.act({"image": frames[1, :count]}).values[0]

    assert np.array_equal(first(1), first(7))
    assert np.array_equal(first(1), first(50))


def test_it_knows_the_goal_by_what_is_sensed_there(habitual):
    rng = np.random.default_rng(0)
    here, there = ({"image": rng.integers(256, size=(3, 64, 64, 3), dtype=np.uint8)} for _ in range(2))
    habitual.reset()
    habitual.start([4, 5, 6], there)
    first = habitual.act(here)
    assert (first.mode, first.decided.tolist(), first.values.dtype) == ("habit", [True] * 3, np.float32)
    habitual.start([5])  # where it goes, it goes on going
    again = habitual.act({"image": here["image"][1:2]}, [5])
    assert np.array_equal(again.values[0], first.values[1])
    habitual.start([4, 5, 6], here)
    assert not np.allclose(habitual.act(here).values, first.values)
    habitual.start([7])
    with pytest.raises(ArmillaryError, match=r"environments \[7\] have no goal"):
        habitual.act({"image": here["image"][:1]}, [7])
    with pytest.raises(SpecMismatch, match="3 goals for 2 environments"):
        habitual.start([8, 9], there)


@pytest.mark.parametrize("discrete", [False, True])
def test_a_block_is_carried_out_before_the_next_is_chosen(discrete):
    model = LinearModel(discrete, skip=2, held=False, context=3)
    habit, seen = Habit(model, HabitConfig(width=16)).eval(), []
    act = habit.act
    habit.act = lambda z, goal: seen.append(z) or act(z, goal)
    actor = HabitActor(model, habit)
    places = np.random.default_rng(0).normal(size=(6, 4, 2)).astype(np.float32)
    actor.start(range(4), {"position": places[-1]})
    actions = np.stack([actor.act({"position": place}).values for place in places])
    rows = [0, 0, 0], [0, 0, 2], [0, 2, 4]
    assert [z[0, :, 0].tolist() for z in seen[::4]] == [places[some, 0, 0].tolist() for some in rows]
    assert (actions.dtype.kind, actions.shape) == (("i", (6, 4)) if discrete else ("f", (6, 4, 2)))
    blocks = act(torch.cat(seen[4:8]), torch.from_numpy(places[-1])).unflatten(-1, (2, -1))
    wanted = blocks.argmax(-1) if discrete else blocks
    np.testing.assert_allclose(actions[2:4], wanted.transpose(0, 1).numpy(), atol=1e-6)


def test_a_habit_of_another_model_is_refused():
    with pytest.raises(SpecMismatch, match="another model"):
        HabitActor(LinearModel(), Habit(LinearModel()))
