"""Published tables: what stands between two marks of a page is made from the raw results, and checked against them.

A block begins with `<!-- figures: NAME -->` and ends with `<!-- end of figures -->`. `armillary bench figures` writes the
blocks anew, `--check` fails where a page says something else than the results do.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from armillary.errors import ArmillaryError, CorruptFile
from armillary.files import parse_json
from armillary.suite.tables import Run, as_table, load_runs, percent

PAGES = ("README.md", "docs/benchmarks.md", "docs/monitoring.md", "docs/peer.md")
_BLOCK = re.compile(r"(<!-- figures: (\w+) -->\n)(.*?)(<!-- end of figures -->)", re.DOTALL)


def figures(pages: Sequence[str | Path] = PAGES, results: str | Path = "results", *, check: bool = False) -> list[Path]:
    """Write the blocks of pages anew from the raw results; the pages in which something was different.

    Args:
        pages: Markdown files with blocks.
        results: folder of the raw results.
        check: change nothing.

    Raises:
        ArmillaryError: no such page, a block that nobody knows, or results that are missing.
        CorruptFile: results of another form.
    """
    differ = []
    for page in map(Path, pages):
        try:
            old = page.read_text(encoding="utf-8")
        except OSError as error:
            raise ArmillaryError(f"{page}: cannot be read ({error.strerror}); run it in a checkout") from error
        new = _BLOCK.sub(lambda block: f"{block[1]}\n{render(block[2], results)}\n\n{block[4]}", old)
        if new != old:
            differ.append(page)
            if not check:
                page.write_text(new, encoding="utf-8")
    return differ


def render(name: str, results: str | Path) -> str:
    """One block in Markdown, see `figures`."""
    if name not in BLOCKS:
        raise ArmillaryError(f"there is no block of figures {name!r}; expected one of {', '.join(BLOCKS)}")
    try:
        return BLOCKS[name](Path(results))
    except (KeyError, TypeError, IndexError, AttributeError, ValueError) as error:
        raise CorruptFile(f"{results}: the results of {name!r} have another form ({type(error).__name__}: {error})") from error


def _read(path: Path) -> dict[str, Any]:
    try:
        return parse_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ArmillaryError(f"{path}: the raw results cannot be read ({error.strerror})") from error


def _control(results: Path) -> str:
    """By world: the model beside its baselines on the first set of goals; docs/control.md has all sets and rows."""
    body = []
    for name, runs in load_runs(results / "control").items():
        if name != "two_room_any_look":  # stands under visual shift
            body.append(_world(name, [next(iter(run["sets"].items())) for run in runs]))
    house = [_read(results / "house" / f"rgb-d+scan-{seed}-1.json")["navigate"] for seed in range(3)]
    body.append(_world("house", [next(iter(one.items())) for one in house]))
    head = ["goals held, %", "**model**, planning", "behaviour cloning", "random encoder", "random / untrained / shuffled"]
    return as_table(head, body)


def _world(name: str, sets: Sequence[tuple[str, dict[str, Any]]]) -> list[str]:
    """A world's row: what each seed's label and table of a set of goals say."""
    label, tables = sets[0][0], [table for _, table in sets]
    cells = (percent([_success(table, row) for table in tables]) for row in ("model", "behaviour_cloning", "random_encoder"))
    return [f"{name}, {label}, {len(tables)} x {tables[0]['pairs']}", *cells, _floor(tables)]


def _vectors(results: Path) -> str:
    """By task whose observation is a vector: the model beside its baselines."""
    if not (results / "vectors.json").exists():
        return "Not run yet."
    body = []
    for name, task in _read(results / "vectors.json").items():
        tables = list(task["runs"].values())
        cells = [percent([_success(table, row) for table in tables]) for row in ("model", "behaviour_cloning", "oracle")]
        label = f"{name.replace('_', ' ')}{', tuned on' * task['tuned_on']}, {len(tables)} x {tables[0]['pairs']}"
        body.append([label, *cells, _floor(tables)])
    head = ["goals held, %", "**model**, planning", "behaviour cloning", "oracle", "random / untrained / shuffled"]
    return as_table(head, body)


def _shift(results: Path) -> str:
    """By factor of variation: the same models, judged where it is drawn anew for each pair."""
    runs = {name: some for name, some in load_runs(results / "control").items() if some[0]["shift"]}
    factors = list(dict.fromkeys(factor for some in runs.values() for factor in some[0]["shift"]))
    body = [["as recorded", *(percent([_success(_first(run), "model") for run in some]) for some in runs.values())]]
    for factor in factors:
        tables = ([run["shift"].get(factor, {"rows": {}}) for run in some] for some in runs.values())
        held = ([_success(table, "model") for table in some] for some in tables)
        body.append([factor.replace("_", " "), *map(percent, held)])
    return as_table(["goals held, %", *runs], body)


def _planners(results: Path) -> str:
    """By planner: the same models and pairs, at equal budgets of imagined steps."""
    found = _read(results / "planners.json")
    body = []
    for name in (name for name in found["settings"] if ", " not in name):
        row, third = found["over_runs"][name], found["over_runs"][f"{name}, a third"]
        times = [run["rows"][name]["decision_ms"]["p50"] for run in found["runs"]]
        spl = f"{row['spl']['value']:.2f} [{row['spl']['low']:.2f}, {row['spl']['high']:.2f}]"
        body.append([name, percent(row["seeds"]), spl, percent(third["seeds"]), f"{min(times):.1f} to {max(times):.1f}"])
    return as_table(["", "held, %", "SPL", "held with a third of the steps, %", "decision, CPU ms"], body)


def _senses(results: Path) -> str:
    """By kind of stream: R2 of what it means, read off the latent, an untrained encoder and raw pixels."""
    probes = [(row, probe) for row in ("model", "untrained", "pixels") for probe in ("ridge", "mlp")]
    body = []
    for kind, found in _read(results / "senses.json").items():
        cells = [_r2(found["r2"].get(row, {}).get(probe)) for row, probe in probes]
        body.append([f"`{kind}`: {found['quantity']}", *cells])
    return as_table(["R2 on held-out episodes", *(f"{row}, {probe}" for row, probe in probes)], body)


def _speed(results: Path) -> str:
    """What is fast, on a CPU, with the command that measures it."""
    frames = _read(results / "render.json")["rows"]["render_states, fixed door"]["frames_per_second"]
    found = _read(results / "clips.json")["results"]
    clips = {(row["codec"], row["tier"]): row["clips_per_second"] for row in found}
    watch = _read(results / "watch.json")["timed"]["rows_per_cpu_second"]
    (tiny,) = _read(results / "speed.json")["rows"]
    decision = tiny["milliseconds"]["decision"]
    body = [
        ["rendering two rooms, 64 px, one core", f"{frames:,.0f} frames/s", "`python benchmarks/render.py`"],
        *(
            [f"clips of 4 frames, 224 px, one core, {said}", f"{clips[key]:,.0f} clips/s", "`python benchmarks/clips.py`"]
            for key, said in {
                ("raw", "mapped"): "rendered, decoded cache",
                ("raw", "streamed"): "rendered, streamed from the store",
                ("jpeg", "mapped"): "camera (JPEG), decoded cache",
                ("jpeg", "streamed"): "camera (JPEG), streamed from the store",
            }.items()
        ),
        ["`armillary watch`, 8 sensors, CSV in and out", f"{watch:,.0f} rows per CPU second", "`python benchmarks/watch.py`"],
        [
            "one decision of a model of size `tiny`, one thread",
            f"{decision['p50']:.2f} ms, p95 {decision['p95']:.2f} ms",
            f"`armillary bench speed --sizes tiny --decisions {tiny['decisions']}`",
        ],
    ]
    return as_table(["", "measured", "command"], body)


def _gpu(results: Path) -> str:
    """A decision on a GPU, step by step and captured as one graph."""
    body = []
    for row in _read(results / "speed_h200.json")["rows"]:
        decision, size = row["milliseconds"]["decision"], row["model"].split(",")[0]
        command = f"`armillary bench speed --sizes {size}{' --captured' * row['captured']}`"
        how = "captured" if row["captured"] else "step by step"
        body.append([f"`{size}`, {how}", f"{decision['p50']:.1f} ms, p95 {decision['p95']:.1f} ms", command])
    return as_table(["", "one decision", "command"], body)


def _house(results: Path) -> str:
    """By set of senses: the place that the latent holds, and goals held in apartments that were never seen."""
    body = []
    for name in ("rgb-d+scan", "scan", "rgb"):
        found = [_read(results / "house" / f"{name}-{seed}-1.json") for seed in range(3)]
        pose = [one["model"]["pose"]["metres"] for one in found]
        held = [[one["navigate"][label]["rows"]["model"]["success"] for one in found] for label in ("near", "far")]
        where = " / ".join(f"{one['value']:.2f}" for one in pose)
        body.append([found[0]["name"], where, *map(percent, held)])
    return as_table(["senses", "pose error, m, median", "near goals held, %", "far goals held, %"], body)


def _peer(results: Path) -> str:
    """Stable-worldmodel beside us on one core: medians, and how many times better we are by the clock and by CPU time."""
    cases, body = _read(results / "peer_swm.json")["cases"], []
    for name, case in cases.items():
        rows = case["cores"]["1"]["rows"]
        for pair, ratio in case["cores"]["1"]["ratios"].items():
            ours, theirs = pair.split(" / ")
            values = (f"{x:,.0f}" if x >= 100 else f"{x:.3g}" for x in (rows[row]["median"] for row in (theirs, ours)))
            label = name if (ours, theirs) == ("ours", "theirs") else f"{name}: {ours} against {theirs}"
            better = f"{ratio['ratio']:.2f} ({ratio['ratio_cpu']:.2f})"
            body.append([f"{label}, {case['unit']}", *values, better, f"{ratio['bar']:g}"])
    weights = [cases["import"]["cores"]["1"]["rows"][side]["installed"] for side in ("theirs", "ours")]
    megabytes = [weight["megabytes"] for weight in weights]
    packed = (f"{weight['megabytes']:,.0f} ({weight['packages']})" for weight in weights)
    body.append(["installed, MB (packages)", *packed, f"{megabytes[0] / megabytes[1]:.2f}", ""])
    machines = {case["machine"] for case in cases.values()}
    if len(machines) != 1:
        raise ValueError(f"of several machines: {'; '.join(sorted(machines))}; run all cases on one")
    table = as_table(["", "theirs", "ours", "times better (by CPU time)", "bar"], body)
    return f"Machine: {machines.pop()}.\n\n{table}"


def _peer_plans(results: Path) -> str:
    """What a plan takes on one core, beside what the plan that was found costs by identical maths."""
    rows = _read(results / "peer_swm.json")["cases"]["plan"]["cores"]["1"]["rows"]
    body = []
    for name in ("theirs", "exact", "fast"):
        found = rows[name]
        costs = rows["exact"]["cost_of_their_plan"] if name == "theirs" else found["cost_of_plan"]
        cost = f"{np.mean(costs):.3f} ({min(costs):.3f} to {max(costs):.3f})"
        keys = "rank_correlation_wide", "rank_correlation_narrow"
        ranks = (f"{min(found[key]):.4f}" if key in found else "" for key in keys)
        body.append([name, f"{found['median']:.3g}", cost, *ranks])
    return as_table(["", "seconds", "cost of the plan (seeds)", "rank correlation, plans all over", "around theirs"], body)


def _diagnose(results: Path) -> str:
    """What limits Push-T's model: parts replaced by the truth in turn."""
    rows = _read(results / "diagnose_push_t.json")["rows"]
    return as_table(list(rows), [[percent([row["success"]]) for row in rows.values()]])


