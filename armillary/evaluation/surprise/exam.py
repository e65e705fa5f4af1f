"""The exam of a run: scenes that its world stages, under a seed for choosing settings or the one for reporting, or movies.

An item that a shortcut tells apart says nothing about the model; the table names the shortcut.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from armillary.device import one_thread
from armillary.errors import ArmillaryError
from armillary.evaluation.control.pairs import DEVELOPMENT_SEED, TEST_SEED
from armillary.evaluation.run import open_run
from armillary.evaluation.statistics import Estimate
from armillary.evaluation.surprise.evaluate import UNTRAINED, SurpriseResult, evaluate_surprise
from armillary.evaluation.surprise.intphys import Quadruplet, find_scenes
from armillary.evaluation.surprise.movies import MovieScenes
from armillary.files import as_json, write_whole
from armillary.model.world_model import WorldModel
from armillary.provenance import commit, machine
from armillary.worlds.world import HasScenes, make_named

SOLVED = 0.6
"""A shortcut that orders more than this share of pairs, rightly or all wrongly, knows the answers."""


@dataclass(frozen=True)
class Exam:
    """What came out, and what it was asked on."""

    result: SurpriseResult
    facts: dict[str, Any]

    def shortcut(self, item: str) -> tuple[str, Estimate]:
        """The row without understanding that tells the clips of an item apart best, and its share of pairs."""
        rows = {name: row[item].relative for name, row in self.result.rows.items() if name != "model"}
        name = max(rows, key=lambda name: abs(rows[name].value - 0.5))
        return name, rows[name]

    def solved_by_shortcut(self) -> list[str]:
        """Items that say nothing about a model."""
        return [item for item in self.result.scenes if abs(self.shortcut(item)[1].value - 0.5) > SOLVED - 0.5]

    def table(self) -> Table:
        """Items down; shares of pairs of the model, of untrained networks and of the best shortcut across."""
        said = f"{min(self.result.scenes.values())} scenes an item. * A shortcut knows the answers."
        said += f"\nMovies: {self.facts['movies']}." if "movies" in self.facts else ""
        table = Table("item", "model", "AUROC", UNTRAINED, "best shortcut", box=None, caption=said, caption_justify="left")
        for item in self.result.scenes:
            rows, (name, best) = self.result.rows, self.shortcut(item)
            own, fresh = rows["model"][item], rows[UNTRAINED][item].relative.percent() if UNTRAINED in rows else "-"
            star = " *" if item in self.solved_by_shortcut() else ""
            table.add_row(item, own.relative.percent(), f"{own.auroc.value:.2f}", fresh, f"{best.percent()} {name}{star}")
        return table

    def to_json(self) -> dict[str, Any]:
        """Ready for `json.dumps`."""
        return {**self.facts, **self.result.to_json(), "solved_by_shortcut": self.solved_by_shortcut()}

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
    device: str = "auto",
) -> Exam:
    """Examine a run's model on scenes of the world that it was recorded in.

    Args:
        run: the run's folder.
        recording: where its recording is; by default, where it was at training.
        scenes: of each property and difficulty.
        options: of the world, over those of the recorded one, such as `variety="held_out"`.
        development: the scenes to choose settings by, not those to report on.
        untrained: networks of the untrained row.
        seed: of their weights.
        device: auto, cpu, cuda or mps.

    Raises:
        ArmillaryError: the recording's world stages no scenes, or has no such option.
    """
    if scenes < 1:
        raise ArmillaryError(f"scenes are 1 or more of each property, not {scenes}")
    model, episodes = open_run(Path(run), recording, device)
    name, recorded = episodes.info.get("world"), dict(episodes.info.get("options") or {})
    world = make_named(name, recorded | dict(options or {}), num_envs=1, max_steps=None, autoreset_mode="Disabled")
    if not isinstance(world, HasScenes):
        raise ArmillaryError(f"{run}: its world is {name}, which stages no scenes; two_room, push_t and physics do")
    model.spec.check(world.stream_spec, "world")
    at = DEVELOPMENT_SEED if development else TEST_SEED
    with one_thread(model.config.is_small):
        result = evaluate_surprise(model, world.scenes(scenes, at, model.config.skip), untrained=untrained, seed=seed)
    facts = {"run": Path(run).name, "world": name, "version": world.version, "options": recorded | dict(options or {})}
    facts |= {"scenes_seed": at, "seed": seed, "recording_hash": model.provenance.get("recording_hash")}
    return Exam(result, facts | {"machine": machine(), "commit": commit()})


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
