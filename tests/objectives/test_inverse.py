import torch

from armillary.objectives.inverse import InverseDynamics
from armillary.objectives.term import View


def test_the_action_is_found_where_it_moved_something_and_not_where_it_did_not():
    torch.manual_seed(0)
    actions = torch.randn(256, 3, 2)
    moved = torch.cat([torch.zeros(256, 1, 2), actions.cumsum(1)], 1) + torch.randn(256, 1, 2)
    still = torch.randn(256, 1, 2).expand(-1, 4, -1)
    lost = {}
    for name, z in (("moved", moved), ("still", still)):
        model = InverseDynamics(2, 2, width=32)
        optimizer = torch.optim.Adam(model.parameters(), 1e-2)
        for _ in range(150):
            optimizer.zero_grad()
            model.loss(View(z[:128], actions[:128]))["inverse"].backward()
            optimizer.step()
        lost[name] = model.loss(View(z[128:], actions[128:]))["inverse"].item()
    assert lost["moved"] < 0.05
    assert lost["still"] > 0.9
