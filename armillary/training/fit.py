"""From a recording to a run: split by episode, cut into clips, build a model, train it and its habit, note where it came from.

The checkpoint says how the model is acted with (`Recipe.agent`), so that whatever acts or judges later is that same agent.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch

from armillary import distributed
from armillary.acting.config import HABIT, load_habit
from armillary.acting.habit import train_habit
from armillary.device import one_thread, pick_device
from armillary.episodes.clips import Clips
from armillary.episodes.split import fingerprint, split, split_off, was_seen
from armillary.episodes.store import Episodes
from armillary.episodes.tiers import remove_cache
from armillary.errors import ArmillaryError, SpecMismatch
from armillary.model.world_model import WorldModel
from armillary.training.folder import one_writer
from armillary.training.loop import TrainConfig, short_hash, train
from armillary.training.recipes import Recipe, recipe_named
from armillary.training.rows import write_training_rows


def fit(
    episodes: Episodes,
    out: str | Path,
    recipe: Recipe | str,
    config: TrainConfig | None = None,
    *,
    streams: tuple[str, ...] | None = None,
    held_out: float | Sequence[int | str] = 0.1,
    device: str = "auto",
    budget_mb: float = 512,
    validate: Callable[[np.ndarray], Callable[[WorldModel], dict[str, float]] | None] | None = None,
    resume: bool = False,
    start: WorldModel | None = None,
) -> WorldModel:
    """Train a recipe on a recording; see `train` for what `out` gets, and `habit.safetensors` where its agent has a habit.

    Args:
        recipe: one, or the name of one in `RECIPES`.
        streams: observed streams to learn from. Default: all.
        held_out: share (below 1) or number of the episodes that the model never sees, or a list of them, see `split` and
            `split_off`; they are named in the checkpoint. Of what `start` was trained on, none is held out.
        device: auto, cpu, cuda or mps.
        budget_mb: memory for decoded frames. What is larger is kept decoded in `out/cache` while it trains.
        validate: called with the held-out episodes before training begins. What it returns is called with the model at each
            validation, and its numbers are logged.
        resume: go on with the run in `out`.
        start: a trained model to go on from, with the recording's other streams beside its own (`WorldModel.with_streams`). Its
            config counts, of the recipe the stages alone. It stays as it is.

    Raises:
        ArmillaryError: no such recipe, the recording is too small for the clips or the split, the seed is negative, the agent's
            planner has no registered name, the folder has another habit, and whatever `train` raises.
        SpecMismatch: the recording lacks what `start` senses or does, or the odometry that egomotion learns from.
    """
    recipe = recipe_named(recipe) if isinstance(recipe, str) else recipe
    recipe = recipe if start is None else replace(recipe, model=start.config)
    # Without actions there is nothing to imitate.
    agent = recipe.agent if episodes.spec.action.n else replace(recipe.agent, habit=None)
    config, where = config or TrainConfig(), pick_device(device)
    if config.seed < 0:
        raise ArmillaryError(f"seed {config.seed}: take 0 or more")
    lengths = [stage.length or 0 for stage in recipe.stages if stage.kind == "joint"]
    length, odometry = max([recipe.model.frames, *lengths]), recipe.model.odometry
    before = start.provenance.get("trained", []) if start is not None else []
    how = {"gap": (length - 1) * recipe.model.skip + 1, "seen": was_seen(episodes, before)}
    if isinstance(held_out, Sequence):
        training, held = split_off(episodes, held_out, **how)
    else:
        training, held = split(episodes, held_out, seed=config.seed, **how)
    if odometry and odometry not in [stream.name for stream in episodes.spec.observed]:
        (name,) = [name for name, term in recipe.model.terms.items() if term.pose_stream == odometry]
        raise SpecMismatch(
            f"{name} learns from odometry, and of what the recording observes there is no stream {odometry!r}; name it by "
            f"objective.{name}.odometry, or set objective.{name}.weight to 0"
        )
    torch.manual_seed(config.seed)
    episodes = episodes if start is None else episodes.relative_to(start.spec)
    spec = episodes.spec if streams is None else episodes.spec.select(streams)
    if start is None:
        model = WorldModel(spec, recipe.model).to(where)
    else:
        start.spec.check(spec)
        model = start.with_streams(*spec.observed).to(where)
    provenance = {
        "recording": str(Path(episodes.path).resolve()) if "://" not in episodes.path else episodes.path,
        "recording_hash": episodes.content_hash(),
        "recording_seed": episodes.info.get("seed"),
        "frames": int(episodes.lengths[training].sum()),
        "held_out": held.tolist(),
        "left_out": np.setdiff1d(np.arange(len(episodes)), [*training, *held]).tolist(),
        "trained": [fingerprint(episodes, training), *before],
        "start": {k: v for k, v in start.provenance.items() if k != "trained"} if start is not None else None,
        "stages": [asdict(stage) for stage in recipe.stages],
        "versions": {package: version(package) for package in ("armillary", "torch", "numpy")},
        "agent": agent.to_json(),
    }
    weights = [x.cpu().numpy().tobytes() for x in start.state_dict().values()] if start is not None else []
    identity = {
        "recording": provenance["recording_hash"],
        "split": short_hash(training.tolist(), held.tolist()),
        "starting model": "none" if start is None else short_hash(*weights),
        "agent": short_hash(provenance["agent"]),
    }
    distributed.start(where)
    with one_writer(Path(out)), one_thread(recipe.model.is_small):
        clips = Clips(
            episodes,
            length,
            skip=recipe.model.skip,
            which=training,
            streams=streams,
            odometry=odometry,
            budget_mb=budget_mb,
            cache_dir=Path(out) / "cache",
            image_size=recipe.model.image_size,
        )
        judge = validate(held) if validate else None
        how = {"validate": judge, "resume": resume, "provenance": provenance, "identity": identity, "locked": True}
        train(model, clips, recipe.stages, out, config, **how)
        if distributed.rank() == 0:
            write_training_rows(out, episodes, training, model.spec)
            remove_cache(Path(out) / "cache")
            if agent.habit is not None and not (habit := Path(out) / HABIT).exists():
                train_habit(model, episodes, agent.habit, which=np.sort(training), seed=config.seed).save(habit)
            load_habit(out, model, agent)  # or else it is refused
    return model
