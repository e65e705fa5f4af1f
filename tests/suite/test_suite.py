"""The control suite, small: what a run leaves, that it goes on where it was, and what the tables say of made-up results."""

import copy
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from armillary.acting.agent import Agent
from armillary.acting.config import AgentConfig
from armillary.acting.habit import HabitConfig
from armillary.errors import ArmillaryError, CorruptFile, MissingExtra
from armillary.planning import CEM
from armillary.suite import methods
from armillary.suite import run as suite
from armillary.suite.run import bench_control, run_task
from armillary.suite.tables import load_runs, render
from armillary.suite.tasks import SEEN_DOORS, SUITE, UNSEEN_DOORS, Goals, Task
from armillary.training.recipes import RECIPES
from armillary.worlds import make

pytest.importorskip("lance", reason="the suite records: pip install 'armillary[all]'")

ROWS = ["do_nothing", "random", "oracle", "untrained", "habit_untrained", "habit_shuffled", "shuffled", "model"]
BESIDE = ["no_habit", "icem", "mppi", "random_shooting", "latent_distance", "behaviour_cloning", "inverse_dynamics"]
FROZEN = "random_encoder"
QUICK_HABIT = HabitConfig(width=8, steps=2, batch=8)
SMALL = {"pairs": 3, "shifted": 2, "progress": False}


def tiny_task(monkeypatch, **changes):
    """A task "tiny" in the suite: two rooms, a few steps of training, one factor to shift, a habit and a lax rule."""
    recipe = RECIPES["two_room_random_door"]
    stages = tuple(replace(stage, steps=4, batch=16) for stage in recipe.stages)
    agent = AgentConfig(CEM(horizon=2, samples=8, iterations=4, elites=2), habit=QUICK_HABIT)
    quick = replace(recipe, model=replace(recipe.model, width=8), stages=stages, agent=agent)
    monkeypatch.setitem(RECIPES, "tiny", quick)
    goals = {"seen": Goals(constraints={"cross": False}, budget=1.0), "unseen": Goals({"door": (20.0,)}, budget=1.5)}
    world = {"episodes": 20, "steps": 12, "options": {"door": (30.0, 40.0)}}
    task = Task("two_room", "tiny", goals, **world, without=("gradient",))
    monkeypatch.setitem(SUITE, "tiny", replace(task, **changes))
    monkeypatch.setattr("armillary.worlds.two_room.world.TwoRoom.all_factors", ("radius",))
    lax = {"lax_pairs": lambda world, n, rng: world.sample_pairs(n, rng), "lax_budget": 4}
    lax["success_lax"] = lambda world, states, goal: np.ones(len(goal), bool)
    for name, value in lax.items():
        monkeypatch.setattr(f"armillary.worlds.two_room.world.TwoRoom.{name}", value, raising=False)
    monkeypatch.setattr(methods, "HABITS", dict.fromkeys(methods.HABITS, QUICK_HABIT))


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """Folders of results and runs after seed 3 of the tiny task, and what was returned."""
    where = {part: tmp_path_factory.mktemp(part) for part in ("out", "runs")}
    with pytest.MonkeyPatch.context() as monkeypatch:
        tiny_task(monkeypatch)
        (result,) = bench_control(["tiny"], [3], **where, **SMALL)
    return where, result


@pytest.fixture
def tiny(monkeypatch):
    tiny_task(monkeypatch)


@pytest.fixture
def kept(ran, tmp_path, monkeypatch, tiny):
    """A copy of the results, in which whatever would be recorded, trained or judged anew is counted instead."""
    where, result = ran
    path = tmp_path / "tiny-3.json"
    path.write_text(json.dumps(result))
    done = []
    for name in ("record", "evaluate", "make_eval_set"):
        original = getattr(suite, name)
        monkeypatch.setattr(suite, name, lambda *a, n=name, o=original, **k: done.append(n) or o(*a, **k))
    return path, done, {"out": tmp_path, "runs": where["runs"], **SMALL}


