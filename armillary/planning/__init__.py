"""Mode 2: find actions by imagining what they lead to. Any planner works with any model and any cost."""

from armillary.planning.arrive import Arrive
from armillary.planning.cem import CEM
from armillary.planning.gradient import GradientPlanner
from armillary.planning.graph import GraphSearch
from armillary.planning.icem import ICEM
from armillary.planning.mppi import MPPI
from armillary.planning.planner import Plan, Planner, RandomStreams
from armillary.planning.shooting import RandomShooting

__all__ = [
    "CEM",
    "ICEM",
    "MPPI",
    "Arrive",
    "GradientPlanner",
    "GraphSearch",
    "Plan",
    "Planner",
    "RandomShooting",
    "RandomStreams",
]
