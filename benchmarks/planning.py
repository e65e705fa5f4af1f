"""How long does one decision take, from what is seen to what is done (encode + plan)?

    python benchmarks/planning.py                                   # an untrained model: its size is what counts
    python benchmarks/planning.py --checkpoint runs/demo --threads 2

Each setting decides `decisions` times on one thread. Beside it, the same rollouts are timed without a planner around them:
what is left is the planner's own cost. The raw result goes to --out FILE, where given.
"""

import json
import platform
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import tyro

from armillary.acting.agent import Agent
from armillary.costs import goal_cost
from armillary.imagination import Context
from armillary.model.config import ModelConfig
from armillary.model.world_model import WorldModel
from armillary.planning import CEM, MPPI, Planner, RandomShooting
from armillary.provenance import commit
from armillary.spec import ActionSpace, Spec, Stream


@dataclass
class Args:
    """Time decisions."""

    checkpoint: Path | None = None
    """a trained model; without one, an untrained model of the two-room world's streams"""
    latent: int = 32
    """width of the untrained model's latent"""
    width: int = 128
    """width of the untrained model's predictor"""
    decisions: int = 200
    """timed decisions of each setting, after 10 that are not"""
    threads: int = 1
    """CPU threads"""
    seed: int = 0
    """of observations, weights and planners"""
    out: Path | None = None
    """where the result goes, as JSON; none is written by default"""


def untrained(args: Args) -> WorldModel:
    """The nano model at the two-room world's shapes: 64 px images, two-dimensional actions."""
    torch.manual_seed(args.seed)
    spec = Spec((Stream("image", "image", (64, 64, 3)),), ActionSpace("box", 2, (-1.0, -1.0), (1.0, 1.0)))
    model = WorldModel(spec, ModelConfig.sized("nano", latent=args.latent, predictor_width=args.width))
    model.actions.fit(2 * torch.rand(1000, 2) - 1)
    model.add_term("critic")
    return model.eval()


def percentiles(seconds: list[float]) -> dict[str, float]:
    """Milliseconds at the percentiles that users ask for."""
    return {f"p{p}": round(float(np.percentile(seconds, p)) * 1e3, 3) for p in (5, 50, 95, 99)}


def decide(model: WorldModel, planner: Planner, critic: bool, envs: int, args: Args) -> dict:
    """Milliseconds to encode, to plan and in all, for one call that decides in `envs` environments."""
    rng = np.random.default_rng(args.seed)

    def look(n: int) -> dict[str, np.ndarray]:
        return {
            s.name: rng.integers(0, 256, (n, *s.shape), np.uint8)
            if s.kind == "image"
            else rng.standard_normal((n, *s.shape), np.float32)
            for s in model.spec.observed
        }

    agent = Agent(model, planner, goal_cost(model, "critic" if critic else "latent"), seed=args.seed)
    agent.start(range(envs), look(envs))
    for _ in range((10 + args.decisions) * model.config.skip):
        agent.act(look(envs))
    encode, plan = agent.decisions.encode_seconds[10:], agent.decisions.plan_seconds[10:]
    return {
        "planner": type(planner).__name__,
        "settings": asdict(planner),
        "cost": "critic" if critic else "latent",
        "envs": envs,
        "decision_ms": percentiles([a + b for a, b in zip(encode, plan, strict=True)]),
        "encode_ms": percentiles(encode),
        "plan_ms": percentiles(plan),
        "rollouts_ms": imagine(model, planner, envs, args),
        "model_calls": agent.decisions.model_calls[-1] // envs,
    }


@torch.inference_mode()
def imagine(model: WorldModel, planner: Planner, envs: int, args: Args) -> dict[str, float]:
    """Milliseconds of a plan's rollouts alone."""
    context = Context(torch.randn(envs, 1, model.config.latent), torch.zeros(envs, 0, model.actions.size))
    blocks = model.actions.decode(torch.randn(envs, planner.samples, planner.horizon, model.actions.dim))
    seconds = []
    for _ in range(args.decisions):
        began = time.perf_counter()
        for _ in range(getattr(planner, "iterations", 1)):
            model.rollout(context, blocks)
        seconds.append(time.perf_counter() - began)
    return percentiles(seconds)


def main(args: Args) -> None:
    torch.set_num_threads(args.threads)
    model = WorldModel.load(args.checkpoint, "cpu") if args.checkpoint else untrained(args)
    runs = [
        (CEM(), False, 1),
        (CEM(), False, 16),
        (CEM(horizon=4), True, 1),
        (CEM(horizon=8, samples=100, iterations=5, elites=10), False, 1),
        (MPPI(), False, 1),
        (RandomShooting(), False, 1),
    ]
    rows = [decide(model, *run, args) for run in runs if model.critic is not None or not run[1]]
    result = {
        "what": "latency of one decision (encode + plan)",
        "args": {name: str(value) if isinstance(value, Path) else value for name, value in asdict(args).items()},
        "model": asdict(model.config),
        "rows": rows,
        "cpu": platform.processor() or platform.machine(),
        "versions": {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__},
        "commit": commit(),
    }
    for row in rows:
        median = {part: row[f"{part}_ms"]["p50"] for part in ("decision", "encode", "plan", "rollouts")}
        print(f"{row['planner']:14} {row['cost']:6} {row['envs']:3} environments {row['model_calls']:5} steps: ", end="")
        print(f"{median['decision']:7.2f} ms (encode {median['encode']:.2f}, plan {median['plan']:.2f}, ", end="")
        print(f"of it rollouts {median['rollouts']:.2f}), p95 {row['decision_ms']['p95']:.2f} ms")
    if args.out is not None:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main(tyro.cli(Args))
