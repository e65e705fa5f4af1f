"""A predictor that reads a map: where things go depends on what stands there.

A latent has two parts. What moves is a vector, and is predicted. What stays is a map, a grid of cells with some channels each,
and is only read: every head looks at one place of the grid, softly, and the places depend on the vector and on the action
(attention by location, as in DRAW, Gregor et al., arXiv 1502.04623). An MLP then predicts the vector from what was read.

A vector alone would have to hold the whole scene: of a maze that was never seen, it keeps too little of the walls, and
imagination walks through them. Looking up a cell is the same in every layout. And a map costs a planner little, because all
candidates share it: a step is an MLP's, and one small product.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from armillary.model.dynamics.mlp import MLPPredictor
from armillary.model.dynamics.predictor import Predictor

LOOK = 64  # hidden width of what says where to look


class MapPredictor(Predictor):
    """Residual MLP on the moving part, the action, and what `heads` heads read from the map. The map stays as it is.

    Args:
        latent: width of what moves, the first numbers of a latent.
        grid: rows and columns of the map, and channels of a cell; after the moving part, flattened in this order.
        action: width of the standardised action block.
        width, depth: of the MLP.
        heads: places that are looked at.
    """

    context = 1
    places: Tensor

    def __init__(
        self, latent: int, grid: tuple[int, int, int], action: int, width: int = 256, depth: int = 2, heads: int = 9
    ) -> None:
        super().__init__()
        rows, columns, channels = grid
        self.moving = self.latent = latent
        self.channels = channels
        self.look = nn.Sequential(nn.Linear(latent + action, LOOK), nn.GELU(), nn.Linear(LOOK, 2 * heads))
        nn.init.normal_(self.look[-1].get_parameter("bias"))
        self.log_width = nn.Parameter(torch.zeros(heads))
        places = torch.cartesian_prod(torch.arange(rows) - (rows - 1) / 2, torch.arange(columns) - (columns - 1) / 2)
        self.register_buffer("places", places.T.contiguous(), persistent=False)
        self.net = MLPPredictor(latent, action + heads * channels, width, depth)

    def forward(self, z: Float[Tensor, "b t d"], actions: Float[Tensor, "b t a"]) -> Float[Tensor, "b t d"]:
        now, grid = z.flatten(0, 1).unsqueeze(1).split([self.latent, z.shape[-1] - self.latent], -1)
        after = self._step(now, actions.flatten(0, 1).unsqueeze(1), self._cells(grid[:, 0]))
        return torch.cat([after, grid], -1).view_as(z)

    def rollout(
        self, z: Float[Tensor, "n c d"], past: Float[Tensor, "n c-1 a"], actions: Float[Tensor, "n h a"]
    ) -> Float[Tensor, "n h d"]:
        return self.imagine(z, past, actions.unsqueeze(1))[:, 0]

    def imagine(
        self, z: Float[Tensor, "b c d"], past: Float[Tensor, "b c-1 a"], actions: Float[Tensor, "b s h a"]
    ) -> Float[Tensor, "b s h d"]:
        samples, horizon = actions.shape[1:3]
        now, grid = z[:, -1].split([self.latent, z.shape[-1] - self.latent], -1)
        now, cells, states = now.unsqueeze(1).expand(-1, samples, -1), self._cells(grid), []
        for action in actions.unbind(2):
            now = self._step(now, action, cells)
            states.append(now)
        return torch.cat([torch.stack(states, 2), grid[:, None, None].expand(-1, samples, horizon, -1)], -1)

    def _cells(self, grid: Float[Tensor, "b g"]) -> Float[Tensor, "b p c"]:
        return grid.unflatten(-1, (-1, self.channels))

    def _step(
        self, now: Float[Tensor, "b s d"], action: Float[Tensor, "b s a"], cells: Float[Tensor, "b p c"]
    ) -> Float[Tensor, "b s d"]:
        """What moves, after one block; S futures for each map."""
        centre = self.look(torch.cat([now, action], -1)).unflatten(-1, (2, -1))  # in cells from the middle of the map
        # -|place - centre|^2 / 2 width^2, but for what all places have in common.
        near = (centre.transpose(-1, -2) @ self.places - self.places.square().sum(0) / 2) * (-2 * self.log_width).exp()[:, None]
        read = near.softmax(-1).flatten(1, 2) @ cells
        return self.net(now, torch.cat([action, read.unflatten(1, (*now.shape[1:2], -1)).flatten(2)], -1))
