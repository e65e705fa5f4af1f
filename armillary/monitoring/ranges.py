"""What lies outside the range that a model was trained on: controls of a plan, and sensors where it begins."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from armillary.episodes.store import Episodes
from armillary.latents import dense, learned_from
from armillary.model.world_model import WorldModel
from armillary.spec import ActionSpace, Stream

SLACK = 0.01
"""Of a recorded range, by which a control may be beyond it."""
START_SLACK = 0.1
"""Of a recorded range, by which a sensor may be beyond it at the start: there is noise in it."""


def plan_within(
    model: WorldModel, episodes: Episodes, actions: Float[np.ndarray, "t n"]
) -> tuple[Float[np.ndarray, "t n"], Float[np.ndarray, "h 1"], list[str]]:
    """The plan within the recorded range of each control; by how many ranges it has left that up to each block; what did so."""
    space, of = model.spec.action, learned_from(model, episodes)
    taken = np.concatenate([dense(space, episodes.actions(int(number))) for number in of])
    low, high = taken.min(0), taken.max(0)
    width = np.where(high > low, high - low, np.maximum(np.abs(low), np.abs(high)))
    width = np.where(width > 0, width, 1.0)
    excess = np.maximum(np.maximum(low - actions, actions - high) / width, 0)
    excess[excess <= SLACK] = 0
    outside = []
    for control in np.flatnonzero(excess.any(0)):
        row = int(excess[:, control].argmax())
        if space.kind == "discrete":
            outside.append(f"choice {control} of the plan was never taken in the recording")
        else:
            name, value = action_names(space)[control], actions[row, control]
            outside.append(f"{name} is {value:g} in row {row} of the plan, recorded: {low[control]:g} to {high[control]:g}")
    worst = np.maximum.accumulate(excess.max(1))[model.config.skip - 1 :: model.config.skip]
    within = actions if space.kind == "discrete" else np.clip(actions, low, high)
    return within, worst[:, None], outside


def start_outside(model: WorldModel, episodes: Episodes, sensed: dict[str, np.ndarray]) -> list[str]:
    """Which sensors are outside what the training part shows, where the plan begins."""
    of = learned_from(model, episodes)
    rows = np.concatenate([episodes.starts[e] + np.arange(episodes.lengths[e]) for e in of])
    outside = []
    for name, values in sensed.items():
        stream, shown = episodes.spec[name], episodes.read_rows(rows, [name])[name].astype(np.float64)
        low, high = np.nanmin(shown, axis=0), np.nanmax(shown, axis=0)
        slack = START_SLACK * (high - low) + np.finfo(np.float32).eps * np.maximum(np.abs(low), np.abs(high))
        for i in np.flatnonzero((values < low - slack) | (values > high + slack)):
            if i not in stream.angles:
                value, least, most = (f"{stream.in_units(x)[i]:.{9 if stream.offset else 6}g}" for x in (values, low, high))
                named, span = channel_names(stream)[i], f"{least} to {most}"
                outside.append(f"{named} is {value} where the plan begins, recorded: {span}")
    return outside


def action_names(space: ActionSpace) -> tuple[str, ...]:
    """What the columns of a plan are called."""
    if space.kind == "discrete":
        return ("action",)
    return space.channels or tuple(f"action {i}" for i in range(space.n))


def channel_names(stream: Stream) -> Sequence[str]:
    """What the channels of a vector are called."""
    if stream.channels:
        return stream.channels
    return [stream.name] if stream.shape[0] == 1 else [f"{stream.name} {i}" for i in range(stream.shape[0])]
