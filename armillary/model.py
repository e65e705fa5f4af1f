"""The world model: perception and dynamics, with everything that a prediction depends on.

`encode` raw observations into latents, `predict` the next latent from latents and raw actions, `rollout` many action sequences
from one context, `losses` for training. Spec, scales, frame skip, context length and the statistics of action blocks are
inside, and so inside the checkpoint: a file is all that planning needs. No decoder: nothing here draws pixels.

`size` is the one dial: nano (a laptop learns it in seconds), tiny, small, base (LeWM, arXiv 2603.19312: 18 M parameters).
"""

import copy
import math
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from armillary import weights
from armillary.actions import ActionBlocks
from armillary.device import pick_device
from armillary.dynamics.gru import GRUPredictor
from armillary.dynamics.linear import CombinedPredictor, LinearPredictor
from armillary.dynamics.map import MapPredictor
from armillary.dynamics.mlp import MLPPredictor
from armillary.dynamics.predictor import Predictor
from armillary.dynamics.transformer import TransformerPredictor
from armillary.episodes.clips import Batch
from armillary.errors import ArmillaryError, CorruptFile
from armillary.objectives import prediction
from armillary.objectives.contrastive import TemporalContrast
from armillary.objectives.inverse import InverseDynamics
from armillary.objectives.sigreg import centred_by_episode, directions, sigreg
from armillary.objectives.temporal import TemporalDistance
from armillary.objectives.vicreg import vicreg
from armillary.perception.convolutional import ConvolutionalEncoder
from armillary.perception.depth import DepthEncoder
from armillary.perception.fusion import Perception
from armillary.perception.points import PointsEncoder
from armillary.perception.scan import ScanEncoder
from armillary.perception.signal import SignalEncoder
from armillary.perception.standard import Standardised
from armillary.perception.vector import VectorEncoder
from armillary.perception.vit import VisionTransformer
from armillary.spec import Spec, Stream

FORMAT = 1
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


class Context(NamedTuple):
    """What a rollout starts from: the last C latents (B, C, D) and the raw action blocks (B, C - 1, A) between them."""

    z: Tensor
    actions: Tensor


