"""Recordings of ROS (MCAP and .db3 of ROS 2, .bag of ROS 1) into a store: messages of many rates on one control clock.

- The clock is even, at `rate` Hz, or the messages of one topic: of `clock`, or else of the actions, or else of the slowest.
  What a row holds of each topic is told in clocks.py. Times are those at which messages were logged, so that a row holds
  nothing that was not there yet. The info of the store says of every stream its topic, its rate and its rule;
- a topic that is silent for longer than `gap` makes rows stale: they are refused with the figure, or left out, and an episode
  ends there. What is before every topic has begun, and after the first has ended, is left out; the summary says how much it is;
- where messages carry stamps of their sensor's clock, the time from stamp to log must be the same at the end as at the start
  (`tolerance`): a clock that drifts, or a queue that grows, is refused with the figure;
- times come from the index, and messages a chunk at a time: memory is bounded by the chunks and by `longest` rows.
"""

from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Unpack

from armillary.episodes.formats.bag_files import BagFile
from armillary.episodes.formats.db3_files import Db3File
from armillary.episodes.formats.folders import files_in
from armillary.episodes.formats.importing import Missing, Name, Writing, check_options, import_units, parts
from armillary.episodes.formats.mcap_files import McapFile
from armillary.episodes.formats.mcap_plan import plan_of
from armillary.episodes.formats.mcap_rows import McapSummary, Rows, examine
from armillary.episodes.formats.ros_files import RosFile
from armillary.episodes.store import Episode
from armillary.errors import ArmillaryError, CorruptFile

_FILES = {".mcap": McapFile, ".db3": Db3File, ".bag": BagFile}


def import_mcap(
    path: str | Path,
    out: str | Path,
    *,
    streams: Sequence[str] | None = None,
    truth: Sequence[str] = (),
    action: str | None = None,
    rate: float | None = None,
    clock: str | None = None,
    gap: float | None = None,
    tolerance: float | None = None,
    image_size: int | None = None,
    points: int = 1024,
    longest: int = 10_000,
    missing: Missing = "refuse",
    **writing: Unpack[Writing],
) -> McapSummary:
    """Read recordings of ROS into a new store; other arguments and errors are those of `import_hdf5`.

    Args:
        path: a file, or a folder of files of one kind: MCAP (.mcap) or SQLite (.db3) of ROS 2, or bags (.bag) of ROS 1. Each
            begins an episode.
        streams: topics that a model may see. Default: all that have a kind of stream, but actions and truth.
        action: the topic of actions, of any messages of numbers (Twist, JointState, PoseStamped). Default: none.
        rate: rate of an even control clock, in Hz. Default: the clock of --clock.
        clock: the topic whose messages are the control clock. Default: the topic of actions, or the slowest topic.
        gap: seconds of silence of a topic after which rows are stale. Default: ten times its median step.
        tolerance: seconds by which the delay from stamp to log may change between start and end. Default: half a step.
        points: points of a cloud to keep at most. More take more memory.
        missing: what to do about stale rows and unfit files. refuse: stop the import; skip: drop them, which ends the episode
            there.
    """
    numbers = {"rate": rate, "gap": gap, "tolerance": tolerance, "image_size": image_size, "points": points}
    check_options(writing, missing, longest, **numbers)
    if rate is not None and clock is not None:
        raise ArmillaryError(f"give the rate of the control clock or its topic, not both ({rate} and {clock!r})")
    path = Path(path)
    files = _files(path)
    with _open(files[0]) as first:
        plan = plan_of(
            first,
            **{"streams": streams, "truth": truth, "action": action, "image_size": image_size, "points": points},
            **{"rate": rate, "clock": clock, "gap": gap},
        )
    kind = _FILES[files[0].suffix.lower()].format
    summary = McapSummary(
        format=kind, source=str(path), out=str(out), spec=plan.spec, ignored=plan.ignored, clock=plan.said, rules=plan.rules
    )
    runs = []
    for file in files:
        try:
            with _open(file) as opened:
                ticks, fit = examine(opened, plan, summary, gap, tolerance or plan.step / 2, missing)
        except CorruptFile as error:
            if missing == "refuse" or len(files) == 1:
                raise
            summary.skipped[str(file)] = str(error)
            continue
        runs.append((file, ticks, [(a + start, a + stop) for a, b in fit for start, stop in parts(b - a, longest)]))

    def units() -> Generator[tuple[Name, Iterator[Episode]], None, None]:
        for file, ticks, pieces in runs:
            with _open(file) as opened:
                rows = Rows(opened, plan, ticks.tolist())
                for first, last in pieces:
                    if str(file) not in summary.skipped:  # since then
                        yield str(file), rows.episode(first, last)

    about = {"source": f"{kind} {path.name}", "clock": plan.said, "streams": plan.rules}
    total = sum(len(pieces) for *_, pieces in runs)
    return import_units(units(), summary, info=about, total=total, missing=missing, **writing)


def _files(path: Path) -> list[Path]:
    """The files to read, of one format."""
    files = files_in(path, _FILES)
    kinds = sorted({file.suffix.lower() for file in files})
    if not files or kinds[0] not in _FILES:
        raise ArmillaryError(f"{path}: there is no recording of ROS there (*.mcap, *.db3, *.bag); unpack .zstd files first")
    if len(kinds) > 1:
        raise ArmillaryError(
            f"{path}: there are {' and '.join(kinds)} files, which may be the same recording; give one of them"
        )
    return files


def _open(file: Path) -> RosFile:
    return _FILES[file.suffix.lower()](file)
