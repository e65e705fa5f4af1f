"""All streams of a step into one latent.

Each stream has its own encoder; their features are concatenated and projected. Images of the recording's size are reduced to
the encoder's by area; images that already have its size (cached at it for training) are taken as they are. The projector is
Linear, BatchNorm, GELU, Linear, in float32: without BatchNorm the latent collapses at every regularisation weight that was
tried (LayerNorm and a plain linear layer included). One hidden layer is enough for a single sense. Where one has
to be read by another, as a range finder by the way a camera looks, two more predict the place better (docs/house.md).

A sensor may die, and a stream may be absent from whole episodes (`Stream.optional`). A learned vector then stands for the
features of what is not there, and the latent is made of the others. To go on without any of them takes training in which
streams are dropped (`drop`). They are dropped frame by frame: what one sense shows then has to predict what
another will, which is what makes their latents agree. Dropped from whole clips, each sense had latents of its own.
"""

from collections.abc import Mapping
from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, UInt8
from torch import Tensor, nn

from armillary.distributed import BatchNorm
from armillary.errors import ArmillaryError, SpecMismatch
from armillary.model.module_list import ModuleList
from armillary.model.perception.convolutional import ConvolutionalEncoder
from armillary.model.perception.encoder import Encoder
from armillary.spec import Spec


class Projector(nn.Sequential):
    """(N, inputs) to (N, outputs) by `depth` hidden layers, in float32 whatever the caller's precision."""

    def __init__(self, inputs: int, hidden: int, outputs: int, depth: int = 1) -> None:
        widths = [inputs, *[hidden] * depth]
        layers = [layer for i, o in pairwise(widths) for layer in (nn.Linear(i, o), BatchNorm(o), nn.GELU())]
        super().__init__(*layers, nn.Linear(hidden, outputs))

    def forward(self, input: Float[Tensor, "n i"]) -> Float[Tensor, "n o"]:
        with torch.autocast(input.device.type, enabled=False):
            return super().forward(input.float())


