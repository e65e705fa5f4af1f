"""What the doctor finds by going through whole episodes: jumps inside them, and changes of unit."""

from collections.abc import Iterator

import numpy as np

from armillary.episodes import turning
from armillary.episodes.doctor_sample import EPISODES, Run, channels, outlines, spread, whole_episodes
from armillary.episodes.jumps import IMAGE_RATIO, USUAL, change, find_jumps, smooth_channels
from armillary.episodes.store import Episodes
from armillary.episodes.units import Blocks
from armillary.kinds.check import Row

MANY = 0.5  # share of episodes with a jump, above which to fail
_FILM = 8192  # rows that are searched for jumps where there are no vectors
_TOGETHER = 65_536  # rows of vectors that are read at a time


def jumps_and_units(episodes: Episodes, runs: list[Run], period: np.ndarray) -> Iterator[Row]:
    """Jumps and changes of unit, in all vectors of the store; where there are none, jumps in images or whatever there is."""
    spec, jumps, blocks = episodes.spec, [], Blocks()
    names = [stream.name for stream in spec.observed if stream.is_tabular]
    cameras = [stream.name for stream in spec.observed if stream.is_picture]
    offset = np.concatenate([np.zeros(0), *(spec[name].offsets for name in names)])
    if names:
        values = [turning.unwrap(run.vectors, period) for run in runs]
        usual = smooth_channels(values, [np.abs(np.diff(x, axis=0)) for x in values])
        for number, rows in whole_episodes(episodes, names, range(len(episodes)), _TOGETHER):
            blocks.add(number, rows + offset)
            steps = np.abs(np.diff(turning.unwrap(rows, period), axis=0))
            jumps += [(number, int(t) + 1) for t in find_jumps(steps, usual)]
    elif cameras and len(there := np.flatnonzero(episodes.present.get(cameras[0], True) & (episodes.lengths > 1))):
        count = max(1, _FILM // int(np.median(episodes.lengths)))
        chosen = spread(there, min(count, EPISODES))
        changes = {n: change(rows) for n, rows in whole_episodes(episodes, cameras[:1], chosen, _FILM)}
        usual = np.quantile(np.concatenate(list(changes.values())), USUAL, axis=0)
        jumps = [(n, int(t) + 1) for n, steps in changes.items() for t in find_jumps(steps, usual, IMAGE_RATIO)]
    elif others := [stream.name for stream in spec.observed if not stream.optional]:
        count = max(1, _FILM // int(np.median(episodes.lengths)))
        chosen = spread(np.flatnonzero(episodes.lengths > 1), min(count, EPISODES))
        values = {int(n): outlines(spec, episodes.read(int(n), streams=others)) for n in chosen}
        moves = {n: np.abs(np.diff(rows, axis=0)) for n, rows in values.items()}
        usual = smooth_channels([*values.values()], [*moves.values()])
        jumps = [(n, int(t) + 1) for n, steps in moves.items() for t in find_jumps(steps, usual)]
    which = ", ".join(f"episode {number} row {row}" for number, row in jumps[:5]) + ", ..." * (len(jumps) > 5)
    many = len({number for number, _ in jumps}) > MANY * len(episodes)
    advice = "what is seen jumps there, as after a reset or lost rows; end the episode before that row"
    yield Row.of("jumps", f"{len(jumps)} {which}".strip(), "fail" if many else len(jumps) > 0, advice)
    found = blocks.changes() if names else []
    where = []
    for unit in found[:5]:
        ((_, rows),) = whole_episodes(episodes, names, [unit.episode], 1)
        first = unit.row((rows + offset)[:, unit.channel])
        where.append(f"{channels(spec)[unit.channel]} from episode {unit.episode} row {first} on: {unit.how}")
    advice = "a unit seems to change inside the recording; bring all rows to one unit"
    yield Row.of("change of unit", f"{len(found)} {'; '.join(where)}".strip(), len(found) > 0, advice)
