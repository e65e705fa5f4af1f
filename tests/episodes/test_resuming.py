"""Commands that fill a store, ended by SIGTERM or Ctrl-C after a commit: their status, what is left, and what --resume does."""

import subprocess
import sys

import numpy as np
import pytest

from armillary.cli import main
from armillary.episodes.filling import Filling
from armillary.episodes.formats import importing
from armillary.episodes.store import Episodes

pytest.importorskip("lance")

SENT_SIGTERM = """
import os, signal, sys
from armillary.cli import main
from armillary.episodes import record
from armillary.episodes.formats import importing
from armillary.episodes.store import Episodes

record._COMMIT_BYTES = importing.COMMIT_BYTES = 1
append = Episodes.append

def ended(store, *episodes):
    append(store, *episodes)
    if len(store) > 1:
        os.kill(os.getpid(), signal.SIGTERM)

Episodes.append = ended
folder = sys.argv[1]
try:
    main(["import", "table", f"{folder}/tables", "--out", f"{folder}/imported", "--time", "t"])
except SystemExit as end:
    print(end.code)
main(["record", "two_room", "--out", f"{folder}/recorded", "--episodes", "5", "--steps", "4"])
"""


def tables(folder):
    folder.mkdir()
    for number in range(4):
        rows = "".join(f"{t},{t * number},{t % 3}\n" for t in range(5 + number))
        (folder / f"{number}.csv").write_text(f"t,pressure,valve\n{rows}")
    return folder


def archives(folder):
    folder.mkdir()
    for number in range(4):
        values = np.arange(10.0 + 2 * number, dtype=np.float32).reshape(-1, 2)
        np.savez(folder / f"{number}.npz", observations=values, actions=values / 2)
    return folder


def demonstrations(path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        for number in range(4):
            values = np.arange(10.0 + 2 * number).reshape(-1, 2)
            file[f"data/demo_{number}/obs/position"], file[f"data/demo_{number}/actions"] = values, values / 2
    return path


def videos(folder):
    pytest.importorskip("av")
    from film_fakes import film

    folder.mkdir()
    for number in range(3):
        film(folder / f"{number}.mp4", range(5 + number))
    return folder


def same(one, other):
    stores = [Episodes.open(path, verify=True) for path in (one, other)]
    assert [store.unfinished for store in stores] == [None, None]
    assert stores[0].digests == stores[1].digests
    assert stores[0].infos == stores[1].infos


@pytest.mark.parametrize(
    "arguments",
    [
        ("table", tables, "--time", "t"),
        ("table", tables, "--time", "t", "--longest", "3"),
        ("npz", archives),
        ("hdf5", demonstrations),
        ("video", videos),
    ],
    ids=lambda arguments: " ".join(map(str, (arguments[0], *arguments[2:]))),
)
def test_imports_that_were_interrupted_are_resumed(tmp_path, monkeypatch, capsys, arguments):
    kind, make, *options = arguments
    source, out = str(make(tmp_path / "source")), str(tmp_path / "out")
    main(["import", kind, source, "--out", str(tmp_path / "whole"), *options])
    append = Filling.append

    def cut_short(into, *episodes):
        append(into, *episodes)
        if len(into.store) - into.stored == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(importing, "COMMIT_BYTES", 1)
    with monkeypatch.context() as patched:
        patched.setattr(Filling, "append", cut_short)
        with pytest.raises(SystemExit) as ended:
            main(["import", kind, source, "--out", out, *options])
    assert ended.value.code == 130
    assert "out is unfinished, with 2 episodes so far; go on with --resume" in capsys.readouterr().err
    assert Episodes.open(out).unfinished["command"].startswith("import")
    with pytest.raises(SystemExit) as ended:
        main(["import", kind, source, "--out", out, *options])
    assert ended.value.code == 2
    assert "unfinished and holds 2 episodes; go on with --resume" in capsys.readouterr().err
    main(["import", kind, source, "--out", out, *options, "--resume"])
    same(out, tmp_path / "whole")


def test_sigterm_ends_commands_with_130_and_they_can_be_resumed(tmp_path, capsys):
    tables(tmp_path / "tables")
    run = subprocess.run([sys.executable, "-c", SENT_SIGTERM, tmp_path], capture_output=True, text=True)
    assert (run.returncode, run.stdout.split()[0]) == (130, "130"), run.stderr
    commands = {
        "imported": ["import", "table", str(tmp_path / "tables"), "--time", "t"],
        "recorded": ["record", "two_room", "--episodes", "5", "--steps", "4"],
    }
    for name, command in commands.items():
        assert f"{name} is unfinished, with 2 episodes so far; go on with --resume" in " ".join(run.stderr.split())
        assert len(Episodes.open(tmp_path / name)) == 2
        main(["info", str(tmp_path / name)])
        assert "unfinished" in capsys.readouterr().out
        main([*command, "--out", str(tmp_path / name), "--resume"])
        main([*command, "--out", str(tmp_path / f"{name} whole")])
        same(tmp_path / name, tmp_path / f"{name} whole")