def test_a_run_has_every_method_on_every_set(ran):
    where, result = ran
    assert json.loads((where["out"] / "tiny-3.json").read_text()) == result
    assert result["complete"]
    assert list(result["sets"]["seen"]["rows"]) == [*ROWS, *BESIDE, FROZEN]
    assert list(result["sets"]["unseen"]["rows"]) == ROWS
    assert list(result["shift"]) == ["radius"]
    assert list(result["shift"]["radius"]["rows"]) == ["do_nothing", "random", "oracle", "model"]
    assert [result["sets"][label]["pairs"] for label in ("seen", "unseen")] == [3, 3]
    assert result["shift"]["radius"]["pairs"] == 2
    assert list(result["methods"]) == ["model", *BESIDE, FROZEN]
    assert "CriticGoal" in result["methods"]["model"]
    assert "LatentGoal" in result["methods"]["latent_distance"]


def test_every_number_has_an_interval_and_what_it_takes_to_repeat_it(ran):
    _, result = ran
    assert {"recording", "training", "settings", "machine", "seed"} <= set(result)
    for part in (result["recording"], result["training"], *result["sets"].values(), *result["shift"].values()):
        assert part["seconds"] > 0
        assert part["cpu_seconds"] >= 0
        assert "commit" in part
    assert result["recording"]["frames"] == 20 * 13
    assert result["training"]["frames"] == 19 * 13
    assert result["settings"]["recipe"]["stages"][0]["steps"] == 4
    for table in (*result["sets"].values(), *result["shift"].values()):
        assert table["eval_set_hash"]
        for row in table["rows"].values():
            assert len(row["held"]) == len(row["arrival"].split()) == table["pairs"]
            assert row["held"].count("1") == round(row["success"]["value"] * table["pairs"])
            assert all(set(row[key]) == {"value", "low", "high"} for key in ("success", "first_touch", "spl", "score"))


def test_pairs_are_of_the_world_that_the_set_asks_for(ran):
    where, result = ran
    sets = [json.loads(path.read_text()) for path in (where["runs"] / "pairs").iterdir()]
    by_hash = {pairs["hash"]: pairs for pairs in sets}
    doors = {label: {state[2] for state in by_hash[t["eval_set_hash"]]["start"]} for label, t in result["sets"].items()}
    assert doors["seen"] <= {30.0, 40.0}
    assert doors["unseen"] == {20.0}
    assert "1.5 x shortest path" in result["sets"]["unseen"]["rule"]
    shifted = by_hash[result["shift"]["radius"]["eval_set_hash"]]
    assert len({state[3] for state in shifted["start"]}) == 2
    assert "cross=False" in shifted["rule"]


def test_planners_imagine_about_as_much(ran):
    rows = ran[1]["sets"]["seen"]["rows"]
    planners = ("no_habit", "icem", "mppi", "random_shooting")
    calls = [rows[name]["model_calls"] for name in planners]
    assert max(calls) < 1.15 * min(calls)
    assert rows["model"]["model_calls"] == rows["no_habit"]["model_calls"] + 2  # to imagine what the habit proposes


def test_the_habit_that_proposes_is_the_one_that_acts_by_itself(ran):
    where, result = ran
    assert (where["runs"] / "tiny-3" / "habit.safetensors").exists()
    said = result["methods"]
    assert all(repr(QUICK_HABIT) in said[row] for row in ("model", "icem", "behaviour_cloning"))
    assert "HabitConfig" not in said["no_habit"]
    assert result["settings"]["task"]["without"] == ["gradient"]


def test_the_agent_that_is_judged_is_the_agent_that_is_saved(ran):
    where, result = ran
    agent, recipe = Agent.load(where["runs"] / "tiny-3", device="cpu"), RECIPES["two_room_random_door"]
    assert agent.planner == CEM(horizon=2, samples=8, iterations=4, elites=2) != recipe.agent.planner
    assert agent.habit.config == QUICK_HABIT
    assert result["methods"]["model"] == f"{agent.planner}, {agent.cost}, from {agent.habit.config}"


def test_a_world_with_a_lax_rule_is_judged_by_both(ran):
    lax = ran[1]["lax"]
    assert lax["pairs"] == 3
    assert lax["commit"] == ran[1]["training"]["commit"]
    assert list(lax["rows"]) == ["do_nothing", "random", "oracle", "model"]
    for row in lax["rows"].values():
        assert row["lax"]["value"] == 1
        assert row["strict"]["value"] < 1


