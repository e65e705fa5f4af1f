"""Costs by name, made for a model: `make_cost(model, "auto + 0.1*effort")`. So a run can say what its agent minimises.

A package adds one with a function that takes the model and returns a Cost, such as a Cost's class, and an entry point:

    [project.entry-points."armillary.costs"]
    noise = "my_package.noise:Noise"
"""

import math
from collections.abc import Callable
from functools import partial

from armillary import plugins
from armillary.costs.cost import Cost
from armillary.costs.effort import Effort
from armillary.costs.goal import goal_cost
from armillary.errors import ArmillaryError, PluginError
from armillary.model.world_model import WorldModel

GROUP = "armillary.costs"
MakeCost = Callable[[WorldModel], Cost]
BUILT_IN: dict[str, MakeCost] = {
    "auto": goal_cost,
    "latent": lambda model: goal_cost(model, "latent"),
    "effort": lambda model: Effort(model.actions),
}
"""Beside them, each distance that a model has learned is a cost under its own name, such as critic; see `goal_cost`."""
TERMS = 100
"""A sum has no more."""


def cost_names() -> tuple[str, ...]:
    """The costs that need no model to name them: the built-in ones, and those that installed packages register."""
    return plugins.names(GROUP, BUILT_IN)


def parse_cost(text: str) -> list[tuple[float, str]]:
    """The weights and names of a sum such as `auto + 0.1*effort`; nothing is imported.

    Raises:
        ArmillaryError: it is no such sum.
    """
    terms = []
    for term in text.split("+") if isinstance(text, str) else [""]:
        weight, sign, name = term.rpartition("*")
        try:
            value = float(weight) if sign else 1.0
        except ValueError:
            value = math.nan
        terms.append((value, name.strip()))
    if len(terms) > TERMS or not all(name and math.isfinite(weight) for weight, name in terms):
        raise ArmillaryError(f"expected a cost such as auto, or a sum such as auto + 0.1*effort; got {str(text)[:100]!r}")
    return terms


def make_cost(model: WorldModel, text: str) -> Cost:
    """The cost of this name, or the weighted sum of several, for a model.

    Raises:
        PluginError: neither the model nor the library nor an installed package has such a cost; or the package is broken.
        ArmillaryError: it is no name and no sum.
    """
    first, *others = (_one(model, name) if weight == 1 else weight * _one(model, name) for weight, name in parse_cost(text))
    return sum(others, first)


def _one(model: WorldModel, name: str) -> Cost:
    learned = {distance: partial(goal_cost, name=distance) for distance in model.distances}
    make = plugins.find(GROUP, name, {**BUILT_IN, **learned}, remedy="train a model with it in its objective")
    cost = make(model)
    if not isinstance(cost, Cost):
        raise PluginError(f"{GROUP}: {name!r} makes {cost!r:.100}; expected a Cost")
    return cost
