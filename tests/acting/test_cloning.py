"""A habit learns the way from what led somewhere, is of one model, and says what does not fit."""

import math

import numpy as np
import pytest
import torch
from linear_model import CHOICES, LinearModel

from armillary import weights
from armillary.acting.habit import INVERSE_DYNAMICS, Habit, HabitConfig, train_habit
from armillary.episodes.store import Episode, Episodes
from armillary.errors import ArmillaryError, CorruptFile, SpecMismatch

SMALL = HabitConfig(reach=8, width=64, steps=250, batch=128, learning_rate=1e-2)


def wander(path, model, episodes=60, rows=41, inertia=False):
    """Random actions, each held for a block, and the positions that they lead to; with `inertia` they are accelerations."""
    rng, recorded, skip = np.random.default_rng(0), [], model.config.skip
    discrete = model.spec.action.kind == "discrete"
    for _ in range(episodes):
        draws = math.ceil((rows - 1) / skip)
        held = rng.integers(4, size=draws) if discrete else rng.uniform(-1, 1, (draws, 2))
        actions = np.repeat(held, skip, axis=0)[: rows - 1]
        moves = CHOICES.numpy()[actions] if discrete else actions
        moves = np.cumsum(moves, 0) if inertia else moves
        places = rng.uniform(-3, 3, 2) + np.concatenate([np.zeros((1, 2)), np.cumsum(moves, 0)])
        recorded.append(Episode({"position": places.astype(np.float32)}, actions.astype(model.spec.action.dtype)))
    store = Episodes.create(path, model.spec)
    store.append(*recorded)
    return store


@pytest.fixture(scope="module")
def model():
    return LinearModel()


@pytest.fixture(scope="module")
def store(tmp_path_factory, model):
    return wander(tmp_path_factory.mktemp("recording") / "store", model)


@pytest.fixture(scope="module")
def habit(model, store):
    return train_habit(model, store, SMALL)


def far_pairs(n=100, distance=8.0):
    angle = 2 * math.pi * torch.rand(n, generator=torch.Generator().manual_seed(1))
    start = torch.zeros(n, 1, 2)
    return start, distance * torch.stack([angle.cos(), angle.sin()], -1)


def walk(model, habit, z, goal, blocks):
    for _ in range(blocks):
        z = model.predict(z, habit.act(z, goal).unsqueeze(1))
    return (z[:, 0] - goal).norm(dim=-1)


def test_random_behaviour_teaches_to_arrive_and_to_stay(model, habit):
    start, goal = far_pairs()
    # A block moves by 2 along each axis, so that the farthest goals are 4 blocks away.
    assert (walk(model, habit, start, goal, 11) < 0.5).float().mean() > 0.9
    assert (walk(model, habit, start, goal, 14) < 0.5).float().mean() > 0.9


def test_the_mean_without_the_time_that_remains_dawdles(model, store, habit):
    untimed = train_habit(model, store, HabitConfig(**{**SMALL.__dict__, "timed": False}))
    start, goal = far_pairs()
    assert walk(model, untimed, start, goal, 6).mean() > 2 * walk(model, habit, start, goal, 6).mean()


def test_choices_are_learned_as_well(tmp_path):
    model = LinearModel(discrete=True, skip=1)
    habit = train_habit(model, wander(tmp_path / "store", model), SMALL)
    start, goal = far_pairs(distance=5.0)
    goal = goal.round()
    blocks = habit.act(start, goal)
    assert blocks.unique().tolist() == [0, 1]
    assert (blocks.sum(-1) == 1).all()
    # Parity may keep it one step off.
    assert (walk(model, habit, start, goal, 16) < 1.1).float().mean() > 0.9


def test_what_remains_sets_the_pace(habit):
    start, goal = far_pairs(distance=2.0)
    pace = [habit.act(start, goal, torch.full((100,), k)).norm(dim=-1).mean() for k in (1.0, 3.0, 8.0)]
    assert pace[0] > 1.5 * pace[1] > 1.5 * pace[2]
    torch.testing.assert_close(habit.act(start, goal, torch.tensor([99.0])), habit.act(start, goal, torch.tensor([8.0])))


def test_an_embedding_shared_by_now_and_goal_learns_the_way_too(tmp_path):
    config = HabitConfig(**{**SMALL.__dict__, "embedding": 8, "dropout": 0.02, "context": 1})
    for context in (1, 2):
        model = LinearModel(context=context)
        habit = train_habit(model, wander(tmp_path / str(context), model), config)
        assert (walk(model, habit, *far_pairs(), 14) < 1).float().mean() > 0.9