def test_a_complete_run_is_not_run_again(kept, ran):
    _, done, options = kept
    assert run_task("tiny", 3, **options) == ran[1]
    assert done == []


def test_a_run_goes_on_with_what_is_missing(kept, ran):
    path, done, options = kept
    part = copy.deepcopy(ran[1])
    del part["sets"]["unseen"]
    path.write_text(json.dumps(part | {"complete": False}))
    result = run_task("tiny", 3, **options)
    assert done == ["evaluate"]
    assert result["complete"]
    assert result["sets"]["seen"] == ran[1]["sets"]["seen"]
    again, before = (r["sets"]["unseen"]["rows"]["model"]["success"] for r in (result, ran[1]))
    assert again == before


def test_again_begins_from_nothing(kept, monkeypatch):
    path, done, options = kept
    runs = path.parent / "runs"
    shutil.copytree(options["runs"], runs)
    (runs / "tiny-3" / "thesis").write_text("mine")

    def killed(episodes, folder, *_, resume, **__):
        assert not resume
        assert {part.name for part in folder.iterdir()} == {"recording", "thesis", "random_encoder"}
        assert not any((folder / "random_encoder").iterdir())
        raise KeyboardInterrupt

    monkeypatch.setattr(suite, "fit", killed)
    with pytest.raises(KeyboardInterrupt):
        run_task("tiny", 3, **options | {"runs": runs}, again=True)
    assert done == ["record"]
    left = json.loads(path.read_text())
    assert (left["complete"], left["sets"], left["recording"]["episodes"]) == (False, {}, 20)
    with pytest.raises(ArmillaryError, match="no complete run"):
        load_runs(path.parent)


def test_again_removes_nothing_that_the_suite_has_not_made(kept, tmp_path):
    path, done, options = kept
    folder = tmp_path / "others" / "tiny-3"
    (folder / "recording").mkdir(parents=True)
    (folder / "recording" / "thesis").write_text("mine")
    with pytest.raises(ArmillaryError, match="has not made there"):
        run_task("tiny", 3, **options | {"runs": folder.parent}, again=True)
    path.write_text('{"mine": 1}')
    with pytest.raises(ArmillaryError, match="holds no results of the suite"):
        run_task("tiny", 3, **options | {"runs": tmp_path / "none"}, again=True)
    assert (folder / "recording" / "thesis").read_text() == "mine"
    assert path.read_text() == '{"mine": 1}'
    assert done == []


def test_results_of_other_settings_are_refused(kept, monkeypatch):
    _, done, options = kept
    with pytest.raises(ArmillaryError, match=r"tiny-3\.json is of another pairs .*--again"):
        bench_control(["tiny"], [3], **options | {"pairs": 7})
    tiny_task(monkeypatch, episodes=21)
    with pytest.raises(ArmillaryError, match="of another task"):
        bench_control(["tiny"], [3], **options)
    assert done == []


def test_a_recording_of_another_task_is_refused(kept, monkeypatch):
    path, _, options = kept
    path.unlink()
    tiny_task(monkeypatch, episodes=21)
    with pytest.raises(ArmillaryError, match="another recording"):
        run_task("tiny", 3, **options)


@pytest.mark.parametrize(("worlds", "seed", "words"), [(["mars"], 0, "no world 'mars'"), (["tiny"], 10_000, "for evaluation")])
def test_nothing_is_begun_that_cannot_be_finished(worlds, seed, words, tiny, tmp_path):
    with pytest.raises(ArmillaryError, match=words):
        bench_control(["tiny", *worlds], [0, seed], out=tmp_path / "out", runs=tmp_path / "runs")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", SUITE)
def test_a_task_can_be_built_and_its_goals_be_drawn(name):
    task = SUITE[name]
    assert task.recipe in RECIPES
    try:
        for goals in task.sets.values():
            world = make(task.world, num_envs=2, autoreset_mode="Disabled", **{**task.options, **goals.options})
            assert len(world.sample_pairs(4, np.random.default_rng(0), **goals.constraints)[0]) == 4
    except MissingExtra as missing:
        pytest.skip(str(missing))


