"""Public anomaly benchmarks as series: SKAB, the Tennessee Eastman process and NAB, recognised by the files in their folder.

- SKAB (Katser and Kozitsin, 2020): `anomaly-free/anomaly-free.csv` and `valve1/0.csv`, `valve2/`, `other/`; the column
  `anomaly` labels rows. Each file's first 400 rows are normal.
- TEP (Downs and Vogel, 1993; Braatz's files): `d00.dat`, normal, with one row per variable; `d00_te.dat`, normal, and
  `dNN_te.dat`, with fault NN from row 161 on, with one row per time.
- NAB (Lavin and Ahmad, 2015): a CSV of `timestamp,value` per series and `windows.json` with the labelled windows. The first 15%
  of each series are normal, which NAB calls its probationary period.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

from armillary.episodes.formats.table_clock import Asked, find_clock
from armillary.episodes.formats.table_files import open_table
from armillary.errors import ArmillaryError, CorruptFile

Benchmark = Literal["skab", "tep", "nab"]
FOLDERS = ("valve1", "valve2", "other")
SKAB_NORMAL_ROWS = 400
NAB_NORMAL_SHARE = 0.15
TEP_FAULT_ROW, TEP_STEP_S, TEP_VARIABLES = 160, 180.0, 52
LABELS = ("datetime", "anomaly", "changepoint")


@dataclass(frozen=True)
class Series:
    """One recording.

    Args:
        name: its file, relative to the benchmark's folder.
        rows: (n, channels) as they were recorded.
        fault: which rows are faults.
        clock: seconds at each row, from any zero that is the same time of day and of the week everywhere.
        normal: how many of the first rows are normal by the benchmark's protocol; 0 where a series of its own is.
    """

    name: str
    rows: Float[np.ndarray, "n c"]
    fault: Bool[np.ndarray, " n"]
    clock: Float[np.ndarray, " n"]
    normal: int = 0

    @property
    def step(self) -> float:
        """Seconds between two rows, the median."""
        return float(np.median(np.diff(self.clock)))


def benchmark_of(path: Path) -> Benchmark:
    """Which benchmark lies in this folder.

    Raises:
        ArmillaryError: none of the three.
    """
    if any((path / folder).is_dir() for folder in (*FOLDERS, "anomaly-free")):
        return "skab"
    if (path / "d00.dat").is_file():
        return "tep"
    if (path / "windows.json").is_file():
        return "nab"
    raise ArmillaryError(
        f"{path}: expected the data of SKAB (anomaly-free/anomaly-free.csv, valve1/0.csv, ...), of TEP (d00.dat, d01_te.dat, "
        "...) or of NAB (windows.json and CSV files); give the folder that holds them"
    )


def read_skab(path: Path) -> tuple[Series, list[Series]]:
    """The recording without faults, and all others in the order of their numbers.

    Raises:
        ArmillaryError: a file is missing.
        CorruptFile: one of them is not such a table.
    """
    free = path / "anomaly-free" / "anomaly-free.csv"
    found = [
        (FOLDERS.index(file.parent.name), int(file.stem), file) for name in FOLDERS for file in (path / name).glob("*.csv")
    ]
    if not found or not free.is_file():
        raise ArmillaryError(f"{path}: expected SKAB's data there: anomaly-free/anomaly-free.csv, valve1/0.csv, ...")
    return _skab(free), [_skab(file) for *_, file in sorted(found)]


def read_tep(path: Path) -> tuple[Series, list[Series]]:
    """The normal training run, and all test runs: the normal one first, then by number of the fault.

    Raises:
        ArmillaryError: there is no test run.
        CorruptFile: a file is not a table of numbers with 52 variables.
    """
    files = sorted(path.glob("d[0-9][0-9]_te.dat"))
    if not files:
        raise ArmillaryError(f"{path}: expected TEP's test runs beside d00.dat: d00_te.dat, d01_te.dat, ...")
    return _tep(path / "d00.dat"), [_tep(file) for file in files]


def read_nab(path: Path) -> list[Series]:
    """All series of `windows.json`.

    Raises:
        CorruptFile: `windows.json` is no map of files to pairs of times, or a file is missing or not `timestamp,value`.
    """
    try:
        windows = {
            name: [(float(_epoch(begin)), float(_epoch(end))) for begin, end in spans]
            for name, spans in json.loads((path / "windows.json").read_text()).items()
        }
    except (ValueError, AttributeError, TypeError) as error:
        raise CorruptFile(f"{path / 'windows.json'}: expected a map of CSV files to pairs of times, got {error}") from error
    return [_nab(path / name, spans) for name, spans in windows.items()]


def _skab(file: Path) -> Series:
    clock, columns = _columns(file, "datetime")
    fault = columns["anomaly"] > 0 if "anomaly" in columns else np.zeros(len(clock), bool)
    rows = np.stack([values for name, values in columns.items() if name not in LABELS], axis=1)
    return Series(f"{file.parent.name}/{file.name}", rows, fault, clock, SKAB_NORMAL_ROWS)


def _tep(file: Path) -> Series:
    try:
        rows = np.loadtxt(file, ndmin=2)
    except ValueError as error:
        raise CorruptFile(f"{file}: expected numbers between spaces, got {error}") from error
    if rows.shape[1] != TEP_VARIABLES and rows.shape[0] == TEP_VARIABLES:
        rows = rows.T
    if rows.shape[1] != TEP_VARIABLES:
        raise CorruptFile(f"{file}: expected {TEP_VARIABLES} variables, got a table of {rows.shape[0]} x {rows.shape[1]}")
    fault = (np.arange(len(rows)) >= TEP_FAULT_ROW) & (not file.name.startswith("d00"))
    return Series(file.name, rows, fault, TEP_STEP_S * np.arange(len(rows)))


def _nab(file: Path, windows: list[tuple[float, float]]) -> Series:
    clock, columns = _columns(file, "timestamp")
    if "value" not in columns:
        raise CorruptFile(f"{file}: expected numbers in the column value")
    value = columns["value"]
    fault = (
        np.any([(clock >= begin) & (clock <= end) for begin, end in windows], axis=0) if windows else np.zeros(len(clock), bool)
    )
    return Series(file.name, value[:, None], fault, clock, int(NAB_NORMAL_SHARE * len(clock)))


def _epoch(text: str) -> float:
    return np.datetime64(text, "ns").astype(np.int64) / 1e9


def _columns(file: Path, time: str) -> tuple[Float[np.ndarray, " n"], dict[str, Float[np.ndarray, " n"]]]:
    """The time of each row in seconds, and all columns of numbers."""
    table = open_table(file)
    table.require([time])
    survey = table.survey()
    if not survey.rows:
        raise CorruptFile(f"{file}: expected rows below the header")
    clock, parts = find_clock(table, survey, Asked((time,))), list(table.parts())
    names = [name for name in survey.numbers if name != time]
    columns = {n: np.concatenate([part.numbers(n, survey.styles.get(n, ".")) for part in parts]) for n in names}
    return np.concatenate([clock.seconds(part) for part in parts]), columns
