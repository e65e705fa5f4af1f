"""Play for corridors: random actions that keep their direction for as long as it leads somewhere.

Independent random actions take a disc back and forth, and next to nowhere. Here, design choices:
- a direction is a pair of signs, right or left and down or up. It is held, so that the disc is pressed along walls, round
  corners and into openings; what is drawn anew at each step is the size of both numbers, min(1, U(0, 2));
- a new one is chosen where the disc is stuck (has hardly moved) or enters another cell: that which was tried least often in
  this cell, and of those one towards cells where the disc has not been yet. It knows neither the walls nor a goal, bumps into
  walls as it finds out, and sees more of the maze the longer an episode is. It knows the true position.

Choosing by how often a way was tried is an old idea: Koenig and Simmons, "Easy and hard testbeds for real-time search
algorithms" (AAAI 1996).
"""

from dataclasses import dataclass

import numpy as np

from armillary.actor import Observations
from armillary.episodes.scripted import Scripted

STUCK = 0.25  # of what the last action asked for: less motion than this is hardly any
# Ties are broken at random, in favour of the direction that is held; a single try, or a single known cell, outweighs both.
CHANCE, HELD = 0.5, 0.75
SIGNS = np.array([(1, 1), (-1, 1), (1, -1), (-1, -1)])


@dataclass
class Wander(Scripted):
    """An actor for a world with a truth stream `position` (N, 2) and displacements as actions.

    Args:
        cells: along each axis of the square that is to be covered.
        pitch: height and width of a cell, px.
        reach: displacement along an axis that an action of 1 asks for, px.
    """

    cells: int
    pitch: float
    reach: float

    def __str__(self) -> str:
        return f"{self!r}: directions that persist, by true position, to where they were tried least; random sizes; no goals"

    def memory(self, n: int) -> dict[str, np.ndarray]:
        cells = self.cells
        return {
            "tries": np.zeros((n, cells, cells, len(SIGNS))),
            "been": np.zeros((n, cells + 2, cells + 2), bool),
            "direction": np.zeros(n, int),
            "cell": np.zeros((n, 2), int),
            "position": np.zeros((n, 2)),
            "action": np.zeros((n, 2)),
        }

    def choose(self, observations: Observations, memory: dict[str, np.ndarray], rng: np.random.Generator) -> np.ndarray:
        position, began, tries, been = observations["position"].astype(float), memory["began"], memory["tries"], memory["been"]
        tries[began], been[began] = 0, True
        been[began, 1:-1, 1:-1] = False
        rows, cell = np.arange(len(position)), np.clip(position // self.pitch, 0, self.cells - 1).astype(int)
        column, row = cell.T
        moved = np.abs(position - memory["position"]).max(axis=1)
        lost = began | (moved < STUCK * self.reach * np.abs(memory["action"]).max(axis=1))
        beside = been[rows, row + 1, column + 1 + SIGNS[:, :1]], been[rows, row + 1 + SIGNS[:, 1:], column + 1]
        against = tries[rows, row, column] + np.sum(beside, axis=0).T + CHANCE * rng.random((len(rows), len(SIGNS)))
        against[rows, memory["direction"]] -= HELD * ~lost
        choose = lost | (cell != memory["cell"]).any(axis=1)
        memory["direction"] = np.where(choose, against.argmin(axis=1), memory["direction"])
        tries[rows, row, column, memory["direction"]] += choose
        been[rows, row + 1, column + 1] = True
        memory["position"], memory["cell"] = position, cell
        memory["action"] = (SIGNS[memory["direction"]] * np.minimum(1, rng.uniform(0, 2, position.shape))).astype(np.float32)
        return memory["action"]
