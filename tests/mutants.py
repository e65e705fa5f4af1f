"""Plants faults in a copy of the package, one after the other, and asks whether the test that guards the place goes red.

    make mutants            # or: python tests/mutants.py [part of a name, ...]

Each line of `MUTANTS` is a file, what stands in it, what it is changed to, and the test that has to fail. All named tests
have to pass on the copy as it is first. The exit status is 1 if a fault is missed, or a text is no longer found exactly once:
then mend the line, or the test. It is no part of `make test`.
"""

import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import hypothesis  # noqa: F401
import pytest
import torch  # noqa: F401 (once, for all forks)

ROOT, OUTPUT = Path(__file__).parents[1], "output.txt"


class Mutant(NamedTuple):
    """A fault, and the test that catches it."""

    file: str
    original: str
    mutated: str
    test: str


SPLIT, CLIPS, RESUME = "episodes/test_split.py", "episodes/test_clips.py", "training/test_resume.py"
HELD, PREDICTION = "evaluation/test_held_out.py", "evaluation/latent/test_prediction.py"
MOVIES = "evaluation/surprise/test_movies.py"
ROLLOUTS, STATISTICS = "evaluation/control/test_rollouts.py", "evaluation/test_statistics.py"

MUTANTS = [
    # How an agent decides
    Mutant("acting/config.py", "if habit.config != config.habit:", "if False:", "acting/test_agent_config.py"),
    Mutant("acting/agent.py", "return cls(model, config.planner,", "return cls(model, None,", "acting/test_agent_config.py"),
    Mutant("actor.py", "if array.shape != (len(self),):", "if False:", "test_actor.py"),
    Mutant("episodes/record.py", "what if actor.needs_truth else", "what if True else", "episodes/test_record.py"),
    Mutant("evaluation/control/rollouts.py", "spec.truth * actor.needs_truth", "spec.truth", ROLLOUTS),
    Mutant("acting/agent.py", "*[before] * bool(before)", "", "acting/test_agent.py"),
    Mutant("planning/registry.py", "if math.prod(sizes) > LARGEST:", "if False:", "acting/test_agent_config.py"),
    # What a file may import, and what a world without states is
    Mutant("worlds/world.py", "or name not in names():", "or False:", "evaluation/control/test_pairs.py"),
    Mutant(
        "worlds/own.py",
        "if not np.allclose(made, states,",
        "if False and not np.allclose(made, states,",
        "worlds/test_own.py",
    ),
    # What surprises, and the exam that asks
    Mutant("evaluation/surprise/discern.py", "right = (gap > 0)", "right = (gap < 0)", "evaluation/surprise/test_surprise.py"),
    Mutant("evaluation/surprise/movies.py", "[[0, 1, 3, 2]] if crossed", "[[0, 1, 2, 3]] if crossed", MOVIES),
    Mutant("evaluation/surprise/movies.py", "np.arange(rows) * every", "np.arange(rows)", MOVIES),
    Mutant("evaluation/surprise/intphys.py", "not possible[name]", "possible[name]", MOVIES),
    Mutant("evaluation/surprise/intphys.py", "inside(path, name)", "path / name", MOVIES),
    Mutant(
        "worlds/physics/scenes.py", "splice(clips[None], end)", "splice(clips[None], end + 2)", "worlds/physics/test_scenes.py"
    ),
    Mutant("training/stages.py", "rollout if self.open_loop else one_step", "rollout", "training/test_stages.py"),
    # What is held out
    Mutant("training/fit.py", "            which=training,", "            which=None,", "training/test_fit.py"),
    Mutant(
        "suite/methods.py",
        "which=learned_from(model, episodes)",
        "which=range(len(episodes))",
        f"{HELD}::test_habits_and_probes_learn_from_what_the_model_learned_from",
    ),
    Mutant(
        "evaluation/judge.py",
        "training = np.setdiff1d(learned_from(model, episodes), held_out)",
        "training = np.arange(len(episodes))",
        f"{HELD}::test_habits_and_probes_learn_from_what_the_model_learned_from",
    ),
    Mutant(
        "latents.py",
        '*model.provenance.get("left_out", ())',
        "",
        f"{HELD}::test_habits_and_probes_learn_from_what_the_model_learned_from",
    ),
    Mutant(
        "monitoring/bench.py",
        "fit([part for part in (rows[:start], rows[stop:]) if len(part)])",
        "fit([rows])",
        "monitoring/test_bench.py::test_errors_to_calibrate_on_are_of_rows_that_were_not_fitted",
    ),
    Mutant(
        "episodes/split.py",
        "        side[:at][near[:at]] = LEFT_OUT\n",
        "",
        f"{SPLIT}::test_one_table_is_split_by_time_with_a_gap",
    ),
    Mutant("episodes/split.py", "unit.hash(seed)", "unit.hash(seed + len(units))", f"{SPLIT}::test_appending_moves_nothing"),
    Mutant(
        "episodes/split.py",
        "json.dumps(named) if named else digest",
        "digest",
        f"{SPLIT}::test_a_stream_more_or_another_order_moves_nothing",
    ),
    Mutant(
        "episodes/split.py",
        "    _follow(episodes, units, side)\n",
        "",
        f"{SPLIT}::test_idle_parts_that_are_alike_are_on_one_side",
    ),
    Mutant(
        "episodes/split.py",
        "fit = [unit for unit in units if not seen[unit.members].any()]",
        "fit = list(units)",
        f"{SPLIT}::test_what_the_starting_model_has_seen_is_never_held_out",
    ),
    Mutant(
        "training/fit.py",
        '"seen": was_seen(episodes, before)',
        '"seen": None',
        "training/test_added_streams.py::test_going_on_never_holds_out_what_was_learned_from",
    ),
    # Runs
    Mutant(
        "training/folder.py",
        "            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)\n",
        "            pass\n",
        f"{RESUME}::test_a_folder_has_one_writer",
    ),
    Mutant(
        "training/fit.py",
        '        "recording": provenance["recording_hash"],\n        "split"',
        '        "split"',
        f"{RESUME}::test_only_the_same_recording_split_and_starting_model_go_on",
    ),
    Mutant(
        "training/loop.py",
        '        "seed": str(config.seed),\n',
        "",
        f"{RESUME}::test_a_run_is_not_overwritten_nor_another_one_resumed",
    ),
    Mutant(
        "training/loop.py",
        "    with data, _on(KeyboardInterrupt, keep):",
        "    with data:",
        f"{RESUME}::test_an_interrupt_at_any_moment_of_any_stage_keeps_a_save",
    ),
    Mutant(
        "training/validation.py",
        "    if finish is not None:\n        finish()\n    if distributed.rank() == 0:",
        "    if distributed.rank() == 0:",
        f"{RESUME}::test_the_checkpoint_is_written_before_it_is_judged",
    ),
    Mutant(
        "interrupts.py",
        "lambda number, frame: waiting.append(number)",
        "before[number]",
        f"{RESUME}::test_an_interrupt_at_any_moment_of_any_stage_keeps_a_save",
    ),
    Mutant(
        "training/collapse.py",
        "latent < 2 or",
        "",
        "training/test_collapse.py::test_a_latent_of_one_dimension_does_not_collapse",
    ),
    # Windows and actions
    Mutant(
        "episodes/clips.py",
        "np.maximum(0, (lengths - reach) // stride + 1)",
        "np.maximum(0, (lengths - reach) // stride + 2)",
        f"{CLIPS}::test_windows_are_slices_of_one_episode_in_every_tier",
    ),
    Mutant(
        "episodes/clips.py",
        "row[:, None] + np.arange((length - 1) * self.skip)",
        "row[:, None] + 1 + np.arange((length - 1) * self.skip)",
        f"{CLIPS}::test_windows_are_slices_of_one_episode_in_every_tier",
    ),
    Mutant(
        "latents.py",
        "rows[..., None] + np.arange(skip)",
        "rows[..., None] + 1 + np.arange(skip)",
        f"{PREDICTION}::test_imagining_uses_the_actions_between_the_right_rows",
    ),
    Mutant(
        "acting/memory.py",
        "self.z.shape[1] - length + 1 :]",
        "self.z.shape[1] - length : -1]",
        "acting/test_memory.py::test_environments_are_reset_one_by_one_and_grouped_by_length",
    ),
    Mutant("acting/memory.py", "self.lengths[indices] = 0", "pass", "acting/test_memory.py"),
    Mutant(
        "episodes/formats/importing.py",
        "range(0, rows - 1, longest - 1)",
        "range(0, rows - 1, longest)",
        "episodes/test_hdf5.py",
    ),
    # Measures
    Mutant(
        "evaluation/latent/prediction.py",
        'guesses["persistence"] = [p.episode.z[p.row] for p in parts]',
        'guesses["persistence"] = [p.episode.z[p.row + 1] for p in parts]',
        f"{PREDICTION}::test_a_perfect_model_is_right_and_persistence_scores_the_horizon",
    ),
    Mutant(
        "evaluation/latent/prediction.py",
        "guess - self.episode.z[self.row + self.ahead]",
        "guess - self.episode.z[self.row + self.ahead - 1]",
        f"{PREDICTION}::test_a_perfect_model_is_right_and_persistence_scores_the_horizon",
    ),
    Mutant(
        "evaluation/latent/probes.py",
        "mean, std = parts[0].mean(axis=0), parts[0].std(axis=0)",
        "mean, std = np.concatenate(parts).mean(axis=0), np.concatenate(parts).std(axis=0)",
        "evaluation/latent/test_probes.py::test_inputs_are_scaled_by_the_training_part_alone",
    ),
    Mutant(
        "evaluation/angles.py",
        "np.sin(turning), np.cos(turning)",
        "turning, turning",
        "evaluation/test_angles.py::test_sine_and_cosine_do_not_jump_where_the_angle_wraps",
    ),
    Mutant(
        "evaluation/statistics.py",
        "share * (1 - share) + z * z / 4)",
        "share * (1 - share))",
        f"{STATISTICS}::test_wilson_matches_published_values",
    ),
    Mutant(
        "evaluation/statistics.py",
        "np.arange(n) if groups is None else groups",
        "np.arange(n)",
        f"{STATISTICS}::test_bootstrap_over_groups_is_wider_than_over_rows",
    ),
    Mutant(
        "monitoring/metrics.py",
        "false = sum(not fault[start] for start, _ in events(alarm))",
        "false = sum(not fault[start] for start, _ in events(alarm)) // 2",
        "monitoring/test_metrics.py::test_events",
    ),
    Mutant(
        "monitoring/metrics.py",
        "np.diff(score[order])), len(score) - 1)",
        "np.diff(score)), len(score) - 1)",
        "monitoring/test_metrics.py",
    ),
    # Control
    Mutant(
        "evaluation/control/rollouts.py",
        "return (self.success | ~(last & self.steps())).all(axis=0)",
        "return (self.success & last & self.steps()).any(axis=0)",
        f"{ROLLOUTS}::test_success_is_held_at_the_end_and_not_latched_at_the_first_touch",
    ),
    Mutant(
        "evaluation/control/rollouts.py",
        "np.arange(len(self.states))[:, None] <= self.budget",
        "np.arange(len(self.states))[:, None] <= self.budget + 1",
        f"{ROLLOUTS}::test_the_full_budget_is_run_and_nothing_beyond_it_counts",
    ),
    Mutant(
        "evaluation/control/pairs.py",
        "        _refuse(self.seed, seeds)\n",
        "        pass\n",
        "evaluation/control/test_pairs.py::test_a_seed_that_a_recording_used_is_refused",
    ),
    Mutant("planning/cem.py", "largest=False", "largest=True", "planning/test_planners.py::test_a_plan_leads_to_the_goal"),
    # Files
    Mutant("files.py", "part = path.with_name(path.name + suffix)", "part = path", "test_files.py"),
    Mutant(
        "episodes/doctor.py",
        "len(np.intersect1d(digests[one], digests[other]))",
        "0",
        "episodes/test_doctor.py",
    ),
]


