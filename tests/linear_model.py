"""A world model whose dynamics are known, for tests of planning: a point in the plane that moves by the sum of its actions."""

import torch
from torch import nn

from armillary.model.config import ModelConfig
from armillary.model.dynamics.predictor import Predictor
from armillary.model.world_model import WorldModel
from armillary.spec import ActionSpace, Spec, Stream

# Each choice moves the point by one unit: east, west, north, south.
CHOICES = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])


class Displacement(Predictor):
    """z' = z + (sum of the block's moves)."""

    def __init__(self, model: WorldModel, context: int) -> None:
        super().__init__()
        self.context, self.blocks = context, [model.actions]  # in a list, so that it is no submodule

    def forward(self, z: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        blocks = self.blocks[0]
        moves = (actions * blocks.std + blocks.mean).unflatten(-1, (blocks.skip, blocks.space.n))
        moves = moves @ CHOICES if blocks.space.kind == "discrete" else moves
        return z + moves.sum(-2)


class LinearModel(WorldModel):
    """The latent is the position, as the stream `position` shows it.

    Args:
        discrete: four choices instead of (dx, dy) in [-1, 1].
        skip: actions in a block.
        held: the recorded actions were held through each block, so that blocks have two degrees of freedom.
        context: kept frames in a context.
    """

    def __init__(self, discrete: bool = False, skip: int = 2, held: bool = True, context: int = 1) -> None:
        action = ActionSpace("discrete", 4) if discrete else ActionSpace("box", 2, (-1.0, -1.0), (1.0, 1.0))
        kind = "mlp" if context == 1 else "gru"
        super().__init__(
            Spec((Stream("position", "vector", (2,)),), action),
            ModelConfig(latent=2, skip=skip, context=context, predictor=kind),
        )
        self.predictor = Displacement(self, context)
        random = torch.Generator().manual_seed(0)
        if discrete:
            blocks = nn.functional.one_hot(torch.randint(4, (500, skip), generator=random), 4).float()
        else:
            blocks = 2 * torch.rand(500, 1 if held else skip, 2, generator=random) - 1
            blocks = blocks.expand(-1, skip, -1)
        self.actions.fit(blocks.flatten(1))
        self.seen: list[int] = []

    def encode(self, observations: dict[str, torch.Tensor], present: None = None) -> torch.Tensor:
        self.perception.check(observations, {})
        self.seen.append(len(observations["position"]))
        return observations["position"].clone()
