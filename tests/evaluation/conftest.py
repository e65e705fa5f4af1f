import pytest
import torch


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """These networks are far too small to share out."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
