"""A package that nobody here knows adds to Armillary, which is recorded, trained, judged and shown without a change to it."""

import json
import re
from contextlib import suppress
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict

from armillary import cli
from armillary.acting.agent import Agent
from armillary.episodes.record import record
from armillary.episodes.scripted import Random
from armillary.episodes.store import Episodes
from armillary.errors import PluginError
from armillary.spaces import spec_of
from armillary.spec import Stream

ROWS, COLUMNS = 8, 6
TINY = ["two-room", *(f"--recipe.{field}" for field in ("stages.0.steps=6", "stages.1.steps=6", "model.width=8"))]


class Fingertip(gymnasium.Env):
    """A ball that rolls about on a grid of taxels, one of which is broken."""

    observation_space = Dict({"tactile": Box(0, np.inf, (ROWS, COLUMNS), np.float32)})
    action_space = Box(-1, 1, (2,), np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.ball, self.left = self.np_random.uniform(1, [ROWS - 2, COLUMNS - 2]), 40
        return self._felt(), {}

    def step(self, action):
        self.ball, self.left = np.clip(self.ball + 0.5 * action, 0, [ROWS - 1, COLUMNS - 1]), self.left - 1
        return self._felt(), 0.0, False, self.left == 0, {}

    def _felt(self):
        at = np.stack(np.mgrid[:ROWS, :COLUMNS], -1)
        pressure = 4 * np.exp(-np.square(at - self.ball).sum(-1) / 3)
        pressure[0, 0] = np.nan
        return {"tactile": pressure.astype(np.float32)}


def record_touch(path):
    env = Fingertip()
    record(env, Random(spec_of(env).action), path, episodes=8, seed=0).close()
    return path


def said(capsys, *words) -> str:
    """What a verb prints, on one line."""
    with suppress(SystemExit):  # of 0: others fail what follows
        cli.main([str(word) for word in words])
    return " ".join(capsys.readouterr().out.split())


def test_a_kind_of_stream_is_recorded_examined_trained_and_shown(plugin, tmp_path, capsys):
    recording = record_touch(tmp_path / "touch")
    with Episodes.open(recording) as episodes:
        assert episodes.spec.streams == (Stream("tactile", "tactile", (ROWS, COLUMNS)),)
        seen = episodes.read(3)["tactile"]
        assert np.isnan(seen).sum() == np.isnan(seen[:, 0, 0]).sum() == len(seen) == 41
    assert "(8, 6) rows, columns" in said(capsys, "info", recording)

    found = said(capsys, "doctor", recording)
    assert "touch of tactile" in found
    assert "0 rows; gain in R2" in found
    assert "verdict: ok" in found

    run = tmp_path / "run"
    said(capsys, "train", recording, "--out", run, "--held-out", 2, "--config.no-progress", *TINY)
    assert "tactile" in said(capsys, "info", run)
    said(capsys, "eval", run, "--horizons", 2, 5)
    page = (run / "report.html").read_text()
    assert "data:image" in page


def test_a_planner_and_a_cost_are_trained_for_saved_and_judged(plugin, tmp_path, capsys):
    recording, run, acts = tmp_path / "recording", tmp_path / "run", ["--recipe.agent.planner", "few", "tries=5"]
    said(capsys, "record", "two_room", "--out", recording, "--episodes", 12, "--steps", 8)
    said(capsys, "train", recording, "--out", run, "--config.no-progress", *TINY, *acts, "--recipe.agent.cost", "farthest")
    said(capsys, "eval", run, "--pairs", 2, "--horizons", 2)
    agent = json.loads((run / "results.json").read_text())["facts"]["agent"]
    assert agent == {"planner": {"name": "few", "horizon": 5, "tries": 5}, "cost": "farthest", "habit": None, "execute": 1}
    assert Agent.load(run, device="cpu").planner.tries == 5


def test_a_world_is_recorded_trained_for_judged_and_shown(plugin, tmp_path, capsys):
    recording, run = tmp_path / "recording", tmp_path / "run"
    said(capsys, "record", "table", "--out", recording, "--episodes", 12, "--steps", 8)
    with Episodes.open(recording) as episodes:
        assert [stream.name for stream in episodes.spec.observed] == ["image"]
    said(capsys, "train", recording, "--out", run, "--config.no-progress", *TINY)
    printed = said(capsys, "eval", run, "--pairs", 3, "--horizons", 0.5)
    assert "SPL and success by distance are left out: the world has no shortest path" in printed
    control = json.loads((run / "results.json").read_text())["control"]
    assert set(control["rows"]) == {"do_nothing", "random", "untrained", "shuffled", "model"}
    assert control["rule"] == "budget = 8 env steps; constraints: none"
    assert {check["name"] for check in control["checks"]} == {"do nothing", "random", "angles", "batch"}
    assert "the world has no expert" in (run / "report.html").read_text()


def test_a_format_is_imported_and_an_objective_is_trained_for(plugin, tmp_path, capsys):
    rng, source, recording, run = np.random.default_rng(0), tmp_path / "log.txt", tmp_path / "recording", tmp_path / "run"
    rows = [" ".join(f"{x:.3f}" for x in row[:2]) + f" | {row[2]:.3f}" for row in rng.uniform(-1, 1, (6 * 20, 3))]
    source.write_text("\n\n".join("\n".join(rows[first : first + 20]) for first in range(0, len(rows), 20)))
    assert "lines A format that an installed package adds." in said(capsys, "import", "--help")
    assert "rows a second. Default: unknown" in said(capsys, "import", "lines", "--help")
    assert "6 episodes, 120 rows at 10 Hz, actions of 1" in said(
        capsys, "import", "lines", source, "--out", recording, "--rate", 10
    )
    slow = ["--recipe.model.objective.slow.weight", "0.5", "--config.log-every", "1"]
    said(capsys, "train", recording, "--out", run, "--held-out", 2, "--config.no-progress", *TINY, *slow)
    assert "slow" in json.loads((run / "metrics.jsonl").read_text().splitlines()[0])
    assert Agent.load(run, device="cpu").model.config.objective["slow"].weight == 0.5


def test_the_page_on_extending_is_written_from_it():
    here = Path(__file__).parent
    page = (here.parents[1] / "docs" / "extending.md").read_text()
    files = [path.read_text() for path in (here / "armillary_example").glob("*.py") if path.name != "__init__.py"]
    assert sorted(re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)) == sorted(files)
    (entries,) = re.findall(r"^```toml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert entries in (here / "pyproject.toml").read_text()


def test_without_the_package_its_recording_says_what_is_missing(installed, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.syspath_prepend(installed)
        recording = record_touch(tmp_path / "touch")
    with pytest.raises(PluginError, match=r"touch: stream 'tactile': kind 'tactile' is none of image, .*; install a package"):
        Episodes.open(recording)
