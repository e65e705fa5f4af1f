"""Stores that a command fills: marked until they are complete, resumed, overwritten; and several that write at once."""

import multiprocessing
import subprocess
import sys
import threading

import numpy as np
import pytest
from episode_fakes import random_episode, small_spec

from armillary.cli import main
from armillary.episodes import columns
from armillary.episodes.filling import Filling
from armillary.episodes.merge import merge
from armillary.episodes.store import Episodes
from armillary.errors import ArmillaryError, NoStore

SPEC = small_spec(image=False)


def episodes(count, seed=0):
    rng = np.random.default_rng(seed)
    return [random_episode(SPEC, 4, rng, number=number) for number in range(count)]


def test_nothing_is_there_before_the_first_episodes(tmp_path):
    into = Filling(tmp_path / "s", SPEC, job={"command": "test"})
    assert not (tmp_path / "s").exists()
    into.append(*episodes(2))
    assert Episodes.open(tmp_path / "s").info["unfinished"] == {"command": "test"}
    assert into.finish().unfinished is None
    assert "unfinished" not in Episodes.open(tmp_path / "s").info


def test_what_is_there_is_resumed_or_overwritten_when_asked_for(tmp_path):
    path, job = tmp_path / "s", {"command": "test", "seed": 0}
    Filling(path, SPEC, job=job).append(*episodes(2))
    with pytest.raises(ArmillaryError, match="unfinished and holds 2 episodes; go on with --resume"):
        Filling(path, SPEC, job=job)
    with pytest.raises(ArmillaryError, match="seed was 0 and is 1"):
        Filling(path, SPEC, job={**job, "seed": 1}, resume=True)
    with pytest.raises(ArmillaryError, match="episode 0 comes out otherwise"):
        list(Filling(path, SPEC, job=job, resume=True).remaining(episodes(3, seed=9)))
    into = Filling(path, SPEC, job=job, resume=True)
    into.append(*into.remaining(episodes(3)))
    into.finish()
    assert [info["number"] for info in Episodes.open(path).infos] == [0, 1, 2]
    assert Filling(path, SPEC, job=job, resume=True).done
    with pytest.raises(ArmillaryError, match="holds 3 episodes; take another path, or replace it with --overwrite"):
        Filling(path, SPEC, job=job)
    (path / "notes.txt").write_text("mine")
    into = Filling(path, SPEC, job=job, overwrite=True)
    assert len(Episodes.open(path)) == 3
    into.append(*episodes(1, seed=5))
    into.finish()
    assert Episodes.open(path, verify=True).lengths.tolist() == [4]
    assert len(list((path / "data").iterdir())) == 1
    assert (path / "notes.txt").read_text() == "mine"


def test_nothing_but_a_store_is_overwritten(tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter").write_text("1")
    with pytest.raises(ArmillaryError, match="nothing here replaces it"):
        Filling(tmp_path / "thesis", SPEC, job={"command": "test"}, overwrite=True)
    assert (tmp_path / "thesis" / "chapter").read_text() == "1"


def test_a_merge_does_not_overwrite_what_it_merges(tmp_path):
    for name in "ab":
        with Episodes.create(tmp_path / name, SPEC) as store:
            store.append(*episodes(2))
    with pytest.raises(ArmillaryError, match="one of the recordings"):
        merge([Episodes.open(tmp_path / name) for name in "ab"], tmp_path / "a", overwrite=True)
    assert len(Episodes.open(tmp_path / "a")) == 2


def test_one_that_is_slow_to_create_a_store_leaves_the_others_alone(tmp_path, monkeypatch):
    made, go_on, errors = columns.schema_of, threading.Event(), []

    def slow(*arguments):
        monkeypatch.setattr(columns, "schema_of", made)
        go_on.wait(10)
        return made(*arguments)

    def create():
        try:
            Episodes.create(tmp_path / "s", SPEC)
        except ArmillaryError as error:
            errors.append(str(error))

    monkeypatch.setattr(columns, "schema_of", slow)
    thread = threading.Thread(target=create)
    thread.start()
    while columns.schema_of is slow and thread.is_alive():
        pass
    with Episodes.create(tmp_path / "s", SPEC) as store:
        store.append(*episodes(3))
    go_on.set()
    thread.join()
    assert "exists" in errors[0]
    assert len(Episodes.open(tmp_path / "s")) == 3


WRITER = """
import sys
import numpy as np
from episode_fakes import random_episode, small_spec
from armillary.episodes.store import Episodes
store, rng = Episodes.open(sys.argv[1]), np.random.default_rng(int(sys.argv[2]))
for _ in range(8):
    store.append(random_episode(store.spec, 3, rng, by=sys.argv[2]))
"""


def test_two_processes_append_to_one_store(tmp_path):
    """Both choose the codec of the first images, which Lance refuses the slower one."""
    spec = small_spec()
    Episodes.create(tmp_path / "s", spec).close()
    folder = str(__file__).rsplit("/", 1)[0]
    command = [sys.executable, "-c", WRITER, str(tmp_path / "s")]
    writers = [
        subprocess.Popen([*command, str(number)], env={"PYTHONPATH": ":".join([folder, *sys.path])}) for number in (1, 2)
    ]
    assert [writer.wait() for writer in writers] == [0, 0]
    store = Episodes.open(tmp_path / "s", verify=True)
    assert sorted(info["by"] for info in store.infos) == ["1"] * 8 + ["2"] * 8
    numbers = store._lance.to_table(columns=["episode"]).column(0).to_pylist()
    assert numbers == np.repeat(np.arange(16), 3).tolist()


def test_the_slower_of_two_that_choose_a_codec_takes_the_other_s(tmp_path):
    rng, spec = np.random.default_rng(0), small_spec()
    one = Episodes.create(tmp_path / "s", spec)
    two = Episodes.open(tmp_path / "s")
    one.append(random_episode(spec, 3, rng))
    for _ in range(2):
        two.append(random_episode(spec, 3, rng))
    assert two.info["images"] == Episodes.open(tmp_path / "s").info["images"] == one.info["images"]
    assert len(Episodes.open(tmp_path / "s")) == 3


def read_in_child(path, queue):
    try:
        Episodes.open(path)
        queue.put("opened")
    except ArmillaryError as error:
        queue.put(str(error))


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork here")
@pytest.mark.filterwarnings("ignore")
def test_a_fork_is_refused_where_lance_was_used(tmp_path):
    Episodes.create(tmp_path / "s", SPEC).close()
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=read_in_child, args=(tmp_path / "s", queue))
    child.start()
    assert "does not survive a fork" in queue.get(timeout=30)
    child.join()


def test_uris_survive_the_command_line(capsys):
    uri = "memory://recorded"
    main(["record", "two_room", "--out", uri, "--episodes", "3", "--steps", "4"])
    assert len(Episodes.open(uri)) == 3
    main(["info", uri])
    assert uri in capsys.readouterr().out
    for arguments in (["doctor", "memory://none"], ["merge", uri, "memory://none", "--out", "memory://merged"]):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == 2
        assert "no store at memory://none" in capsys.readouterr().err
    with pytest.raises(NoStore):
        Episodes.open("memory://none")
