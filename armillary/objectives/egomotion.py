"""Egomotion: by how much did the robot move between these two moments? Odometry says so, and the latents of both should.

It makes the latent tell places apart by metres, without labels and without a map: what odometry measures while the robot
learns is the teacher, and need not be sensed later on (Agrawal et al., "Learning to See by Moving", arXiv 1505.01596; there
for images one step apart). Here moments of a whole episode are compared, so that places in different rooms have to be told
apart, too. Where that cannot be told, errors are large; beyond a fifth of a unit they count by their size, not its square.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from armillary.errors import ArmillaryError
from armillary.objectives.term import Term, TermConfig, View

METRES = 2.0  # in a unit of what is compared, so that ways in a room are about as large as a sine
BEND = 0.2  # error at which the loss turns from squares to absolute values


class RelativePose(Term):
    """Two latents of an episode to the later pose in the frame of the earlier one, or the other way round.

    Args:
        latent: width of the latent.
        width: of the hidden layer.
    """

    def __init__(self, latent: int, width: int = 128) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2 * latent, width), nn.GELU(), nn.Linear(width, 4))

    def forward(self, here: Float[Tensor, "*batch d"], there: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch 4"]:
        """Where `there` is, ahead and to the left of `here` (in `METRES`), and cosine and sine of the turn."""
        return self.net(torch.cat([here, there], -1))

    def loss(self, view: View) -> dict[str, Float[Tensor, ""]]:
        """Smooth L1 over all pairs of moments of an episode, both ways; poses are those of odometry.

        Raises:
            ArmillaryError: the clips come without odometry.
        """
        if view.batch is None or view.batch.pose is None:
            raise ArmillaryError("egomotion learns from odometry; make the clips with odometry=NAME, the name of its stream")
        both = view.moving, view.batch.pose
        z, pose = (x.unflatten(0, (-1, view.clips_per_episode)).flatten(1, 2) for x in both)
        here, there = (~torch.eye(z.shape[1], dtype=torch.bool, device=z.device)).nonzero(as_tuple=True)
        told = self(z[:, here], z[:, there])
        loss = F.smooth_l1_loss(told, relative(pose[:, here], pose[:, there]), beta=BEND) * told.shape[-1]
        return {"egomotion": loss}


def relative(here: Float[Tensor, "*batch 3"], there: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 4"]:
    """What `RelativePose` is to tell of two poses."""
    x, y, turn = (there - here).unbind(-1)
    cosine, sine = here[..., 2].cos(), here[..., 2].sin()
    ahead, left = cosine * x + sine * y, cosine * y - sine * x
    return torch.stack([ahead / METRES, left / METRES, turn.cos(), turn.sin()], -1)


@dataclass(frozen=True)
class Egomotion(TermConfig):
    """Egomotion: by how much did the robot move between two moments of an episode?"""

    width: int = 128
    """Hidden width."""
    odometry: str = "odometry"
    """Stream that tells where the robot went (`episodes.odometry`); it need not be sensed."""

    @property
    def pose_stream(self) -> str:
        return self.odometry

    def build(self, latent: int, action: int) -> RelativePose:
        return RelativePose(latent, self.width)
