"""The shape of a model and what its training minimises: plain settings, kept in the checkpoint.

`size` is the one dial: nano (a laptop learns it in seconds), tiny, small, base (LeWM, arXiv 2603.19312: 18 M parameters).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from armillary import objectives
from armillary.objectives.prediction import Prediction
from armillary.objectives.sigreg import SIGReg
from armillary.objectives.term import TermConfig

Size = Literal["nano", "tiny", "small", "base"]


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
    for vectors alone, such as a machine's sensors, of which a learned latent would drop what cannot be predicted."""
    projector_depth: int = 1
    """Hidden layers of the projector."""
    latent: int = 32
    """Width of the latent; without a projector, that of the channels."""
    map_channels: int = 0
    """Channels of a map that stands behind the latent, for what stays in its place through an episode, such as walls; it goes
    with the predictor map."""
    predictor: Literal["mlp", "gru", "transformer", "map"] = "mlp"
    """Dynamics model, which predicts the next latent."""
    linear: float = 0.0
    """Weight of the ridge predictor in the mixture (0: off); the other predictor has the rest. It is fitted on the context when
    a stage of dynamics begins, and suits signals with few rows whose dynamics are about linear."""
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
    ahead: tuple[int, ...] = ()
    """Steps ahead, beside the next one, that a GRU predictor learns to foresee, so that its state keeps what is hidden for
    long; surprise counts them all."""
    context: int = 1
    """Kept frames that a prediction looks back on; 1 for an MLP."""
    skip: int = 1
    """Environment steps between kept frames: the length of an action block."""
    clips_per_episode: int = 1
    """Consecutive clips of a training batch that come from one episode."""
    objective: dict[str, TermConfig] = field(default_factory=lambda: {"prediction": Prediction(), "sigreg": SIGReg()})
    """What training minimises: terms by name (`armillary.objectives`)."""

    @property
    def terms(self) -> dict[str, TermConfig]:
        """The terms whose weight is not 0."""
        return {name: term for name, term in self.objective.items() if term.weight}

    @property
    def frames(self) -> int:
        """Frames that a clip needs for all terms, and for a prediction."""
        return max(self.context + 1, *(term.frames(self.context) for term in self.terms.values()))

    @property
    def odometry(self) -> str | None:
        """Stream that a term learns poses from, if one does."""
        return next((term.pose_stream for term in self.terms.values() if term.pose_stream), None)

    @property
    def is_small(self) -> bool:
        """Whether its operations are too short to be shared between CPU threads; see `device.one_thread`."""
        return self.encoder == "convolutional" and self.predictor_width <= 512

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> "ModelConfig":
        """From what `asdict` gave.

        Raises:
            ArmillaryError: it has a term that is not installed.
            AttributeError, TypeError, KeyError: it is something else.
        """
        objective = {name: objectives.get(name)(**settings) for name, settings in plain["objective"].items()}
        fields: dict[str, Any] = {**plain, "objective": objective, "ahead": tuple(plain.get("ahead", ()))}
        return cls(**fields)

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
        objective={"prediction": Prediction(rollout=1), "sigreg": SIGReg(0.09 * 128, slices=1024, per_step=True)},
    ),
}  # fmt: skip