def _demo(results: Path) -> str:
    """The demo's world over training seeds."""
    found = _read(results / "two_room_fixed.json")
    runs = found["runs"]
    goals = ("in the other room", "cross_room"), ("anywhere", "any_goal")
    body = [[f"goal {where}, % of {runs[0]['episodes']} held", percent(found[key]["seeds"])] for where, key in goals]
    for name in ("oracle", "random", "untrained", "shuffled"):
        label = "actions shuffled" if name == "shuffled" else name
        body.append([f"{label}, goal in the other room", percent([run["cross_room"][name]["success"] for run in runs])])
    seconds = [run["train_seconds"] for run in runs]
    body.append(["training, s", f"{min(seconds):.1f} to {max(seconds):.1f}"])
    return as_table(["", "seeds " + " / ".join(str(run["seed"]) for run in runs)], body)


def _robot(results: Path) -> str:
    """By what was learned from: error and retrieval on a robot's later recordings."""
    return _of_robot(results, {"10-39": "30 episodes", "10-49": "39 episodes"})


def _robot_others(results: Path) -> str:
    """Each sense alone, and a random split beside the one forward in time."""
    alone = {f"10-39, {sense} alone": f"30 episodes, {sense} alone" for sense in ("state", "camera")}
    return _of_robot(results, {**alone, "random split": "39 episodes, random split"})


