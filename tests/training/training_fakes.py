"""A recording of a dot that is pushed about, and a model small enough to be trained on it in a test."""

from pathlib import Path

import numpy as np
import torch

from armillary.episodes.clips import Clips
from armillary.episodes.store import Episode, Episodes
from armillary.model.config import ModelConfig
from armillary.model.world_model import WorldModel
from armillary.objectives.inverse import Inverse
from armillary.objectives.prediction import Prediction
from armillary.objectives.sigreg import SIGReg
from armillary.objectives.term import TermConfig
from armillary.spec import ActionSpace, Spec, Stream
from armillary.training.stages import StageConfig

SPEC = Spec(
    (Stream("image", "image", (16, 16, 1)), Stream("place", "vector", (2,))),
    ActionSpace("box", 2, (-1.0, -1.0), (1.0, 1.0)),
)
STAGES = tuple(StageConfig(kind, steps=12, batch=16) for kind in ("joint", "dynamics", "critic"))


def record(path: Path, episodes: int = 24, rows: int = 13, seed: int = 0) -> Episodes:
    """A dot in an image of 16 px, whose place each action is added to."""
    rng, pixels, recorded = np.random.default_rng(seed), np.arange(16), []
    for _ in range(episodes):
        place, actions, places = rng.uniform(3, 12, 2), [], []
        for _ in range(rows):
            places.append(place)
            after = np.clip(place + rng.uniform(-1, 1, 2), 3, 12)
            actions.append(after - place)
            place = after
        places = np.stack(places)
        far = (pixels[:, None] - places[:, 1, None, None]) ** 2 + (pixels - places[:, 0, None, None]) ** 2
        images = (255 * np.exp(-far / 4)).astype(np.uint8)[..., None]
        seen = {"image": images, "place": places.astype(np.float32)}
        recorded.append(Episode(seen, np.stack(actions[:-1]).astype(np.float32)))
    store = Episodes.create(path, SPEC)
    store.append(*recorded)
    return store


def new_model(seed: int = 0, clips_per_episode: int = 2, **terms: TermConfig) -> WorldModel:
    torch.manual_seed(seed)
    objective = {
        "prediction": Prediction(rollout=2),
        "sigreg": SIGReg(slices=16, episode_dims=2),
        "inverse": Inverse(),
        **terms,
    }
    small = {"image_size": 16, "width": 4, "projector": 16, "latent": 4, "predictor_width": 16}
    return WorldModel(SPEC, ModelConfig(**small, clips_per_episode=clips_per_episode, objective=objective))


def clips_of(store: Episodes, length: int = 3, **options) -> Clips:
    return Clips(store, length, **options)
