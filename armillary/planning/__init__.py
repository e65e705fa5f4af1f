"""Mode 2: find actions by imagining what they lead to. Any planner works with any model and any cost."""

from armillary.planning.cem import CEM
from armillary.planning.gradient import GradientPlanner
from armillary.planning.graph import GraphSearch
from armillary.planning.icem import ICEM
from armillary.planning.mppi import MPPI
from armillary.planning.planner import Plan, Planner
from armillary.planning.problem import Problem
from armillary.planning.shooting import RandomShooting
from armillary.planning.stay import StayAtGoal
from armillary.planning.streams import RandomStreams

__all__ = [
    "CEM",
    "ICEM",
    "MPPI",
    "GradientPlanner",
    "GraphSearch",
    "Plan",
    "Planner",
    "Problem",
    "RandomShooting",
    "RandomStreams",
    "StayAtGoal",
]
