"""The training loop.

AdamW, a linear warm-up and a cosine, clipped gradients, bfloat16 where the device is fast in it; a budget of steps, of time
or of both. What a step minimises is in `stages.py`. Design choices:
- everything random at a step follows from (seed, stage, step), so that a run resumed after a kill gives the losses of an
  unbroken one;
- `validate` is a function of the caller, so that the judge stays out of training;
- an interrupt waits for the end of the step and leaves a save to resume from. At the end the checkpoint is written first,
  and judged then;
- under `torchrun` each process takes its shard of the same batch, and the statistics of the batch span all of them. The
  first one alone writes and validates; `out` has to be a folder that all of them see.
"""

import hashlib
import json
import math
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from armillary import distributed
from armillary.device import autocast
from armillary.episodes.clips import Clips
from armillary.errors import ArmillaryError, expect
from armillary.interrupts import uninterrupted
from armillary.model.world_model import MODEL, STATE, WorldModel
from armillary.optimise import Optimiser
from armillary.training import state
from armillary.training.folder import one_writer
from armillary.training.metrics import MetricsLog
from armillary.training.prefetch import Prefetch
from armillary.training.stages import Stage, StageConfig, build_stage
from armillary.training.validation import check

FLOOR = 0.02  # of the peak learning rate, where the cosine ends


@dataclass(frozen=True)
class TrainConfig:
    """How to train, whatever is trained."""

    seed: int = 0
    """Draws batches, directions and dropout. The weights are drawn when the model is made."""
    log_every: int = 10
    """Steps between lines of metrics."""
    validations: int = 1
    """Validations in a stage, evenly spaced; the last is at its end."""
    save_every: float = 60.0
    """Seconds between saves that a resumed run can start from; 0 saves at every logged step."""
    tensorboard: bool = False
    """Write TensorBoard events too (extra `tensorboard`)."""
    progress: bool = True
    """Show progress: a bar on a terminal, and lines elsewhere."""

    def __post_init__(self) -> None:
        if min(self.log_every, self.validations) < 1:
            raise ArmillaryError(f"log_every and validations are at least 1, not {self.log_every} and {self.validations}")


def train(
    model: WorldModel,
    clips: Clips,
    stages: tuple[StageConfig, ...],
    out: str | Path,
    config: TrainConfig | None = None,
    *,
    validate: Callable[[WorldModel], dict[str, float]] | None = None,
    resume: bool = False,
    provenance: dict[str, Any] | None = None,
    identity: Mapping[str, str] | None = None,
    locked: bool = False,
) -> WorldModel:
    """Train `model` in place through `stages` and leave it in eval mode.

    `out` gets `metrics.jsonl` (a JSON object a line) and at the end `model.safetensors`, the checkpoint; until then
    `training.safetensors` holds what `resume` needs.

    Args:
        model: new, on the device to train on; its scales are fitted here.
        clips: windows of the training part.
        stages: run in order.
        out: the run's folder.
        validate: called at each validation; its numbers are logged. An `ArmillaryError` of it is a warning.
        resume: go on from `out`, with the same model, clips, stages, seed and identity; a finished run is loaded as it is.
        provenance: JSON-able, kept in the checkpoint.
        identity: what else has to be the same to go on, by name: short hashes, such as of the recording.
        locked: the caller has the folder's lock (`one_writer`).

    Raises:
        ArmillaryError: `out` holds a run already (without `resume`), or none or another one (with it); another process trains
            there; a loss that is not finite; the disk is full.
        KeyboardInterrupt: on an interrupt, after a save that `resume` goes on from.
    """
    config, out = config or TrainConfig(), Path(out)
    run = {
        "model": short_hash(model.spec.to_json(), asdict(model.config)),
        "training clips": short_hash(len(clips), clips.length, clips.skip, clips.stride),
        "recipe": short_hash([asdict(stage) for stage in stages]),
        "seed": str(config.seed),
        **(identity or {}),
    }
    distributed.start(model.device)
    with nullcontext() if locked else one_writer(out):
        if resume and (out / MODEL).exists():
            finished = WorldModel.load(out / MODEL, str(model.device))
            state.check(out, finished.provenance.get("run"), run)
            model.restore(finished.state_dict(), finished.describe())
            model.provenance = finished.provenance
            return model.eval()
        if not resume and ((out / MODEL).exists() or (out / STATE).exists()):
            raise ArmillaryError(f"{out} holds a run already; add --resume to go on with it, or take a new folder")
        saved = state.load(out / STATE, run) if resume else None
        if saved is None:
            model.fit_scales(clips.sample(min(1024, len(clips)), np.random.default_rng(config.seed)))
            at = state.Progress()
        else:
            model.restore(saved.part("model"), saved.model)
            at = saved.progress
        distributed.broadcast(model)
        stage = None

        def finish() -> None:
            seconds = at.earlier_seconds + at.stage_seconds
            model.provenance = {"run": run, "seed": config.seed, "train_seconds": seconds, **(provenance or {})}
            if distributed.rank() == 0:
                with uninterrupted():
                    model.save(out / MODEL)
                    (out / STATE).unlink(missing_ok=True)

        with MetricsLog(out, at, tensorboard=config.tensorboard, progress=config.progress) as log:
            for budget in stages[at.stage :]:
                last = finish if at.stage == len(stages) - 1 else None
                stage = _run_stage(model, clips, budget, stage, config, log, validate, saved, out / STATE, run, last)
                saved = None
                at.stage, at.step, at.validated = at.stage + 1, 0, 0
                at.earlier_seconds, at.stage_seconds = at.earlier_seconds + at.stage_seconds, 0.0
        model.eval()
        if not stages:
            finish()
        distributed.wait()
        return model


