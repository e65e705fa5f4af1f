"""The contract of actors: environments by id, in any form, one by one; those that are not named are not touched."""

import numpy as np
import pytest
import torch

from armillary.actor import Actor, Started
from armillary.episodes.scripted import FunctionActor, Random, Smooth, as_actor
from armillary.errors import ArmillaryError, OutOfRange
from armillary.spec import ActionSpace

BOX = ActionSpace("box", 2, (-1.0, -1.0), (1.0, 1.0))


@pytest.mark.parametrize("given", [[7, 2], np.array([7, 2], np.uint8), torch.tensor([7, 2]), (7, 2), [True, False, True]])
def test_environments_in_any_form(given):
    started = Started()
    assert started.add([7, 5, 2]).tolist() == [0, 1, 2]
    assert started.rows(given).tolist() == [0, 2]
    assert started.add(given).tolist() == [0, 2]
    assert started.add([9]).tolist() == [3]
    assert started.rows().tolist() == [0, 1, 2, 3]
    assert started.ids.tolist() == [7, 5, 2, 9]


@pytest.mark.parametrize("given", [[-1], [0.5], [5, 5], [True], [[5]], "a", [None], {"a": 1}, [10**30], np.zeros(4, bool)])
def test_environments_that_cannot_be(given):
    started = Started()
    started.add([7, 5, 2])
    for call in (started.add, started.rows):
        with pytest.raises(ArmillaryError):
            call(given)
    assert len(started) == 3


def test_environments_that_were_not_started():
    started = Started()
    for call in (started.add, started.rows):
        with pytest.raises(ArmillaryError, match="no environment was started"):
            call(None)
    started.add([4])
    with pytest.raises(OutOfRange, match=r"environments \[3\] were not started"):
        started.rows([4, 3])


@pytest.mark.parametrize("make", [lambda: Random(BOX, 3), lambda: Smooth(BOX)], ids=["random", "smooth"])
def test_those_that_do_not_act_are_not_touched(make):
    actor = make()
    actor.start([5, 1])
    before = {name: values.copy() for name, values in actor._memory.items()}
    assert actor.act({}, [1]).values.shape == (1, 2)
    for name, values in actor._memory.items():
        np.testing.assert_array_equal(values[0], before[name][0])
    actor.start([8])
    assert actor.act({}).values.shape == (3, 2)


def test_after_a_reset_all_is_as_at_the_start_under_another_seed_if_given():
    def first(seed=None):
        actor.reset(seed)
        actor.start(range(4))
        return actor.act({}).values

    actor = Random(BOX)
    zero = first()
    one = first(1)
    assert (one != zero).all()
    np.testing.assert_array_equal(first(), one)
    np.testing.assert_array_equal(first(0), zero)


def test_a_function_is_an_actor_that_sees_the_truth_and_has_its_name():
    def still(observations, rng):
        return np.zeros((len(observations["place"]), 2), np.float32)

    actor = as_actor(still)
    assert isinstance(actor, FunctionActor)
    assert isinstance(actor, Actor)
    assert (str(actor), actor.needs_truth) == ("still", True)
    assert as_actor(actor) is actor
    actor.start([3, 4])
    assert actor.act({"place": np.zeros((2, 1))}).values.shape == (2, 2)
    with pytest.raises(ArmillaryError, match="expected an Actor or a function"):
        as_actor(Random)
