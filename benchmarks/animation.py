"""The animation of README: what an agent did, beside what its model imagines from the first frame with the same actions.

    armillary demo --out runs/demo
    python benchmarks/animation.py runs/demo --out docs/images/two_room.gif

The model has no decoder. What is shown for an imagined latent is the recorded frame whose latent is nearest.
"""

from pathlib import Path

import numpy as np
import torch
import tyro

import armillary as arm
from armillary.evaluation.report.animation import animate
from armillary.evaluation.report.imagined import Imagined, make_gallery
from armillary.imagination import Context
from armillary.latents import encode_frames


def main(run: tyro.conf.Positional[Path], out: Path, pairs: int = 4, blocks: int = 12, seed: int = 3) -> None:
    """Let the agent of a run of two_room cross to the other room, and write a GIF.

    Args:
        run: folder of the run, with its recording beside the checkpoint.
        out: file of the GIF.
        pairs: episodes, one after another.
        blocks: action blocks of an episode.
        seed: of starts and goals.
    """
    agent, episodes = arm.Agent.load(run), arm.Episodes.open(run / "recording")
    world = arm.make("two_room", num_envs=pairs, autoreset_mode="Disabled")
    start, goal = world.sample_pairs(pairs, np.random.default_rng(seed), cross=True)
    wanted = world.render_states(goal)
    seen, _ = world.reset(seed=20_000, options={"state": start})
    agent.start(range(pairs), wanted)
    first, frames, actions = seen, [seen["image"].copy()], []
    for step in range(1, blocks * agent.model.config.skip + 1):
        actions.append(agent.act(seen).values)
        seen, *_ = world.step(actions[-1])
        if step % agent.model.config.skip == 0:
            frames.append(seen["image"].copy())
    held = world.success(world.state, goal)

    model, gallery = agent.model, make_gallery(agent.model, episodes, np.arange(len(episodes)))
    done = torch.from_numpy(np.stack(actions, 1).reshape(pairs, 1, blocks, -1)).to(model.device)
    with torch.inference_mode():
        z = encode_frames(model, {name: first[name] for name in model.perception.streams})[:, None]
        imagined = model.rollout(Context(z, done.new_zeros(pairs, 0, done.shape[-1])), done).z[:, 0]
    found = gallery.frames[gallery.nearest(imagined.cpu().numpy())]
    real = np.stack(frames, 1)
    shown = [
        Imagined(real[i], np.concatenate([real[i, :1], found[i]]), goal=wanted["image"][i], success=bool(held[i]))
        for i in range(pairs)
    ]
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(animate(shown, together=1))


if __name__ == "__main__":
    tyro.cli(main)