def _of_robot(results: Path, cells: Mapping[str, str]) -> str:
    """A table of these cells, by name and what is said of each, over the seeds that there are."""
    known, body = _read(results / "unitree_g1.json")["cells"], []
    for name, learned in cells.items():
        found = [cell["prediction"]["rows"]["model"] for key, cell in known.items() if key.rsplit(", seed", 1)[0] == name]
        for said, measure, tell in (
            ("error, % of persistence's", "error", percent),
            ("time error of retrieval, s", "time_error", _seconds),
        ):
            columns = zip(*([at[measure] for at in row] for row in found), strict=True)
            body += [[f"{said}: {learned}", *map(tell, columns)]] if found else []
    return as_table(["", "0.5 s ahead", "1 s", "2 s"], body) if body else "Not run yet."


def _seconds(estimates: Sequence[Mapping[str, float]]) -> str:
    """Each seed's time, or the one they agree on; and the interval."""
    values = [f"{e['value']:.2f}" for e in estimates]
    values = values[:1] if len(set(values)) == 1 else values
    return f"{' / '.join(values)} [{min(e['low'] for e in estimates):.2f}, {max(e['high'] for e in estimates):.2f}]"


def _monitoring(results: Path) -> str:
    """By method: scores on public benchmarks of monitoring, means over seeds and series."""
    skab, nab, tep = (_read(results / f"monitor_{name}.json") for name in ("skab", "nab", "tep"))
    pump, single, plant = skab["tables"]["own"], nab["tables"]["own"], tep["tables"]["free"]
    body = []
    for name in ("world model", "linear forecaster", "PCA (T2 + Q)", "isolation forest", "ECOD", "an alarm always on"):
        scores = pump["all files"][name]
        series = nab["series"]["own"][name].values()
        most = max(np.mean(one["false_alarms"]) / np.mean(one["allowed"]) for one in series)
        normal = np.mean(tep["series"]["free"][name]["d00_te.dat"]["false_alarms"])
        pumps = f"{scores['f1']['value']:.3f} / {scores['vus_pr']['value']:.3f}"
        cells = [f"{single['all files'][name]['auc_pr']['value']:.2f}", f"{most:.1f}"]
        body.append([name, pumps, *cells, f"{plant['all files'][name]['auc_pr']['value']:.2f} / {normal:.1f}"])
    head = ["", "SKAB, F1 / VUS-PR", "NAB, AUC-PR", "NAB, most false alarms / allowed", "TEP, AUC-PR / false alarms in d00_te"]
    return as_table(head, body)


def _first(run: Run) -> dict[str, Any]:
    """The table of a run's first set of goals."""
    return next(iter(run["sets"].values()))


def _success(table: Mapping[str, Any], row: str) -> dict[str, float] | None:
    return table["rows"][row]["success"] if row in table["rows"] else None


def _floor(tables: Sequence[Mapping[str, Any]]) -> str:
    """Means over seeds of the rows that know nothing."""
    rows = "random", "untrained", "shuffled"
    means = (np.mean([table["rows"][row]["success"]["value"] for table in tables]) for row in rows)
    return " / ".join(f"{100 * mean:.1f}" for mean in means)


def _r2(estimates: Mapping[str, Any] | None) -> str:
    if estimates is None:
        return ""
    one = estimates if "value" in estimates else next(iter(estimates.values()))
    return f"{one['value']:.3f} [{one['low']:.3f}, {one['high']:.3f}]"


_ALL = (_demo, _house, _diagnose, _peer, _peer_plans, _gpu, _control, _shift, _planners, _senses, _speed, _monitoring, _robot)
BLOCKS: Mapping[str, Callable[[Path], str]] = {block.__name__[1:]: block for block in (*_ALL, _robot_others, _vectors)}
