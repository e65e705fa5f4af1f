"""Mutated files of every format: each is read, or refused with an `ArmillaryError`.

A few dozen to a few hundred mutations each here; `ARMILLARY_FUZZ=2000 pytest tests/fuzz` takes as many, each parser in a
process of its own with its memory limited (attack.py).
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

for package in ("lance", "h5py", "pyarrow", "av", "PIL", "mcap_ros2", "rosbags", "gymnasium"):
    pytest.importorskip(package)

from fuzz.attack import attack, make  # noqa: E402
from fuzz.targets import TARGETS  # noqa: E402

MANY = int(os.environ.get("ARMILLARY_FUZZ", 0))


@pytest.mark.parametrize("name", TARGETS)
def test_a_mutated_file_is_read_or_refused(name, tmp_path):
    if MANY:
        command = [sys.executable, str(Path(__file__).with_name("attack.py")), name, str(MANY)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout
        return
    good = make(name, tmp_path / "good")

    @settings(
        max_examples=TARGETS[name].quick,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(seed=st.integers(0, 2**32))
    def read(seed):
        assert attack(name, seed, tmp_path, good) in ("read", "refused")

    read()
