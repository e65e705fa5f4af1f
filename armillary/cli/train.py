"""`armillary train`: a recipe, with every field of it as an option.

The recipe is found among the arguments before tyro reads them, so that it may stand anywhere.
"""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import tyro
from tyro.conf import Positional

from armillary.cli.parse import call, closest
from armillary.cli.shared import StorePath, parse_numbers
from armillary.errors import ArmillaryError, expect
from armillary.training.loop import TrainConfig
from armillary.training.recipes import DESCRIPTIONS, RECIPES, Recipe, advice


def train(
    store: Positional[StorePath],
    out: Path,
    recipe: tyro.conf.AvoidSubcommands[Recipe | None] = None,
    size: Literal["nano", "tiny", "small", "base"] | None = None,
    streams: tuple[str, ...] | None = None,
    held_out: float = 0.1,
    held_out_episodes: tuple[str, ...] = (),
    device: str = "auto",
    budget_mb: float = 512,
    resume: bool = False,
    start: Annotated[Path | None, tyro.conf.arg(name="from")] = None,
    config: TrainConfig = TrainConfig(),  # noqa: B008 (frozen)
) -> dict[str, Path]:
    """Train a world model on a store of episodes: armillary train STORE RECIPE --out RUN.

    The name of the recipe and all options may stand in any order. armillary train RECIPE --help also lists the recipe's own
    options.

    With several processes: torchrun --nproc-per-node N -m armillary.cli train ...

    Args:
        store: the recording to train on.
        out: the run's folder. It gets model.safetensors, metrics.jsonl and, if the recipe's agent has a habit,
            habit.safetensors.
        recipe: the recipe's own settings.
        size: size of the model: width, depth and image resolution together. Default: the recipe's.
        streams: observed streams to learn from. Default: all.
        held_out: share (below 1) or number of episodes that are held out for evaluation. A share is stable: appending episodes
            or adding a stream never moves an episode to the other side.
        held_out_episodes: the episodes to hold out instead, by their numbers in the store (40 41, or 40-49) or by the source's
            names for them (see docs/data.md). Default: drawn by --held-out.
        device: where to compute: auto (a GPU where there is one), cpu, cuda or mps.
        budget_mb: memory for decoded frames, in MB. More frames than that are kept decoded in a file beside the run.
        resume: continue the run in --out that was interrupted.
        start: a checkpoint to continue from. It keeps its shape and objective; streams that only the recording has are added.
            Default: train from scratch.
        config: seed, logging and saving.
    """
    from armillary.episodes.store import Episodes
    from armillary.evaluation.latent.prediction import evaluate_prediction, fitting_horizons
    from armillary.evaluation.run import default_horizons
    from armillary.model.world_model import MODEL, STATE, WorldModel
    from armillary.training.fit import fit

    if start and size:
        raise ArmillaryError("--size and --from exclude each other: a checkpoint has its size")
    episodes, model = Episodes.open(store), WorldModel.load(start, device) if start else None
    episodes = episodes if model is None else episodes.relative_to(model.spec)
    if episodes.unfinished is not None:
        print(f"{store} is unfinished: training on the {len(episodes)} episodes that it has so far", file=sys.stderr)
    chosen = expect(recipe, "a recipe")
    chosen = chosen.sized(size) if size else chosen
    shape = model.config if model else chosen.model
    if not model and (said := advice(chosen, episodes.spec if streams is None else episodes.spec.select(streams))):
        print(f"armillary: {said}", file=sys.stderr)
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
    print(f"model: {out / MODEL}\nevaluate it with: armillary eval {out}")
    return {"run": out, "model": out / MODEL}


def call_train(program: str, arguments: list[str]) -> Any:
    """Take the name of the recipe from the arguments, and call `train` with the rest.

    Raises:
        ArmillaryError: no recipe is named, or the arguments do not fit.
    """
    named = [at for at, word in enumerate(arguments) if word.replace("-", "_") in RECIPES]
    bare = [at for at in named if not (at and arguments[at - 1].startswith("--"))]  # which is no value of an option
    named = bare or named
    if named:
        name = arguments[named[-1]].replace("-", "_")
        rest = arguments[: named[-1]] + arguments[named[-1] + 1 :]
        return call(partial(train, recipe=RECIPES[name].with_every_term()), f"{program} {name}", rest)
    if not {"-h", "--help"} & set(arguments):
        near = next(filter(None, (closest(word.replace("-", "_"), RECIPES) for word in arguments)), "")
        raise ArmillaryError(
            f"expected a recipe, one of {', '.join(RECIPES)}, got none{near}; armillary train --help describes them"
        )
    wide = max(map(len, RECIPES)) + 2
    recipes = "".join(f"  {name:{wide}}{text}\n" for name, text in DESCRIPTIONS.items())
    return call(train, f"{program} RECIPE", arguments, f"\n recipes\n{recipes}")
