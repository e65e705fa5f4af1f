"""The tables of the control suite as Markdown, from the results of its runs (`run.py`) and nothing else.

An interval reaches from the lowest to the highest bound of the seeds' own 95% intervals: it is about what one training gives,
not about the mean of several.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from armillary.errors import ArmillaryError, CorruptFile
from armillary.files import parse_json
from armillary.suite.run import differing
from armillary.suite.tasks import SUITE

RULES = (
    "Starts and goals come from the world's own sampler, under a seed that no recording has; success is the world's own word "
    "on the true state, held on each of the last steps of a budget that is always run to its end. Every method has the same "
    "pairs and sees what the model sees, but for the oracle, the world's own expert, which knows the true state."
)
LEGEND = (
    "Shares are in %, seed by seed (one number where seeds agree); SPL and score are means over seeds; brackets reach from the "
    "lowest to the highest bound of the seeds' 95% intervals. Touched counts goals that were passed at some moment, which is "
    "no success. SPL weighs a success by the shortest path over the steps it took; score is (row - random) / (oracle - "
    "random). A decision is timed for one pair at a time, encoding included; imagined are the model's steps for it."
)
METHODS = {
    "do_nothing": "do nothing",
    "untrained": "untrained model",
    "random_encoder": "trained dynamics on a frozen random encoder",
    "shuffled": "model, actions shuffled",
    "habit_untrained": "habit, untrained dynamics",
    "habit_shuffled": "habit, actions shuffled",
    "no_habit": "model, planner without the habit",
    "model": "**model**",
    "cem": "model, CEM",
    "icem": "model, iCEM",
    "mppi": "model, MPPI",
    "gradient": "model, gradient",
    "random_shooting": "model, random shooting",
    "latent_distance": "model, latent distance as cost",
    "behaviour_cloning": "behaviour cloning, goal-conditioned",
    "inverse_dynamics": "inverse dynamics, frozen latents",
}
Run = dict[str, Any]


def load_runs(folder: str | Path) -> dict[str, list[Run]]:
    """The complete runs in a folder of results by name, in the order of the suite, and of seeds.

    Raises:
        ArmillaryError: there is none, or those of one world are of different settings or pairs.
        CorruptFile: a file is something else.
    """
    runs: list[Run] = []
    for path in sorted(Path(folder).glob("*.json")):
        try:
            run = parse_json(path.read_text(), path)
            runs += [run] if run["complete"] else []
        except (ValueError, KeyError, TypeError) as error:
            raise CorruptFile(f"{path} holds no results of the suite ({type(error).__name__}: {error})") from error
    if not runs:
        raise ArmillaryError(f"{folder} holds no complete run; make some with: armillary bench control")
    order = list(SUITE)
    names = sorted({run["name"] for run in runs}, key=lambda name: order.index(name) if name in order else len(order))
    grouped = {name: sorted((run for run in runs if run["name"] == name), key=lambda run: run["seed"]) for name in names}
    for name, (one, *others) in grouped.items():
        for other in others:
            if differing(one["settings"], other["settings"]) or _hashes(one) != _hashes(other):
                raise ArmillaryError(
                    f"{name}: the runs of seeds {one['seed']} and {other['seed']} are of different settings or pairs; "
                    f"run one of them again: armillary bench control --worlds {name} --seeds {other['seed']} --again"
                )
    return grouped


def render(grouped: dict[str, list[Run]]) -> str:
    """The page in Markdown, of what `load_runs` gives."""
    runs = [run for some in grouped.values() for run in some]
    commits = sorted({str(part["commit"])[:8] for run in runs for part in _parts(run)})
    lead = "Each world's results are made by the command below its name, and this page by `armillary bench control --table`."
    machines = "; ".join(sorted({run["machine"] for run in runs}))
    made = f"## Where it was run\n\nMachines: {machines}. Commits: {', '.join(commits)}; each raw file names its own."
    worlds = [_world(name, some) for name, some in grouped.items()]
    return "\n\n".join(["# The control suite", lead, RULES, LEGEND, *worlds, made]) + "\n"


def _world(name: str, runs: list[Run]) -> str:
    settings, sets = runs[0]["settings"], runs[0]["sets"]
    task = settings["task"]
    command = f"armillary bench control --worlds {name} --seeds {' '.join(str(run['seed']) for run in runs)}"
    command += f" --pairs {settings['pairs']} --shifted {settings['shifted']}"
    first, *_ = sets
    recording, training = ([run[part] for run in runs] for part in ("recording", "training"))
    recorded, learned = recording[0], training[0]
    short = {o: f"in {len(v)} places" if isinstance(v, list) and len(v) > 6 else v for o, v in task["options"].items()}
    options = ", ".join(f"{option} {value}" for option, value in short.items())
    about = (
        f"Recorded{' with ' * bool(options)}{options}: {recorded['episodes']} episodes, {recorded['frames']:,} frames, by "
        f"{recorded['policy']}. Learned by the recipe `{task['recipe']}` ({learned['parameters']:,} parameters) from "
        f"{learned['frames']:,} frames, in {_minutes(training, 'train_seconds')} minutes on the wall"
    )
    if all("cpu_seconds" in part for part in training):
        about += f", {_minutes(training, 'cpu_seconds')} CPU minutes with reading the recording"
    goals = [f"{label}: {table['pairs']} pairs ({table['eval_set_hash']}), {table['rule']}" for label, table in sets.items()]
    head = ["", *(f"{label}, held" for label in sets), "touched", "SPL", "score", "decision, ms", "imagined"]
    body = []
    for row in sets[first]["rows"]:
        each = [run["sets"][first]["rows"][row] for run in runs]
        cells = [percent([run["sets"][label]["rows"].get(row, {}).get("success") for run in runs]) for label in sets]
        cells.append(percent([r["first_touch"] for r in each]))
        cells += [_mean([r[key] for r in each]) for key in ("spl", "score")]
        calls = each[0]["model_calls"]
        body.append([METHODS.get(row, row), *cells, _decision(each), f"{calls:,}" if calls else ""])
    also = f"Touched, SPL, score and times are of {first}. " if len(sets) > 1 else ""
    ladders = [f"{label}: {_ladder([run['sets'][label]['rows']['model']['ladder'] for run in runs])}" for label in sets]
    notes = f"{also}The model's ladder, held by steps of the shortest path: {'; '.join(ladders)}. {_checks(runs)}"
    blocks = [f"## {name}", f"    {command}", f"{about}.", f"{'; '.join(goals)}.", as_table(head, body), notes]
    if runs[0]["shift"]:
        blocks += ["### Under shift", *_shift(first, runs)]
    if "lax" in runs[0]:
        blocks += ["### By the field's rule", *_lax([run["lax"] for run in runs])]
    return "\n\n".join(blocks)


def _shift(first: str, runs: list[Run]) -> list[str]:
    pairs = next(iter(runs[0]["shift"].values()))["pairs"]
    intro = (
        f"The same models, judged where one factor of variation is drawn anew for each of {pairs} pairs; "
        f"goals are otherwise those of {first}."
    )
    body = []
    for label in (None, *runs[0]["shift"]):
        tables = [run["sets"][first] if label is None else run["shift"][label] for run in runs]
        cells = [percent([table["rows"][row]["success"] for table in tables]) for row in ("model", "random", "oracle")]
        body.append(["none" if label is None else label.replace("_", " "), *cells])
    return [intro, as_table(["factor", "**model**", "random", "oracle"], body)]


def _lax(tables: list[dict[str, Any]]) -> list[str]:
    one = tables[0]
    intro = (
        f"Start and goal are two moments of one episode of play, and a touch counts, as the field has it: {one['pairs']} "
        f"pairs, of which {one['pairs'] - one['unsolved']} are solved at the start. Strict is the share of the others that is "
        "held at the end of the same runs. None of this is in the table above."
    )
    body = []
    for row in one["rows"]:
        body.append([METHODS.get(row, row), *(percent([t["rows"][row][rule] for t in tables]) for rule in ("lax", "strict"))])
    return [intro, as_table(["", "touched, the field's rule", "held, strict"], body)]


def as_table(head: Sequence[str], body: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def percent(estimates: Sequence[dict[str, float] | None]) -> str:
    """Each seed's share in %, or the one they agree on; and the interval."""
    known = [e for e in estimates if e is not None and e["value"] is not None]
    if len(known) < len(estimates):
        return ""
    values = list(dict.fromkeys(f"{100 * e['value']:.1f}" for e in known))
    values = values if len(values) == 1 else [f"{100 * e['value']:.1f}" for e in known]
    return f"{' / '.join(values)} [{100 * min(e['low'] for e in known):.0f}, {100 * max(e['high'] for e in known):.0f}]"


