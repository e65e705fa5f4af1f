"""The decision as one function: what it decides, when it is captured, and that nothing in it waits for the device."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from linear_model import LinearModel
from small_models import SPEC, small_model
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode

from armillary import device
from armillary.acting.agent import Agent
from armillary.backends import captured
from armillary.backends.compiled import TILE
from armillary.backends.low_precision import LowPrecision
from armillary.costs import LatentGoal
from armillary.errors import ArmillaryError, SpecMismatch
from armillary.goals import Goal
from armillary.imagination import Context
from armillary.planning import CEM, ICEM, MPPI, GradientPlanner, Problem, RandomShooting

PLANNERS = [CEM(3, 12, 2, 4), ICEM(horizon=3, samples=16, iterations=3, elites=4), MPPI(3, 12, 2), RandomShooting(3, 12)]


def observations(seed: int, count: int = 3) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    images = {s.name: rng.integers(0, 256, (count, *s.shape), np.uint8) for s in SPEC.observed if s.kind == "image"}
    return images | {s.name: rng.normal(size=(count, *s.shape)).astype(np.float32) for s in SPEC.observed if s.kind != "image"}


@pytest.mark.parametrize("predictor", ["mlp", "gru", "transformer"])
@pytest.mark.parametrize("planner", PLANNERS, ids=lambda planner: type(planner).__name__)
def test_it_does_what_the_agent_does(planner, predictor):
    model = small_model(predictor)
    agents = [Agent(model, planner, execute=2, captured=captured) for captured in (False, True)]
    for agent in agents:
        agent.start(range(3), observations(99, 1))
    for step in range(9):
        if step == 5:  # in the middle of a plan, so that environments decide at different times
            for agent in agents:
                agent.start([1])
        actions = [agent.act(observations(step)).values for agent in agents]
        np.testing.assert_array_equal(*actions)
    assert torch.equal(agents[0].memory.z, agents[1].memory.z)
    assert agents[0].decisions.model_calls == agents[1].decisions.model_calls


@pytest.mark.parametrize("predictor", ["mlp", "transformer"])
def test_filled_up_and_drawn_ahead_it_is_the_same(predictor, monkeypatch):
    monkeypatch.setattr(captured, "compiles", lambda where: True)
    monkeypatch.setattr(captured, "works_aside", lambda where: True)
    asked = []

    def compiled(rollout, **_):
        return lambda context, blocks, shared: asked.append(blocks.shape[1]) or rollout(context, blocks, shared)

    monkeypatch.setattr(torch, "compile", compiled)
    model = small_model(predictor)
    agents = [Agent(model, PLANNERS[1], captured=captured) for captured in (False, True)]
    for agent in agents:
        agent.start(range(2), observations(99, 1))
    for step in range(8):
        if step == 6:  # what was drawn ahead is of no use to the one, and the other's goes on
            for agent in agents:
                agent.start([1])
        actions = [agent.act(observations(step, 2)).values for agent in agents]
        np.testing.assert_allclose(*actions, atol=1e-5)
    assert set(asked) == {TILE}  # though iterations have fewer and fewer candidates


TRACE = """
import sys
sys.path.insert(0, "tests")
import torch
from armillary.imagination import Context
from small_models import small_model
from armillary.backends.low_precision import LowPrecision
model = small_model("transformer")
fast = LowPrecision(model)
size, context = model.actions.size, model.config.context
given = Context(torch.randn(2, context, 8), torch.randn(2, context - 1, size)), torch.randn(2, 5, 3, size)
with torch.inference_mode():
    expected = fast.rollout(*given).z
    traced = torch.compile(lambda *given: fast.rollout(*given).z, backend="eager", fullgraph=True, dynamic=False)
    torch.testing.assert_close(traced(*given, fast.share(given[0])), expected)
"""


def test_what_is_imagined_compiles_as_one_graph():
    subprocess.run([sys.executable, "-c", TRACE], check=True)  # on its own, since checked types can't be traced


def test_without_a_gpu_it_says_so_once(capsys, monkeypatch):
    monkeypatch.setattr(device.Captured, "_said", False)
    for _ in range(2):
        Agent(LinearModel(), CEM(), captured=True)
    assert capsys.readouterr().err.count("not captured on the CPU") == 1


def test_each_set_of_shapes_is_recorded_once(monkeypatch):
    recorded = []

    class Graph:
        def __init__(self, function, inputs, where):
            recorded.append((inputs["x"].shape, where.type))
            self.function = function

        def __call__(self, inputs):
            return self.function(**inputs)

    monkeypatch.setattr(device, "_Graph", Graph)
    double = device.Captured(lambda x: (2 * x,), torch.device("cuda"))
    for count in (2, 3, 2, 3, 3):
        assert torch.equal(double(x=torch.ones(count))[0], torch.full((count,), 2.0))
    assert recorded == [((2,), "cuda"), ((3,), "cuda")]


@pytest.mark.parametrize(("predictor", "fast"), [("mlp", False), ("gru", False), ("transformer", False), ("transformer", True)])
@pytest.mark.parametrize("planner", PLANNERS, ids=lambda planner: type(planner).__name__)
def test_nothing_in_a_search_waits_for_the_device(planner, predictor, fast):
    model = small_model(predictor)
    imagination = LowPrecision(model) if fast else model
    sizes = planner.horizon, model.actions.dim
    context = Context(torch.zeros(2, model.config.context, 8), torch.zeros(2, model.config.context - 1, model.actions.size))

    def find():
        draw = lambda *asked: torch.zeros(2, *asked, *sizes)  # noqa: E731
        return planner.find(imagination, Problem(context, Goal(torch.zeros(1, 8))), LatentGoal(), draw)

    with torch.no_grad():
        find()  # what is made at first use
        with FakeTensorMode(allow_non_fake_inputs=True):  # numbers without values: whoever asks for one fails
            assert find().blocks.shape == (2, planner.horizon, model.actions.size)
            with pytest.raises(DataDependentOutputException):
                planner.finish(imagination, find(), 0.0)


def test_what_cannot_be_captured():
    with pytest.raises(ArmillaryError, match="GradientPlanner cannot be captured"):
        Agent(LinearModel(), GradientPlanner(), captured=True)
    agent = Agent(LinearModel(), CEM(), captured=True)
    agent.start(0, {"position": np.zeros((1, 2), np.float32)})
    with pytest.raises(SpecMismatch, match="position"):
        agent.act({})