def test_the_median_passes_over_errors(tmp_path):
    """Along x of one mind, but for errors in three of ten steps."""
    model, rng, recorded = LinearModel(skip=1), np.random.default_rng(0), []
    for _ in range(60):
        actions = np.stack([np.where(rng.random(20) < 0.3, -1, 1), np.zeros(20)], 1).astype(np.float32)
        recorded.append(Episode({"position": np.cumsum(np.pad(actions, ((1, 0), (0, 0))), 0, np.float32)}, actions))
    store = Episodes.create(tmp_path / "store", model.spec)
    store.append(*recorded)
    goal, along = torch.tensor([[3.0, 0.0]]), {}
    for median in (False, True):
        config = HabitConfig(reach=8, timed=False, width=64, steps=250, batch=128, learning_rate=1e-2, median=median)
        along[median] = float(train_habit(model, store, config).act(torch.zeros(1, 1, 2), goal)[0, 0])
    assert along[False] < 0.75 < 0.9 < along[True]


def test_inverse_dynamics_sees_speed_where_the_context_shows_it(tmp_path):
    config = HabitConfig(reach=1, timed=False, width=64, steps=250, batch=128, learning_rate=1e-2)
    errors = {}
    for context in (1, 2):
        model = LinearModel(skip=1, context=context)
        store = wander(tmp_path / str(context), model, rows=12, inertia=True)
        errors[context] = train_habit(model, store, config).provenance["action"]
    assert errors[2] < 0.1 < 0.4 < errors[1]


def test_the_model_stays_as_it_is_and_seeds_repeat(model, store):
    config = HabitConfig(width=16, steps=5, batch=8)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    random = torch.random.get_rng_state()
    first, again, other = (train_habit(model, store, config, seed=seed) for seed in (3, 3, 4))
    assert torch.equal(random, torch.random.get_rng_state())
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    start, goal = far_pairs()
    assert torch.equal(first.act(start, goal), again.act(start, goal))
    assert not torch.equal(first.act(start, goal), other.act(start, goal))


def test_only_the_episodes_that_are_asked_for_are_read(model, store):
    habit = train_habit(model, store, HabitConfig(width=16, steps=1, batch=8), which=[2, 5])
    assert habit.provenance["frames"] == 2 * 41  # both phases of frames that are 2 rows apart


def test_a_batch_acts_as_its_singles_do(habit):
    start, goal = far_pairs(20)
    singles = torch.cat([habit.act(start[i : i + 1], goal[i : i + 1]) for i in range(20)])
    torch.testing.assert_close(habit.act(start, goal), singles)
    torch.testing.assert_close(habit.act(start, goal[:1]), habit.act(start, goal[:1].expand(20, -1)))


@pytest.mark.parametrize("config", [SMALL, INVERSE_DYNAMICS, HabitConfig(embedding=4, dropout=0.5, median=True, context=1)])
def test_it_comes_back_from_its_file(tmp_path, model, config):
    habit = Habit(model, config).eval()
    with torch.no_grad():
        habit.mean += 1
    habit.provenance = {"seed": 7}
    habit.save(tmp_path / "habit.safetensors")
    loaded = Habit.load(tmp_path, model)
    assert (loaded.config, loaded.provenance, loaded.training) == (config, {"seed": 7}, False)
    start, goal = far_pairs()
    assert torch.equal(loaded.act(start, goal), habit.act(start, goal))


def test_files_of_other_models_or_of_no_habit_are_refused(tmp_path, model, habit):
    path = tmp_path / "habit.safetensors"
    with pytest.raises(ArmillaryError, match="no such file"):
        Habit.load(path, model)
    habit.save(path)
    other = LinearModel()  # its perception has other weights
    with pytest.raises(SpecMismatch, match="latents of another model"):
        Habit.load(path, other)
    tensors, header = weights.read(path)
    weights.write(path, tensors, {**header, "config": {**header["config"], "width": 32}})
    with pytest.raises(CorruptFile, match="do not fit the header"):
        Habit.load(path, model)
    model.save(path)
    with pytest.raises(CorruptFile, match="holds no habit"):
        Habit.load(path, model)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"reach": 0}, "reach is at least 1, not 0"),
        ({"batch": 0}, "batch is at least 1"),
        ({"context": 0}, "context is at least 1"),
        ({"embedding": -1}, "embedding is 0 or more numbers wide, not -1"),
        ({"dropout": 1.0}, "dropout is a share"),
        ({"arrival_quantile": 1.0}, "expected an arrival_quantile"),
    ],
)
def test_settings_that_make_no_habit(given, message):
    with pytest.raises(ArmillaryError, match=message):
        HabitConfig(**given)


def test_what_does_not_fit_is_named(tmp_path, model, store, habit):
    with pytest.raises(ArmillaryError, match=r"latents \(3, 2, 2\) and goals \(3, 2\).*expected \(3, 1, 2\)"):
        habit.act(torch.zeros(3, 2, 2), torch.zeros(3, 2))
    with pytest.raises(ArmillaryError, match="context is at most its model's, 1, not 2"):
        Habit(model, HabitConfig(context=2))
    with pytest.raises(ArmillaryError, match="trained without the blocks that remain"):
        Habit(model, INVERSE_DYNAMICS).act(torch.zeros(3, 1, 2), torch.zeros(3, 2), torch.ones(3))
    with pytest.raises(ArmillaryError, match="seed -1"):
        train_habit(model, store, seed=-1)
    with pytest.raises(SpecMismatch, match="action space"):
        train_habit(LinearModel(discrete=True), store)
