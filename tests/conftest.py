"""For all tests: every call into the package has the shapes that its signature says, on one thread; and the real recordings."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from jaxtyping import install_import_hook

install_import_hook("armillary", "shape_checks.check")  # checks what is imported from here on

import torch  # noqa: E402

DATA = Path(os.environ.get("ARMILLARY_DATA") or Path(__file__).parents[2] / "shared" / "data")


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """These networks are far too small to share out."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def recording() -> Callable[[str], Path]:
    """The folder of a real recording by name; the test is skipped where it is absent. ARMILLARY_DATA says where they are."""

    def find(name: str) -> Path:
        if not (DATA / name).is_dir():
            pytest.skip(f"there is no recording {DATA / name}; set ARMILLARY_DATA to the folder that holds it")
        return DATA / name

    return find
