"""The shape of a model and what its training minimises: plain settings, kept in the checkpoint.

`size` is the one dial: nano (a laptop learns it in seconds), tiny, small, base (LeWM, arXiv 2603.19312: 18 M parameters).
"""

from dataclasses import dataclass, field, replace
from typing import Any, Literal

Size = Literal["nano", "tiny", "small", "base"]


@dataclass(frozen=True)
class Objective:
    """What training minimises. Weights that are 0 cost nothing."""

    prediction: float = 1.0
    """Weight of the prediction loss; 0 leaves dynamics to a stage of their own."""
    rollout: int = 3
    """Steps that the prediction loss looks ahead, open loop; 1 is teacher-forced at every step of the clip."""
    sigreg: float = 1.0
    """Weight of SIGReg (without the paper's factor N)."""
    slices: int = 64
    """Random directions a step for SIGReg."""
    per_step: bool = False
    """SIGReg at each step of the clips apart (LeWM), instead of on all latents pooled."""
    episode_dims: int = 0
    """SIGReg, once more, on this many first dimensions minus their mean over the episode; for worlds whose layout varies."""
    clips_per_episode: int = 1
    """Consecutive clips of a batch that come from one episode."""
    variance: float = 0.0
    """Weight of VICReg's variance term."""
    covariance: float = 0.0
    """Weight of VICReg's covariance term."""
    inverse: float = 0.0
    """Weight of inverse dynamics."""
    contrast: float = 0.0
    """Weight of temporal contrast."""
    contrast_gap: int = 2
    """Kept frames between the moments that temporal contrast matches."""
    egomotion: float = 0.0
    """Weight of egomotion."""
    odometry: str = "odometry"
    """Stream that tells egomotion where the robot went (`episodes.odometry`); it need not be sensed."""

    def frames(self, context: int) -> int:
        """Frames that a clip needs for all terms, with a predictor that looks back on `context`."""
        return max(context + self.rollout if self.prediction else 2, self.contrast_gap + 1 if self.contrast else 2)


@dataclass(frozen=True)
class ModelConfig:
    """The shape of a model. `sized` gives the four that are tested together."""

    image_size: int | None = 64
    """Images are reduced to this many pixels a side; None keeps the recording's size."""
    standardise_images: bool = False
    """Take each image minus the mean of each channel, over its spread: another light or ground then changes little."""
    encoder: Literal["convolutional", "vit"] = "convolutional"
    """Image encoder."""
    width: int = 64
    """Channels of the convolutional layers, or width of the vision transformer."""
    stem: Literal[4, 8] = 8
    """Patch of the convolutional encoder, in pixels."""
    depth: int = 12
    """Blocks of the vision transformer."""
    heads: int = 3
    """Attention heads of the vision transformer."""
    patch: int = 14
    """Patch of the vision transformer, in pixels."""
    scale: Literal["unit", "channel"] = "unit"
    """How vectors, signals, points and actions are scaled. unit: one standard deviation for all channels that share a unit, so
    that a joint that hardly moves stays small. channel: one for each channel, for sensors that are watched one by one."""
    drop_streams: float = 0.0
    """Chance of each stream to be left out of a training frame. Above 0, the model can do without some of its streams."""
    projector: int = 256
    """Hidden width of the projector. With 0, the latent is the standardised channels themselves, and perception learns nothing;
    for vectors alone, such as a machine's sensors, of which a learned latent would drop what nobody can foretell."""
    projector_depth: int = 1
    """Hidden layers of the projector."""
    latent: int = 32
    """Width of the latent; without a projector, that of the channels."""
    map_channels: int = 0
    """Channels of a map that stands behind the latent, for what stays in its place through an episode, such as walls; it goes
    with the predictor map."""
    predictor: Literal["mlp", "gru", "transformer", "map"] = "mlp"
    """What foretells the next latent."""
    linear: float = 0.0
    """Share of a linear path in what is foretold; the predictor has the rest. The path is a ridge regression on the context,
    solved for when a stage of dynamics begins; for signals whose rows are few and whose ways are about linear."""
    predictor_width: int = 256
    """Hidden width of the predictor (of the MLP inside a transformer's blocks)."""
    predictor_depth: int = 2
    """Layers or blocks of the predictor."""
    predictor_heads: int = 16
    """Attention heads of a transformer predictor, each 64 wide."""
    predictor_head: int = 0
    """Hidden width of the transformer's projection head; 0 makes it residual instead."""
    dropout: float = 0.0
    """Dropout of a transformer predictor."""
    critic_width: int = 128
    """Hidden width of the critic, if the model is given one."""
    context: int = 1
    """Kept frames that a prediction looks back on; 1 for an MLP."""
    skip: int = 1
    """Environment steps between kept frames: the length of an action block."""
    objective: Objective = field(default_factory=Objective)

    @property
    def is_small(self) -> bool:
        """Whether its operations are too short to be shared between CPU threads; see `device.one_thread`."""
        return self.encoder == "convolutional" and self.predictor_width <= 512

    @classmethod
    def sized(cls, size: Size, **changes: Any) -> "ModelConfig":
        """One of the tested sizes, with `changes` to single fields."""
        return replace(SIZES[size], **changes)


SIZES: dict[Size, ModelConfig] = {
    "nano": ModelConfig(),
    "tiny": ModelConfig(width=96, projector=512, latent=64, predictor_width=128),
    "small": ModelConfig(
        image_size=112, encoder="vit", width=192, depth=6, projector=1024, latent=128, predictor="transformer",
        predictor_width=512, predictor_depth=4, predictor_heads=4, dropout=0.1, context=3,
    ),
    "base": ModelConfig(
        image_size=224, encoder="vit", width=192, projector=2048, latent=192, predictor="transformer", predictor_width=2048,
        predictor_depth=6, predictor_head=2048, dropout=0.1, context=3,
        objective=Objective(rollout=1, sigreg=0.09 * 128, slices=1024, per_step=True),
    ),
}  # fmt: skip
