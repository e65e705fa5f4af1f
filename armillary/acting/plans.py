"""The latest plan of each of N environments as one Plan, of which some rows are replaced at a time."""

from dataclasses import replace

import numpy as np
import torch

from armillary.errors import expect
from armillary.planning.planner import Plan

ROWS = "actions", "blocks", "latents", "cost"  # what a Plan has a row of for each problem


def take(plan: Plan, rows: np.ndarray) -> Plan:
    """These rows of a plan."""
    if np.array_equal(rows, np.arange(len(plan.cost))):
        return plan
    return replace(plan, **{name: getattr(plan, name)[rows] for name in ROWS})


def merge(old: Plan | None, new: list[Plan], rows: np.ndarray, count: int) -> Plan:
    """`old` with these rows from `new`, `count` in all. Rows that no plan was made for yet are zeros."""
    if len(new) == 1 and np.array_equal(rows, np.arange(count)):
        return new[0]
    like = new[0] if new else expect(old, "a plan")
    merged = {}
    for name in ROWS:
        shape, had = getattr(like, name).shape[1:], 0 if old is None else len(getattr(old, name))
        base = getattr(like, name).new_zeros(count, *shape)
        if old is not None:
            base[:had] = getattr(old, name)
        if new:
            base[torch.as_tensor(rows, device=base.device)] = torch.cat([getattr(plan, name) for plan in new])
        merged[name] = base
    return replace(like, **merged, seconds=sum(plan.seconds for plan in new))
