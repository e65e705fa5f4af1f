"""Worlds by name."""

import subprocess
import sys

import pytest

from armillary.errors import ArmillaryError
from armillary.evaluation.run import judged_world
from armillary.worlds.world import WORLDS, HasOracle, HasShortestPath, Judged, Recorded, has_goals, make


@pytest.mark.parametrize("name", WORLDS)
def test_every_world_is_a_world(name):
    _, package, extra = WORLDS[name]
    if package:
        pytest.importorskip(package, reason=f"needs pip install 'armillary[{extra}]'")
    world = make(name, num_envs=3)
    assert isinstance(world, Recorded)
    for judged in (Judged, HasShortestPath, HasOracle):
        assert isinstance(world, judged) == has_goals(name) == (name != "physics")
    assert world.name == name
    assert world.num_envs == 3


def test_only_worlds_that_a_file_may_name_have_goals():
    assert not any(map(has_goals, ("gym:CartPole-v1", "somebody:make", "three_room", "")))
    with pytest.raises(ArmillaryError, match=r"^physics has no goals and no success, so that agents are not judged in it$"):
        judged_world(1, "physics", {})


def test_unknown_names_and_options_list_what_there_is():
    with pytest.raises(ArmillaryError, match=r"is none of two_room, .* gym:ID, or your own as package\.module:make"):
        make("three_room")
    with pytest.raises(ArmillaryError, match="no option doors; its options are num_envs, size, door"):
        make("two_room", doors="random")


def test_without_gymnasium_the_error_names_the_extra():
    script = (
        "import sys; sys.modules['gymnasium'] = None\n"
        "from armillary.errors import MissingExtra\n"
        "from armillary.worlds import make\n"
        "try: make('two_room')\n"
        "except MissingExtra as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "pip install 'armillary[worlds]'" in done.stdout


@pytest.mark.parametrize("ask", [make, has_goals])
def test_a_world_that_mujoco_cannot_draw_says_so_whoever_asks(ask, tmp_path, monkeypatch):
    pytest.importorskip("mujoco")
    (tmp_path / "no_gl.py").write_text("raise AttributeError('no such backend')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(WORLDS, "cube", ("no_gl:Cube", "mujoco", "cube"))
    with pytest.raises(ArmillaryError, match=r"cube: .*no such backend.*MUJOCO_GL=egl"):
        ask("cube")
