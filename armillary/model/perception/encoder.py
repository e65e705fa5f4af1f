"""What every encoder of one stream is, whatever its kind."""

from torch import nn


class Encoder(nn.Module):
    """Base class: raw rows (N, *shape) of one stream, in its own unit, to (N, features); each row by itself."""

    shape: tuple[int, ...]
    """Of one row of its input."""
    features: int
    """Width of its output."""
