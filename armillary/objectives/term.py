"""What every term of the objective is: settings that are kept in a checkpoint, and the module that they build.

A new term is one file of this folder, or of a package with an entry point in the group `armillary.objectives`. It defines a
`TermConfig`, whose `build` makes a `Term`.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from armillary.episodes.clips import Batch
from armillary.errors import ArmillaryError
from armillary.model.dynamics.predictor import Predictor


@dataclass
class View:
    """What a term may look at: B clips of T latents, and what they come from. What a term does not need may be None."""

    z: Float[Tensor, "b t d"]
    """Latents, with gradients; behind what moves, the map if there is one."""
    actions: Float[Tensor, "b t-1 a"] | None = None
    """Standardised action blocks between them."""
    predictor: Predictor | None = None
    """Of standardised actions."""
    latent: int | None = None
    """So many first numbers of a latent move; the map is behind them. None: all."""
    batch: Batch | None = None
    """The clips as they were recorded, raw."""
    clips_per_episode: int = 1
    """Consecutive clips that come from one episode."""
    goal: Float[Tensor, "b d"] | None = None
    """In the stage on frozen latents: the latent of another moment of the same episode as the last of `z`, any time apart."""
    generator: torch.Generator | None = None
    """Draws whatever is random; the same on every process."""

    @cached_property
    def moving(self) -> Float[Tensor, "b t m"]:
        """Latents without the map."""
        return self.z[..., : self.latent]


class Term(nn.Module):
    """A part of the objective, with parameters of its own, if it has any.

    Attributes:
        weight: factor of its losses in the sum that is minimised.
        stage: of training, in which it is learned.
    """

    weight: float = 1.0
    stage: str = "joint"

    def loss(self, view: View) -> dict[str, Float[Tensor, ""]]:
        """Losses by name, unweighted."""
        raise NotImplementedError


class Distance(Term):
    """A term that learns how far apart two latents are, which planning asks for.

    Attributes:
        counts_steps: whether the answer is in action blocks, and so sees beyond a planner's horizon.
    """

    counts_steps: bool = False

    def forward(self, a: Float[Tensor, "*#batch d"], b: Float[Tensor, "*#batch d"]) -> Float[Tensor, "..."]:
        """How far apart latents (..., D) and (..., D) are."""
        raise NotImplementedError

    def embed(self, z: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch e"]:
        """Latents to points whose Euclidean distance tells the same order."""
        raise NotImplementedError


@dataclass(frozen=True)
class TermConfig:
    """Settings of a term. A term of weight 0 is left out.

    Raises:
        ArmillaryError: a negative weight.
    """

    weight: float = 1.0
    """Factor of the loss in the sum that is minimised; 0 leaves it out."""

    stage: ClassVar[str] = "joint"
    """Stage of training in which the term is learned: joint, from clips, or critic, on frozen latents."""
    trains_predictor: ClassVar[bool] = False
    """Whether the loss depends on the dynamics model."""

    def __post_init__(self) -> None:
        if not self.weight >= 0:
            raise ArmillaryError(f"{type(self).__name__}: expected a weight of 0 or more, got {self.weight}")

    @property
    def pose_stream(self) -> str | None:
        """Stream that the term learns poses from (`Batch.pose`), if it does; the model need not sense it."""
        return None

    def frames(self, context: int) -> int:
        """Frames that a clip needs, with a predictor that looks back on `context`."""
        return 2

    def build(self, latent: int, action: int) -> Term:
        """The term for latents (without the map) and action blocks of these widths.

        Raises:
            ArmillaryError: it cannot learn from these.
        """
        raise NotImplementedError
