"""`armillary demo`: the whole loop in a minute."""

from pathlib import Path
from typing import Literal

from armillary.cli.shared import show


def demo(
    out: Path = Path("runs/demo"),
    door: Literal["fixed", "random"] = "fixed",
    pairs: int = 80,
    any_goal: bool = False,
    seed: int = 0,
    device: str = "auto",
) -> None:
    """Record a world, learn it, plan to goals, be judged and show it: the whole loop in a minute, on a CPU.

    Args:
        out: folder of everything that it writes; a demo that is there already is replaced.
        door: always in the middle of the wall, or somewhere else in every episode (two minutes more).
        pairs: start and goal pairs to be judged on, in different rooms.
        any_goal: take goals from anywhere instead.
        seed: of recording, weights and training.
        device: auto, cpu, cuda or mps.
    """
    from armillary.demo import demo

    show(demo(out, door, pairs=pairs, any_goal=any_goal, seed=seed, device=device).summary(), out)
