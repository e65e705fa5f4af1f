"""The command line: the whole loop through it, what it says for help, and one line and status 2 for whatever goes wrong."""

import contextlib
import dataclasses
import errno
import inspect
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from armillary import cli, objectives
from armillary.acting.config import AgentConfig
from armillary.cli import formats
from armillary.episodes.record import record
from armillary.episodes.scripted import Random
from armillary.episodes.store import Episodes
from armillary.errors import ArmillaryError
from armillary.evaluation import labelling
from armillary.evaluation.diagnose import Diagnosis
from armillary.model.config import ModelConfig
from armillary.model.world_model import WorldModel
from armillary.planning.registry import planner_names
from armillary.spec import ActionSpace, Spec, Stream
from armillary.suite.tasks import SUITE
from armillary.training.augmentation import Augmentation
from armillary.training.folder import one_writer
from armillary.training.latent_actions import fit_inverse
from armillary.training.recipes import DESCRIPTIONS, RECIPES
from armillary.training.stages import StageConfig
from armillary.worlds.world import WORLDS

pytest.importorskip("lance", reason="the command line reads stores: pip install 'armillary[all]'")

STEPS = (*("--recipe.stages.0.steps", 6), *("--recipe.stages.1.steps", 6), *("--recipe.model.width", 8))
TINY = ("two-room", *STEPS)
VERBS = cli.VERBS | {
    f"{group} {name}": formats.options_of(group, name) if isinstance(verb, str) else verb
    for group, (_, verbs) in cli.GROUPS.items()
    for name, verb in verbs.items()
}
KEYS = {
    *("success", "success_low", "success_high", "success_random", "success_untrained", "success_oracle", "episodes"),
    *("train_seconds", "decision_ms_median", "peak_memory_mb", "effective_rank", "probe_r2", "eval_set_hash"),
    *("seed", "versions"),
}


