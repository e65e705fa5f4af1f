"""Memory: each environment's own history, as long as what was seen and no longer."""

import numpy as np
import torch

from armillary.acting.memory import Memory


def test_histories_grow_to_the_capacity_and_forget_the_oldest():
    memory, both = Memory(2, context=3, latent=2, block=1), np.arange(2)
    for step in range(5):
        memory.add(both, torch.full((2, 2), float(step)), torch.full((2, 1), step - 0.5))
        ((indices, context),) = memory.groups(both)
        seen = list(range(max(0, step - 2), step + 1))
        assert indices.tolist() == [0, 1]
        assert context.z[1, :, 0].tolist() == seen
        assert context.actions[1, :, 0].tolist() == [s - 0.5 for s in seen[1:]]


def test_environments_are_reset_one_by_one_and_grouped_by_length():
    memory, every = Memory(4, context=3, latent=1, block=2), np.arange(4)
    assert list(memory.groups(every)) == []
    for step in range(3):
        memory.add(every, torch.full((4, 1), float(step)), torch.zeros(4, 2))
    memory.reset(np.array([1, 3]))
    memory.add(np.array([0, 1]), torch.tensor([[3.0], [13.0]]), torch.ones(2, 2))
    groups = {tuple(indices.tolist()): context for indices, context in memory.groups(every)}
    assert set(groups) == {(1,), (0, 2)}  # 3 has seen nothing yet
    assert groups[(1,)].z.tolist() == [[[13.0]]]
    assert groups[(1,)].actions.shape == (1, 0, 2)
    assert groups[(0, 2)].z[:, :, 0].tolist() == [[1.0, 2.0, 3.0], [0.0, 1.0, 2.0]]
    assert groups[(0, 2)].actions[0].tolist() == [[0.0, 0.0], [1.0, 1.0]]
    ((indices, _),) = memory.groups(np.array([2]))
    assert indices.tolist() == [2]


def test_a_context_handed_out_does_not_change_later():
    memory, one = Memory(1, context=2, latent=1, block=1), np.array([0])
    memory.add(one, torch.zeros(1, 1), torch.zeros(1, 1))
    ((_, context),) = memory.groups(one)
    memory.add(one, torch.ones(1, 1), torch.ones(1, 1))
    assert context.z.tolist() == [[[0.0]]]
