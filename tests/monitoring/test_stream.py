"""Predictions of rows as they come are those of whole episodes."""

import numpy as np
import pytest
import torch
from small_models import SPEC, random_batch, small_model

from armillary.latents import Encoded, imagine
from armillary.monitoring.surprise import Surprise


@pytest.mark.parametrize("predictor", ["mlp", "gru", "transformer"])
def test_a_row_is_predicted_from_a_context_before_it_however_rows_are_cut(predictor):
    model = small_model(predictor)
    rows, reach = 23, model.config.skip * model.config.context
    seen = {name: values[0] for name, values in random_batch(1, rows).observations.items()}
    actions = torch.rand(rows, SPEC.action.n)
    whole = Surprise(model)(seen, actions)
    assert len(whole.z) == rows - reach
    with torch.inference_mode():
        z = model.encode({name: values[None] for name, values in seen.items()})[0]
    expected = imagine(model, Encoded(0, z.numpy(), actions.numpy()), np.arange(rows - reach), 1)[:, 0]
    torch.testing.assert_close(whole.expected, torch.from_numpy(expected))
    torch.testing.assert_close(whole.errors, z[reach:] - torch.from_numpy(expected))
    stream, parts = Surprise(model), []
    for start, stop in ((0, 1), (1, 3), (3, 11), (11, 12), (12, rows)):
        parts.append(stream({name: values[start:stop] for name, values in seen.items()}, actions[start:stop]).expected)
    torch.testing.assert_close(torch.cat(parts), whole.expected)
    stream.start()
    assert len(stream({name: values[:reach] for name, values in seen.items()}, actions[:reach]).z) == 0