def call(*arguments):
    cli.main([str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with a recording, `store`, and a run that was trained on it, `run`."""
    folder = tmp_path_factory.mktemp("cli")
    call("record", "two_room", "--out", folder / "store", "--episodes", 30, "--steps", 12)
    call("train", folder / "store", "--out", folder / "run", "--config.no-progress", *TINY)
    (folder / "text").write_text("neither a store nor a checkpoint")
    (folder / "folder").mkdir()
    (folder / "folder" / "notes").write_text("no dataset")
    return folder


@pytest.fixture
def refused(capsys):
    """Call a verb, which has to exit with 2 and one line on stderr: the line."""

    def refuse(*arguments):
        capsys.readouterr()
        with pytest.raises(SystemExit) as status:
            call(*arguments)
        said = capsys.readouterr().err
        assert status.value.code == 2
        assert said.startswith("armillary: ")
        assert said.index("\n") == len(said) - 1
        assert "Traceback" not in said
        return said

    return refuse


@pytest.fixture
def run(made, tmp_path):
    """A copy of the run, to be damaged."""
    return Path(shutil.copytree(made / "run", tmp_path / "run"))


def files(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# ---- the loop


def test_the_whole_loop(made, run, capsys, monkeypatch):
    monkeypatch.setattr("armillary.evaluation.run.SCENES", 3)
    with pytest.raises(SystemExit) as status:
        call("doctor", made / "store")
    assert status.value.code == 0
    assert "verdict: ok" in capsys.readouterr().out
    call("eval", run, "--pairs", 4, "--constraints", "cross=true")
    results = json.loads((run / "results.json").read_text())
    assert set(results) >= KEYS
    assert results["episodes"] == 4
    assert (results["success_oracle"], results["checks_ok"]) == (1, True)
    said = capsys.readouterr()
    assert re.search(r"goals reached and held: \d+% \[\d+, \d+\] of 4 \(random .*, oracle 100% \[\d+, 100\]\)\n", said.out)
    assert f"\nreport: {run / 'report.html'}\n" in said.out
    assert re.search(r"\ncontrol: oracle holds 100% \[\d+, 100\] of its goals\n", said.out)
    assert "\033" not in said.out + said.err
    assert {path.name for path in run.iterdir()} == {
        *("model.safetensors", "metrics.jsonl", "pairs.json", "results.json", "report.html", "animation.gif")
    }
    assert results["facts"]["agent"]["planner"]["name"] == "mppi"
    (run / "report.html").unlink()
    call("report", run)
    page = (run / "report.html").read_text()
    assert not re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?\s*(?:https?:)?//[^"')\s]+""", page)
    assert results["eval_set_hash"] in page


def test_play_films_goals_and_recordings(run, tmp_path, capsys, monkeypatch, refused):
    from PIL import Image, ImageSequence

    call("play", run, "--video", tmp_path / "goals.gif", "--goals", 2, "--constraints", "cross=true")
    assert re.match(rf"2 goals, [012] reached and held\nvideo: {tmp_path / 'goals.gif'}\n", capsys.readouterr().out)
    film = Image.open(tmp_path / "goals.gif")
    pages = [page.convert("RGB") for page in ImageSequence.Iterator(film)]
    goals, seen, done = ([page.crop((12 + 172 * i, 26, 172 + 172 * i, 186)).tobytes() for page in pages] for i in (0, 1, 4))
    assert len(pages) > 5
    assert len(set(goals)) == 1
    assert min(len(set(seen)), len(set(done))) > 2

    monkeypatch.setattr("armillary.evaluation.play.names", tuple)  # as if no world could be judged
    monkeypatch.setattr("armillary.evaluation.play.BLOCKS", 6)
    call("play", run, "--video", tmp_path / "recording.mp4", "--goals", 2, "--json")
    assert json.loads(capsys.readouterr().out) == {"video": str(tmp_path / "recording.mp4"), "frames": 7, "goals": 0, "held": 0}
    with pytest.importorskip("av").open(str(tmp_path / "recording.mp4")) as film:
        assert [frame.width for frame in film.decode(video=0)] == [356] * 7
    for arguments, words in (
        (("--video", "a.avi"), "ends in .gif or .mp4"),
        (("--video", "a.gif", "--goals", 0), "goals from 1"),
    ):
        assert words in refused("play", run, *arguments)


def test_eval_acts_as_it_is_told(run, monkeypatch):
    monkeypatch.setattr("armillary.evaluation.run.SCENES", 3)
    planner = "--planner icem horizon=2 samples=8 elites=2 iterations=2"
    acts = f"{planner} --cost latent+0.1*effort --no-habit --execute 2".split()
    call("eval", run, "--pairs", 2, *acts)
    agent = json.loads((run / "results.json").read_text())["facts"]["agent"]
    assert (agent["cost"], agent["execute"], agent["habit"]) == ("latent+0.1*effort", 2, None)
    assert [agent["planner"][name] for name in ("name", "horizon", "samples", "beta")] == ["icem", 2, 8, 0.5]


def test_a_habit_is_trained_last_and_judged(made, tmp_path, refused, monkeypatch):
    monkeypatch.setattr("armillary.evaluation.run.SCENES", 3)
    quick = "--recipe.stages.0.steps 3 --recipe.stages.1.steps 3 --recipe.model.image-size 16"
    habit = "--recipe.agent.habit.steps 2 --recipe.agent.habit.width 8 --recipe.agent.habit.reach 3"
    habit += " --recipe.agent.planner cem samples=8"
    run = tmp_path / "run"
    train = ("train", made / "store", "--out", run, "--config.no-progress", "push-t", *quick.split(), *habit.split())
    call(*train)
    kept = (run / "habit.safetensors").read_bytes()
    (run / "habit.safetensors").unlink()
    assert "finish the run" in refused("eval", run, "--pairs", 2)
    call(*train[:5], "--resume", *train[5:])
    assert (run / "habit.safetensors").read_bytes() == kept
    call("eval", run, "--pairs", 2)
    results = json.loads((run / "results.json").read_text())
    assert (results["facts"]["agent"]["habit"]["reach"], "habit_shuffled" in results["control"]["rows"]) == (3, True)


def test_recordings_are_labelled_and_merged_and_a_checkpoint_goes_on(made, tmp_path, capsys, monkeypatch, refused):
    few = "--config.steps", 5, "--config.members", 2
    call("label", made / "run", made / "store", "--out", tmp_path / "labelled", *few)
    assert "checked on held-out known actions: R2" in capsys.readouterr().out
    assert Episodes.open(tmp_path / "labelled").infos[0]["actions"] == "inferred"
    call("merge", made / "store", tmp_path / "labelled", "--out", tmp_path / "both")
    assert "episodes: 60" in capsys.readouterr().out
    call("train", tmp_path / "both", "--out", tmp_path / "run", "--from", made / "run", "--config.no-progress", *TINY)
    first, second = (WorldModel.load(folder / "run", "cpu").provenance for folder in (made, tmp_path))
    assert second["start"]["run"] == first["run"]
    taught = []
    monkeypatch.setattr(labelling, "fit_inverse", lambda *given, **more: taught.extend(given[2]) or fit_inverse(*given, **more))
    call("label", tmp_path / "run", made / "store", "--out", tmp_path / "again", *few)
    assert set(taught) == set(range(30)) - set(second["held_out"])  # what is inferred teaches nothing
    assert "--from" in refused("train", made / "store", "--out", "new", "--from", made / "run", "--size", "nano", *TINY)


def test_info_of_a_store_and_of_a_checkpoint(made, capsys):
    call("info", made / "store")
    said = capsys.readouterr().out
    for word in ("image", "(64, 64, 3)", "position", "truth", "action", "episodes: 30", "rows: 390"):
        assert word in said
    for path in (made / "run", made / "run" / "model.safetensors"):
        call("info", path)
        said = capsys.readouterr().out
        for word in ("image", "(64, 64, 3)", "action", "width: 8", "recording_hash: "):
            assert word in said
        assert "position" not in said  # truth is not the model's


# ---- help


def options_of(text):
    """What a help text says of each option, in a line."""
    text = re.sub(r" *\n {10,}(?=\S)", "  ", text)
    found = re.findall(r"^ +(--[a-z]\S*)[^\n]*?(?:  +|\n +)(\S[^\n]*)$", text, re.MULTILINE)
    assert set(re.findall(r"^ +(--[a-z]\S*)", text, re.MULTILINE)) == {name for name, _ in found}
    return dict(found)


@pytest.mark.parametrize("verb", VERBS)
def test_help_documents_every_argument(verb, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "1000")
    with pytest.raises(SystemExit) as status:
        call(*verb.split(), "--help")
    text = capsys.readouterr().out
    for name, explanation in options_of(text).items():
        assert len(explanation.split("(default")[0].split()) >= 2, name
        assert "(default" in explanation or "(required)" in explanation or "Default: " in explanation, name
    assert status.value.code == 0
    function = VERBS[verb]
    assert function.__doc__.splitlines()[0] in text
    explained, parameters = (
        dict(re.findall(r"^        (\w+): (.+)$", function.__doc__, re.MULTILINE)),
        inspect.signature(function),
    )
    assert set(explained) == set(parameters.parameters)
    explained.pop("recipe", None)  # whose options stand in the help of a recipe
    words = " ".join(text.split())
    for sentence in explained.values():
        assert " ".join(sentence.split()) in words


@pytest.mark.parametrize("recipe", ["two-room", "two-room-random-door", "robot", "lewm"])
def test_help_documents_every_field_of_a_recipe(recipe, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    with pytest.raises(SystemExit) as status:
        call("train", "store", "--out", "run", recipe, "--help")
    assert status.value.code == 0
    said = re.sub(r"[^\x20-\x7e]|\s+", " ", capsys.readouterr().out)
    said = dict(re.findall(r" --recipe\.(\S+?),? (.*?)(?= --recipe|  +recipe)", said + "  recipe"))
    fields = {"model": ModelConfig, "stages.0": StageConfig}
    fields |= {f"model.objective.{name}": objectives.get(name) for name in ("prediction", "sigreg", "inverse", "egomotion")}
    fields |= {"stages.0.augmentation": Augmentation, "agent": AgentConfig}
    names = {f"{part}.{f.name}".replace("_", "-") for part, kind in fields.items() for f in dataclasses.fields(kind)}
    assert set(said) >= names - {"model.objective", "stages.0.augmentation", "agent.habit"}
    for text in said.values():
        words = re.sub(r"--\S+|\{[^}]*\}\S*|\b[A-Z]+\b|\(default.*", "", text)
        assert len(words.split()) >= 2, text


@pytest.mark.parametrize(
    ("verb", "names"), [("record", WORLDS), ("train", RECIPES), ("eval", planner_names()), ("bench control", SUITE)]
)
def test_help_lists_what_a_verb_takes(verb, names, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    with pytest.raises(SystemExit):
        call(*verb.split(), "--help")
    words = re.findall(r"\w+", capsys.readouterr().out)
    assert set(names) <= set(words)


def test_every_recipe_is_described():
    assert set(DESCRIPTIONS) == set(RECIPES)


@pytest.mark.parametrize(
    "arguments",
    [
        ["store", "two_room", "--out", "run", *STEPS],
        ["two-room", "store", *STEPS, "--out", "run"],
        [*STEPS, "store", "--out", "run", "--resume", "two_room"],
        ["store", "--out", "run", *STEPS, "--streams", "image", "state", "two_room"],
        ["--out", "maze", "store", *STEPS, "two_room"],
        ["maze", "two_room", "--out", "run", *STEPS],
    ],
)
def test_a_recipe_and_its_options_stand_anywhere(arguments, monkeypatch):
    given = []
    spec = Spec((Stream("image", "image", (16, 16, 3)), Stream("state", "vector", (2,))), ActionSpace("box", 1))
    recording = SimpleNamespace(unfinished=None, spec=spec)
    monkeypatch.setattr("armillary.episodes.store.Episodes.open", lambda store: given.append(store) or recording)
    monkeypatch.setattr("armillary.training.fit.fit", lambda episodes, out, recipe, *_, **more: given.append(recipe))
    call("train", *arguments)
    store, recipe = given
    assert store == ("maze" if "maze" in arguments[:1] else "store")
    assert [stage.steps for stage in recipe.stages] == [6, 6]
    assert recipe.agent == RECIPES["two_room"].agent


# ---- JSON


@pytest.mark.parametrize(
    ("arguments", "keys"),
    [
        (("record", "two_room", "--out", "{new}", "--episodes", 2, "--steps", 3), {"episodes", "rows"}),
        (("info", "store"), {"streams", "episodes", "rate"}),
        (("info", "run"), {"streams", "parameters"}),
        (("merge", "store", "store", "--out", "{new}"), {"episodes", "rows"}),
        (("doctor", "store"), {"verdict", "checks"}),
        (("eval", "run", "--pairs", 0), {"effective_rank", "report"}),
        (("train", "store", "two_room", "--out", "{new}", *STEPS), {"run", "model"}),
        (("bench", "speed", "run", "--decisions", 2, "--device", "cpu"), {"rows"}),
        (("export", "lerobot", "store", "{new}", "--max-episodes", 1, "--rate", 10), {"episodes"}),
    ],
)
def test_json_alone_is_on_standard_output(arguments, keys, made, run, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(made)
    arguments = [tmp_path / "new" if word == "{new}" else run if word == "run" else word for word in arguments]
    with contextlib.suppress(SystemExit):
        call(*arguments, "--json")
    assert set(json.loads(capsys.readouterr().out)) >= keys


# ---- refusals


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("", "expected one of demo, record,"),
        ("frob", "got 'frob'"),
        ("recrod two_room", "(did you mean record?)"),
        ("import lerobo x", "(did you mean lerobot?)"),
        ("eval", "expected RUN, got none"),
        ("record two_room", "expected --out STORE, got none"),
        ("record two_room --out", "expected a value, --out STORE, got none"),
        (
            "record two_room --out x --actor foo",
            "expected one of play, random, smooth, oracle, FILE.py:function",
        ),
        ("eval run --seed x", "--seed: expected a whole number, got 'x'"),
        ("eval run --execute=x", "--execute: expected a whole number, got 'x'"),
        ("eval run --planer cem", "expected an option of armillary eval, got --planer (did you mean --planner?)"),
        ("eval run more", "expected no 'more' after 'run'"),
        ("train store --out x", "control_vectors, lewm, got none; armillary train --help describes them"),
        ("train store --out x two_rom", "(did you mean two_room?)"),
        ("train store two_room --out x --size big", "--size: expected one of nano, tiny, small, base, got 'big'"),
        ("train store two_room --out x --recipe.stages.0.steps 1.5", "expected a whole number, got '1.5'"),
    ],
)
def test_arguments_that_do_not_fit_are_one_line(arguments, words, refused):
    assert words in refused(*arguments.split())


@pytest.mark.parametrize("verb", ["info", "doctor", "train", "eval", "report"])
@pytest.mark.parametrize("path", ["nowhere", "text", "folder"])
def test_a_path_that_holds_nothing_of_the_kind(verb, path, made, tmp_path, refused):
    more = ("--out", tmp_path / "new", *TINY) if verb == "train" else ()
    before = files(made)
    assert path in refused(verb, made / path, *more)
    assert not (tmp_path / "new").exists()
    assert files(made) == before


@pytest.mark.parametrize("path", ["nowhere", "text", "folder"])
def test_import_of_what_is_no_dataset(path, made, tmp_path, refused):
    assert path in refused("import", "lerobot", made / path, "--out", tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("mars",), "'mars'"),
        (("two_room", "--options", "door=nowhere"), "'nowhere'"),
        (("two_room", "--options", "windows=3"), "windows"),
        (("two_room", "--options", "door"), "name=value"),
        (("two_room", "--options", "num_envs=3"), "--envs"),
        (("two_room", "--seed", 10_000), "for evaluation"),
        (("two_room", "--episodes", 0), "--episodes is a whole number from 1, not 0"),
        (("two_room", "--steps", 0), "at least 1"),
        (("two_room", "--actor", "random", "--hold", 0), "at least 1"),
        (("two_room", "--hold", 3), "--hold is for --actor random"),
    ],
)
def test_record_refuses(arguments, words, tmp_path, refused):
    assert words in refused("record", *arguments, "--out", tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_record_does_not_write_over_anything(made, refused):
    before = files(made)
    for path in ("store", "text", "folder"):
        assert "exists" in refused("record", "two_room", "--out", made / path)
    assert files(made) == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(("--out", "text"), "has not made"), (("--out", "folder"), "has not made"), (("--device", "abacus"), "'abacus'")],
)
def test_demo_refuses(arguments, words, made, monkeypatch, refused):
    monkeypatch.chdir(made)
    before = files(made)
    assert words in refused("demo", *arguments)
    assert files(made) == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--worlds", "mars"), "'mars'"),
        (("--seeds", 10_000), "for evaluation"),
        (("--device", "abacus"), "'abacus'"),
        (("--table", "--docs", "page.md"), "no complete run"),
    ],
)
def test_bench_control_refuses(arguments, words, tmp_path, monkeypatch, refused):
    monkeypatch.chdir(tmp_path)
    assert words in refused("bench", "control", *arguments)
    assert not list(tmp_path.iterdir())


