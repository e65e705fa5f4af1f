"""`armillary train`: a recipe, with every field of it as an option."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import tyro
from rich.text import Text
from tyro.conf import Positional

from armillary.cli.shared import StorePath, bold, console, parse_numbers
from armillary.errors import ArmillaryError
from armillary.training.loop import TrainConfig
from armillary.training.recipes import RECIPES, Recipe

RecipeChoice = tyro.extras.subcommand_type_from_defaults(
    {name.replace("_", "-"): recipe.with_every_term() for name, recipe in RECIPES.items()},
    {
        "two-room": "Small images of a world that stays the same: seconds on a CPU.",
        "two-room-random-door": "Small images of a world whose layout varies: two minutes on a CPU.",
        "maze": "Small images of corridors, another layout in every episode: ten minutes on a CPU.",
        "house": "Camera, depth and scan of apartments, another layout in every episode: minutes on a CPU.",
        "reacher": "Small images in which velocity matters: ten minutes on a CPU.",
        "push-t": "Small images of something that is pushed: ten minutes on a CPU.",
        "sensors": "A machine's sensors alone: seconds on a CPU.",
        "robot": "Camera and joint states at control rate: minutes on a CPU.",
        "lewm": "LeWM (arXiv 2603.19312), 18 M parameters: hours on a GPU.",
    },
    prefix_names=False,
)


def train(
    store: Positional[StorePath],
    out: Path,
    recipe: tyro.conf.AvoidSubcommands[RecipeChoice],
    size: Literal["nano", "tiny", "small", "base"] | None = None,
    streams: tuple[str, ...] | None = None,
    held_out: float = 0.1,
    held_out_episodes: tuple[str, ...] = (),
    device: str = "auto",
    budget_mb: float = 512,
    resume: bool = False,
    start: Annotated[Path | None, tyro.conf.arg(name="from")] = None,
    config: TrainConfig = TrainConfig(),  # noqa: B008 (frozen)
) -> None:
    """Train a world model on a store of episodes. The recipe comes last, and each of its fields can be changed after it.

    With several processes: torchrun --nproc-per-node N -m armillary.cli train ...

    Args:
        store: the recording.
        out: the run's folder; gets model.safetensors, metrics.jsonl and, where the recipe's agent has a habit,
            habit.safetensors.
        recipe: what to train, and how.
        size: width, depth and resolution together, in place of the recipe's.
        streams: observed streams to learn from; all unless given.
        held_out: share (below 1) or number of the episodes that the model never sees. A share is stable: appending episodes or
            adding a stream never moves an episode to the other side.
        held_out_episodes: the episodes to hold out instead, by their numbers in the store (40 41, or 40-49) or by what the
            source calls them (see docs/data.md).
        device: auto, cpu, cuda or mps.
        budget_mb: memory for decoded frames, in MB; what is larger is kept decoded in a file beside the run.
        resume: go on with the run in --out that a kill or a power cut ended.
        start: a checkpoint to go on from, with the recording's other streams beside its own; its shape and objective count.
        config: seed, logging, saving.
    """
    from armillary.episodes.store import Episodes
    from armillary.evaluation.latent.prediction import evaluate_prediction, fitting_horizons
    from armillary.evaluation.run import default_horizons
    from armillary.model import MODEL, STATE, WorldModel
    from armillary.training.fit import fit

    if start and size:
        raise ArmillaryError("--size and --from exclude each other: a checkpoint has its size")
    episodes, model = Episodes.open(store), WorldModel.load(start, device) if start else None
    if episodes.unfinished is not None:
        print(f"{store} is unfinished: training on the {len(episodes)} episodes that it has so far", file=sys.stderr)
    chosen: Recipe = recipe.sized(size) if size else recipe
    shape = model.config if model else chosen.model
    horizons = default_horizons(episodes.spec.rate, shape.skip)

    def validate(held: np.ndarray) -> Callable[[WorldModel], dict[str, float]] | None:
        fit, left_out = fitting_horizons(episodes, held, horizons, shape.skip, shape.context)
        if left_out:
            print(f"armillary: {left_out}", file=sys.stderr)
        return (lambda model: evaluate_prediction(model, episodes, held, fit, untrained=False).summary()) if fit else None

    try:
        fit(
            episodes,
            out,
            chosen,
            config,
            streams=streams,
            held_out=parse_numbers(held_out_episodes) or held_out,
            device=device,
            budget_mb=budget_mb,
            validate=validate,
            resume=resume,
            start=model,
        )
    except KeyboardInterrupt:
        if (out / STATE).exists() or (out / MODEL).exists():
            print("armillary: what was trained so far is kept; add --resume to go on", file=sys.stderr)
        raise
    console.print(Text.assemble("the model is ", bold(out / "model.safetensors"), f"; judge it with: armillary eval {out}"))
