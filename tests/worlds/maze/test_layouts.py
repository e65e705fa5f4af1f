"""Layouts of a maze: connected, with loops, and split into seen and unseen ones."""

import numpy as np
import pytest

from armillary.worlds.maze.layouts import UNSEEN, draw_walls, unseen, wall_count, zones


def components(picture: np.ndarray) -> int:
    """How many separate parts the open zones have, by flooding."""
    todo, parts = {tuple(zone) for zone in np.argwhere(picture).tolist()}, 0
    while todo:
        parts, front = parts + 1, [todo.pop()]
        while front:
            row, column = front.pop()
            for near in ((row + 1, column), (row - 1, column), (row, column + 1), (row, column - 1)):
                if near in todo:
                    todo.remove(near)
                    front.append(near)
    return parts


@pytest.mark.parametrize("cells", [4, 5, 6])
def test_every_cell_can_be_reached_and_there_are_two_loops(cells):
    rng = np.random.default_rng(0)
    walls = np.stack([draw_walls(cells, rng) for _ in range(100)])
    assert walls.shape == (100, wall_count(cells))
    for picture in zones(walls):
        assert components(picture) == 1
    openings = (~walls).sum(axis=1)
    assert (openings == cells**2 - 1 + 2).all()
    assert len(np.unique(walls, axis=0)) > 90
    assert walls.any(axis=0).all()  # each wall stands at times, and is missing at others
    assert not walls.all(axis=0).any()


def test_zones_are_where_the_bits_say():
    walls = np.ones((1, wall_count(3)), bool)
    walls[0, 1], walls[0, 6 + 2] = False, False  # right of (0, 1), below (0, 2)
    rows = ["".join(".#"[int(shut)] for shut in row) for row in ~zones(walls)[0]]
    assert rows == ["#######", "#.#...#", "#####.#", "#.#.#.#", "#######", "#.#.#.#", "#######"]
    assert not zones(np.ones((2, 24), bool))[:, ::2].any()
    assert zones(np.zeros((1, 24), bool)).sum() == 16 + 24


def test_seen_and_unseen_are_disjoint_and_cover_everything():
    rng = np.random.default_rng(0)
    drawn = {part: {draw_walls(4, rng, part).tobytes() for _ in range(150)} for part in ("seen", "unseen", "random")}
    assert not drawn["seen"] & drawn["unseen"]
    for part, layouts in drawn.items():
        share = np.mean([unseen(np.frombuffer(layout, bool)) for layout in layouts])
        assert share == {"seen": 0, "unseen": 1}.get(part, pytest.approx(1 / UNSEEN, abs=0.1))
