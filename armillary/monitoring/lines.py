"""What is written of each row that is watched: CSV with a header, or a line of JSON."""

import csv
import io
from dataclasses import dataclass

import numpy as np

from armillary.files import as_json
from armillary.monitoring.charts import CERTAIN, KINDS
from armillary.monitoring.watcher import Verdict

NAMED = 3  # channels
HEADER = "time,surprise,p,alarm,because\n"
REASONS = {
    "start": "at the start of an episode",
    "missing": "numbers are missing",
    "control": "a control is missing",
    "pace": "at another pace",
    "clock": "no stamp, or one that runs backwards",
}
"""Why a row is not judged."""
FIRST = 10.0
"""Added to the share of a sensor whose alarm has just begun, so that it is named before those whose alarms go on."""


@dataclass(frozen=True)
class Lines:
    """Verdicts to text.

    Args:
        form: csv or json.
        channels: names.
        file: name of the source, where there are several.
    """

    form: str
    channels: tuple[str, ...]
    file: str | None = None

    def judged(self, verdict: Verdict, stamps: list[str]) -> str:
        """A line for each row of a verdict; those without one are at the start of an episode, or lack all numbers."""
        top = np.argsort(-(np.nan_to_num(verdict.shares) + FIRST * verdict.fresh), axis=1, kind="stable")[:, :NAMED]
        shares = np.take_along_axis(verdict.shares, top, axis=1).tolist()
        columns = (x.tolist() for x in (verdict.surprise, verdict.p, verdict.alarm, top))
        silent = np.isnan(verdict.p)
        started = np.asarray(np.isnan(verdict.shares).any(1))
        write, lines = self._csv if self.form == "csv" else self._json, []
        marked = np.asarray(verdict.on.any(1))
        for i, (stamp, surprise, p, alarm, names, share) in enumerate(zip(stamps, *columns, shares, strict=True)):
            if silent[i]:
                lines.append(self.silent("start" if started[i] else "missing", [stamp]))
            else:
                kinds = {c: KINDS[verdict.on[i, c] - 1] for c in np.flatnonzero(verdict.on[i])} if marked[i] else {}
                lines.append(write(stamp, surprise, p, alarm, names, share, kinds, bool(verdict.began[i])))
        return "".join(lines)

    def silent(self, why: str, stamps: list[str]) -> str:
        """A line for each row that is not judged."""
        if self.form == "csv":
            return "".join(
                f"{self._prefix}{_cell(stamp)},,,0,not judged: {REASONS[why].replace(',', '')}\n" for stamp in stamps
            )
        rest = {"surprise": None, "p": None, "alarm": False, "began": False, "because": {}, "sensors": {}, "not_judged": why}
        return "".join(as_json({**self._file, "time": stamp, **rest}) + "\n" for stamp in stamps)

    def _csv(self, stamp, surprise, p, alarm, names, share, kinds, began) -> str:
        marks = {c: f" {kind}" for c, kind in kinds.items() if kind in CERTAIN}
        named = [f"{self.channels[c]} {s:.2f}{marks.get(c, '')}" for c, s in zip(names, share, strict=True)]
        return f"{self._prefix}{_cell(stamp)},{surprise:.4g},{p:.3g},{alarm:d},{_cell('; '.join(named), quoted=True)}\n"

    def _json(self, stamp, surprise, p, alarm, names, share, kinds, began) -> str:
        line = {
            **self._file,
            "time": stamp,
            "surprise": round(surprise, 4),
            "p": float(f"{p:.3g}"),
            "alarm": alarm,
            "began": began,
        }
        line["because"] = {self.channels[c]: round(s, 3) for c, s in zip(names, share, strict=True)}
        line["sensors"] = {self.channels[c]: kind for c, kind in kinds.items()}
        return as_json({**line, "not_judged": None}) + "\n"

    @property
    def _prefix(self) -> str:
        return f"{_cell(self.file, quoted=True)}," if self.file else ""

    @property
    def _file(self) -> dict[str, str]:
        return {"file": self.file} if self.file else {}


def _cell(text: str, quoted: bool = False) -> str:
    """A cell of CSV, in quotes where it must be, or where it always is."""
    if not quoted and not set(text) & set(',"\r\n'):
        return text
    written = io.StringIO()
    csv.writer(written, quoting=csv.QUOTE_ALL, lineterminator="").writerow([text])
    return written.getvalue()