def test_bench_says_what_it_can_measure(capsys):
    call("bench", "--help")
    said = capsys.readouterr().out
    assert all(word in said for word in ("control", "diagnose", "speed"))


def test_bench_diagnose_writes_what_limits_a_run(run, monkeypatch, capsys):
    def found(folder, **given):
        assert (folder, given) == (
            run,
            {"recording": None, "world": "mine:make", "pairs": 3, "constraints": {"cross": True}, "seed": 2, "device": "auto"},
        )
        return Diagnosis({}, "0123", 3, [], {"seed": 2})

    monkeypatch.setattr("armillary.evaluation.diagnose.diagnose", found)
    call("bench", "diagnose", run, "--world", "mine:make", "--pairs", 3, "--constraints", "cross=true", "--seed", 2)
    assert json.loads((run / "diagnosis.json").read_text())["eval_set_hash"] == "0123"
    assert "replaced by the truth" in capsys.readouterr().out


def test_bench_speed_of_a_run(made, tmp_path, capsys):
    call("bench", "speed", made / "run", "--decisions", 3, "--out", tmp_path / "speed.json", "--device", "cpu")
    assert [row["model"] for row in json.loads((tmp_path / "speed.json").read_text())["rows"]] == [str(made / "run")]
    said = capsys.readouterr().out
    assert all(word in said for word in ("encode", "plan", "transfer", "decision", "p99", "decisions/s", "eagerly"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("diagnose", "nowhere"), "nowhere"),
        (("diagnose", "run", "--pairs", 0), "one pair or more"),
        (("speed", "nowhere"), "nowhere"),
        (("speed", "--decisions", 0), "1 decision or more"),
        (("speed", "--device", "abacus"), "'abacus'"),
    ],
)
def test_bench_refuses(arguments, words, made, monkeypatch, refused):
    monkeypatch.chdir(made)
    before = files(made)
    assert words in refused("bench", *arguments)
    assert files(made) == before


