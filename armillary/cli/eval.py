"""`armillary eval` and `armillary report`: judge a run, and write its page."""

from pathlib import Path
from typing import Annotated

import tyro
from rich.text import Text
from tyro.conf import Positional

from armillary.cli.shared import StorePath, bold, console, parse_options, show


def eval_(
    run: Positional[Path],
    recording: StorePath | None = None,
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
) -> None:
    """Judge a trained run: prediction and probes on held-out episodes, control in its world. Writes results and a report.

    The agent that is judged is that of the run's recipe, saved in its checkpoint; --planner, --cost, --no-habit and --execute
    replace parts of it.

    Args:
        run: the run's folder.
        recording: where its recording is now, if it was moved.
        pairs: how many pairs of start and goal to draw, or a file of them; 0 leaves control out.
        constraints: on pairs, as name=value, such as cross=true.
        horizons: of prediction, in seconds, or in env steps where the recording has no rate.
        planner: search for plans with this planner, such as: icem horizon=4 samples=64. One of cem, icem, mppi, gradient,
            random_shooting, graph_search, stay_at_goal, or of an installed package. Default: as the run's recipe says.
        cost: minimise this cost, such as latent, or a sum, such as auto + 0.1*effort. One of auto, latent, effort, a distance
            that the model has learned (critic, contrast), or of an installed package. Default: as the run's recipe says.
        habit: plan from what the run's habit proposes, if it has one.
        execute: blocks of a plan that are carried out before the next is made. Default: as the run's recipe says.
        development: draw development pairs instead of test pairs. Choose settings on these, and report on test pairs once.
        seed: of baselines and probes.
        device: auto, cpu, cuda or mps.
    """
    from armillary.acting.config import AgentConfig
    from armillary.cli.planners import parse_planner
    from armillary.evaluation.run import evaluate_run
    from armillary.model import WorldModel

    agent = None
    if planner or cost is not None or not habit or execute is not None:
        saved = AgentConfig.of(WorldModel.load(run, "cpu"))
        agent = saved.changed(parse_planner(planner) if planner else None, cost, habit, execute)
    chosen = int(pairs) if pairs.isdigit() else Path(pairs)
    options = {"constraints": parse_options(constraints), "horizons": horizons or None}
    options |= {"development": development, "seed": seed, "device": device}
    show(evaluate_run(run, recording=recording, pairs=chosen, agent=agent, **options).summary(), run)


def report(run: Positional[Path]) -> None:
    """Write report.html anew from the results that `armillary eval` left in a run's folder.

    Args:
        run: the run's folder.
    """
    from armillary.evaluation.run import report_run

    console.print(Text.assemble("look at ", bold(report_run(run))))
