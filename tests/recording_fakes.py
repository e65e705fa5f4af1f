"""A recording of a point that is pushed about, and models that know it, or nothing, or have collapsed."""

import numpy as np
import torch

from armillary.episodes.store import Episode, Episodes
from armillary.imagination import Rollout
from armillary.model.config import ModelConfig
from armillary.model.world_model import WorldModel
from armillary.spec import ActionSpace, Spec, Stream


def spec(rate=10.0):
    streams = (
        Stream("state", "vector", (2,)),
        Stream("place", "vector", (2,), unit=("m", "m"), truth=True),
        Stream("heading", "vector", (1,), unit=("rad",), truth=True),
        Stream("fixed", "vector", (1,), truth=True),
    )
    return Spec(streams, ActionSpace("box", 2, (-1.0, -1.0), (1.0, 1.0)), rate)


def record(path, episodes=6, length=41, rate=10.0, seed=0):
    """A point goes round in circles, and each action is added to its place. `heading` is its angle, wrapped."""
    store, rng = Episodes.create(path, spec(rate)), np.random.default_rng(seed)
    for _ in range(episodes):
        angle = rng.uniform(0, 2 * np.pi) + 0.15 * np.arange(length)
        place = np.stack([np.cos(angle), np.sin(angle)], 1) * rng.uniform(1, 3) + 0.05 * rng.normal(size=(length, 2))
        truth = {"place": place, "heading": (np.arctan2(*place.T[::-1]))[:, None], "fixed": np.ones((length, 1))}
        truth = {name: values.astype(np.float32) for name, values in truth.items()}
        store.append(Episode({"state": truth["place"]}, np.diff(place, axis=0).astype(np.float32), truth, {"seed": seed}))
    return store


class Point(WorldModel):
    """The latent is the state itself, at scales that differ by a thousand; the action is added, `gain` times."""

    def __init__(self, rate=10.0, gain=1.0, scale=(1.0, 1000.0), skip=2):
        super().__init__(spec(rate), ModelConfig(latent=2, projector=8, predictor_width=8, skip=skip))
        self.gain, self.scale, self.rate = gain, torch.tensor(scale), rate

    def encode(self, observations, present=None):
        return observations["state"] * self.scale

    def _moved(self, actions):
        return self.gain * actions.unflatten(-1, (-1, 2)).sum(-2) * self.scale

    def predict(self, z, actions):
        return z + self._moved(actions)

    def surprise(self, z, actions):
        return (self.predict(z[:, :-1], actions) - z[:, 1:]).square().mean(-1)

    def rollout(self, context, actions):
        return Rollout(context, actions, context.z[:, None, -1:] + self._moved(actions).cumsum(2))

    def untrained(self):
        return Point(self.rate, gain=-1.0, skip=self.config.skip)