def test_empty_store(made, tmp_path, capsys, refused):
    Episodes.create(tmp_path / "empty", Episodes.open(made / "store").spec)
    assert "empty" in refused("doctor", tmp_path / "empty")
    assert "empty" in refused("train", tmp_path / "empty", "--out", tmp_path / "new", *TINY)
    assert not (tmp_path / "new").exists()
    call("info", tmp_path / "empty")
    assert "episodes: 0" in capsys.readouterr().out


def test_truncated_store(made, tmp_path, refused, capsys):
    store = Path(shutil.copytree(made / "store", tmp_path / "store"))
    for part in (store / "data").iterdir():
        part.write_bytes(part.read_bytes()[:-100])
    for verb, more in {"info": (), "train": ("--out", tmp_path / "new", *TINY)}.items():
        assert "damaged" in refused(verb, store, *more)
    with pytest.raises(SystemExit) as verdict:
        cli.main(["doctor", str(store)])
    assert verdict.value.code == 1  # a verdict of the doctor, not bad input
    assert "fail" in capsys.readouterr().out
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--held-out", 40), "40"),
        (("--streams", "sonar"), "'sonar'"),
        (("--device", "abacus"), "'abacus'"),
        (("--config.seed", -1), "seed -1"),
        (("--resume",), "--resume"),
    ],
)
def test_train_refuses(arguments, words, made, tmp_path, refused):
    assert words in refused("train", made / "store", "--out", tmp_path / "new", *arguments, *TINY)
    assert not (tmp_path / "new").exists()


