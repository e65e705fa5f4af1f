"""Goals come later in the same track, and contexts never reach into another."""

import numpy as np
import torch
from linear_model import LinearModel

from armillary.acting.habit.hindsight import Hindsight
from armillary.episodes.clips import Clips
from armillary.episodes.store import Episode, Episodes

ROWS = 7


def test_draws_stay_in_their_track(tmp_path):
    """Row r of episode e is at (e, r), and its action is r / 10."""
    model = LinearModel(context=3)
    store = Episodes.create(tmp_path / "store", model.spec)
    for episode in range(3):
        places = np.stack([np.full(ROWS, episode), np.arange(ROWS)], 1).astype(np.float32)
        store.append(Episode({"position": places}, np.repeat(np.arange(ROWS - 1), 2).reshape(-1, 2).astype(np.float32) / 10))
    hindsight = Hindsight(model, Clips(store, 2, skip=2))
    z, goal, blocks, apart = hindsight.draw(np.random.default_rng(0), 2000, reach=2, context=3)
    now = z[:, -1]
    assert (z[..., 0] == goal[:, None, 0]).all()
    assert torch.equal(goal[:, 1] - now[:, 1], 2.0 * apart)
    assert apart.unique().tolist() == [1, 2]
    assert now[:, 1].unique().tolist() == [0, 1, 2, 3, 4]
    # Frames are 2 rows apart; before the first of a track there is nothing, and it is repeated.
    row, past = now[:, 1].long(), z[:, :, 1].long()
    first = row % 2
    assert torch.equal(past, torch.stack([torch.maximum(row - 4, first), torch.maximum(row - 2, first), row], 1))
    taken = torch.stack([row, row, row + 1, row + 1], 1) / 10
    torch.testing.assert_close(blocks, model.actions.encode(taken))
