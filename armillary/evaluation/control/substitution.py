"""Parts of a learned agent replaced by the truth, so that one can see which of them limits it.

- true dynamics: what the planner imagines is stepped and rendered by the world itself, then encoded;
- true dynamics and distance: the planner searches among true states, by the world's own shortest path; what is left to fail is
  the planner;
- true distance: the shortest path between what two latents show, learned from labels that no agent has;
- true state: a model that senses the ground truth in place of everything else.

All of it is for diagnosis. None of it is ever a result.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from armillary.acting.agent import Agent
from armillary.actor import TRUE_STATE, Action, Observations
from armillary.costs.cost import Cost
from armillary.costs.goal import CriticGoal, goal_cost
from armillary.episodes.store import Episode, Episodes
from armillary.errors import ArmillaryError, expect
from armillary.evaluation.control.rollouts import drawing
from armillary.goals.goal import Goal
from armillary.imagination import Context, PlanSpace, Rollout
from armillary.latents import encode_frames
from armillary.model.world_model import WorldModel
from armillary.objectives.term import Distance
from armillary.optimise import Optimiser
from armillary.spec import Spec
from armillary.worlds.world import HasShortestPath, Judged

LABELS = 50_000  # pairs of moments whose distance is told


class Measured(Judged, HasShortestPath, Protocol):
    """A world that knows how far its goals are."""


MakeWorld = Callable[[int], Measured]
"""A world of so many environments, with autoreset disabled and no limit of steps."""


@dataclass(frozen=True, kw_only=True)
class TrueRollout(Rollout):
    """What the world itself did."""

    states: Tensor
    """(B, S, H, state) float64; rounded to float32, a layout is another one than the goal's"""


@dataclass(frozen=True, eq=False)
class TrueDynamics:
    """An Imagination: the world itself, from where it is now.

    Args:
        model: encodes what the world shows.
        make_world: of the world that is judged in.
        state: (B, state) where each problem begins.
        draws: whether latents are those of what the world shows; else they are its states, and nothing is drawn.
    """

    model: WorldModel
    make_world: MakeWorld
    state: np.ndarray
    draws: bool = True

    @property
    def actions(self) -> PlanSpace:
        return self.model.actions

    @property
    def context_length(self) -> int:
        return self.model.context_length

    def rollout(self, context: Context, blocks: Float[Tensor, "b s h a"]) -> TrueRollout:
        """As of any Imagination.

        Raises:
            ArmillaryError: it is to start elsewhere than where the world is.
        """
        batch, samples, _, _ = blocks.shape
        if batch != len(self.state):
            raise ArmillaryError(
                f"the true dynamics start from {len(self.state)} true states, not from {batch} latents; "
                "plan with a search among sequences of actions, such as CEM"
            )
        skip, single = self.model.config.skip, self.actions.split(blocks).flatten(0, 1).cpu().numpy()
        world, states, z = self.make_world(len(single)), [], []
        with drawing(world, self.draws):
            world.reset(options={"state": np.repeat(self.state, samples, axis=0)})
            for step in range(single.shape[1]):
                observation, *_ = world.step(single[:, step])
                if (step + 1) % skip == 0:
                    states.append(torch.tensor(world.state))
                    z.append(encode_frames(self.model, observation, exact=False) if self.draws else states[-1])
        states, z = (torch.stack(each, 1).unflatten(0, (batch, samples)) for each in (states, z))
        return TrueRollout(context, blocks, z.to(blocks.device, torch.float32), states=states)


@dataclass(frozen=True, eq=False)
class TrueDistance(Cost):
    """The sum of the shortest paths to the goal's state, of true rollouts alone."""

    world: HasShortestPath

    def __call__(self, rollout: Rollout, goal: Goal) -> Float[Tensor, "b s"]:
        if not isinstance(rollout, TrueRollout):
            raise ArmillaryError("the true distance is of true states; plan by the true dynamics, with a search such as CEM")
        states = rollout.states.numpy()
        goals = np.broadcast_to(expect(goal.state, "goals with a state").numpy()[:, None, None], states.shape)
        size = states.shape[-1]
        steps = self.world.shortest_path(states.reshape(-1, size), goals.reshape(-1, size))
        return torch.from_numpy(steps.reshape(states.shape[:-1]).sum(-1)).to(rollout.z)