class WorldModel(nn.Module):
    """Perception, dynamics and their scales for one Spec.

    Args:
        spec: what is sensed and done. Streams of ground truth are left out: the model's own `spec` has the observed ones.
        config: the shape of the model.

    Raises:
        ArmillaryError: images too small for their encoder, a context that the predictor cannot use, an objective on more
            dimensions than the latent has, or on actions where there are none.
    """

    def __init__(self, spec: Spec, config: ModelConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or ModelConfig()
        if config.objective.episode_dims > config.latent:
            raise ArmillaryError(
                f"episode_dims is {config.objective.episode_dims}, and the latent has {config.latent} dimensions"
            )
        if config.objective.inverse and not spec.action.n:
            raise ArmillaryError("inverse dynamics tell actions, and the recording has none; set objective.inverse to 0")
        self.spec = spec.select([stream.name for stream in spec.observed])
        encoders = {stream.name: _encoder(stream, config) for stream in spec.observed}
        if not config.projector:
            if other := [stream.name for stream in spec.observed if stream.kind != "vector"]:
                raise ArmillaryError(f"a model without a projector is for vectors alone; {', '.join(other)} is none")
            self.config = config = replace(config, latent=sum(encoder.features for encoder in encoders.values()))
        sizes = config.projector, config.latent, config.map_channels
        self.perception = Perception(self.spec, encoders, *sizes, config.drop_streams, config.projector_depth)
        self.blocks = ActionBlocks(spec.action, config.skip)
        self.predictor = _predictor(config, self.blocks.size, self.perception.grid)
        aim = config.objective
        self.inverse = InverseDynamics(config.latent, self.blocks.size) if aim.inverse else None
        self.contrast = TemporalContrast(config.latent, gap=aim.contrast_gap) if aim.contrast else None
        self.critic: TemporalDistance | None = None
        self.provenance: dict[str, Any] = {}
        self.learned: frozenset[str] | None = None
        """Of a model that goes on to learn, the streams whose scales stay, with those of actions. None of a new one."""
        self.fast = False
        """A transformer's `rollout` in bfloat16 and by windows that restart instead of sliding: two to three times as fast, and
        costs rank nearly as the exact ones do."""

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return self.blocks.mean.device

    @property
    def width(self) -> int:
        """D, the width of `encode`'s latents: what moves, and behind it the map, if there is one."""
        return self.config.latent + math.prod(self.perception.grid)

    def add_critic(self) -> TemporalDistance:
        """Give the model a fresh temporal-distance head, to be trained and saved with it."""
        self.critic = TemporalDistance(self.config.latent, self.config.critic_width).to(self.device)
        return self.critic

    def fit_scales(self, batch: Batch) -> None:
        """Take the scales of vectors and action blocks from raw training data, before training.

        Args:
            batch: clips from all over the training part; a few thousand are enough.
        """
        if self.learned is None:
            self.blocks.fit(batch.actions.flatten(0, 1))
        for name, encoder in zip(self.perception.streams, self.perception.encoders, strict=True):
            known = name in (self.learned or ()) or name not in batch.observations
            if isinstance(encoder, Standardised) and not known:
                encoder.fit(batch.observations[name])

    def encode(
        self, observations: dict[str, Tensor], present: dict[str, Bool[Tensor, "b t"]] | None = None
    ) -> Float[Tensor, "b t d"]:
        """Latents of raw observations (B, T, *shape) by stream, in the streams' own dtypes and units; others are left alone.

        Args:
            present: of streams that are not there in every frame: where they are, see `Batch`. Elsewhere they are not read.

        Raises:
            SpecMismatch: a stream is missing (and may not be, or all are) or of another shape or dtype; the message names it.
        """
        return self.perception(observations, present)

    def predict(self, z: Float[Tensor, "b t d"], actions: Float[Tensor, "b t a"]) -> Float[Tensor, "b t d"]:
        """The latent after each of `z`, given the raw action block taken there; teacher-forced, parallel in time."""
        return self.predictor(z, self.blocks.standardise(self._check(actions)))

    def rollout(self, context: Context, actions: Float[Tensor, "b s h a"], shared: Any = None) -> Float[Tensor, "b s h d"]:
        """Imagine S sequences of H raw action blocks from each of B contexts, open loop.

        Args:
            shared: `share` of this context, which many rollouts need only once; what is missing is computed.
        """
        past, actions = (self.blocks.standardise(self._check(blocks)) for blocks in (context.actions, actions))
        return self.predictor.imagine(context.z, past, actions, fast=self.fast, shared=shared)

    def share(self, context: Context) -> Any:
        """What all rollouts from this context have in common; None if nothing."""
        return self.predictor.share(context.z, self.blocks.standardise(self._check(context.actions)), fast=self.fast)

    def surprise(self, z: Float[Tensor, "b t d"], actions: Float[Tensor, "b t-1 a"]) -> Float[Tensor, "b t-1"]:
        """Mean squared error, over what moves, of each one-step prediction: how unexpected each latent after the first is."""
        return (self.predict(z[:, :-1], actions) - z[:, 1:])[..., : self.predictor.moving].square().mean(-1)

    def losses(self, batch: Batch, generator: torch.Generator | None = None) -> dict[str, Float[Tensor, ""]]:
        """The named terms of the objective, and their weighted sum as `loss`.

        Args:
            batch: clips of `objective.frames(context)` frames or more.
            generator: draws SIGReg's directions; the same on every process.
        """
        aim, z = self.config.objective, self.encode(batch.observations, batch.present)
        actions = self.blocks.standardise(self._check(batch.actions))
        losses, weights = {}, {}
        if aim.prediction:
            weights["prediction"] = aim.prediction
            start = z
            if self.config.map_channels:  # The map of another moment of the episode has to do: what is on it must stay.
                start = self.with_map(z, z.unflatten(0, (-1, aim.clips_per_episode)).roll(1, 1).flatten(0, 1))
            error = (prediction.one_step if aim.rollout == 1 else prediction.rollout)(self.predictor.learned, start, actions)
            losses["prediction"] = error.float().mean()
        z = z[..., : self.config.latent]
        if aim.sigreg:
            weights["sigreg"] = aim.sigreg
            slices = directions(aim.slices, z.shape[-1], generator, z.device)
            groups = z.unbind(1) if aim.per_step else [z.flatten(0, 1)]
            losses["sigreg"] = torch.stack([sigreg(group, slices) for group in groups]).mean()
        if aim.sigreg and aim.episode_dims:
            weights["sigreg_episode"] = aim.sigreg
            slices = directions(aim.slices, aim.episode_dims, generator, z.device)
            centred = centred_by_episode(z[..., : aim.episode_dims], aim.clips_per_episode)
            losses["sigreg_episode"] = sigreg(centred, slices)
        if aim.variance or aim.covariance:
            weights |= {"variance": aim.variance, "covariance": aim.covariance}
            losses["variance"], losses["covariance"] = vicreg(z.flatten(0, 1))
        if self.inverse is not None:
            weights["inverse"] = aim.inverse
            losses["inverse"] = self.inverse.loss(z, actions)
        if self.contrast is not None:
            weights["contrast"] = aim.contrast
            losses["contrast"] = self.contrast.loss(z)
        losses["loss"] = sum(weight * losses[name] for name, weight in weights.items())
        return losses

    def with_map(self, z: Float[Tensor, "*batch d"], other: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch d"]:
        """What moves of `z`, with the map of `other`."""
        return torch.cat([z[..., : self.config.latent], other[..., self.config.latent :]], -1)

    def untrained(self) -> "WorldModel":
        """The same model with fresh weights and the same scales: a baseline for every table."""
        fresh = WorldModel(self.spec, self.config)
        fresh.blocks = copy.deepcopy(self.blocks)
        for new, old in zip(fresh.perception.encoders, self.perception.encoders, strict=True):
            if isinstance(new, Standardised):
                new.mean, new.std = old.mean.clone(), old.std.clone()
        if self.critic is not None:
            fresh.add_critic()
        fresh.fast = self.fast
        return fresh.to(self.device).eval()

    def with_streams(self, *streams: Stream) -> "WorldModel":
        """A copy that takes these streams too, to be trained on from here (`fit(..., start=model)`).

        Until then it encodes and predicts as this one does: the weights of what is new begin at 0. A stream that the
        model has already stays as it is, and becomes optional where the one that is given is.

        Raises:
            ArmillaryError: ground truth, an optional stream beside a map, or a model without a projector, whose latent would
                be another.
            SpecMismatch: one of the model's streams in another kind or shape.
        """
        if hidden := [stream.name for stream in streams if stream.truth]:
            raise ArmillaryError(f"{', '.join(hidden)} is ground truth, which no model sees")
        if not self.config.projector:
            raise ArmillaryError("a model without a projector takes no further streams: the latent would be another; retrain")
        given, own = {stream.name: stream for stream in streams}, {stream.name for stream in self.spec.streams}
        known = [replace(s, optional=s.optional or (s.name in given and given[s.name].optional)) for s in self.spec.streams]
        new = [stream for stream in streams if stream.name not in own]
        Spec(tuple(given.get(stream.name, stream) for stream in known), self.spec.action).check(self.spec, "model")
        grown = WorldModel(Spec((*known, *new), self.spec.action, self.spec.rate), self.config)
        ours, fresh, first = self.state_dict(), grown.state_dict(), "perception.projector.0.weight"
        added = fresh[first].shape[1] - ours[first].shape[1]
        grown.restore({**fresh, **ours, first: F.pad(ours[first], (0, added))}, self.describe())
        grown.learned, grown.provenance, grown.fast = frozenset(own), self.provenance, self.fast
        return grown.to(self.device).eval()

    def describe(self) -> dict[str, Any]:
        """What `restore` needs beyond the weights, JSON-able: Spec, config, and which parts there are."""
        return {
            "format": FORMAT,
            "spec": self.spec.to_json(),
            "config": asdict(self.config),
            "action_dim": self.blocks.dim,
            "critic": self.critic is not None,
        }

    def restore(self, tensors: dict[str, Tensor], described: dict[str, Any]) -> None:
        """Take weights and scales from a state dict and the description that was made with it, in place."""
        self.blocks = ActionBlocks(self.spec.action, self.config.skip, described["action_dim"]).to(self.device)
        if described["critic"]:
            self.add_critic()
        self.load_state_dict(tensors)

    def save(self, path: str | Path, provenance: dict[str, Any] | None = None) -> None:
        """Write the checkpoint: one safetensors file whose header holds `describe()` and `provenance` (JSON-able).

        Raises:
            ArmillaryError: the disk is full or the folder cannot be written to; what was there stays.
        """
        weights.write(path, self.state_dict(), {**self.describe(), "provenance": provenance or self.provenance})

    @classmethod
    def load(cls, path: str | Path, device: str = "auto") -> "WorldModel":
        """Read a checkpoint, ready to use (in eval mode) on `device`. Nothing in the file is run.

        Args:
            path: the file, or a run's folder that holds `model.safetensors`.
            device: auto, cpu, cuda or mps.

        Raises:
            ArmillaryError: no such file, or no such device.
            CorruptFile: truncated, not a checkpoint, or weights that do not fit its own header.
        """
        path = Path(path) / "model.safetensors" if Path(path).is_dir() else Path(path)
        tensors, header = weights.read(path)
        if header.get("format") != FORMAT:
            raise CorruptFile(f"{path}: checkpoint format {header.get('format')}, this version reads {FORMAT}")
        try:
            config = header["config"] | {"objective": Objective(**header["config"]["objective"])}
            model = cls(Spec.from_json(header["spec"]), ModelConfig(**config))
            model.restore(tensors, header)
            model.provenance = header["provenance"]
        except (LookupError, TypeError, ValueError, ArithmeticError, RuntimeError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise CorruptFile(f"{path}: the weights do not fit the header ({reason})") from error
        return model.to(pick_device(device)).eval()

    @classmethod
    def from_lewm(cls, path: str | Path, spec: Spec, **normalisation: Any) -> "WorldModel":
        """A LeWM checkpoint of stable-worldmodel as a model of ours; see `lewm.load_lewm` for the arguments."""
        from armillary.lewm import load_lewm  # it builds on this file

        return load_lewm(path, spec, **normalisation)

    def _check(self, actions: Tensor) -> Tensor:
        if actions.shape[-1] != self.blocks.size:
            n, skip = self.spec.action.n, self.config.skip
            raise ArmillaryError(
                f"action blocks have {actions.shape[-1]} numbers; this model takes {skip} actions of {n} = {self.blocks.size}"
            )
        return actions


def _encoder(stream: Stream, config: ModelConfig) -> nn.Module:
    if stream.kind == "image":
        side = config.image_size
        shape = (side, side, stream.shape[2]) if side else stream.shape
        if config.encoder == "convolutional":
            return ConvolutionalEncoder(shape, config.width, config.stem, config.standardise_images)
        return VisionTransformer(shape, config.width, config.depth, config.heads, config.patch, config.standardise_images)
    if stream.kind == "vector":
        return VectorEncoder(stream.shape, 64 if config.projector else 0, angles=stream.angles)
    if stream.kind == "depth":
        return DepthEncoder(stream.shape, config.width, config.stem)
    if stream.kind == "scan":
        return ScanEncoder(stream.shape, config.width, stream.full_turn)
    return {"points": PointsEncoder, "signal": SignalEncoder}[stream.kind](stream.shape, config.width)


def _predictor(config: ModelConfig, action: int, grid: tuple[int, int, int]) -> Predictor:
    if not 0 <= config.linear < 1 or (config.linear and config.map_channels):
        raise ArmillaryError(f"the share of a linear path is 0 or more and below 1, and 0 beside a map; got {config.linear:g}")
    network = _network(config, action, grid)
    if not config.linear:
        return network
    return CombinedPredictor(network, LinearPredictor(config.latent, action, config.context), config.linear)


def _network(config: ModelConfig, action: int, grid: tuple[int, int, int]) -> Predictor:
    if bool(config.map_channels) != (config.predictor == "map"):
        raise ArmillaryError(
            f"a predictor 'map' and map_channels go together; got {config.predictor!r} and {config.map_channels}"
        )
    if config.predictor in ("mlp", "map") and config.context != 1:
        raise ArmillaryError(f"an MLP predictor sees one step; a context of {config.context} needs 'gru' or 'transformer'")
    if config.predictor == "map":
        return MapPredictor(config.latent, grid, action, config.predictor_width, config.predictor_depth)
    if config.predictor == "mlp":
        return MLPPredictor(config.latent, action, config.predictor_width, config.predictor_depth)
    if config.predictor == "gru":
        return GRUPredictor(config.latent, action, config.predictor_width, config.context)
    return TransformerPredictor(
        config.latent,
        action,
        depth=config.predictor_depth,
        heads=config.predictor_heads,
        hidden=config.predictor_width,
        context=config.context,
        dropout=config.dropout,
        head=config.predictor_head,
    )
