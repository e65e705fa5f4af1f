"""Which encoder a stream has."""

from torch import nn

from armillary.config import ModelConfig
from armillary.perception.convolutional import ConvolutionalEncoder
from armillary.perception.depth import DepthEncoder
from armillary.perception.points import PointsEncoder
from armillary.perception.scan import ScanEncoder
from armillary.perception.signal import SignalEncoder
from armillary.perception.vector import VectorEncoder
from armillary.perception.vit import VisionTransformer
from armillary.spec import Stream


def new_encoder(stream: Stream, config: ModelConfig) -> nn.Module:
    """A fresh encoder for this stream; `features` is the width of what it gives."""
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
