"""`armillary demo`: the whole loop in a minute."""

from pathlib import Path
from typing import Any, Literal


def demo(
    out: Path = Path("runs/demo"),
    door: Literal["fixed", "random"] = "fixed",
    pairs: int = 80,
    any_goal: bool = False,
    seed: int = 0,
    device: str = "auto",
) -> dict[str, Any]:
    """Record a world, train a model, plan to goals and write a report: the whole loop in a minute, on a CPU.

    Args:
        out: folder for all that the demo writes. A demo that is there already is replaced.
        door: fixed: always in the middle of the wall; random: at a new place in every episode, which takes two minutes more.
        pairs: number of start and goal pairs in the evaluation. More pairs give shorter intervals.
        any_goal: sample goals from both rooms, not only from the other room than the start.
        seed: random seed of recording, weights and training, from 0 to 9999.
        device: where to compute: auto (a GPU where there is one), cpu, cuda or mps.
    """
    from armillary.cli.summary import show
    from armillary.demo import demo

    return show(demo(out, door, pairs=pairs, any_goal=any_goal, seed=seed, device=device), out)
