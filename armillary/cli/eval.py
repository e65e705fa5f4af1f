"""`armillary eval` and `armillary report`: judge a run, and write its page."""

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import tyro
from tyro.conf import Positional

from armillary.cli.shared import OptionalStore, RunPath, parse_options


def eval_(
    run: Positional[RunPath],
    recording: OptionalStore = None,
    world: str | None = None,
    pairs: str = "200",
    constraints: tuple[str, ...] = (),
    horizons: tuple[float, ...] = (),
    planner: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME [SETTING=VALUE ...]")] = (),
    cost: str | None = None,
    habit: bool = True,
    execute: int | None = None,
    development: bool = False,
    seed: int = 0,
    device: str = "auto",
) -> dict[str, Any]:
    """Evaluate a trained run: prediction and probes on held-out episodes, control in its world. Writes results and a report.

    The evaluated agent is the one saved in the run's checkpoint. --planner, --cost, --no-habit and --execute replace parts of
    it.

    Args:
        run: the run's folder, as train wrote it.
        recording: where the run's recording is now, if it was moved. Default: where it was at training.
        world: the world to judge control in, such as package.module:make, a function of yours. Default: the world of the
            recording, if it is a built-in one or of an installed package.
        pairs: number of start and goal pairs to sample for control, or a file of pairs. 0 leaves control out.
        constraints: constraints on pairs as name=value, such as cross=true. Default: none.
        horizons: prediction horizons, in seconds, or in env steps where the recording has no rate. Default: 0.5, 1 and 2
            seconds, or 1, 2, 4 and 8 action blocks.
        planner: planner and its settings, such as: icem horizon=4 samples=64. One of {planners}. Default: the run's own.
        cost: cost to minimise, such as latent, or a sum such as auto + 0.1*effort. One of {costs}, or a distance that the model
            has learned (critic, contrast). Default: the run's own.
        habit: start planning from what the run's habit (its learned policy) proposes, if it has one.
        execute: action blocks of a plan to carry out before planning again. Default: the run's own.
        development: sample development pairs instead of test pairs. Choose settings on these; report on test pairs once.
        seed: random seed of baselines and probes.
        device: where to compute: auto (a GPU where there is one), cpu, cuda or mps.
    """
    from armillary.acting.config import AgentConfig
    from armillary.cli.planners import parse_planner
    from armillary.cli.summary import show
    from armillary.evaluation.run import evaluate_run
    from armillary.model.world_model import WorldModel

    agent = None
    if planner or cost is not None or not habit or execute is not None:
        saved = AgentConfig.of(WorldModel.load(run, "cpu"))
        agent = saved.changed(parse_planner(planner) if planner else None, cost, habit, execute)
    chosen = int(pairs) if pairs.isdigit() else Path(pairs)
    options: dict[str, Any] = {"constraints": parse_options(constraints), "horizons": horizons or None}
    options["log"] = partial(print, flush=True)
    options |= {"development": development, "seed": seed, "device": device}
    return show(evaluate_run(run, recording=recording, world=world, pairs=chosen, agent=agent, **options), run)


def report(run: Positional[RunPath]) -> dict[str, Path]:
    """Write report.html again from the results of `armillary eval`.

    Args:
        run: the run's folder, with results.json.
    """
    from armillary.evaluation.run import report_run

    page = report_run(run)
    print(f"report: {page}")
    return {"report": page}
