"""The exam of a run: scenes that its world stages or made from its recording, for choosing or for reporting, or movies.

An item that a shortcut tells apart says nothing about the model; the table names the shortcut.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.table import Column, Table

from armillary.device import one_thread
from armillary.errors import ArmillaryError
from armillary.evaluation.control.pairs import DEVELOPMENT_SEED, TEST_SEED
from armillary.evaluation.run import open_run
from armillary.evaluation.statistics import Estimate
from armillary.evaluation.surprise.evaluate import CEILING, UNTRAINED, SurpriseResult, evaluate_surprise
from armillary.evaluation.surprise.human import Human, read_answers, write_page
from armillary.evaluation.surprise.intphys import Quadruplet, find_scenes
from armillary.evaluation.surprise.movies import MovieScenes
from armillary.evaluation.surprise.recorded import recorded_scenes
from armillary.files import as_json, write_whole
from armillary.model.world_model import WorldModel
from armillary.provenance import commit, machine
from armillary.worlds.world import HasScenes, has_scenes, make_named

SOLVED = 0.6
"""A shortcut that orders more than this share of sets or of pairs, rightly or all wrongly, knows the answers."""


@dataclass(frozen=True)
class Exam:
    """What came out, and what it was asked on."""

    result: SurpriseResult
    facts: dict[str, Any]
    human: Human | None = None

    def shortcut(self, item: str) -> tuple[str, Estimate]:
        """The row without understanding that tells clips of an item apart best, by sets or by pairs, and its share of them."""
        others = {name: row[item] for name, row in self.result.rows.items() if name not in ("model", CEILING)}
        rows = {name: told.relative for name, told in others.items()}
        rows |= {f"{name}, pairs": told.pairs for name, told in others.items()}
        name = max(rows, key=lambda name: abs(rows[name].value - 0.5))
        return name, rows[name]

    def solved_by_shortcut(self) -> list[str]:
        """Items that say nothing about a model."""
        return [item for item in self.result.scenes if abs(self.shortcut(item)[1].value - 0.5) > SOLVED - 0.5]

    def table(self) -> Table:
        """Items down; the model's measures, and relative accuracy of untrained networks, best shortcut and ceiling across."""
        said = f"{min(self.result.scenes.values())} scenes an item. * A shortcut knows the answers."
        said += f"\nMovies: {self.facts['movies']}." if "movies" in self.facts else ""
        names = Column("item", no_wrap=True), "model", "pairs", "AUROC", UNTRAINED, "best shortcut"
        names += (CEILING,) * (CEILING in self.result.rows)
        if self.human:
            names += ("person",)
            asked = sum(self.human.asked.values())
            said += f"\nA person was right about {self.human.share.percent()} of {asked} single clips; half is chance."
        table = Table(*names, box=None, caption=said, caption_justify="left")
        for item in self.result.scenes:
            rows, (name, best) = self.result.rows, self.shortcut(item)
            own, star = rows["model"][item], " *" if item in self.solved_by_shortcut() else ""
            fresh = f"{100 * rows[UNTRAINED][item].relative.value:.0f}" if UNTRAINED in rows else "-"
            measures = (
                own.relative.percent(),
                f"{100 * own.pairs.value:.0f}",
                f"{own.auroc.value:.2f} [{own.auroc.low:.2f}, {own.auroc.high:.2f}]",
            )
            known = (rows[CEILING][item].relative.percent(),) if CEILING in rows else ()
            person = (f"{self.human.right[item]} of {self.human.asked[item]}",) if self.human else ()
            table.add_row(item, *measures, fresh, f"{100 * best.value:.0f} {name}{star}", *known, *person)
        return table

    def to_json(self) -> dict[str, Any]:
        """Ready for `json.dumps`."""
        person = {"human": asdict(self.human) | {"share": asdict(self.human.share)}} if self.human else {}
        return {**self.facts, **self.result.to_json(), "solved_by_shortcut": self.solved_by_shortcut(), **person}

    def save(self, path: str | Path) -> None:
        """Write it as JSON."""
        write_whole(path, as_json(self.to_json(), indent=1) + "\n")