class Simulated(Agent):
    """Imagines with the world itself, from the true state. Its environments start, and act, all together.

    Args:
        make_world: of the world that is judged in.
        true_distance: plan among true states, by the sum of the shortest paths to the goal.
        args, more: those of an Agent.
    """

    needs_truth = True

    def __init__(self, *args: Any, make_world: MakeWorld, true_distance: bool = False, **more: Any) -> None:
        self._make_world, self._worlds, self.true_distance = make_world, {}, true_distance
        super().__init__(*args, **more, exact=False)  # all problems are stepped at once
        if true_distance:
            self.cost = TrueDistance(self._world(1))

    def start(self, ids: Any, goals: Observations | None = None) -> None:
        """As an Agent does; the goals have their full states under `TRUE_STATE`."""
        super().start(ids, goals)
        if goals is not None and self.true_distance:
            self.goal = replace(self.goal, state=torch.tensor(goals[TRUE_STATE]))

    def act(self, observations: Observations, ids: Any = None) -> Action:
        """As an Agent does; the full states are under `TRUE_STATE`."""
        self.imagination = TrueDynamics(self.model, self._world, observations[TRUE_STATE], draws=not self.true_distance)
        return super().act(observations, ids)

    def _world(self, count: int) -> Measured:
        if count not in self._worlds:
            self._worlds[count] = self._make_world(count)
        return self._worlds[count]


class LabelledDistance(Distance):
    """Env steps between what two latents show, (..., D) and (..., D) to (...); learned from labels.

    Args:
        latent: D.
        points: where graph search tells places apart, since a network of two latents has no such space of its own.
    """

    def __init__(self, latent: int, points: Callable[[Tensor], Tensor], width: int = 256) -> None:
        super().__init__()
        self.points = points
        self.net = nn.Sequential(
            nn.Linear(3 * latent, width), nn.GELU(), nn.Linear(width, width), nn.GELU(), nn.Linear(width, 1)
        )

    def embed(self, z: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch e"]:
        return self.points(z)

    def forward(self, a: Float[Tensor, "*#batch d"], b: Float[Tensor, "*#batch d"]) -> Float[Tensor, "..."]:
        a, b = torch.broadcast_tensors(a, b)
        return F.softplus(self.net(torch.cat([a, b, a - b], -1)).squeeze(-1))


def labelled_distance(
    model: WorldModel, make_world: MakeWorld, *, episodes: int = 200, steps: int = 60, updates: int = 3000, seed: int = 0
) -> CriticGoal:
    """A cost by the world's shortest path, learned from fresh play of which the true states are known.

    Args:
        model: encodes; it is not changed.
        episodes, steps: of play.
        updates: batches of 256 of the labelled pairs of moments, each of one episode.
        seed: of all of it.
    """
    rng = np.random.default_rng([seed, 3])
    world = make_world(episodes)
    actor = world.play()
    actor.reset(seed)
    actor.start(range(episodes))
    observation, _ = world.reset(seed=seed)
    z, states = [encode_frames(model, observation, exact=False)], [world.state]
    for _ in range(steps):
        observation, *_ = world.step(actor.act(observation).values)
        z.append(encode_frames(model, observation, exact=False))
        states.append(world.state)
    z, states = torch.stack(z, 1), np.stack(states, 1)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        distance = LabelledDistance(z.shape[-1], goal_cost(model).embed).to(z.device)
    optimiser = Optimiser(distance.parameters(), 1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser.adamw, 2e-3, updates)
    which, (a, b) = rng.integers(episodes, size=LABELS), rng.integers(steps + 1, size=(2, LABELS))
    steps_apart = torch.from_numpy(world.shortest_path(states[which, a], states[which, b])).to(z)
    for _ in range(updates):
        some = rng.integers(LABELS, size=256)
        found = distance(z[which[some], a[some]], z[which[some], b[some]])
        optimiser.step(F.smooth_l1_loss(found, steps_apart[some]))
        schedule.step()
    distance.requires_grad_(False)
    return CriticGoal(distance)


def unveiled_spec(spec: Spec) -> Spec:
    """The vectors of ground truth as the only streams, and seen.

    Raises:
        ArmillaryError: there are none.
    """
    streams = tuple(replace(stream, truth=False) for stream in spec.truth if stream.is_tabular)
    if not streams:
        raise ArmillaryError("there is no vector of ground truth to take in place of what is sensed")
    return replace(spec, streams=streams)


def unveiled_world(world: Judged) -> Judged:
    """The same world, whose truth is what is observed."""
    twin = copy.copy(world)
    twin.stream_spec = unveiled_spec(world.stream_spec)
    return twin


def unveiled_episodes(episodes: Episodes, path: str | Path) -> Episodes:
    """A new store at `path` with the same episodes, whose truth is what is observed."""
    spec = unveiled_spec(episodes.spec)
    names = [stream.name for stream in spec.streams]
    store = Episodes.create(path, spec, info=episodes.info)
    seen = (episodes.read(i, streams=(), truth=names) for i in range(len(episodes)))
    store.append(*(Episode(rows, episodes.actions(i)) for i, rows in enumerate(seen)))
    return store