def test_train_refuses_clips_longer_than_the_episodes(made, tmp_path, refused):
    assert "13" in refused("train", made / "store", "--out", tmp_path / "new", *TINY, "--recipe.model.skip", 30)
    assert not (tmp_path / "new").exists()


def test_train_does_not_write_over_a_run(made, refused):
    before = files(made / "run")
    assert "--resume" in refused("train", made / "store", "--out", made / "run", *TINY)
    assert "another model" in refused(
        "train", made / "store", "--out", made / "run", "--resume", *TINY, "--recipe.model.latent", 8
    )
    assert files(made / "run") == before


def test_a_loss_that_explodes(made, tmp_path, refused):
    explode = ("--recipe.stages.0.learning-rate", 1e30)
    said = refused("train", made / "store", "--out", tmp_path / "new", "--config.no-progress", *TINY, *explode)
    assert "lower the learning rate" in said
    assert not (tmp_path / "new" / "model.safetensors").exists()


@pytest.mark.parametrize("kept", [0, 20, 5000, -1])
def test_truncated_checkpoint(kept, run, refused):
    model = run / "model.safetensors"
    model.write_bytes(model.read_bytes()[:kept])
    for verb, path in [("info", run), ("info", model), ("eval", run)]:
        assert "model.safetensors" in refused(verb, path)
    assert {path.name for path in run.iterdir()} == {"model.safetensors", "metrics.jsonl"}


