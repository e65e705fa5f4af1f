"""The methods that the control suite sets beside a model with its default planner and cost, on the same pairs.

Other planners look ahead as far as the CEM that is the default, and imagine about as much for a decision; where the default is
a graph search, as much as the planner that it ends with. The other cost is distance in latent space, where the default is a
critic. Habits learn on the model's latents, from the episodes that the model learned from, and imagine nothing; their width
and steps are tuned on development pairs (benchmarks/baselines.py). Where a habit proposes what the agent's planner refines,
it has a row by itself, and so has the planner.
"""

from collections.abc import Collection
from typing import Any

from armillary.acting.agent import Agent
from armillary.acting.config import default_planner
from armillary.acting.habit import INVERSE_DYNAMICS, HabitActor, HabitConfig, train_habit
from armillary.episodes.store import Episodes
from armillary.latents import learned_from
from armillary.planning import CEM, ICEM, MPPI, GradientPlanner, Planner, RandomShooting

HABITS = {"behaviour_cloning": HabitConfig(width=512, steps=6000), "inverse_dynamics": INVERSE_DYNAMICS}


def methods(agent: Agent, episodes: Episodes, seed: int, without: Collection[str] = ()) -> dict[str, Agent | HabitActor]:
    """Rows beside the agent's, by name.

    Args:
        agent: its model says which of the episodes it has not learned from.
        episodes: the model's recording.
        seed: of the habits' weights and draws.
        without: rows that are left out.
    """
    model = agent.model
    rows: dict[str, Agent | HabitActor] = {"no_habit": agent.changed(habit=None)} if agent.habit is not None else {}
    rows |= {name: agent.changed(planner=planner) for name, planner in _planners(agent).items()}
    if model.distances:
        rows["latent_distance"] = agent.changed(cost="latent")
    habits = {"behaviour_cloning": agent.habit} if agent.habit is not None else {}
    for name, config in HABITS.items():
        if name not in (*habits, *without):
            habits[name] = train_habit(model, episodes, config, which=learned_from(model, episodes), seed=seed)
    rows |= {name: HabitActor(model, habit) for name, habit in habits.items()}
    return {name: method for name, method in rows.items() if name not in without}


def _planners(agent: Agent) -> dict[str, Planner]:
    plain = getattr(agent.planner, "refine", agent.planner)
    own = plain if type(plain) is CEM else default_planner(agent.model)
    candidates, shrinking = own.samples * own.iterations, sum(ICEM.decay**-i for i in range(own.iterations))
    rounds: dict[str, Any] = {"iterations": own.iterations, "sigma": own.sigma}
    planners = {
        "icem": ICEM(own.horizon, samples=round(candidates / shrinking), elites=own.elites, **rounds),
        "mppi": MPPI(own.horizon, samples=own.samples, **rounds),
        "gradient": GradientPlanner(own.horizon, samples=max(1, candidates // GradientPlanner.iterations)),
        "random_shooting": RandomShooting(own.horizon, samples=candidates),
    }
    if own is not agent.planner:
        planners = {"cem": own, **planners}
    discrete = agent.model.spec.action.kind == "discrete"
    return {name: planner for name, planner in planners.items() if not (discrete and planner.differentiates)}
