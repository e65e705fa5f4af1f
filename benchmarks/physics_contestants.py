"""Train a contestant of the physics exam and examine it: one family and seed, on the recording that the latent model has.

    armillary record physics out/physics --episodes 6000 --steps 47 --options hand=false
    python benchmarks/physics_contestants.py pixel out/physics --out results/physics
    python benchmarks/physics_contestants.py tokens out/physics --out results/physics
    python benchmarks/physics_contestants.py latent-tokens out/physics --run runs/physics --out results/physics

`contestants/` says what the families are. Time is CPU time of the process, on one thread. For `latent-tokens`, the time of the
run's encoder comes on top, and the untrained networks have its latents, too. Episodes that a run of the same seed holds out are
held out here. The weights and the raw result, FAMILY-SEED.safetensors and .json, go to `--out`.
"""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import tyro
from contestants.contestant import Contestant, Training, scorer, train
from contestants.pixel import Pixel
from contestants.tokenizers import FrameTokenizer, LatentTokenizer, codebook_use
from contestants.tokens import Tokens

from armillary.device import one_thread
from armillary.episodes.split import split
from armillary.episodes.store import Episodes
from armillary.errors import ArmillaryError
from armillary.evaluation.control.pairs import DEVELOPMENT_SEED, TEST_SEED
from armillary.evaluation.surprise.evaluate import evaluate_scorer
from armillary.files import as_json, write_whole
from armillary.model.world_model import WorldModel
from armillary.provenance import commit, machine
from armillary.weights import write
from armillary.worlds.scenes import Scenes
from armillary.worlds.world import make_named

FRAMES = 48
SHOWN = 40
"""Held-out episodes, at most, of which the use of the codebook is counted."""


@dataclass
class Args:
    """Train one contestant and examine it."""

    family: tyro.conf.Positional[Literal["pixel", "tokens", "latent-tokens"]]
    """what is learned"""
    recording: tyro.conf.Positional[Path]
    """episodes of the physics world, of 48 frames"""
    run: Path | None = None
    """the latent model's run, whose latents `latent-tokens` predicts"""
    side: Literal[4, 8] = 4
    """patches along a side of a frame, of `tokens`; each has a token"""
    end_to_end: bool = False
    """the encoder of `pixel` goes on learning with the predictor"""
    training: Training = field(default_factory=Training)
    """how it is trained"""
    seed: int = 0
    """of weights, batches and the split"""
    held_out: float = 0.1
    """share of the episodes that no contestant learns from"""
    scenes: int = 60
    """of each property and difficulty"""
    varieties: tuple[str, ...] = ("seen", "held_out")
    """of the exam's scenes"""
    development: bool = False
    """the scenes to choose settings by, not those to report on"""
    untrained: int = 3
    """networks of the untrained row"""
    out: Path | None = None
    """folder of the weights and the result; none is written by default"""


def contestant(args: Args) -> Contestant:
    """A new one of the family.

    Raises:
        ArmillaryError: it needs a run and there is none.
    """
    if args.family == "pixel":
        return Pixel(end_to_end=args.end_to_end)
    if args.family == "tokens":
        return Tokens(FrameTokenizer(args.side))
    if args.run is None:
        raise ArmillaryError("expected the latent model whose latents are predicted, got none; add --run FOLDER")
    model = WorldModel.load(args.run, "cpu")
    return Tokens(LatentTokenizer(model.perception, model.width), width=72)  # of equal size with the encoder


def clips_of(episodes: Episodes, which: np.ndarray) -> np.ndarray:
    """The images (E, 48, 64, 64, 3) uint8 of episodes of 48 frames.

    Raises:
        ArmillaryError: an episode is of another length.
    """
    if (wrong := episodes.lengths[which] != FRAMES).any():
        length = int(episodes.lengths[which][wrong][0])
        raise ArmillaryError(f"expected episodes of {FRAMES} frames, got one of {length}; record with --steps {FRAMES - 1}")
    clips = np.empty((len(which), FRAMES, *episodes.stream("image").shape), np.uint8)
    for clip, number in zip(clips, which.tolist(), strict=True):
        clip[:] = episodes.read(number, streams=["image"])["image"]
    return clips


def examined(args: Args, one: Contestant, episodes: Episodes) -> dict[str, Any]:
    """The exam's result by variety."""
    asked: list[Callable[[Scenes], dict[str, np.ndarray]]] = []
    for number in range(args.untrained):
        torch.manual_seed(args.seed + number)
        asked.append(scorer(contestant(args)))
    seed, results = DEVELOPMENT_SEED if args.development else TEST_SEED, {}
    for variety in args.varieties:
        options = {**(episodes.info.get("options") or {}), "variety": variety}
        world = make_named("physics", options, num_envs=1, max_steps=None, autoreset_mode="Disabled")
        result = evaluate_scorer(scorer(one), world.scenes(args.scenes, seed, 1), asked)
        for name, row in result.rows.items():
            mean = np.mean([some.relative.value for some in row.values()])
            print(f"{variety}, {name}: {100 * mean:.1f}% of sets", flush=True)
        results[variety] = result.to_json()
    return results


def main(args: Args) -> dict[str, Any]:
    """Train, examine and write what came out, which is returned."""
    episodes = Episodes.open(args.recording)
    which, held = split(episodes, args.held_out, seed=args.seed)
    torch.manual_seed(args.seed)
    one, clips = contestant(args), clips_of(episodes, which)
    with one_thread():
        began = time.process_time()
        drawn = train(one, clips, args.training, args.seed, lambda line: print(line, flush=True))
        facts = {"cpu_seconds": time.process_time() - began, "parameters": sum(p.numel() for p in one.parameters())}
        facts |= {"episodes": len(which), "clips": drawn}
        if isinstance(one, Tokens):
            with torch.no_grad():
                tokens = one.see(torch.from_numpy(clips_of(episodes, held[:SHOWN])).flatten(0, 1))
            facts["codebook"] = codebook_use(tokens, one.tokenizer.fsq.codes)
        facts["exam"] = examined(args, one, episodes)
    facts |= {"settings": {name: value for name, value in asdict(args).items() if not isinstance(value, Path)}}
    facts |= {"recording_hash": episodes.content_hash(), "machine": machine(), "commit": commit()}
    if args.out is not None:
        at = args.out / f"{args.family}-{args.seed}"
        write(at.with_suffix(".safetensors"), one.state_dict(), {"family": args.family, "seed": args.seed})
        write_whole(at.with_suffix(".json"), as_json(facts, indent=1) + "\n")
    return facts


if __name__ == "__main__":
    main(tyro.cli(Args))