def main(words: list[str]) -> int:
    """Run those whose file or test has one of these words in its name; all without any."""
    chosen = [one for one in MUTANTS if not words or any(word in f"{one.file} {one.test}" for word in words)]
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for part in ("armillary", "tests", "pyproject.toml", "README.md", "docs"):
            source = ROOT / part
            unwanted = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, copy / part, ignore=unwanted) if source.is_dir() else shutil.copy(source, copy / part)
        began, tests = time.perf_counter(), sorted({one.test for one in chosen})
        if not _passes(copy, *tests):
            print("the named tests do not pass as they are:", (copy / OUTPUT).read_text()[-2000:], sep="\n")
            return 1
        missed = 0
        for one in chosen:
            path = copy / "armillary" / one.file
            text = path.read_text()
            if text.count(one.original) != 1:
                said = f"not found once, but {text.count(one.original)} times: {one.original.strip()!r}"
            else:
                path.write_text(text.replace(one.original, one.mutated))
                said = "MISSED" if _passes(copy, one.test) else "caught"
                path.write_text(text)
            missed += said != "caught"
            print(
                f"{said:7} {one.file}: {one.mutated.strip() or 'removed ' + one.original.strip()!r}  ({one.test})", flush=True
            )
    print(f"{len(chosen) - missed} of {len(chosen)} caught in {time.perf_counter() - began:.0f} s")
    return int(missed > 0)


def _passes(copy: Path, *tests: str) -> bool:
    """Whether these tests pass in the copy, in a fork, which has PyTorch imported already.

    A copy in which a test cannot even be collected counts as passing: that is no catch.
    """
    child = os.fork()
    if not child:
        output = os.open(copy / OUTPUT, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.chdir(copy)
        others = [path for path in sys.path if Path(path or ".").resolve() not in (ROOT, ROOT / "tests")]
        sys.path[:] = [str(copy), str(copy / "tests"), *others]
        os.environ |= {"PYTHONPATH": os.pathsep.join(sys.path[:2]), "PYTHONDONTWRITEBYTECODE": "1"}
        sys.dont_write_bytecode = True
        os._exit(pytest.main(["-q", "-x", "-n0", "-p", "no:cacheprovider", *(f"tests/{test}" for test in tests)]))
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return status == 0 if len(tests) > 1 else status != 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