def test_checkpoint_with_a_corrupted_header(run, refused):
    model = run / "model.safetensors"
    model.write_bytes(model.read_bytes().replace(b'\\"latent\\": 16', b'\\"latent\\": 17'))
    assert "do not fit" in refused("info", run)


def test_a_recording_that_the_run_is_not_of(made, run, tmp_path, refused):
    call("record", "two_room", "--out", tmp_path / "other", "--episodes", 4, "--steps", 12, "--seed", 1)
    assert "not what" in refused("eval", run, "--recording", tmp_path / "other")
    assert "text" in refused("eval", run, "--recording", made / "text")
    assert "nowhere" in refused("eval", run, "--recording", made / "nowhere")
    changed = Path(shutil.copytree(made / "store", tmp_path / "changed"))
    episodes = Episodes.open(changed)
    episodes.append(episodes.episode(0, truth=True))
    assert "not what" in refused("eval", run, "--recording", changed)
    assert {path.name for path in run.iterdir()} == {"model.safetensors", "metrics.jsonl"}


def test_a_recording_that_was_moved(made, tmp_path, monkeypatch, refused):
    monkeypatch.setattr("armillary.evaluation.run.illustrate", lambda *_, **__: None)
    there = tmp_path / "train here"
    store, moved = Path(shutil.copytree(made / "store", there / "store")), tmp_path / "moved"
    call("train", store, "--out", there / "run", "--config.no-progress", *TINY)
    store.rename(moved)
    assert "--recording" in refused("eval", there / "run")
    call("eval", there / "run", "--pairs", 0, "--recording", moved)
    assert json.loads((there / "run" / "results.json").read_text())["recording"] == str(moved)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--constraints", "crossing=true"), "'crossing'"),
        (("--constraints", "cross=maybe"), "'maybe'"),
        (("--constraints", "min_distance=far"), "'far'"),
        (("--constraints", "min_distance=1000"), "1000"),
        (("--horizons", 1000), "1001 rows"),
        (("--device", "abacus"), "'abacus'"),
        (("--seed", -1), "seed -1"),
        (("--planner", "beam"), "planner 'beam' is none of cem, icem"),
        (("--planner", "cem", "elites=0"), "1 <= elites"),
        (("--planner", "cem", "elites"), "'elites' is not of the form name=value"),
        (("--cost", "critic"), "cost 'critic' is none of auto, latent, effort"),
        (("--execute", 9), "execute is a whole number from 1 to 5"),
    ],
)
def test_eval_refuses(arguments, words, run, refused):
    assert words in refused("eval", run, "--pairs", 4, *arguments)
    assert {path.name for path in run.iterdir()} == {"model.safetensors", "metrics.jsonl"}