def test_a_fifth_of_the_doors_is_never_recorded():
    assert len(UNSEEN_DOORS) * 4 == len(SEEN_DOORS)
    assert not set(UNSEEN_DOORS) & set(SEEN_DOORS)
    assert any(min(SEEN_DOORS) < door < max(SEEN_DOORS) for door in UNSEEN_DOORS)
    assert max(UNSEEN_DOORS) > max(SEEN_DOORS)


# ---- the tables


def made_up(ran, seed, success):
    """The run as if it had been of another seed, and the model had that success."""
    run = copy.deepcopy(ran[1]) | {"seed": seed}
    run["sets"]["seen"]["rows"]["model"]["success"] = {"value": success, "low": success - 0.1, "high": success + 0.05}
    return run


@pytest.fixture
def results(ran, tmp_path):
    for seed, success in enumerate((0.9, 0.85, 0.8)):
        (tmp_path / f"tiny-{seed}.json").write_text(json.dumps(made_up(ran, seed, success)))
    return tmp_path


def test_the_page_has_each_seed_and_the_widest_interval(results):
    page = render(load_runs(results))
    assert "| **model** | 90.0 / 85.0 / 80.0 [70, 95] |" in page
    assert "armillary bench control --worlds tiny --seeds 0 1 2 --pairs 3 --shifted 2" in page
    assert "| random | 100.0 [44, 100] |" in page
    for words in (
        "## tiny",
        "### Under shift",
        "### By the field's rule",
        "| radius |",
        "| none | 90.0 / 85.0 / 80.0 [70, 95] |",
        "ladder",
    ):
        assert words in page
    rows = [line for line in page.splitlines() if line.startswith("|")]
    first = rows[: 2 + len([*ROWS, *BESIDE, FROZEN])]
    assert {line.count("|") for line in first} == {first[0].count("|")}
    assert all(line.count("[") >= 4 for line in first[2:])


@pytest.mark.parametrize(("ok", "words"), [(True, "are green"), (False, "red: seed 1, unseen: no hidden state (7).")])
def test_a_red_check_is_on_the_page(ok, words, ran, results):
    for seed in range(3):
        run = made_up(ran, seed, 0.85)
        for table in (*run["sets"].values(), *run["shift"].values()):
            table["checks"] = [{"name": "replay", "ok": ok or seed != 1, "value": 7.0, "expected": "no hidden state"}]
        if not ok:
            run["sets"]["seen"]["checks"] = run["shift"]["radius"]["checks"] = []
        (results / f"tiny-{seed}.json").write_text(json.dumps(run))
    assert words in render(load_runs(results))


def test_settings_that_came_later_do_not_part_runs(ran):
    now = ran[1]["settings"]
    before = copy.deepcopy(now)
    del before["recipe"]["agent"]["habit"]["dropout"], before["recipe"]["model"]["linear"]
    assert suite.differing(now, before) == suite.differing(before, now) == []
    before["recipe"]["agent"]["habit"]["dropout"] = 0.5
    assert suite.differing(now, before) == ["recipe"]


def test_runs_that_cannot_stand_in_one_table_are_refused(ran, results):
    run = made_up(ran, 1, 0.85)
    run["settings"]["recipe"]["stages"][0]["steps"] = 5
    (results / "tiny-1.json").write_text(json.dumps(run))
    with pytest.raises(ArmillaryError, match="seeds 0 and 1 are of different settings"):
        load_runs(results)
    (results / "tiny-1.json").write_text(json.dumps(run | {"complete": False}))
    assert [run["seed"] for run in load_runs(results)["tiny"]] == [0, 2]


@pytest.mark.parametrize("content", ["{", "[]", "3"])
def test_what_is_no_result_is_refused(content, results):
    (results / "other.json").write_text(content)
    with pytest.raises(CorruptFile, match=r"other\.json"):
        load_runs(results)


def test_a_folder_without_runs_is_refused(tmp_path):
    with pytest.raises(ArmillaryError, match="bench control"):
        load_runs(tmp_path)
