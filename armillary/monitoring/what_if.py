"""What if these controls were applied from here on? The model imagines it, and what it imagines is read off in numbers.

- What is read off: every channel of the observed vectors, and every stream of ground truth that the recording holds, by ridge
  regression from latents, fitted on episodes of the training part. Angles are read as sine and cosine.
- Intervals are split-conformal (Lei et al., JASA 2018): the quantile of the errors that such readings had on held-out episodes
  with the actions that were taken there, by horizon and quantity. They hold for plans like those that were recorded.
- What leaves the range of the training part, a control of the plan or a sensor at its start, is named. There the model
  extrapolates: bounds are wider by as many ranges as it is beyond, and by how much the prediction owes to being there (the
  difference to the same plan within the range). That is a warning and no guarantee.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TextIO

import numpy as np
import torch
from jaxtyping import Float

from armillary.device import one_thread
from armillary.episodes.formats.table_clock import Asked
from armillary.episodes.store import Episodes
from armillary.errors import ArmillaryError, CorruptFile
from armillary.evaluation.angles import sine_cosine
from armillary.evaluation.run import open_run
from armillary.imagination import Context
from armillary.latents import Encoded, dense, encode_episodes, encode_rows, imagine, learned_from
from armillary.model.world_model import WorldModel
from armillary.monitoring.calibrate import sensor_names
from armillary.monitoring.ranges import action_names, channel_names, plan_within, start_outside
from armillary.monitoring.rows import Reading, read_rows
from armillary.ridge import affine_ridge
from armillary.spec import Stream

FRAMES, STARTS = 4000, 64
"""Frames that readouts are fitted on at most; predictions of each held-out episode that intervals are made of."""
STRENGTH = 1e-3
"""Of the ridge, relative to the variance of latents."""


@dataclass(frozen=True)
class WhatIf:
    """Readings after each block of the plan, in their own units.

    Args:
        steps: (H,) env steps from the moment that it starts from.
        seconds: (H,), or None without a rate.
        names: the Q quantities.
        value, low, high: (H, Q); the bounds are NaN where no held-out episode is long enough.
        outside: what is outside the recorded range, a sentence each.
        digits: significant ones of each quantity in `write`; none: 6.
    """

    steps: np.ndarray
    seconds: np.ndarray | None
    names: tuple[str, ...]
    value: Float[np.ndarray, "h q"]
    low: Float[np.ndarray, "h q"]
    high: Float[np.ndarray, "h q"]
    outside: tuple[str, ...] = ()
    digits: tuple[int, ...] = ()

    def write(self, out: TextIO) -> None:
        """CSV: a row for each block, and three columns for each quantity."""
        quoted = [name.replace('"', "'") for name in self.names]
        columns = [f'"{name}{part}"' for name in quoted for part in ("", " low", " high")]
        out.write(",".join(["step", *(["seconds"] if self.seconds is not None else []), *columns]) + "\n")
        for i, step in enumerate(self.steps):
            cells = np.stack([self.value[i], self.low[i], self.high[i]], 1).ravel()
            digits = np.repeat(self.digits, 3) if self.digits else [6] * len(cells)
            start = [str(step), *([f"{self.seconds[i]:g}"] if self.seconds is not None else [])]
            out.write(
                ",".join(start + ["" if np.isnan(x) else f"{x:.{n}g}" for x, n in zip(cells, digits, strict=True)]) + "\n"
            )


def what_if(
    run: str | Path,
    start: str,
    plan: str | Path,
    *,
    recording: str | Path | None = None,
    interval: float = 0.9,
) -> WhatIf:
    """Imagine a plan from a recorded moment.

    Args:
        run: a folder with `model.safetensors`.
        start: `TABLE:ROW`, where the model sees named vectors alone; `STORE:EPISODE:ROW`; or `EPISODE:ROW` of the run's own
            recording. Rows are counted from 0, and from the end where negative.
        plan: a table with a column for each control, by name (`action 0`, `action 1`, ... where they have none; `action` for
            choices), and a row for each env step.
        recording: where the run's recording is now, if it was moved.
        interval: the share of readings that lie within the bounds.

    Raises:
        ArmillaryError: a moment that is not there or has too few rows before it, a plan of no whole number of blocks, a model
            without actions, an interval that is no share.
        CorruptFile: a table without the columns, or with a number missing.
    """
    if not 0 < interval < 1:
        raise ArmillaryError(f"an interval is a share between 0 and 1, not {interval}")
    model, episodes = open_run(Path(run), recording, "cpu")
    reading = Reading.of(episodes.info.get("reading"), Asked(()), 1.0)
    actions = read_plan(plan, model, reading)
    with one_thread(model.config.is_small):
        context, sensed = _context(model, episodes, start, reading)
        readout = Readout.fit(model, episodes, learned_from(model, episodes))
        within, beyond, outside = plan_within(model, episodes, actions)
        value, inside = (readout(_imagined(model, context, plan)) for plan in (actions, within))
        outside += start_outside(model, episodes, sensed)
        errors = readout.errors(model, episodes, model.provenance["held_out"], len(value))
    half = np.full(value.shape, np.nan)
    for horizon, of in enumerate(errors):
        rank = int(np.ceil((len(of) + 1) * interval))
        if 0 < rank <= len(of):
            half[horizon] = np.sort(of, axis=0)[rank - 1]
    half = half * (1 + beyond) + np.abs(readout.difference(value, inside))
    steps, rate = model.config.skip * np.arange(1, len(value) + 1), model.spec.rate
    value, digits = value + readout.offset, tuple(15 if offset else 6 for offset in readout.offset)
    seconds = steps / rate if rate else None
    return WhatIf(steps, seconds, readout.names, value, value - half, value + half, tuple(outside), digits)


class Readout:
    """Latents (n, D) to quantities (n, Q) in their own units, less `offset` (Q,).

    Args:
        streams: what is read off, vectors.
        matrix: (D + 1, numbers), the last row constant, to the streams side by side, angles as sine and cosine.
    """

    def __init__(self, streams: Sequence[Stream], matrix: np.ndarray) -> None:
        self.streams, self.matrix = streams, matrix
        self.names = tuple(name for stream in streams for name in channel_names(stream))
        self.offset = np.concatenate([stream.offsets for stream in streams])
        self.angles = np.array([i in stream.angles for stream in streams for i in range(stream.shape[0])])

    @classmethod
    def fit(cls, model: WorldModel, episodes: Episodes, which: np.ndarray) -> "Readout":
        """From frames of these episodes."""
        sensed = {stream.name for stream in model.spec.observed}
        streams = [s for s in episodes.spec.streams if s.is_tabular and (s.truth or s.name in sensed)]
        if not streams:
            raise ArmillaryError(f"{episodes.path} has no vector to read off: neither sensors nor ground truth")
        whole = episodes.complete(which, [stream.name for stream in streams])
        rows = np.concatenate([np.empty(0, np.int64), *(episodes.starts[e] + np.arange(episodes.lengths[e]) for e in whole)])
        if not len(rows):
            raise ArmillaryError(f"{episodes.path}: a stream is absent from every episode, so that none can be read off")
        rows = rows[:: -(-len(rows) // FRAMES)]
        z = encode_rows(model, episodes, rows).astype(np.float64)
        target = np.concatenate([sine_cosine(s, v) for s, v in zip(streams, _read(episodes, streams, rows), strict=True)], 1)
        return cls(streams, affine_ridge(z, target, STRENGTH))

    def __call__(self, z: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n q"]:
        numbers, done, columns = z @ self.matrix[:-1] + self.matrix[-1], 0, []
        for stream in self.streams:
            turns, plain = len(stream.angles), stream.shape[0] - len(stream.angles)
            part = numbers[:, done : done + plain + 2 * turns]
            values = np.empty((len(z), stream.shape[0]))
            values[:, [i for i in range(stream.shape[0]) if i not in stream.angles]] = part[:, :plain]
            values[:, stream.angles] = np.arctan2(part[:, plain : plain + turns], part[:, plain + turns :])
            columns.append(values)
            done += plain + 2 * turns
        return np.concatenate(columns, axis=1)

    def difference(self, value: Float[np.ndarray, "n q"], other: Float[np.ndarray, "n q"]) -> Float[np.ndarray, "n q"]:
        """value - other, the short way round for angles."""
        result = value - other
        result[:, self.angles] = (result[:, self.angles] + np.pi) % (2 * np.pi) - np.pi
        return result

    def errors(self, model: WorldModel, episodes: Episodes, which: Sequence[int], horizon: int) -> list[np.ndarray]:
        """For each of so many blocks ahead, the absolute errors (n, Q) of readings of open-loop predictions."""
        found: list[list[np.ndarray]] = [[] for _ in range(horizon)]
        skip, context = model.config.skip, model.config.context
        whole = episodes.complete(which, [stream.name for stream in self.streams])
        for encoded in encode_episodes(model, episodes, whole):
            rows = episodes.starts[encoded.number] + np.arange(len(encoded.z))
            truth = np.concatenate(_read(episodes, self.streams, rows), axis=1).astype(np.float64)
            reach = min(horizon, (len(encoded.z) - 1) // skip - (context - 1))
            if reach < 1:
                continue
            room = len(encoded.z) - skip * (context - 1 + reach)
            first = np.unique(np.linspace(0, room - 1, min(STARTS, room)).astype(int))
            imagined = imagine(model, encoded, first, reach).astype(np.float64)
            for ahead in range(reach):
                found[ahead].append(np.abs(self.difference(self(imagined[:, ahead]), truth[first + skip * (context + ahead)])))
        return [np.concatenate(of) if of else np.empty((0, len(self.names))) for of in found]


def _imagined(model: WorldModel, context: Context, actions: Float[np.ndarray, "t n"]) -> Float[np.ndarray, "h d"]:
    blocks = torch.from_numpy(actions.reshape(1, 1, -1, model.actions.size))
    with torch.inference_mode():
        return model.rollout(context, blocks).z[0, 0].double().cpu().numpy()


def read_plan(path: str | Path, model: WorldModel, reading: Reading) -> Float[np.ndarray, "t n"]:
    """The actions of a plan, one an env step, choices one-hot.

    Raises:
        ArmillaryError: the model has no actions, or the rows are no whole number of its blocks.
        CorruptFile: a control has no column, or a number is missing.
    """
    space, skip = model.spec.action, model.config.skip
    if not space.n:
        raise ArmillaryError("this model has no actions, so there is nothing to ask it what if; import with --controls")
    numbers = _table(Path(path), action_names(space), reading)
    if len(numbers) == 0 or len(numbers) % skip:
        raise ArmillaryError(f"{path}: {len(numbers)} rows are no whole number of blocks of {skip} env steps")
    if space.kind == "discrete":
        choice = numbers[:, 0].astype(np.int64)
        if (choice != numbers[:, 0]).any() or not ((choice >= 0) & (choice < space.n)).all():
            raise ArmillaryError(f"{path}: choices are whole numbers from 0 to {space.n - 1}")
        return dense(space, choice)
    return numbers.astype(np.float32)


def _context(model: WorldModel, episodes: Episodes, start: str, reading: Reading) -> tuple[Context, dict[str, np.ndarray]]:
    """The last kept frames up to a moment, and the action blocks between them; and the vectors that are sensed there."""
    where, _, row = start.rpartition(":")
    try:
        at = int(row)
    except ValueError:
        raise ArmillaryError(f"{start!r} names no row; expected TABLE:ROW, STORE:EPISODE:ROW or EPISODE:ROW") from None
    store, _, number = where.rpartition(":")
    if number.isdigit() and (not store or Path(store).is_dir()):
        source = Episodes.open(store).relative_to(model.spec) if store else episodes
        model.spec.check(source.spec)
        if int(number) >= len(source):
            raise ArmillaryError(f"{source.path} has {len(source)} episodes, counted from 0; there is no episode {number}")
        (encoded,) = encode_episodes(model, source, [int(number)])
        lacking = [name for name, there in source.present.items() if not there[int(number)]]
        names = [stream.name for stream in model.spec.observed if stream.is_tabular and stream.name not in lacking]
        vectors = source.read(int(number), streams=names)
    else:
        encoded, vectors = _encoded_table(model, Path(where), reading)
    count, reach = len(encoded.z), model.config.skip * (model.config.context - 1)
    last = at + count if at < 0 else at
    if not reach <= last < count:
        raise ArmillaryError(f"{start}: there are rows 0 to {count - 1}, of which the first {reach} are needed as a context")
    rows = last - model.config.skip * np.arange(model.config.context - 1, -1, -1)
    blocks = encoded.blocks(rows[:-1], model.config.skip)
    context = Context(torch.from_numpy(encoded.z[rows])[None], torch.from_numpy(blocks)[None])
    return context, {name: values[last] for name, values in vectors.items()}


def _encoded_table(model: WorldModel, path: Path, reading: Reading) -> tuple[Encoded, dict[str, np.ndarray]]:
    if not path.is_file():
        raise ArmillaryError(f"{path}: no such table; expected TABLE:ROW, STORE:EPISODE:ROW or EPISODE:ROW")
    names = [*sensor_names(model.spec), *action_names(model.spec.action)]
    numbers = _table(path, names, reading)
    widths = np.cumsum([stream.shape[0] for stream in model.spec.observed])
    *sensed, actions = np.split(numbers, widths, axis=1)
    streams = {s.name: torch.from_numpy(s.stored(x))[None] for s, x in zip(model.spec.observed, sensed, strict=True)}
    with torch.inference_mode():
        encoded = Encoded(0, model.encode(streams)[0].float().numpy(), actions.astype(np.float32))
    return encoded, {name: values[0].numpy() for name, values in streams.items()}


def _table(path: Path, names: Sequence[str], reading: Reading) -> np.ndarray:
    if not path.is_file():
        raise ArmillaryError(f"{path}: no such table")
    parts = []
    for rows in read_rows(path, names, replace(reading, time=Asked(()))):
        for row in np.flatnonzero(np.isnan(rows.numbers).any(1))[:1]:
            raise CorruptFile(f"{path}: {rows.why(int(row))}")
        parts.append(rows.numbers)
    return np.concatenate(parts) if parts else np.empty((0, len(names)))


def _read(episodes: Episodes, streams: Sequence[Stream], rows: np.ndarray) -> list[np.ndarray]:
    seen, truth = ([s.name for s in streams if s.truth is hidden] for hidden in (False, True))
    values = episodes.read_rows(rows, seen, truth=truth)
    return [values[stream.name] for stream in streams]
