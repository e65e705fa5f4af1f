"""How long does a decision take here? From an observation in the host's memory to an action in it, part by part.

- encode: what is seen, to a latent;
- plan: the search;
- transfer: the observation to the model's device, and all that is left: short-term memory and the action's way back.

`captured`, encode and plan are one graph on a GPU, and told as one part.

An `Agent` with the default planner decides again and again; every decision is timed, after some that are not. Clocks are read
when the device is done, so that no part is counted as another's. Untrained models decide as fast as trained ones.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.table import Table

from armillary.acting.agent import Agent
from armillary.acting.config import AgentConfig, load_habit
from armillary.backends.low_precision import LowPrecision
from armillary.device import describe, one_thread, pick_device, synchronize
from armillary.errors import ArmillaryError, expect
from armillary.evaluation.judge import peak_memory_mb
from armillary.files import as_json, write_whole
from armillary.model.config import ModelConfig, Size
from armillary.model.world_model import WorldModel
from armillary.planning.cem import CEM
from armillary.provenance import machine
from armillary.spec import ActionSpace, Spec, Stream

WARM_UP = 10
"""Decisions that are not timed: the first ones fill caches and short-term memory."""
LOOKS = 8
"""Random observations that are seen in turn."""
PARTS = ("encode", "plan", "transfer", "decision")
LEWM = CEM(horizon=5, samples=300, iterations=30, elites=30, sigma=1.0, narrowest=1.0, floor=0.0)
"""How LeWM plans (arXiv 2603.19312), for the size that is LeWM's, which imagines in low precision."""


@dataclass
class Speed:
    """One model on one device."""

    model: str
    parameters: int
    image: str
    """px of the images as the model takes them"""
    threads: int
    precision: str
    planner: str
    batch: int
    decisions: int
    """calls that were timed, each of which decides for the whole batch"""
    milliseconds: dict[str, dict[str, float]]
    """p50, p95 and p99 of one call, by part; `decision` is all of it, `encode` 0 where it is a part of `plan`"""
    captured: bool
    """whether encode and plan were to be one graph, which they are on CUDA devices"""
    per_second: float
    """decisions a second, those of a batch counted singly"""
    growth_mb: float
    """of the process's memory, over all timed decisions"""
    hz: float | None = None
    """of a control loop that the decisions have to fit into"""
    late: int | None = None
    """decisions that took longer than a tick of that loop"""

    def __str__(self) -> str:
        """All but the times, in a sentence, and whether decisions fit into the loop."""
        return (
            f"{self.model}: {self.per_second:.0f} decisions/s, {self.batch} at a time; memory {self.growth_mb:+.1f} MB over "
            f"{self.decisions}; {self.parameters:,} parameters, images {self.image} px, {self.precision}, "
            f"CPU threads: {self.threads}; {'captured, ' * self.captured}{self.planner}"
            f"{'' if self.hz is None else f'{chr(10)}{self.loop()}'}"
        )

    def loop(self) -> str:
        """Whether decisions fit into a loop at `hz`."""
        hz, late = expect(self.hz, "a rate"), expect(self.late, "late decisions")
        fits = "fits" if late == 0 else "does not fit: ticks are missed"
        return (
            f"{self.model}: a loop at {hz:g} Hz {fits}; p99 {self.milliseconds['decision']['p99']:.1f} ms of "
            f"{1e3 / hz:.1f} ms, {late} of {self.decisions} decisions late ({late / self.decisions:.1%})"
        )


