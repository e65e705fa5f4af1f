"""A model that knows the two-room world, and a world of one angle, small enough to be wrong on purpose."""

from types import SimpleNamespace

import numpy as np
import torch

from armillary.imagination import Rollout
from armillary.model.config import ModelConfig
from armillary.model.world_model import WorldModel
from armillary.spec import ActionSpace, Spec, Stream

STEP = 12.5 / 64


class Known(WorldModel):
    """Its latent is the agent's position, read from the redness of the image; it imagines without walls."""

    def __init__(self, spec, gain=STEP):
        super().__init__(spec, ModelConfig(latent=2, projector=8, predictor_width=8, width=4))
        self.gain = gain

    def encode(self, observations, present=None):
        image = observations["image"].float()
        weight = (image[..., 0] - image[..., 1]).clamp(min=0)
        grid = (torch.arange(image.shape[2]) + 0.5) / image.shape[2]
        total = weight.sum((2, 3))
        x, y = (weight.sum(axis) @ grid / total for axis in (2, 3))
        return torch.stack([x, y], -1)

    def predict(self, z, actions):
        return z + self.gain * actions

    def surprise(self, z, actions):
        return (self.predict(z[:, :-1], actions) - z[:, 1:]).square().mean(-1)

    def rollout(self, context, blocks):
        return Rollout(context, blocks, context.z[:, None, -1:] + self.gain * blocks.cumsum(2))

    def untrained(self):
        return Known(self.spec, gain=0.0)


class Dial:
    """One hand on a dial: the state is [angle, goal-independent spare]; actions turn it by up to 0.3 rad.

    `wraps` makes its success compare raw angles, and its stream show them wrapped.
    """

    name, version, any_state = "dial", "1", True
    turn, near = 0.3, 0.2

    def __init__(self, num_envs=8, wraps=False, near=None):
        self.num_envs, self.wraps, self.near = num_envs, wraps, near or self.near
        self.metadata = {"autoreset_mode": SimpleNamespace(name="DISABLED")}
        image = Stream("image", "image", (1, 1, 3))
        angle = Stream("angle", "vector", (1,), unit=("rad",), truth=True)
        self.stream_spec = Spec((image, angle), ActionSpace("box", 1, (-1.0,), (1.0,)))

    def _gap(self, state, goal):
        return (goal - state + np.pi) % (2 * np.pi) - np.pi

    def sample_pairs(self, n, rng, min_distance=0.0):
        start = rng.uniform(-np.pi, np.pi, (n, 1))
        return start, rng.uniform(-np.pi, np.pi, (n, 1))

    def shortest_path(self, start, goal):
        return np.abs(self._gap(start, goal))[:, 0] / self.turn

    def oracle(self, state, goal):
        return np.clip(self._gap(state, goal) / self.turn, -1, 1)

    def success(self, state, goal):
        gap = goal - state if self.wraps else self._gap(state, goal)
        return np.abs(gap)[:, 0] < self.near

    def render_states(self, states):
        shown = (states + np.pi) % (2 * np.pi) - np.pi if self.wraps else states
        return {"image": np.zeros((len(states), 1, 1, 3), np.uint8), "angle": shown.astype(np.float32)}

    def reset(self, *, seed=None, options=None):
        self.state = np.array(options["state"], float)
        return self.render_states(self.state), {}

    def step(self, actions):
        self.state = self.state + self.turn * np.clip(actions, -1, 1)
        return self.render_states(self.state), None, None, None, {}
