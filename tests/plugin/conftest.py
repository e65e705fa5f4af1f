"""The example package, installed by pip as any other, for the tests of this folder."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def installed(tmp_path_factory) -> Path:
    """The folder that the package is installed in."""
    source, target = (tmp_path_factory.mktemp(name) for name in ("source", "target"))
    shutil.copy(HERE / "pyproject.toml", source)
    shutil.copytree(HERE / "armillary_example", source / "armillary_example", ignore=shutil.ignore_patterns("__pycache__"))
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index"]
    subprocess.run([*pip, "--no-build-isolation", "--no-deps", "--target", target, source], check=True)
    return target


@pytest.fixture
def plugin(installed, monkeypatch) -> None:
    """The package can be imported."""
    monkeypatch.syspath_prepend(installed)