@dataclass
class Speeds:
    """What `measure_speed` found."""

    rows: list[Speed]
    facts: dict[str, Any]

    def save(self, path: str | Path) -> None:
        """Write it as JSON, whole or not at all."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, as_json(asdict(self), indent=1) + "\n")

    def table(self) -> Table:
        """For a terminal."""
        table = Table("model", "ms to", *self.rows[0].milliseconds["decision"])
        for row in self.rows:
            for part, cuts in row.milliseconds.items():
                table.add_row(row.model, part, *(f"{value:.2f}" for value in cuts.values()))
            table.add_section()
        table.caption = "\n".join((*map(str, self.rows), f"on {self.facts['device']}; {self.facts['machine']}"))
        return table


def measure_speed(
    run: str | Path | None = None,
    *,
    sizes: Sequence[Size] = ("nano", "tiny"),
    decisions: int = 200,
    batch: int = 1,
    seed: int = 0,
    device: str = "auto",
    captured: bool = False,
    hz: float | None = None,
) -> Speeds:
    """Time decisions of the model in `run`, or of untrained models of these sizes that see one camera.

    Args:
        run: a checkpoint or a run's folder, which is acted with as it says.
        sizes: of untrained models; they are left alone where there is a run.
        decisions: that are timed.
        batch: environments that are decided for at once.
        seed: of observations, weights and planners.
        device: auto, cpu, cuda or mps.
        captured: decide in one recorded graph, from what is seen to the plan, where the device can.
        hz: ticks a second of a control loop; decisions that take longer than a tick are counted as late.

    Raises:
        ArmillaryError: no model there, no such device, or nothing to time.
    """
    if min(decisions, batch) < 1 or seed < 0 or not (run or sizes):
        raise ArmillaryError(
            f"speed takes 1 decision or more, a batch of 1 or more, a seed from 0 and some size; "
            f"got {decisions} decisions, batch {batch}, seed {seed}, sizes {tuple(sizes)}"
        )
    if hz is not None and not 0 < hz < math.inf:
        raise ArmillaryError(f"expected a rate above 0 Hz, got {hz:g}")
    where = pick_device(device)
    if run is not None:
        models = {str(run): WorldModel.load(run, device)}
    else:
        models = {f"{size}, untrained": _untrained(size, seed).to(where) for size in sizes}
    rows = []
    for name, model in models.items():
        lewm = run is None and name.startswith("base")
        config = AgentConfig(LEWM) if lewm else AgentConfig.of(model)
        how: dict[str, Any] = {
            "imagination": LowPrecision(model) if lewm else None,
            "execute": config.execute,
            "captured": captured,
        }
        if run is not None:
            how["habit"] = load_habit(run, model, config)
        with one_thread(model.config.is_small):
            agent = _Timed(model, config.planner, config.cost, seed=seed, **how)
            rows.append(_timed(name, agent, batch, decisions, seed, captured, hz))
    facts = {"device": describe(where), "machine": machine(), "torch": torch.__version__, "numpy": np.__version__}
    return Speeds(rows, {**facts, "seed": seed})


def _untrained(size: Size, seed: int) -> WorldModel:
    """A model of images at its own size, and two actions; LeWM's size acts in blocks of five."""
    config = ModelConfig.sized(size, skip=5 if size == "base" else 1)
    side = expect(config.image_size, "a size of images")
    space = ActionSpace("box", 2, (-1.0, -1.0), (1.0, 1.0))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = WorldModel(Spec((Stream("image", "image", (side, side, 3)),), space), config)
        model.actions.fit(2 * torch.rand(1000, model.actions.size) - 1)
    return model.eval()


class _Timed(Agent):
    """Waits for the device when it has encoded, so that `encode_seconds` is what encoding takes."""

    def _encode(self, seen: dict[str, Any]) -> torch.Tensor:
        z = super()._encode(seen)
        synchronize(self.model.device)
        return z


def _timed(name: str, agent: Agent, batch: int, decisions: int, seed: int, captured: bool, hz: float | None) -> Speed:
    model, skip = agent.model, agent.model.config.skip
    seen = _observations(model.spec, batch, seed)
    agent.start(range(batch), seen[-1])
    seconds = np.full((decisions, len(PARTS)), np.nan)  # filled, so that all its memory is there before any is measured
    for decision in range(-min(WARM_UP, 2 * decisions), decisions):
        if decision == 0:
            before = _memory_mb()
        began = time.perf_counter()
        there = {stream: torch.as_tensor(values, device=model.device) for stream, values in seen[decision % LOOKS].items()}
        synchronize(model.device)
        agent.act(there)
        whole = time.perf_counter() - began
        if decision >= 0:
            encode, plan = agent.decisions.encode_seconds[-1], agent.decisions.plan_seconds[-1]
            seconds[decision] = encode, plan, whole - encode - plan, whole
        for _ in range(skip * agent.execute - 1):  # the rest of what is executed, which is not decided anew
            agent.act(there)
    growth = _memory_mb() - before
    cuts = {f"p{percent}": 1e3 * np.percentile(seconds, percent, axis=0) for percent in (50, 95, 99)}
    size, pictures = model.config.image_size, [s for s in model.spec.observed if s.is_picture]
    images = sorted({side for s in pictures for side in ((size,) if size else s.shape[:2])})
    return Speed(
        model=name,
        parameters=sum(p.numel() for p in model.parameters()),
        image=", ".join(map(str, images)) or "none",
        threads=torch.get_num_threads(),
        precision="float32" + ", imagines in bfloat16 where the device can" * isinstance(agent.imagination, LowPrecision),
        planner=repr(agent.planner),
        batch=batch,
        decisions=decisions,
        milliseconds={part: {p: float(cut[i]) for p, cut in cuts.items()} for i, part in enumerate(PARTS)},
        per_second=float(batch * decisions / seconds[:, -1].sum()),
        captured=captured,
        growth_mb=growth,
        hz=hz,
        late=None if hz is None else int((seconds[:, -1] > 1 / hz).sum()),
    )


def _observations(spec: Spec, batch: int, seed: int) -> list[dict[str, np.ndarray]]:
    rng = np.random.default_rng(seed)

    def values(stream: Stream) -> np.ndarray:
        shape = (batch, *stream.shape)
        if stream.dtype == np.uint8:
            return rng.integers(0, 256, shape, np.uint8)
        return rng.standard_normal(shape, np.float32).astype(stream.dtype)

    return [{stream.name: values(stream) for stream in spec.observed} for _ in range(LOOKS)]


def _memory_mb() -> float:
    """What this process holds now, in MB; where the system has no /proc, the most that it has held."""
    said = Path("/proc/self/status")
    if not said.exists():
        return peak_memory_mb()
    return int(said.read_text().split("VmRSS:")[1].split()[0]) * 1024 / 1e6
