"""A planner: the best of a few random plans, drawn once."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from armillary.planning import Planner
from armillary.planning.planner import Draw, Score


@dataclass
class Few(Planner):
    """Chooses among `tries`."""

    tries: int = 3

    def search(self, mean: Float[Tensor, "b h k"], score: Score, draw: Draw) -> Float[Tensor, "b c h k"]:
        return mean.unsqueeze(1) + draw(self.tries)