def _mean(estimates: Sequence[dict[str, float]]) -> str:
    if any(e["value"] is None for e in estimates):
        return ""
    mean = sum(e["value"] for e in estimates) / len(estimates)
    return f"{mean:.2f} [{min(e['low'] for e in estimates):.2f}, {max(e['high'] for e in estimates):.2f}]"


def _decision(rows: Sequence[dict[str, Any]]) -> str:
    if rows[0]["decision_ms_median"] is None:
        return ""
    median = sorted(row["decision_ms_median"] for row in rows)[len(rows) // 2]
    return f"{median:.1f}, p95 {max(row['decision_ms_p95'] for row in rows):.1f}"


def _ladder(ladders: Sequence[list[dict[str, Any]]]) -> str:
    return ", ".join(
        f"{rungs[0]['low']:.1f} to {rungs[0]['high']:.1f}: {percent([rung['success'] for rung in rungs])}"
        for rungs in zip(*ladders, strict=True)
    )


def _checks(runs: list[Run]) -> str:
    red = {
        f"seed {run['seed']}, {label}: {check['expected']} ({check['value']:.3g})"
        for run in runs
        for label, table in (run["sets"] | run["shift"]).items()
        for check in table["checks"]
        if not check["ok"]
    }
    return (
        f"**Checks of the judging that are red: {'; '.join(sorted(red))}.**" if red else "All checks of the judging are green."
    )


def _minutes(parts: Sequence[dict[str, Any]], key: str) -> str:
    low, high = (f"{pick(part[key] for part in parts) / 60:.1f}" for pick in (min, max))
    return low if low == high else f"{low} to {high}"


def _parts(run: Run) -> list[dict[str, Any]]:
    lax = [run["lax"]] if "lax" in run else []
    return [run["recording"], run["training"], *run["sets"].values(), *run["shift"].values(), *lax]


def _hashes(run: Run) -> list[str]:
    return [table["eval_set_hash"] for table in (*run["sets"].values(), *run["shift"].values())]