def test_corrupted_pairs(run, tmp_path, refused):
    from armillary.evaluation.control.pairs import make_eval_set
    from armillary.worlds import make

    path = tmp_path / "pairs.json"
    make_eval_set(make("two_room", num_envs=2, autoreset_mode="Disabled"), 2, 10_000).save(path)
    whole = path.read_text()
    for damaged, words in [
        (whole.replace('"hold": 3', '"hold": 2'), "was changed"),
        (whole[:300], "not an evaluation set"),
        ("[]", "not an evaluation set"),
        ("pairs", "not an evaluation set"),
    ]:
        path.write_text(damaged)
        assert words in refused("eval", run, "--pairs", path)
    assert "nowhere" in refused("eval", run, "--pairs", tmp_path / "nowhere")


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"facts": 3}'])
def test_corrupted_results(content, run, refused):
    (run / "results.json").write_text(content)
    assert "results.json" in refused("report", run)
    assert not (run / "report.html").exists()


# ---- actions


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_actions_that_are_not_finite(number, made, tmp_path):
    from armillary.worlds import make

    store = Episodes.open(shutil.copytree(made / "store", tmp_path / "store"))
    episode = store.episode(0, truth=True)
    episode.actions[3, 1] = number
    with pytest.raises(ArmillaryError, match=r"not a finite number at \(3, 1\)"):
        store.append(episode)
    with pytest.raises(ArmillaryError, match="not a finite number"):
        record(make("two_room", num_envs=2), lambda *_: np.full((2, 2), number), tmp_path / "new", episodes=2)
    assert len(Episodes.open(tmp_path / "store")) == 30


def test_actions_of_the_wrong_size(made, tmp_path):
    from armillary.worlds import make

    store = Episodes.open(shutil.copytree(made / "store", tmp_path / "store"))
    episode = store.episode(0, truth=True)
    episode.actions = np.zeros((12, 3), np.float32)
    with pytest.raises(ArmillaryError, match=r"\(12, 3\), expected \(12, 2\)"):
        store.append(episode)
    with pytest.raises(ArmillaryError, match="expected 2 numbers"):
        record(make("two_room", num_envs=2), lambda *_: np.zeros((2, 3)), tmp_path / "new", episodes=2)
    assert len(Episodes.open(tmp_path / "store")) == 30


# ---- a full disk


def full(*_, **__):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_full_disk_while_a_store_is_made(tmp_path, monkeypatch, refused):
    monkeypatch.setattr("lance.write_dataset", full)
    assert "No space left" in refused("record", "two_room", "--out", tmp_path / "new", "--episodes", 2)
    assert not (tmp_path / "new").exists()


def test_full_disk_while_recording_loses_nothing_committed(made, tmp_path, monkeypatch):
    from armillary.worlds import make

    store = Episodes.open(shutil.copytree(made / "store", tmp_path / "store"))
    world = make("two_room", num_envs=2, max_steps=3)
    monkeypatch.setattr("lance.write_dataset", full)
    with pytest.raises(ArmillaryError, match="No space left"):
        record(world, Random(world.stream_spec.action), store, episodes=2)
    again = Episodes.open(tmp_path / "store")
    assert len(again) == 30
    assert again.content_hash() == Episodes.open(made / "store").content_hash()


def test_full_disk_while_a_checkpoint_is_written(made, tmp_path, monkeypatch, refused):
    monkeypatch.setattr("os.fsync", full)
    said = refused("train", made / "store", "--out", tmp_path / "new", "--config.no-progress", *TINY)
    assert "the disk is full" in said
    assert {path.name for path in (tmp_path / "new").iterdir()} == {"metrics.jsonl"}