def short_hash(*values: Any) -> str:
    """Of what JSON can hold, or of bytes."""
    parts = (value if isinstance(value, bytes) else json.dumps(value).encode() for value in values)
    return hashlib.sha256(b"\n".join(parts)).hexdigest()[:12]


def _run_stage(
    model: WorldModel,
    clips: Clips,
    budget: StageConfig,
    before: Stage | None,
    config: TrainConfig,
    log: MetricsLog,
    validate: Callable[[WorldModel], dict[str, float]] | None,
    saved: state.Saved | None,
    path: Path,
    run: dict[str, str],
    finish: Callable[[], None] | None,
) -> Stage:
    at, last_save = log.at, time.perf_counter()
    started = last_save - at.stage_seconds
    torch.manual_seed(config.seed + at.stage)  # the weights of a new critic
    model.eval()

    def keep_start() -> None:
        if distributed.rank() == 0 and saved is None:  # a run that goes on has its save already
            state.save(path, run, at, model, None, {})

    with _on(KeyboardInterrupt, keep_start):
        stage = build_stage(model, clips, budget, before)
    for module in stage.modules:
        module.train()
    parameters = [p for module in stage.modules for p in module.parameters()]
    kind = {"matrices_only": True, "clip": budget.clip, "everywhere": True, "fused": True}
    optimiser = Optimiser(parameters, budget.weight_decay, **kind)
    if saved is not None:
        saved.restore_optimizer(optimiser.adamw)
        for name, tensor in saved.part("stage").items():
            stage.state[name].copy_(tensor)
    done = _share_done(budget, at)
    data = Prefetch(stage, [config.seed, at.stage])

    def step() -> None:
        nonlocal done
        seed, prepared = data.take(at.step)
        torch.manual_seed(seed + distributed.rank())  # dropout
        rate = budget.learning_rate * _schedule(done, budget.warmup)
        with autocast(model.device, enabled=stage.low_precision):
            losses = stage.losses(prepared, torch.Generator().manual_seed(seed))
        norm = optimiser.step(losses["loss"], rate)
        at.step += 1
        spent = torch.tensor(time.perf_counter() - started, dtype=torch.float64)
        at.stage_seconds = float(distributed.all_mean(spent))  # so that all processes stop at the same step
        done = _share_done(budget, at)
        if at.step % config.log_every and done < 1:
            return
        means = distributed.all_mean(torch.stack([value.detach() for value in losses.values()]))
        numbers = {**dict(zip(losses, means.tolist(), strict=True)), "gradient_norm": expect(norm, "a norm to clip to").item()}
        if not math.isfinite(numbers["loss"] + numbers["gradient_norm"]):
            raise ArmillaryError(
                f"stage {budget.kind}, step {at.step}: the loss is {numbers['loss']} and the norm of its gradient "
                f"{numbers['gradient_norm']}; lower the learning rate"
            )
        log.write({"stage": budget.kind, **numbers, "learning_rate": rate, "waiting": data.waiting()}, done)

    def keep() -> None:
        if distributed.rank() == 0 and not (path.parent / MODEL).exists():
            state.save(path, run, at, model, optimiser.adamw, stage.state)

    with data, _on(KeyboardInterrupt, keep):
        while True:
            if int(done * config.validations) > at.validated:
                with _on(Exception, keep):
                    numbers = check(model, clips, stage.modules, config.seed, validate, finish if done >= 1 else None)
                with uninterrupted():
                    log.write({"stage": budget.kind, **numbers}, done)
                    at.validated = int(done * config.validations)
            if done >= 1:
                return stage
            with uninterrupted():
                step()
                logged = at.step % config.log_every == 0 and done < 1
                if logged and time.perf_counter() - last_save >= config.save_every:
                    keep()
                    last_save = time.perf_counter()


@contextmanager
def _on(kind: type[BaseException], act: Callable[[], None]) -> Generator[None]:
    """Act, undisturbed, before an exception of this kind leaves."""
    try:
        yield
    except kind:
        with uninterrupted():
            act()
        raise


def _schedule(done: float, warmup: float) -> float:
    """Share of the peak learning rate: linear warm-up, then a cosine."""
    if done < warmup:
        return max(done / warmup, FLOOR)
    return FLOOR + (1 - FLOOR) * 0.5 * (1 + math.cos(math.pi * (done - warmup) / (1 - warmup)))


def _share_done(budget: StageConfig, at: state.Progress) -> float:
    """Share of the stage's budget that is spent, of steps or of time, whichever is further."""
    by_steps = at.step / budget.steps if budget.steps is not None else 0.0
    by_time = at.stage_seconds / budget.seconds if budget.seconds is not None else 0.0
    return max(by_steps, by_time)
