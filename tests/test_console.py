"""Names and paths come out as they are: square brackets and colons in data are no markup."""

from pathlib import Path

import numpy as np
import pytest

import armillary
from armillary.cli import main
from armillary.console import ProgressBar, plain_console
from armillary.episodes.store import Episode, Episodes
from armillary.spec import NO_ACTION, Spec, Stream

NAMES = ("pressure [bar]", "temp [°C]", "[/red] :key:")


def test_names_in_brackets_come_out_whole(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "250")
    path = tmp_path / "plant [2]"
    store = Episodes.create(path, Spec((Stream("[bold]", "vector", (3,), NAMES, NAMES),), NO_ACTION))
    store.append(*(Episode({"[bold]": np.full((60, 3), i, np.float32)}, np.empty((59, 0), np.float32)) for i in range(2)))
    main(["info", str(path)])
    with pytest.raises(SystemExit):
        main(["doctor", str(path)])
    said = capsys.readouterr().out.replace("\n", "")  # a long temporary path is wrapped
    for name in ("plant [2]", "[bold]", *NAMES):
        assert name in said


def test_rules_and_progress_titles_are_literal(capsys):
    plain_console().rule("gym:[red]/X :key:")
    assert "gym:[red]/X :key:" in capsys.readouterr().out


def test_progress_without_a_terminal_is_a_line_for_each_tenth(capsys):
    with ProgressBar() as bar:
        for step in range(1, 31):
            bar.update("train: joint", step / 30, f"step {step}")
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["train: joint: 3%, step 1", "train: joint: 10%, step 3"]
    assert lines[-1] == "train: joint: 100%, step 30"
    assert len(lines) == 11
    with ProgressBar(shown=False) as bar:
        bar.update("train: joint", 1, "step 30")
    assert capsys.readouterr().out == ""


def test_no_other_console_is_made():
    sources = Path(armillary.__file__).parent.rglob("*.py")
    assert [file.name for file in sources if " Console(" in file.read_text() and file.name != "console.py"] == []
