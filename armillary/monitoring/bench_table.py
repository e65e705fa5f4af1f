"""The result of `bench_monitor` as Markdown, SKAB's beside what its authors publish."""

from typing import Any

from armillary.suite.tables import as_table

PUBLISHED = {
    "Conv-AE": (0.78, 0.1355, 0.2802),
    "MSET": (0.78, 0.3973, 0.1413),
    "T-squared + Q (PCA)": (0.76, 0.2662, 0.2492),
    "LSTM-AE": (0.74, 0.2996, 0.2592),
    "T-squared": (0.66, 0.1921, 0.4260),
    "LSTM-VAE": (0.56, 0.0913, 0.5503),
    "Vanilla LSTM": (0.54, 0.1254, 0.5953),
    "Vanilla AE": (0.39, 0.0259, 0.7515),
    "MSCRED": (0.36, 0.4994, 0.6988),
    "Isolation forest": (0.29, 0.0256, 0.8289),
}
"""F1, false-alarm and missed-alarm rate, over the test rows of all 34 files of valve1, valve2 and other."""
COLUMNS = {
    "f1": "F1",
    "false_alarm_rate": "FAR, %",
    "missed_alarm_rate": "MAR, %",
    "vus_pr": "VUS-PR",
    "auc_pr": "AUC-PR",
    "event_recall": "events caught, %",
    "false_alarms": "false alarms, of those allowed",
    "delay": "delay, s",
}
PERCENT = ("false_alarm_rate", "missed_alarm_rate", "event_recall")
WHOLE = (*PERCENT, "delay")


def render(result: dict[str, Any]) -> str:
    """A table for each protocol and part of the series, each series by itself, what missed its bar, and what was published."""
    skab, pages = result["benchmark"] == "skab", []
    for protocol, parts in result["tables"].items():
        for part, rows in parts.items():
            lines = [[method, *(_cell(name, scores[name]) for name in COLUMNS)] for method, scores in rows.items()]
            pages.append(f"Protocol {protocol}, {part}\n\n" + as_table(["", *COLUMNS.values()], lines))
            ahead = [
                [method, *(_cell(name, differences[name], 3) for name in differences)]
                for method, differences in result["leads"][protocol][part].items()
            ]
            pages.append("By how much the world model is before\n\n" + as_table(["", COLUMNS["f1"], COLUMNS["vus_pr"]], ahead))
        if not skab:
            pages += _each_series(result["series"][protocol])
        missed = result["missed"][protocol] or ["none"]
        pages.append(f"Bars that the world model missed, protocol {protocol}: " + "; ".join(missed))
    if skab:
        published = [
            [name, f"{f1:.2f}", f"{100 * false:.1f}", f"{100 * missed:.1f}"] for name, (f1, false, missed) in PUBLISHED.items()
        ]
        pages.append("Published, protocol own, 34 files\n\n" + as_table(["", "F1", "FAR, %", "MAR, %"], published))
    return "\n\n".join(pages)


def _each_series(methods: dict[str, dict[str, dict[str, list[Any]]]]) -> list[str]:
    header = ["", "AUC-PR", "VUS-PR", "F1", "false alarms (allowed)", "events caught", "delay, h"]
    pages = []
    for name in next(iter(methods.values())):
        lines = []
        for method, of in methods.items():
            one = {key: _mean(values) for key, values in of[name].items()}
            areas = [_number(one[key], 3) for key in ("auc_pr", "vus_pr", "f1")]
            false = f"{_number(one['false_alarms'], 1)} ({_number(one['allowed'], 1)})"
            caught = f"{_number(one['caught'], 1)} of {one['events']:.0f}"
            lines.append([method, *areas, false, caught, _number(one["delay"] / 3600 if one["delay"] is not None else None, 1)])
        pages.append(f"{name}, mean over seeds\n\n" + as_table(header, lines))
    return pages


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _cell(name: str, estimate: dict[str, Any], digits: int = 2) -> str:
    if estimate["value"] is None:
        return ""
    scale, digits = 100 if name in PERCENT else 1, 0 if name in WHOLE else 1 if name == "false_alarms" else digits
    value, low, high = (f"{scale * estimate[bound]:.{digits}f}" for bound in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"
