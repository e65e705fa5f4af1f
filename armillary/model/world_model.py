"""The world model: perception and dynamics, with everything that a prediction depends on.

`encode` raw observations into latents, `predict` the next latent from latents and raw actions, `rollout` many action sequences
from one context, `losses` for training. Spec, scales, frame skip, context length and the statistics of action blocks are
inside, and so inside the checkpoint: a file is all that planning needs. No decoder: nothing here draws pixels.
"""

import copy
import math
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from armillary import kinds, objectives, weights
from armillary.device import pick_device
from armillary.episodes.clips import Batch
from armillary.errors import ArmillaryError, CorruptFile, PluginError
from armillary.imagination import Context, Rollout
from armillary.model.actions import ActionBlocks
from armillary.model.config import ModelConfig
from armillary.model.header import check_config, check_provenance, check_spec, unallocated
from armillary.model.perception.fusion import Perception
from armillary.model.perception.standard import Standardised
from armillary.model.predictors import new_predictor
from armillary.objectives.prediction import foreseen
from armillary.objectives.term import Distance, Term, View
from armillary.spec import Spec, Stream

FORMAT = 3
MODEL, STATE = "model.safetensors", "training.safetensors"
"""In a run's folder: the checkpoint, and what training goes on from until there is one."""


def require_finished(run: str | Path) -> None:
    """Require that a run's folder holds no training that was interrupted; other paths pass.

    Raises:
        ArmillaryError: it does.
    """
    run = Path(run).parent if Path(run).name == STATE else Path(run)
    if (run / STATE).exists() and not (run / MODEL).exists():
        raise ArmillaryError(f"{run}: the run is not finished; add --resume to its train command to go on with it")


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
        config = config or ModelConfig()
        self.config = config = replace(config, objective=config.terms)
        self.spec = spec.select([stream.name for stream in spec.observed])
        encoders = {stream.name: kinds.of(stream).encoder(stream, config) for stream in spec.observed}
        if not config.projector:
            if other := [stream.name for stream in spec.observed if not stream.is_tabular]:
                raise ArmillaryError(f"a model without a projector is for vectors alone; {', '.join(other)} is none")
            self.config = config = replace(config, latent=sum(encoder.features for encoder in encoders.values()))
        sizes = config.projector, config.latent, config.map_channels
        self.perception = Perception(self.spec, encoders, *sizes, config.drop_streams, config.projector_depth)
        self.actions = ActionBlocks(spec.action, config.skip)
        self.predictor = new_predictor(config, self.actions.size, self.perception.grid)
        self.terms = nn.ModuleDict()
        for name, term in config.objective.items():
            if term.stage == "joint":
                self.add_term(name)
        self.provenance: dict[str, Any] = {}
        self.learned: frozenset[str] | None = None
        """Of a model that goes on to learn, the streams whose scales stay, with those of actions. None of a new one."""

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return self.actions.mean.device

    @property
    def width(self) -> int:
        """D, the width of `encode`'s latents: what moves, and behind it the map, if there is one."""
        return self.config.latent + math.prod(self.perception.grid)

    @property
    def context_length(self) -> int:
        """C, the number of latents that a prediction looks back on; a context may have fewer."""
        return self.config.context

    @property
    def distances(self) -> dict[str, Distance]:
        """The terms that tell how far apart two latents are, by name; those that count action blocks come first."""
        able = {name: term for name, term in self.terms.items() if isinstance(term, Distance)}
        return dict(sorted(able.items(), key=lambda item: not item[1].counts_steps))

    @property
    def critic(self) -> Distance | None:
        """The term that counts how many action blocks apart two latents are, if there is one: the trainable critic."""
        return next((term for term in self.distances.values() if term.counts_steps), None)

    def add_term(self, name: str) -> Term:
        """Give the model a fresh term of the objective, to be trained and saved with it.

        Args:
            name: of a term; its settings are those of the config's objective, or else its own defaults.

        Raises:
            ArmillaryError: there is no such term, or it cannot learn from this spec.
        """
        config = self.config.objective.get(name) or objectives.get(name)()
        term = config.build(self.config.latent, self.actions.size).to(self.device)
        term.weight, term.stage = config.weight, config.stage
        self.terms[name] = term
        return term

    def fit_scales(self, batch: Batch) -> None:
        """Take the scales of vectors and action blocks from raw training data, before training.

        Args:
            batch: clips from all over the training part; a few thousand are enough.
        """
        shared = self.config.scale == "unit"
        if self.learned is None:
            self.actions.fit(batch.actions.flatten(0, 1), self.spec.action.scale_groups if shared else None)
        for (name, stream), encoder in zip(self.perception.streams.items(), self.perception.encoders, strict=True):
            known = name in (self.learned or ()) or name not in batch.observations
            if isinstance(encoder, Standardised) and not known:
                encoder.fit(batch.observations[name], stream.scale_groups if shared else None)

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
        return self.predictor(z, self.actions.standardise(actions))

    def rollout(self, context: Context, blocks: Float[Tensor, "b s h a"]) -> Rollout:
        """Imagine S sequences of H raw action blocks from each of B contexts, open loop."""
        past, actions = (self.actions.standardise(raw) for raw in (context.actions, blocks))
        return Rollout(context, blocks, self.predictor.imagine(context.z, past, actions))

    def surprise(self, z: Float[Tensor, "b t d"], actions: Float[Tensor, "b t-1 a"]) -> Float[Tensor, "b t-1"]:
        """How unexpected each latent after the first is: mean squared error, over what moves, of what was foreseen of it."""
        return foreseen(self.predictor, z, self.actions.standardise(actions)).mean(-1)

    def losses(self, batch: Batch, generator: torch.Generator | None = None) -> dict[str, Float[Tensor, ""]]:
        """The named terms of the objective, and their weighted sum as `loss`.

        Args:
            batch: clips of `config.frames` frames or more.
            generator: draws what is random in the terms; the same on every process.
        """
        z = self.encode(batch.observations, batch.present)
        actions = self.actions.standardise(batch.actions)
        per_episode, latent = self.config.clips_per_episode, self.config.latent
        view = View(z, actions, self.predictor, latent, batch, per_episode, generator=generator)
        losses: dict[str, Tensor] = {}
        total = z.new_zeros(())
        for term in self.terms.values():
            if isinstance(term, Term) and term.stage == "joint":
                found = term.loss(view)
                losses |= found
                for loss in found.values():
                    total = total + term.weight * loss
        return {**losses, "loss": total}

    def untrained(self) -> "WorldModel":
        """The same model with fresh weights and the same scales: a baseline for every table."""
        fresh = WorldModel(self.spec, self.config)
        fresh.actions = copy.deepcopy(self.actions)
        for new, old in zip(fresh.perception.encoders, self.perception.encoders, strict=True):
            if isinstance(new, Standardised) and isinstance(old, Standardised):
                new.mean, new.std = old.mean.clone(), old.std.clone()
        fresh._add_terms(self.terms)
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
        given, own = {stream.name: stream for stream in streams}, {stream.name for stream in self.spec.streams}
        known = [replace(s, optional=s.optional or (s.name in given and given[s.name].optional)) for s in self.spec.streams]
        new = [stream for stream in streams if stream.name not in own]
        if new and not self.config.projector:
            raise ArmillaryError("a model without a projector takes no further streams: the latent would be another; retrain")
        Spec(tuple(given.get(stream.name, stream) for stream in known), self.spec.action).check(self.spec, "model")
        grown = WorldModel(Spec((*known, *new), self.spec.action, self.spec.rate), self.config)
        ours, fresh, first = self.state_dict(), grown.state_dict(), "perception.projector.0.weight"
        if new:
            ours[first] = F.pad(ours[first], (0, fresh[first].shape[1] - ours[first].shape[1]))
        grown.restore({**fresh, **ours}, self.describe())
        grown.learned, grown.provenance = frozenset(own), self.provenance
        return grown.to(self.device).eval()

    def describe(self) -> dict[str, Any]:
        """What `restore` needs beyond the weights, JSON-able: Spec, config, and which parts there are."""
        return {
            "format": FORMAT,
            "spec": self.spec.to_json(),
            "config": asdict(self.config),
            "action_dim": self.actions.dim,
            "terms": list(self.terms),
        }

    def restore(self, tensors: dict[str, Tensor], described: dict[str, Any]) -> None:
        """Take weights and scales from a state dict and the description that was made with it, in place."""
        self.actions = ActionBlocks(self.spec.action, self.config.skip, described["action_dim"]).to(self.device)
        self._add_terms(described["terms"])
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
            ArmillaryError: no such file, a run that is not finished, or no such device.
            CorruptFile: truncated, not a checkpoint, or weights that do not fit its own header.
        """
        require_finished(path)
        path = Path(path) / MODEL if Path(path).is_dir() else Path(path)
        tensors, header = weights.read(path)
        if header.get("format") != FORMAT:
            raise CorruptFile(f"{path}: expected checkpoint format {FORMAT}, got {header.get('format')}; train the model again")
        try:
            check_config({**header["config"], "action_dim": header["action_dim"]}, tensors)
            check_provenance(header["provenance"])
            spec, config = Spec.from_json(header["spec"]), ModelConfig.from_json(header["config"])
            check_spec(spec, tensors)
            with unallocated():
                cls(spec, config).restore(tensors, header)
            model = cls(spec, config)
            model.restore(tensors, header)
            model.provenance = header["provenance"]
        except PluginError as error:
            raise PluginError(f"{path}: {error}") from error
        except Exception as error:  # a header can ask for whatever a constructor refuses in its own way
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise CorruptFile(f"{path}: the weights do not fit the header ({reason})") from error
        return model.to(pick_device(device)).eval()

    def _add_terms(self, names: Iterable[str]) -> None:
        for name in names:
            if name not in self.terms:
                self.add_term(name)