class Perception(nn.Module):
    """Raw observations (B, T, *shape) by stream to latents (B, T, latent).

    Args:
        spec: its `observed` streams are read, in its order.
        encoders: one for each observed stream, with `shape`, its input, and `features`, its output width.
        hidden: width of the projector; 0 for none, where the latent is the features as they are.
        latent: width of the latent.
        map_channels: of a map that stands behind the latent, flattened; 0 for none. It is made from the first image's features
            where they are still in their places, without the projector.
        drop: chance of each stream to be left out of a training frame; where all of them would be, none is. Above 0, any stream
            may be missing later on; else only those that are optional.
        depth: hidden layers of the projector.

    Raises:
        ArmillaryError: no stream that may be seen, or none that a map can be made of; a chance that is none; a map beside
            streams that may be missing.
    """

    def __init__(
        self,
        spec: Spec,
        encoders: dict[str, Encoder],
        hidden: int,
        latent: int,
        map_channels: int = 0,
        drop: float = 0.0,
        depth: int = 1,
    ) -> None:
        super().__init__()
        if not 0 <= drop < 1 or (drop and map_channels):
            raise ArmillaryError(f"streams are dropped with a chance from 0 to below 1, and not beside a map; got {drop}")
        self.streams = {stream.name: stream for stream in spec.observed}
        if not self.streams:
            raise ArmillaryError("there is no stream that a model may see: all are ground truth")
        self.expendable = {name for name, stream in self.streams.items() if drop or stream.optional}
        if self.expendable and map_channels:
            raise ArmillaryError(f"a map takes all streams, and {', '.join(sorted(self.expendable))} is optional")
        # Module names must not hold dots, and stream names do ("observation.state").
        self.encoders = ModuleList(encoders[name] for name in self.streams)
        features = sum(encoder.features for encoder in self.encoders)
        self.projector = Projector(features, hidden, latent, depth) if hidden else nn.Identity()
        self.drop = drop
        self.absent = nn.ParameterList(torch.zeros(encoder.features) for encoder in self.encoders if self.expendable)
        self.map, self.grid = None, (0, 0, 0)
        if map_channels:
            seen = next((encoder for encoder in self.encoders if isinstance(encoder, ConvolutionalEncoder)), None)
            if seen is None:
                raise ArmillaryError("a map is made of an image, by the convolutional encoder; there is none")
            rows, columns, width = seen.grid
            self.grid = rows, columns, map_channels
            self.map = nn.Sequential(nn.Conv2d(width, width, 1), nn.ReLU(), nn.Conv2d(width, map_channels, 1))
            nn.utils.convert_conv2d_weight_memory_format(self.map, torch.channels_last)

    def check(self, observations: dict[str, Tensor], present: dict[str, Tensor]) -> None:
        """Raises SpecMismatch where a stream is missing or of another shape or dtype; the message names it."""
        leading, some = None, any(name in observations for name in self.streams)
        for (name, stream), encoder in zip(self.streams.items(), self.encoders, strict=True):
            given = observations.get(name)
            if given is None and some and name in self.expendable:
                continue
            if given is None:
                raise SpecMismatch(f"the observation has no stream {name!r} {stream.shape}; it has {', '.join(observations)}")
            leading = given.shape[:2] if leading is None else leading
            if given.shape[:2] != leading or tuple(given.shape[2:]) not in (stream.shape, encoder.shape):
                expected = ", ".join(map(str, (*(leading if len(leading) == 2 else ("batch", "time")), *stream.shape)))
                raise SpecMismatch(f"stream {name!r}: expected ({expected}), got {tuple(given.shape)}")
            if given.dtype != getattr(torch, str(stream.dtype)):
                raise SpecMismatch(f"stream {name!r}: expected raw {stream.dtype} in its own unit, got {given.dtype}")
            if name in present and name not in self.expendable and not present[name].all():
                raise SpecMismatch(
                    f"stream {name!r} is absent in some frames, and this model was trained to need it; "
                    "train on a recording in which it is optional, or with drop_streams"
                )
        given = [name for name in self.streams if name in observations]
        if set(given) <= set(present) and not torch.stack([present[name] for name in given]).any(0).all():
            raise SpecMismatch(f"some frames have none of the streams {', '.join(given)}; leave those episodes out")

    def forward(
        self, observations: dict[str, Tensor], present: dict[str, Bool[Tensor, "b t"]] | None = None
    ) -> Float[Tensor, "b t d"]:
        present = {name: there for name, there in (present or {}).items() if name in observations}
        self.check(observations, present)
        features, cells = [], None
        batch, time = next(observations[name].shape[:2] for name in self.streams if name in observations)
        dropped = self._dropped(batch * time, present)
        for i, (name, encoder) in enumerate(zip(self.streams, self.encoders, strict=True)):
            if name not in observations:
                features.append(self.absent[i].expand(batch * time, -1))
                continue
            x = observations[name].flatten(0, 1)
            there = present[name].flatten() if name in present and name in self.expendable else None
            x = x if there is None else x[there]
            x = x if x.shape[1:] == encoder.shape else shrink(x, encoder.shape)
            if self.map is not None and cells is None and isinstance(encoder, ConvolutionalEncoder):
                feature, grid = encoder.look(x)
                cells = self.map(grid).permute(0, 2, 3, 1).flatten(1).float()
            else:
                feature = encoder(x)
            feature = feature.float()
            if there is not None:
                feature = self.absent[i].repeat(batch * time, 1).index_put((there,), feature)
            features.append(feature if dropped is None else torch.where(dropped[i], self.absent[i], feature))
        z = self.projector(torch.cat(features, -1))
        return (z if cells is None else torch.cat([z, cells], -1)).unflatten(0, (batch, time))

    def known(self, present: Mapping[str, bool], width: int) -> Bool[Tensor, " d"]:
        """Which of the latent's `width` numbers stand for something in frames with (or without) these optional streams.

        With a projector all do; without one, each is a feature of one stream.
        """
        if isinstance(self.projector, Projector):
            return torch.ones(width, dtype=torch.bool)
        pairs = zip(self.streams, self.encoders, strict=True)
        return torch.cat([torch.full((encoder.features,), present.get(name, True)) for name, encoder in pairs])

    def _dropped(self, frames: int, present: dict[str, Bool[Tensor, "b t"]]) -> Bool[Tensor, "streams n 1"] | None:
        """Which streams are left out of which frames; None if that is none."""
        if not (self.drop and self.training):
            return None
        dropped = torch.rand(len(self.encoders), frames, 1, device=self.absent[0].device) < self.drop
        gone = dropped.clone()
        for i, name in enumerate(self.streams):
            if name in present:
                gone[i] |= ~present[name].reshape(-1, 1)
        return dropped & ~gone.all(0)


def shrink(images: UInt8[Tensor, "n h w c"], shape: tuple[int, ...]) -> UInt8[Tensor, "n h2 w2 c"]:
    """Images at another size, each pixel the mean of the area that it covers."""
    small = F.interpolate(images.permute(0, 3, 1, 2).float(), shape[:2], mode="area")
    return small.round().to(torch.uint8).permute(0, 2, 3, 1)
