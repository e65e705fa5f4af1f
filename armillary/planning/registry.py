"""Planners by name, and as plain data, so that a run can say how it plans.

A package adds one with a dataclass that inherits `Planner`, and an entry point, which needs no change here:

    [project.entry-points."armillary.planners"]
    beam = "my_package.beam:BeamSearch"

Settings are numbers, words, truth values and other planners. What a file says is checked as its planner is built: names are
those that are registered, and no search is larger than a laptop can run.
"""

import math
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, get_type_hints

from armillary import plugins
from armillary.errors import ArmillaryError, CorruptFile
from armillary.planning.cem import CEM
from armillary.planning.gradient import GradientPlanner
from armillary.planning.graph import GraphSearch
from armillary.planning.icem import ICEM
from armillary.planning.mppi import MPPI
from armillary.planning.planner import Planner
from armillary.planning.shooting import RandomShooting
from armillary.planning.stay import StayAtGoal

GROUP = "armillary.planners"
BUILT_IN: dict[str, type[Planner]] = {
    "cem": CEM,
    "icem": ICEM,
    "mppi": MPPI,
    "gradient": GradientPlanner,
    "random_shooting": RandomShooting,
    "graph_search": GraphSearch,
    "stay_at_goal": StayAtGoal,
}
LARGEST = 10_000_000
"""The two largest whole numbers of a planner from a file, such as horizon and samples, multiply to no more."""


def planner_names() -> tuple[str, ...]:
    """All planners that there are: the built-in ones, and those that installed packages register."""
    return plugins.names(GROUP, BUILT_IN)


def planner_class(name: str) -> type[Planner]:
    """The planner of this name.

    Raises:
        PluginError: there is none, or the package that registers it is broken.
    """
    return plugins.find(GROUP, name, BUILT_IN, Planner)


def planner_to_json(planner: Planner) -> dict[str, Any]:
    """Its name and all of its settings, JSON-able.

    Raises:
        ArmillaryError: it has no name, or a setting that cannot be written down.
    """
    name = next((name for name in planner_names() if planner_class(name) is type(planner)), None)
    if name is None:
        raise ArmillaryError(
            f"{type(planner).__name__} has no name to be saved under; register it as an entry point of {GROUP}"
        )
    return {"name": name, **{f.name: _to_json(f.name, getattr(planner, f.name)) for f in fields(planner)}}


def planner_from_json(plain: Any) -> Planner:
    """What `planner_to_json` wrote, or a name alone for default settings.

    Raises:
        PluginError: there is no such planner.
        CorruptFile: it is something else, or a search that is too large.
        ArmillaryError: settings that the planner refuses.
    """
    plain = {"name": plain} if isinstance(plain, str) else plain
    if not isinstance(plain, Mapping) or not isinstance(plain.get("name"), str):
        raise CorruptFile(f"expected a planner with a name; got {_short(plain)}")
    kind = planner_class(plain["name"])
    hints, known = get_type_hints(kind), [f.name for f in fields(kind)]
    settings = {name: value for name, value in plain.items() if name != "name"}
    if unknown := [name for name in settings if name not in known]:
        raise CorruptFile(f"{plain['name']} has no setting {unknown[0][:100]!r}; it has {', '.join(known)}")
    planner = kind(**{name: _from_json(plain["name"], name, hints[name], value) for name, value in settings.items()})
    sizes = sorted(value for f in fields(planner) if type(value := getattr(planner, f.name)) is int)[-2:]
    if math.prod(sizes) > LARGEST:
        raise CorruptFile(f"{plain['name']} with {' x '.join(map(str, sizes))} is too large a search; at most {LARGEST:,}")
    return planner


def _to_json(name: str, value: Any) -> Any:
    if isinstance(value, Planner):
        return planner_to_json(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise ArmillaryError(
        f"setting {name} is a {type(value).__name__}; planners are saved with numbers, words and other planners"
    )


def _from_json(planner: str, name: str, hint: Any, value: Any) -> Any:
    if isinstance(hint, type) and issubclass(hint, Planner):
        return planner_from_json(value)
    if hint is float and value in ("inf", "-inf"):
        return float(value)
    kinds = {float: (int, float), int: (int,), bool: (bool,), str: (str,)}.get(hint, (bool, int, float, str, type(None)))
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        raise CorruptFile(f"{planner}: expected {name} to be a {getattr(hint, '__name__', hint)}; got {_short(value)}")
    return value


def _short(value: Any) -> str:
    return repr(value)[:100]