def test_full_disk_while_results_are_written(run, monkeypatch, refused):
    monkeypatch.setattr("os.fsync", full)
    assert "the disk is full" in refused("eval", run, "--pairs", 0)
    assert {path.name for path in run.iterdir()} == {"model.safetensors", "metrics.jsonl"}


@pytest.mark.parametrize(
    "arguments",
    [
        "bench diagnose run",
        "bench physics run --out {}",
        "bench speed run --out {}",
        "bench monitor run --out {}",
        "play run --video {}",
    ],
)
@pytest.mark.parametrize("place", ["folder/a.gif", "text/a.gif"])
def test_a_result_that_cannot_be_written_is_refused_before_the_work(arguments, place, made, run, monkeypatch, refused):
    for work in ("diagnose.diagnose", "surprise.exam.examine", "speed.measure_speed", "play.open_run"):
        monkeypatch.setattr(f"armillary.evaluation.{work}", None)
    monkeypatch.setattr("armillary.monitoring.bench.bench_monitor", None)
    (run / "diagnosis.json").mkdir()
    (run / "folder" / "a.gif").mkdir(parents=True)
    (run / "text").write_text("")
    before = files(run)
    words = [run if word == "run" else word.format(run / place) for word in arguments.split()]
    assert "cannot be written" in refused(*words)
    assert files(run) == before


def test_a_run_is_evaluated_by_one_process(run, refused):
    with one_writer(run, "evaluation.lock", "evaluates"):
        assert "another process" in refused("eval", run, "--pairs", 0)
    assert not (run / "results.json").exists()


@pytest.mark.parametrize(
    ("failure", "code", "words"),
    [
        (PermissionError(errno.EACCES, "Permission denied", "here"), 2, "Permission denied: 'here'"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_what_nobody_foresees(failure, code, words, made, monkeypatch, capsys):
    def fail(*_):
        raise failure

    monkeypatch.setattr(Episodes, "open", fail)
    with pytest.raises(SystemExit) as status:
        call("info", made / "store")
    said = capsys.readouterr().err
    assert status.value.code == code
    assert said.startswith("armillary: ")
    assert said.endswith(f"{words}\n")


# ---- imports

OPTIONAL = {"lance", "pyarrow", "gymnasium", "matplotlib", "PIL", "av", "tensorboard"}


@pytest.mark.parametrize(("module", "absent"), [("armillary", {"torch", *OPTIONAL}), ("armillary.cli", OPTIONAL)])
def test_importing_asks_for_nothing_optional(module, absent):
    show = f"import sys, {module}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", show], capture_output=True, text=True, check=True).stdout.split()
    assert module in loaded
    assert absent.isdisjoint(loaded)


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (ArmillaryError("expected 1,\ngot 2"), 2, "armillary: expected 1, got 2"),
        (OSError(errno.ENOSPC, "full", "store"), 2, "the disk is full"),
        (ValueError("a\nb"), 3, "unexpected ValueError: a; this is a bug of Armillary: add --debug"),
        (RecursionError("too deep"), 3, "unexpected RecursionError"),
        (MemoryError(), 3, "out of memory"),
        (type("PanicException", (BaseException,), {})("index out of bounds"), 3, "unexpected PanicException"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
@pytest.mark.parametrize("debug", [(), ("--debug",)])
def test_whatever_is_raised_is_one_line_and_a_status_of_its_own(error, status, said, debug, monkeypatch, capsys):
    def info(path: Path) -> None:
        raise error

    monkeypatch.setitem(cli.VERBS, "info", info)
    with pytest.raises(SystemExit) as exit:
        call("info", *debug, "--path", "x")
    *before, last = capsys.readouterr().err.splitlines()
    assert exit.value.code == status
    assert said in last
    assert bool(before) == bool(debug)
    assert not debug or any("Traceback" in line for line in before)


def test_an_output_that_nobody_reads_is_no_traceback():
    many = "from armillary import cli; cli.VERBS['info'] = lambda: print('x' * 1_000_000); cli.main(['info'])"
    process = subprocess.Popen([sys.executable, "-c", many], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdout.read(1)
    process.stdout.close()
    assert process.stderr.read() == "armillary: nobody reads the output any more\n"
    assert process.wait() == 3
