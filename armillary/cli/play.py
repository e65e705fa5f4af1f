"""`armillary play`: a film of what a trained agent sees, imagines and does."""

from pathlib import Path
from typing import Any

from tyro.conf import Positional

from armillary.cli.shared import OptionalStore, RunPath, parse_options


def play(
    run: Positional[RunPath],
    video: Path,
    goals: int = 3,
    recording: OptionalStore = None,
    world: str | None = None,
    constraints: tuple[str, ...] = (),
    fps: float = 5.0,
    seed: int = 0,
    device: str = "auto",
) -> Any:
    """Film a trained agent: what it sees, what its plan imagines, and what it does.

    In a simulated world the agent goes to sampled goals. For any other recording, held-out episodes are shown beside what the
    model imagines from their first frame on. The model has no pixel decoder: the film shows the recorded frames that are
    nearest to what is imagined.

    Args:
        run: the run's folder, as train wrote it.
        video: file to write: .mp4 for a video, .gif for an animation.
        goals: number of goals, or of held-out episodes. They are shown one below the other.
        recording: where the run's recording is now, if it was moved. Default: where it was at training.
        world: the world to act in, such as package.module:make, a function of yours. Default: the world of the recording.
        constraints: constraints on start and goal pairs as name=value, such as cross=true. Default: none.
        fps: env steps a second in the film, or action blocks a second for a recording.
        seed: random seed of the goals and of the agent, from 0 to 9999. Another seed shows other goals.
        device: where to compute: auto (a GPU where there is one), cpu, cuda or mps.
    """
    from armillary.evaluation.play import play as film

    how: dict[str, Any] = {"recording": recording, "world": world, "goals": goals, "constraints": parse_options(constraints)}
    found = film(run, video, fps=fps, seed=seed, device=device, **how)
    print(f"{found}\nvideo: {found.video}")
    return found