def examine(
    run: str | Path,
    *,
    recording: str | Path | None = None,
    scenes: int = 60,
    options: Mapping[str, Any] | None = None,
    development: bool = False,
    untrained: int = 20,
    seed: int = 0,
    ceiling: bool = False,
    human: str | Path | None = None,
    device: str = "auto",
) -> Exam:
    """Examine a run's model on scenes of the world that it was recorded in, or made from episodes that it has not seen.

    The latter where the world stages none, or there is no world (`recorded.py`): from every second held-out episode, and under
    `development` from the others.

    Args:
        run: the run's folder.
        recording: where its recording is; by default, where it was at training.
        scenes: of each property and difficulty; fewer where a recording is too short.
        options: of the world, over those of the recorded one, such as `variety="held_out"`.
        development: the scenes to choose settings by, not those to report on.
        untrained: networks of the untrained row.
        seed: of their weights.
        ceiling: add the row of a scorer that knows how the world works; 2 to 4 s of CPU time a scene.
        human: answers of a person, as the page of `human.write_page` saved them.
        device: auto, cpu, cuda or mps.

    Raises:
        ArmillaryError: the world has no such option, stages no scenes for such frames, or has no ceiling; the episodes are too
            short or too few.
    """
    if scenes < 1:
        raise ArmillaryError(f"scenes are 1 or more of each property, not {scenes}")
    model, episodes = open_run(Path(run), recording, device)
    at = DEVELOPMENT_SEED if development else TEST_SEED
    world = _world(episodes.info, dict(options or {}))
    if ceiling and not hasattr(world, "ceiling"):
        raise ArmillaryError("a ceiling needs the mechanics of the world, which physics alone has; leave out --ceiling")
    facts: dict[str, Any] = {"run": Path(run).name, "scenes_seed": at, "seed": seed}
    if world is None:
        held_out = model.provenance["held_out"][development::2]
        facts |= {"episodes": [int(number) for number in held_out]}
        staged = recorded_scenes(model, episodes, held_out, scenes, at)
    else:
        model.spec.check(world.stream_spec, "world")
        facts |= {"world": world.name, "version": world.version, "options": world.made_with}
        staged = world.scenes(scenes, at, model.config.skip)
    person = None if human is None else read_answers(Path(human), staged, facts)
    with one_thread(model.config.is_small):
        result = evaluate_surprise(
            model, staged, untrained=untrained, seed=seed, ceiling=world.ceiling if ceiling and world else None
        )
    facts |= {"recording_hash": model.provenance.get("recording_hash"), "machine": machine(), "commit": commit()}
    return Exam(result, facts, person)


def write_human_page(folder: str | Path, *, options: Mapping[str, Any], development: bool = False, seed: int = 0) -> Path:
    """Write a page on which a person takes the exam of the world physics; see `human`."""
    world = make_named("physics", {"hand": False, **options}, num_envs=1, max_steps=None, autoreset_mode="Disabled")
    return write_page(Path(folder), world, DEVELOPMENT_SEED if development else TEST_SEED, seed)


def examine_movies(
    run: str | Path,
    data: str | Path,
    *,
    scenes: int | None = None,
    untrained: int = 20,
    seed: int = 0,
    device: str = "auto",
    progress: bool = True,
) -> Exam:
    """Examine a run's model on IntPhys or IntPhys 2; arguments as of `examine`.

    Args:
        data: the folder dev of IntPhys, or Main or Debug of IntPhys 2.
        scenes: the first ones of each property. Default: all.
        progress: show it.

    Raises:
        ArmillaryError: the model cannot see the movies, see `MovieScenes`, or there are no such scenes, see `find_scenes`.
    """
    if scenes is not None and scenes < 1:
        raise ArmillaryError(f"scenes are 1 or more of each property, not {scenes}")
    model = WorldModel.load(run, device)
    benchmark, found = find_scenes(Path(data))
    by_property = defaultdict[str, list[Quadruplet]](list)
    for scene in found:
        by_property[scene.violated].append(scene)
    movies = MovieScenes(model, [scene for some in by_property.values() for scene in some[:scenes]], progress=progress)
    with one_thread(model.config.is_small):
        result = evaluate_surprise(model, movies, untrained=untrained, seed=seed)
    facts = {"run": Path(run).name, "benchmark": benchmark, "folder": Path(data).resolve().name, "movies": movies.shown_as}
    made_from = {"seed": seed, "recording_hash": model.provenance.get("recording_hash")}
    return Exam(result, {**facts, **made_from, "machine": machine(), "commit": commit()})


def _world(info: Mapping[str, Any], options: dict[str, Any]) -> Any:
    """The world that a recording says it is of, with other options, if it stages scenes; else None.

    Raises:
        ArmillaryError: options, and no such world.
    """
    name = str(info.get("world", ""))
    world = None
    if has_scenes(name):
        recorded = dict(info.get("options") or {})
        world = make_named(name, recorded | options, num_envs=1, max_steps=None, autoreset_mode="Disabled")
    if isinstance(world, HasScenes):
        return world
    if options:
        raise ArmillaryError(
            f"expected no options, got {', '.join(options)}: the recording is of {name or 'no world'}, which stages no scenes; "
            "scenes are made from its held-out episodes"
        )
    return None
