"""A film of a trained agent: what it sees, what its plan imagines, and what it does.

In a world that can be judged, the agent goes to sampled goals. Anywhere else, stretches of held-out episodes are shown beside
what the model imagined from their first frame on, given the actions that were taken. The model has no pixel decoder: an
imagined latent is shown as the recorded frame whose latent is nearest, and every picture says so.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from armillary import kinds
from armillary.acting.agent import Agent
from armillary.device import one_thread
from armillary.episodes.store import Episodes
from armillary.errors import ArmillaryError, expect
from armillary.evaluation.control.pairs import DEVELOPMENT_SEED, TEST_SEED
from armillary.evaluation.report.animation import GREEN, MUTED, draw_action, draw_page, gif, mp4
from armillary.evaluation.report.imagined import Gallery, imagined_recording, make_gallery, shown_stream
from armillary.evaluation.run import open_run, world_and_pairs
from armillary.files import require_writable, write_whole
from armillary.latents import learned_from
from armillary.model.world_model import WorldModel
from armillary.worlds.world import names

NOTE = "Imagined: the recorded frame whose latent is nearest to the imagined latent. The model has no pixel decoder."
BLOCKS = 20
"""Action blocks of a stretch of a recording."""
ENDINGS = {".gif": gif, ".mp4": mp4}


@dataclass
class Played:
    """What was filmed."""

    video: Path
    frames: int
    goals: int
    """goals that the agent went to; 0 for a recording"""
    held: int
    """goals that it reached and held"""

    def __str__(self) -> str:
        """In a line."""
        return f"{self.goals} goals, {self.held} reached and held" if self.goals else "held-out episodes of the recording"


def play(
    run: str | Path,
    video: str | Path,
    *,
    recording: str | Path | None = None,
    world: str | Callable[..., Any] | None = None,
    goals: int = 3,
    constraints: Mapping[str, Any] | None = None,
    fps: float = 5.0,
    seed: int = 0,
    device: str = "auto",
) -> Played:
    """Write a video (.mp4) or an animation (.gif) of the run's agent.

    Args:
        run, recording, world, constraints, device: as for `evaluate_run`.
        goals: number of goals, or of stretches of the recording.
        fps: env steps a second of the video; action blocks for a recording.
        seed: of the goals, which are development pairs, and of the agent.

    Raises:
        ArmillaryError: no run there, another suffix, nothing in it that can be drawn, or pairs that cannot be drawn.
    """
    video = Path(video)
    if video.suffix not in ENDINGS:
        raise ArmillaryError(f"expected a video that ends in {' or '.join(ENDINGS)}, got {video.name!r}")
    require_writable(video)
    if goals < 1 or not fps > 0 or not 0 <= seed < TEST_SEED - DEVELOPMENT_SEED:
        raise ArmillaryError(f"expected goals from 1, fps above 0 and a seed from 0 to 9999; got {goals}, {fps:g} and {seed}")
    model, episodes = open_run(Path(run), recording, device)
    if shown_stream(model.spec) is None:
        senses = ", ".join(stream.name for stream in model.spec.observed)
        raise ArmillaryError(f"expected a stream that can be drawn, such as images; {run} senses {senses}")
    gallery = make_gallery(model, episodes, learned_from(model, episodes))
    with one_thread(model.config.is_small):
        if world is None and episodes.info.get("world") not in names():
            pages, held = _recording(model, episodes, gallery, goals), 0
            goals = 0
        else:
            pages, held = _goals(run, model, episodes, gallery, world, goals, constraints or {}, seed, device)
    video.parent.mkdir(parents=True, exist_ok=True)
    write_whole(video, ENDINGS[video.suffix](pages, 1000 / fps))
    return Played(video, len(pages), goals, held)


def _goals(
    run: str | Path,
    model: WorldModel,
    episodes: Episodes,
    gallery: Gallery,
    world: str | Callable[..., Any] | None,
    goals: int,
    constraints: Mapping[str, Any],
    seed: int,
    device: str,
) -> tuple[list[Any], int]:
    """A page for each env step towards these goals, all at once, and how many were held."""
    under = DEVELOPMENT_SEED + seed
    recorded_under = model.provenance.get("recording_seed")
    judged, pairs = world_and_pairs(episodes.info, goals, constraints, recorded_under, under, world)
    agent = Agent.load(run, device=device, seed=seed)
    stream = expect(shown_stream(model.spec), "a model with a stream that can be drawn")
    space, skip = model.spec.action, model.config.skip
    low, high = (space.low, space.high) if space.kind == "box" else ([0.0], [space.n - 1.0])

    def drawn(observation: Mapping[str, np.ndarray]) -> np.ndarray:
        return kinds.of(stream).draw(stream, observation[stream.name])

    wanted = judged.render_states(pairs.goal)
    agent.start(range(goals), wanted)
    goal = drawn(wanted)
    observation, _ = judged.reset(options={"state": pairs.start})
    titles = ["goal", "it sees", "imagines next", "imagines at the end", "it does"]
    pages, rows, outlines = [], [[]] * goals, [[]] * goals
    held, began = np.ones(goals, bool), 0
    for step in range(int(pairs.budget.max()) + 1):
        there, seen, action = judged.success(judged.state, pairs.goal), drawn(observation), agent.act(observation)
        held &= there | (step <= pairs.budget - pairs.hold) | (step > pairs.budget)
        began = step if expect(action.decided, "an agent that decides").any() else began
        nearest = gallery.nearest(expect(action.plan, "a plan").latents.cpu().numpy())
        for i in np.flatnonzero(step <= pairs.budget):  # the last picture stays
            ahead = gallery.frames[nearest[i, (step - began) // skip]], gallery.frames[nearest[i, -1]]
            rows[i] = [goal[i], seen[i], *ahead, draw_action(np.atleast_1d(action.values[i]), low, high)]
            outlines[i] = [MUTED, GREEN if there[i] else MUTED, MUTED, MUTED, MUTED]
        pages.append(draw_page(titles, rows, outlines, note=f"Green: at the goal. {NOTE}"))
        observation, *_ = judged.step(action.values)
    return pages, int(held.sum())


def _recording(model: WorldModel, episodes: Episodes, gallery: Gallery, count: int) -> list[Any]:
    """A page for each action block of held-out episodes."""
    shown = imagined_recording(model, episodes, model.provenance["held_out"], gallery, BLOCKS, count)
    if not shown:
        raise ArmillaryError(f"expected a held-out episode of more than {BLOCKS} action blocks, and there is none to show")
    titles = ["what happened", "what it imagined"]
    return [
        draw_page(titles, [[each.real[t], each.imagined[t]] for each in shown], [[MUTED, MUTED]] * len(shown), note=NOTE)
        for t in range(BLOCKS + 1)
    ]
