"""MuJoCo's own renderer shows what ours shows. OpenGL is chosen when mujoco is loaded, so each test is a process of its own."""

import os
import subprocess
import sys

import pytest

pytest.importorskip("mujoco", reason="MuJoCo's renderer needs mujoco")

COMPARE = """
import numpy as np
from armillary.errors import ArmillaryError
from armillary.worlds.reacher.world import Reacher
factors = "link_colours", "floor_colour"
try:
    theirs = Reacher(1, size=256, factors=factors, renderer="mujoco")
except ArmillaryError as error:
    raise SystemExit(f"skip: {error}")
assert theirs.version.endswith("/mujoco")
states, _ = theirs.sample_pairs(20, np.random.default_rng(0))
a, b = (world.render_states(states)["image"].astype(int) for world in (theirs, Reacher(1, size=256)))
floor = np.rint(states[:, 11:14])[:, None, None]
masks = [(np.abs(image - floor) > 15).any(-1) for image in (a, b)]
overlap = (masks[0] & masks[1]).sum((1, 2)) / (masks[0] | masks[1]).sum((1, 2))
print("overlap", overlap.min(), "floor", np.abs(a - b)[~(masks[0] | masks[1])].max(), "mean", np.abs(a - b).mean())
assert overlap.min() > 0.95 and np.abs(a - b)[~(masks[0] | masks[1])].max() <= 15 and np.abs(a - b).mean() < 0.2
theirs.reset(seed=0)
states[:, 14] = 10
try:
    theirs.render_states(states)
except ArmillaryError as error:
    print(error)
"""


def run(script: str, **variables: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env={**os.environ, **variables}, check=False
    )
    if done.stderr.startswith("skip: "):
        pytest.skip(done.stderr)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_both_renderers_show_the_same():
    headless = sys.platform == "linux" and "DISPLAY" not in os.environ and "MUJOCO_GL" not in os.environ
    assert "draws plain floors" in run(COMPARE, **({"MUJOCO_GL": "egl"} if headless else {}))


def test_without_opengl_the_error_says_how_to_get_it():
    script = """
from armillary.errors import ArmillaryError
from armillary.worlds.reacher.world import Reacher
Reacher()
try:
    Reacher(renderer="mujoco")
except ArmillaryError as error:
    print(error)
"""
    said = run(script, MUJOCO_GL="disable")
    for advice in ("MUJOCO_GL=egl", "apt-get install libegl1", "libosmesa6", "default renderer needs no OpenGL"):
        assert advice in said
