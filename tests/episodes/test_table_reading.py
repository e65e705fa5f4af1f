"""The reader that all tables share: cells, dates, headers, encodings and clocks, as people and loggers write them."""

import codecs
import io
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from armillary.episodes.formats.cells import Evidence, number, numbers
from armillary.episodes.formats.dates import Order, date, is_date
from armillary.episodes.formats.gaps import Gaps
from armillary.episodes.formats.table import import_table
from armillary.episodes.formats.table_clock import Asked, find_clock, is_clock, measure_clock, unit_in_name
from armillary.episodes.formats.table_files import open_table
from armillary.episodes.store import Episodes
from armillary.errors import ArmillaryError, CorruptFile
from armillary.monitoring.rows import Reading, read_rows

pytest.importorskip("lance")
NAN = float("nan")


def table(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


def column(path: Path, name: str) -> list[float]:
    opened = open_table(path)
    style = opened.survey().styles.get(name, ".")
    return [value for part in opened.parts() for value in part.numbers(name, style).tolist()]


def minutes(n: int, step: float = 60, start: str = "2020-02-01 00:00:00") -> list[datetime]:
    return [datetime.fromisoformat(start) + timedelta(seconds=step * i) for i in range(n)]


@pytest.mark.parametrize(
    ("cell", "style", "expected"),
    [
        ("1.5", ".", 1.5),
        (" -2e3 ", ".", -2000),
        ("1,5", ",", 1.5),
        ("12", ",", 12),
        ("1.234,5", ",", 1234.5),
        ("1,234.5", ".", 1234.5),
        ("1,234,567", ".", 1234567),
        ("1 234,5", ",", 1234.5),
        ("1,234", ".g", 1234),
        ("1,234", ".", NAN),  # may be either
        ("1.234", ",", NAN),
        ("10.5", ",", 10.5),
        ("1_000", ".", NAN),
        ("Off", ".", NAN),
        ("Off", "bool", 0),
        ("TRUE", "bool", 1),
        ("0.3", "bool", NAN),
        ("12 bar", ".", NAN),
    ],
)
def test_what_a_cell_says(cell, style, expected):
    np.testing.assert_equal(number(cell, style), float(expected))
    np.testing.assert_equal(numbers([cell, "3"], style)[0] if style != "bool" else number(cell, style), float(expected))


@pytest.mark.parametrize(
    ("cells", "kind", "style"),
    [
        (["10", "10,105", "7,25"], "number", ","),
        (["1", "Bad", "2", "", "NA"], "number", None),
        (["1.5", "x", "y", "z"], "text", "."),
        (["True", "False", "true"], "bool", "bool"),
        (["0", "1", "on", "off", "on"], "bool", "bool"),
        (["0.2", "0.7", "off"], "number", "."),
        (["", "NaN", "-"], "empty", None),
        (["2020-02-01", "2020-02-02"], "date", None),
        (["1.234,5", "2.000,0"], "number", ",g"),
    ],
)
def test_a_column_is_what_most_of_its_cells_are(cells, kind, style):
    evidence = Evidence()
    for cell in cells:  # in any parts
        evidence.add([cell], is_date)
    assert (evidence.kind, evidence.style) == (kind, style)


@pytest.mark.parametrize("early", [True, False])
def test_one_bad_word_costs_its_row_wherever_it_stands(tmp_path, early):
    rows = [f"{i},{i % 7}.5,{i % 11}.5" for i in range(6_000)]
    rows[5 if early else -5] = rows[5 if early else -5].rsplit(",", 1)[0] + ",Bad"
    path = table(tmp_path / "a.csv", "\n".join(["time,flow,temp", *rows]) + "\n")
    summary = import_table(path, tmp_path / "out", time="time", missing="skip", progress=False)
    assert (summary.spec["sensors"].channels, summary.frames) == (("flow", "temp"), 5_999)
    assert summary.left_out == {"a number is missing": 1}
    with pytest.raises(CorruptFile, match=r"a number is missing in column 'temp' \('Bad'\)"):
        import_table(path, tmp_path / "again", time="time", progress=False)


def test_a_sensor_that_is_dropped_is_said_by_name_and_reason(tmp_path):
    path = table(tmp_path / "a.csv", "time,flow,temp\n0,1,hot\n1,2,3\n2,3,cold\n")
    summary = import_table(path, tmp_path / "out", time="time", progress=False)
    assert "warning: column 'temp' is no sensor: text in 2 of 3 cells, such as 'hot'" in str(summary)


def test_words_for_yes_and_no_are_numbers_in_import_and_watch(tmp_path):
    path = table(tmp_path / "a.csv", "time,flow,pump\n" + "".join(f"{i},{i}.5,{i % 3 == 0}\n" for i in range(9)))
    import_table(path, tmp_path / "out", time="time", controls=["pump"], progress=False)
    store = Episodes.open(tmp_path / "out")
    assert store.actions(0)[:, 0].tolist() == [1, 0, 0, 1, 0, 0, 1, 0]
    reading = Reading.of(store.info["reading"], Asked(()), 1.0)
    live = io.BytesIO(b"time,flow,pump\n20,1.5,on\n21,2.5,off\n")
    assert [row for rows in read_rows(live, ["flow", "pump"], reading) for row in rows.numbers.tolist()] == [[1.5, 1], [2.5, 0]]
    live = io.BytesIO(b"time,flow,pump\n20,off,on\n")  # no word is a number where the recording has none
    assert np.isnan(next(read_rows(live, ["flow", "pump"], reading)).numbers[0, 0])


@pytest.mark.parametrize(
    ("encoding", "mark"),
    [
        ("utf-8", b""),
        ("utf-8", codecs.BOM_UTF8),
        ("utf-16", b""),
        ("utf-16-le", b""),
        ("utf-32", b""),
        ("utf-32-be", b""),
        ("latin-1", b""),
        ("cp1252", b""),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_encodings_and_ends_of_lines(tmp_path, encoding, mark, end):
    text = end.join(["time,Temp [°C],Flow [m³/h]", *(f"{i},{i}.5,{i}" for i in range(50))]) + end
    path = tmp_path / "a.csv"
    path.write_bytes(mark + text.encode(encoding))
    opened = open_table(path)
    assert opened.columns == ("time", "Temp [°C]", "Flow [m³/h]")
    assert column(path, "Temp [°C]") == [i + 0.5 for i in range(50)]


def test_one_broken_byte_does_not_change_the_rest(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes("time,Temp [°C],note\n0,1,ä\n".encode() + b"1,2,\xe4\n")
    assert open_table(path).columns[1] == "Temp [°C]"
    assert column(path, "Temp [°C]") == [1, 2]


@pytest.mark.parametrize(
    ("text", "columns", "values"),
    [
        ("Logger 7\nSerial: 12\ntime;flow;temp\n0;1;2\n1;3;4\n2;5;6\n", ("time", "flow", "temp"), [1, 3, 5]),
        ("time,flow,temp\ns,m3/h,C\n0,1,2\n1,3,4\n", ("time", "flow", "temp"), [1, 3]),
        (",time,flow\n0,5,1\n1,6,3\n", ("", "time", "flow"), [1, 3]),
        ("t,f,flow\na,0,9,1\nb,1,9,3\n", ("", "t", "f", "flow"), [1, 3]),
        ("time,temp,flow\n0,2,1,\n1,4,3,\n", ("time", "temp", "flow", ""), [1, 3]),
        ("time, flow\n0, 1\n\n1, 3\n# pause\n", ("time", "flow"), [1, 3]),
        ('time,"flow\n",note\n0,1,"a\nb"\n1,3,c\n', ("time", "flow", "note"), [1, 3]),
        ("flow\n1\n3\n", ("flow",), [1, 3]),
        ("sep=;\ntime;flow\n0,5;1\n1,5;3\n", ("time", "flow"), [1, 3]),
        ('"sep=,"\ntime,flow\n0,1\n1,3\n', ("time", "flow"), [1, 3]),
        ("SEP=\t\nflow\ttime\n1\t0\n3\t1\n", ("flow", "time"), [1, 3]),
        ("sep=;\nflow\n1,0\n3,0\n", ("flow",), [1, 3]),
        ("time,flow\n0,1\ntime,flow\n1,3\n", ("time", "flow"), [1, 3]),
        ('time,flow\n0,1\n1,"3\n2,5\n3,7\n', ("time", "flow"), [1, 3, 5, 7]),
        ('time,flow,note\n0,1,a\n1,"2,b\n2,3,c\n', ("time", "flow", "note"), [1, NAN, 3]),
        ("time,flow\ns,l\n0,1\n\ufefftime,flow\ns,l\n1,3\n", ("time", "flow"), [1, 3]),
    ],
)
def test_headers_units_and_what_is_passed_over(tmp_path, text, columns, values):
    path = table(tmp_path / "a.csv", text)
    assert open_table(path).columns == columns
    np.testing.assert_array_equal(column(path, "flow"), values)


@pytest.mark.parametrize(
    ("header", "encoding", "refused"),
    [
        ("時刻,温度", "shift-jis", True),
        ("セン,サー", "shift-jis", True),
        ("时间,温度", "gbk", True),
        ("время,температура", "cp1251", True),
        ("時刻,温度", "utf-8", False),
        ("время,температура", "utf-8", False),
        ("Größe [µm],Frühstück é", "cp1252", False),
    ],
)
def test_a_header_in_another_encoding_is_no_latin(tmp_path, header, encoding, refused):
    path = table(tmp_path / "a.csv", f"{header}\n1,2\n", encoding)
    if refused:
        with pytest.raises(CorruptFile, match=r"line 1: the header is neither in UTF-8 nor in Windows-1252 .*iconv"):
            open_table(path)
    else:
        assert ",".join(open_table(path).columns) == header


def test_a_pipe_that_is_longer_than_a_portion_is_read_to_its_end():
    rows = "".join(f"{when:%d/%m/%Y %H:%M:%S},{i}\n" for i, when in enumerate(minutes(4000)))
    found = list(read_rows(io.BytesIO(b"time,flow\n" + rows.encode()), ["flow"], Reading(Asked(("time",)), step=60)))
    assert len(found) > 1
    np.testing.assert_array_equal(np.concatenate([part.numbers[:, 0] for part in found]), np.arange(4000))


def test_a_row_of_units_gives_the_units(tmp_path):
    path = table(tmp_path / "a.csv", "time,flow,temp [K]\ns,m3/h,C\n0,1,2\n1,3,4\n")
    import_table(path, tmp_path / "out", time=("time",), progress=False)  # as the command line has it
    store = Episodes.open(tmp_path / "out")
    assert (store.spec["sensors"].unit, store.info["time"]) == (("m3/h", "K"), "time")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0.5,0.0,1\n0.6,0.0,2\n", "line 1: expected a header with names of columns, got numbers alone .*--no-header"),
        ("2020-02-01 00:00,1\n2020-02-01 00:01,2\n", "got numbers alone"),
        ("time,temp,temp\n0,1,2\n1,2,3\n", "'temp' is the name of 2 columns"),
        ("time,flow\n0,1\n1,1e39\n", r"line 3: 1e39 in column 'flow' is more than float32 can hold"),
        ("time,flow\n0,1\nflow,time\n2,1\n", "line 3: the columns come in another order"),
        ("time,flow\n0,1\n1,2,3\n2,3\n", "line 3: it has 3 cells, and the header 2"),
        ("time,flow\n0,1\n,2\n2,3\n", "line 3: no time in row 2 of 'time'"),
        ("time,flow\n2020-02-01,1\n,2\n2020-02-03,3\n", "line 3: no time in row 2 of 'time'"),
        ("time,flow\n0,1\n" + '1,"' + "x" * 2_000_000 + '"\n', "longer than"),
        ("", "it is empty"),
    ],
)
def test_what_is_refused(tmp_path, text, message):
    with pytest.raises(CorruptFile, match=message):
        import_table(table(tmp_path / "a.csv", text), tmp_path / "out", time="time", progress=False)
    assert not (tmp_path / "out").exists()


def test_without_a_header_columns_are_numbered(tmp_path):
    path = table(tmp_path / "a.txt", "0,0.5,7\n1,0.6,7\n2,0.7,8\n")
    import_table(path, tmp_path / "out", time="column 1", header=False, progress=False)
    store = Episodes.open(tmp_path / "out")
    assert (store.spec["sensors"].channels, store.lengths.tolist()) == (("column 2", "column 3"), [3])
    reading = Reading.of(store.info["reading"], Asked(()), 1.0)
    (rows,) = read_rows(path, ["column 2"], reading)
    assert rows.numbers[:, 0].tolist() == [0.5, 0.6, 0.7]


def test_what_is_no_table_in_a_folder_is_passed_over_and_listed(tmp_path):
    (tmp_path / "in").mkdir()
    table(tmp_path / "in/a.csv", "time,flow\n0,1\n1,2\n")
    table(tmp_path / "in/readme.txt", "Logger of unit 3.\nColumns: time, flow.\n")
    table(tmp_path / "in/empty.csv", "")
    (tmp_path / "in/._a.csv").write_bytes(b"\x00\x05\x16\x07")
    summary = import_table(tmp_path / "in", tmp_path / "out", time="time", progress=False)
    assert (summary.files, sorted(summary.skipped)) == (1, ["empty.csv", "readme.txt"])
    assert "readme.txt" in str(summary)


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-03 12:00:05",
        "2026-03-03T12:00:05Z",
        "2026-03-03 13:00:05+01:00",
        "2026/03/03 12:00:05",
        "03.03.2026 12:00:05",
        "3/3/2026 12:00:05 PM",
        "3/3/26 12:00:05",
        "03-Mar-26 12:00:05",
        "Tue, 3 March 2026 12:00:05",
        "Mar 3, 2026 12:00:05 p.m.",
        "03/Mar/2026:12:00:05 +0000",
        "2026-03-03 12:00:05,000",
    ],
)
def test_dates_as_people_write_them(text):
    assert date(text) == datetime.fromisoformat("2026-03-03T12:00:05+00:00").timestamp()


@pytest.mark.parametrize("text", ["30.02.2026", "13/13/2026", "12:00:05 on Monday", "2026-03", "45", "13:00 PM", "3 Foo 2026"])
def test_what_is_no_date(text):
    assert np.isnan(date(text))


@pytest.mark.parametrize(
    ("form", "days", "decided"),
    [
        ("%d/%m/%Y", 20, True),
        ("%m/%d/%Y", 20, False),
        ("%d/%m/%Y %H:%M", 2 / 24, True),  # one day: either is right
        ("%d/%m/%Y", 3, None),
        ("%d.%m.%Y", 3, True),
        ("%d-%b-%Y", 3, True),
    ],
)
def test_day_or_month_first_by_the_whole_file(form, days, decided):
    order, step = Order(), 86400.0 if days > 1 else 600.0
    for when in minutes(int(days * 86400 / step), step, "2026-03-02 00:00:00"):
        order.add([when.strftime(form)])
    assert order.decided is decided


def test_rows_that_go_on_over_midnight_tell_the_order():
    for form, decided in (("%d/%m/%Y %H:%M", True), ("%m/%d/%Y %H:%M", False)):
        order = Order()
        order.add([when.strftime(form) for when in minutes(300, 600, "2026-03-02 12:00:00")])
        assert order.decided is decided


def test_a_date_that_can_be_read_in_two_ways_is_asked_about(tmp_path):
    days = [when.strftime("%d/%m/%Y") for when in minutes(4, 86400, "2026-03-02 00:00:00")]
    path = table(tmp_path / "a.csv", "time,flow\n" + "".join(f"{day},{i}\n" for i, day in enumerate(days)))
    with pytest.raises(CorruptFile, match=r"'02/03/2026' in 'time' may begin with the day or .*--day-first"):
        import_table(path, tmp_path / "out", time="time", progress=False)
    summary = import_table(path, tmp_path / "out", time="time", day_first=True, progress=False)
    assert summary.spec.rate == pytest.approx(1 / 86400)
    assert "with the day first" in str(summary)


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("time [ms]", "ms"),
        ("#timestamp [ns]", "ns"),
        ("t (s)", "s"),
        ("time_ms", "ms"),
        ("timestamp_us", "us"),
        ("TimeUS", "us"),
        ("timestampNs", "ns"),
        ("time [min]", "min"),
        ("elapsed_seconds", "s"),
        ("time_min", None),
        ("min", None),
        ("hours", "h"),
        ("MJD", "d"),
        ("time", None),
        ("items", None),
    ],
)
def test_the_unit_of_time_in_a_name(name, unit):
    assert unit_in_name(name) == unit


def clock_of(path: Path, *names: str, **asked):
    opened = open_table(path)
    return measure_clock(opened, find_clock(opened, opened.survey(), Asked(names, **asked)))


@pytest.mark.parametrize(
    ("name", "values", "asked", "unit", "step"),
    [
        ("time", [1_580_515_200_000 + 1000 * i for i in range(9)], {}, "ms", 1.0),
        ("time", [1_580_515_200_000_000 + 1000 * i for i in range(999)], {}, "us", 1e-3),
        ("#timestamp [ns]", [1_403_636_579_763_555_584 + 5_000_000 * i for i in range(99)], {}, "ns", 0.005),
        ("time_ms", [50 * i for i in range(9)], {}, "ms", 0.05),
        ("time", [1_580_515_200 + i for i in range(9)], {}, "s", 1.0),
        ("time", [50 * i for i in range(9)], {"unit": "ms"}, "ms", 0.05),
        ("time", ["0,0", "0,5", "1,0", "1,5"], {}, "s", 0.5),
    ],
)
def test_numbers_of_time_in_their_unit(tmp_path, name, values, asked, unit, step):
    path = table(tmp_path / "a.csv", f"{name};flow\n" + "".join(f"{value};1\n" for value in values))
    clock, found = clock_of(path, name, **asked)
    assert clock.unit == unit
    assert found == pytest.approx(step, rel=1e-6)


def test_a_clock_that_cannot_be_is_asked_about(tmp_path):
    steady = table(tmp_path / "a.csv", "time,flow\n" + "".join(f"{12_345_678_901_234 + 10**7 * i},1\n" for i in range(9)))
    with pytest.raises(CorruptFile, match=r"would be the year .* in s; say the unit of 'time'"):
        clock_of(steady, "time")
    slow = table(tmp_path / "b.csv", "time,flow\n" + "".join(f"{5_000_000 * i},1\n" for i in range(9)))
    with pytest.raises(CorruptFile, match=r"line 2: 0 and then 5000000 in 'time' would be 5e.06 s from row to row"):
        clock_of(slow, "time")
    with pytest.raises(ArmillaryError, match="a unit of time is one of ns, us"):
        Asked(("time",), "weeks")


@pytest.mark.parametrize(
    ("begin", "step", "form"),
    [
        (44000.0, 1 / 1440, ""),  # Excel
        (44000.0, 1 / 1440, ".5f"),
        (44000.0, 1 / 86400, ".7f"),
        (738000.25, 1 / 1440, ".8f"),  # MATLAB
        (59000.5, 1 / 24, ""),  # modified Julian day
        (2459000.5, 15 / 1440, ""),  # Julian day
        (20000.0, 5 / 1440, ""),  # since 1970
    ],
)
def test_day_numbers_are_no_seconds(tmp_path, begin, step, form):
    rows = "".join(f"{begin + step * i:{form}},{i}\n" for i in range(60))
    path = table(tmp_path / "a.csv", f"time,flow\n{rows}")
    with pytest.raises(CorruptFile, match=r"in 'time', .* may be seconds, or days .*\(--time-unit s or d\)"):
        import_table(path, tmp_path / "out", time="time", progress=False)
    with pytest.raises(CorruptFile, match="--time-unit s or d"):
        [*read_rows(path, ["flow"], Reading(Asked(("time",))))]
    assert clock_of(path, "time", unit="d")[1] == pytest.approx(86400 * step, rel=1e-3)
    assert clock_of(path, "time", unit="s")[1] == pytest.approx(step, rel=1e-3)
    assert clock_of(table(tmp_path / "b.csv", f"time [d],flow\n{rows}"), "time [d]")[1] == pytest.approx(86400 * step, rel=1e-3)


def test_a_row_of_units_gives_that_of_time(tmp_path):
    path = table(tmp_path / "a.csv", "time,flow\nms,bar\n" + "".join(f"{20 * i},{i}\n" for i in range(60)))
    assert clock_of(path, "time")[1] == pytest.approx(0.02)


@pytest.mark.parametrize(
    ("begin", "step"), [(44000.0, 0.01), (44000.0, 1.0), (43200.5, 0.02), (720000.0, 0.0005), (5.0, 1 / 1440)]
)
def test_seconds_of_a_day_are_no_day_numbers(tmp_path, begin, step):
    path = table(tmp_path / "a.csv", "time,flow\n" + "".join(f"{begin + step * i},{i}\n" for i in range(60)))
    assert clock_of(path, "time")[1] == pytest.approx(step, rel=1e-3)


@pytest.mark.parametrize("zone", [None, "UTC"])
def test_dates_with_and_without_a_zone_are_said(tmp_path, zone):
    stamps = [f"2020-02-01T00:00:{i:02}{'' if i == 5 else 'Z'}" for i in range(9)]
    path = table(tmp_path / "a.csv", "time,flow\n" + "".join(f"{stamp},{i}\n" for i, stamp in enumerate(stamps)))
    summary = import_table(path, tmp_path / "out", time="time", zone=zone, progress=False)
    assert ("line 7: '2020-02-01T00:00:05' has no time zone, unlike the rows before it" in str(summary)) == (zone is None)


def test_date_and_time_in_two_columns(tmp_path):
    rows = [f"{when:%Y-%m-%d},{when:%H:%M:%S},{i}" for i, when in enumerate(minutes(1500))]
    path = table(tmp_path / "a.csv", "\n".join(["Date,Time,flow", *rows]))
    assert import_table(path, tmp_path / "out", time=["Date", "Time"], progress=False).spec.rate == pytest.approx(1 / 60)
    assert Episodes.open(tmp_path / "out").info["time"] is None
    assert Episodes.open(tmp_path / "out").info["reading"]["clock"]["columns"] == ["Date", "Time"]
    with pytest.raises(CorruptFile, match=r"1,498 of 1,499 steps of 'Date' are 0 s: .*--time Date TIME"):
        import_table(path, tmp_path / "again", time="Date", progress=False)
    with pytest.raises(CorruptFile, match="begins anew at midnight"):
        import_table(path, tmp_path / "again", time="Time", progress=False)


@pytest.mark.parametrize("begun", [0, 4])
def test_minute_stamps_on_faster_rows_are_spread(tmp_path, begun):
    rows = [f"{when:%Y-%m-%d %H:%M},{i}" for i, when in enumerate(minutes(600, 10))][begun:]
    path = table(tmp_path / "a.csv", "\n".join(["time,flow", *rows]))
    summary = import_table(path, tmp_path / "out", time="time", clock="hold", progress=False)
    assert summary.spec.rate == pytest.approx(0.1)
    assert summary.frames == 600 if not begun else summary.frames > 595
    assert "spread evenly, 10 s apart" in str(summary)
    store = Episodes.open(tmp_path / "out")
    reading = Reading.of(store.info["reading"], Asked(()), 10.0)
    for source in (path, io.BytesIO(path.read_bytes())):
        times = np.concatenate([rows.time for rows in read_rows(source, ["flow"], reading)])
        np.testing.assert_array_equal(np.diff(times)[6:], 10)


def test_stamps_that_rows_share_at_random_are_refused(tmp_path):
    counts = [1, 9, 2, 7, 1, 1, 8, 3, 9, 1]
    rows = [f"{when:%Y-%m-%d %H:%M},1" for when, n in zip(minutes(10), counts, strict=True) for _ in range(n)]
    with pytest.raises(CorruptFile, match="its stamps are 60 s apart, with 1 to 9 rows of one stamp"):
        clock_of(table(tmp_path / "a.csv", "\n".join(["time,flow", *rows])), "time")


def test_rows_that_hold_drops_are_counted(tmp_path):
    path = table(tmp_path / "a.csv", "time,flow\n0,0\n1,1\n2,2\n2.3,3\n2.6,4\n3,5\n4,6\n5,7\n")
    summary = import_table(path, tmp_path / "out", time="time", clock="hold", progress=False)
    assert (summary.frames, summary.left_out) == (6, {"several rows in one step of the even clock": 2})


def test_an_hour_that_comes_twice_is_daylight_saving_time(tmp_path):
    local = [*minutes(18, 600, "2020-10-25 00:00:00"), *minutes(18, 600, "2020-10-25 02:00:00")]
    path = table(tmp_path / "a.csv", "time,flow\n" + "".join(f"{when},{i}\n" for i, when in enumerate(local)))
    summary = import_table(path, tmp_path / "out", time="time", progress=False)
    assert Episodes.open(tmp_path / "out").lengths.tolist() == [36]
    assert "line 20: an hour comes twice" in str(summary)
    assert "do not sort" in str(summary)
    summary = import_table(path, tmp_path / "zone", time="time", zone="Europe/Berlin", progress=False)
    assert "an hour comes twice" not in str(summary)
    assert summary.frames == 36
    for zone in (None, "Europe/Berlin"):
        (rows,) = read_rows(path, ["flow"], Reading(Asked(("time",), zone=zone), step=600))
        np.testing.assert_array_equal(np.diff(rows.time), 600)


def test_an_hour_that_is_missing_is_named(tmp_path):
    local = [*minutes(12, 600, "2020-03-29 00:00:00"), *minutes(12, 600, "2020-03-29 03:00:00")]
    path = table(tmp_path / "a.csv", "time,flow\n" + "".join(f"{when},{i}\n" for i, when in enumerate(local)))
    assert "line 14: an hour is missing" in str(import_table(path, tmp_path / "out", time="time", progress=False))
    import_table(path, tmp_path / "zone", time="time", zone="Europe/Berlin", gap=700, progress=False)
    assert Episodes.open(tmp_path / "zone").lengths.tolist() == [24]


def test_a_clock_is_no_sensor_and_no_action(tmp_path):
    path = table(tmp_path / "a.csv", "time,flow,timestamp_ns\n0,1,10\n1,2,20\n2,1,30\n")
    summary = import_table(path, tmp_path / "out", time="time", progress=False)
    assert summary.spec["sensors"].channels == ("flow",)
    with pytest.raises(ArmillaryError, match="'timestamp_ns' is a clock, which is no action"):
        import_table(path, tmp_path / "again", time="time", controls=["timestamp_ns"], progress=False)
    survey = open_table(path).survey()
    assert not is_clock("flow", survey)


def test_a_counter_that_float32_does_not_keep_is_said(tmp_path):
    counts = [*range(150), *range(1_200_000_000, 1_200_000_150)]  # no offset is near both
    path = table(tmp_path / "a.csv", "time,total\n" + "".join(f"{i},{count}\n" for i, count in enumerate(counts)))
    summary = import_table(path, tmp_path / "out", time="time", progress=False)
    assert "column 'total' loses 148 of 299 changes: float32 keeps steps of 128" in str(summary)


def test_short_gaps_are_filled_and_long_ones_skipped(tmp_path):
    flow = [0, "", 2, 3, "", "", "", 7, 8, 9]
    path = table(tmp_path / "a.csv", "time,flow,temp\n" + "".join(f"{i},{x},{i}\n" for i, x in enumerate(flow)))
    options = {"time": "time", "longest_gap": 2, "progress": False}
    for missing, expected in (("hold", [[0, 0, 2, 3, 3, 3], [7, 8, 9]]), ("interpolate", [[0, 1, 2, 3], [7, 8, 9]])):
        summary = import_table(path, tmp_path / missing, missing=missing, **options)
        store = Episodes.open(tmp_path / missing)
        assert [store.read(i)["sensors"][:, 0].tolist() for i in range(2)] == expected
        assert "missing numbers filled" in str(summary)
    reading = Reading(Asked(("time",)), hold=2)
    (rows,) = read_rows(path, ["flow"], reading)
    np.testing.assert_array_equal(rows.numbers[:, 0], [0, 0, 2, 3, 3, 3, NAN, 7, 8, 9])
    with pytest.raises(ArmillaryError, match="missing is one of refuse, skip, hold, interpolate, mask"):
        import_table(path, tmp_path / "out", missing="drop", **options)


@given(st.lists(st.one_of(st.just(NAN), st.integers(-9, 9)), min_size=1, max_size=40), st.integers(1, 39), st.integers(1, 6))
def test_gaps_are_filled_alike_in_any_parts(values, cut, longest):
    whole = np.array(values, np.float64)[:, None]
    begins = np.zeros(len(whole), bool)
    one, two = Gaps("hold", longest), Gaps("hold", longest)
    parts = [two(part, begins[: len(part)]) for part in (whole[:cut], whole[cut:])]
    np.testing.assert_array_equal(one(whole, begins), np.concatenate(parts))


FORMS = ["%Y-%m-%d %H:%M:%S", "%d.%m.%Y %H:%M:%S", "%m/%d/%Y %I:%M:%S %p", "%Y/%m/%d %H:%M:%S", "%d-%b-%y %H:%M:%S", "seconds"]


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    point=st.sampled_from([".", ","]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]),
    form=st.sampled_from(FORMS),
    word=st.sampled_from(["", "NA", "n/a", "Bad", "null", "NaN", "-", "broken"]),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    values=st.lists(st.floats(-1e6, 1e6, width=32).map(lambda x: round(x, 2)), min_size=8, max_size=20),
    units=st.booleans(),
)
def test_watch_sees_what_import_stored(tmp_path_factory, delimiter, point, encoding, form, word, end, values, units):
    """Whatever the format: a file and a pipe give the values of the store, and what import takes, watch takes."""
    folder, quote = tmp_path_factory.mktemp("format"), '"' * (delimiter == "," == point)
    stamps = [
        str(i) if form == "seconds" else f"{when:{form}}"
        for i, when in enumerate(minutes(len(values), 1, "2026-03-28 23:59:50"))
    ]
    cells = [quote + f"{value:.2f}".replace(".", point) + quote for value in values]
    cells[3] = word
    rows = [delimiter.join([stamp, cell, str(i % 4), "äx"]) for i, (stamp, cell) in enumerate(zip(stamps, cells, strict=True))]
    head = [delimiter.join(["Zeit", "Temp [°C]", "state", "note"]), *[delimiter.join(["", "K", "x", "ü"])] * units]
    path = table(folder / "a.csv", end.join([*head, *rows]) + end, encoding)
    import_table(path, folder / "out", time="Zeit", missing="skip", progress=False)
    store = Episodes.open(folder / "out")
    stored = np.concatenate([store.read(i)["sensors"] for i in range(len(store))])
    assert stored[:, 0].tolist() == np.float32([*values[:3], *values[4:]]).tolist()
    assert store.spec.rate == 1.0
    reading = Reading.of(store.info["reading"], Asked(()), 1.0)
    for source in (path, io.BytesIO(path.read_bytes())):
        seen = list(read_rows(source, ["Temp [°C]", "state"], reading))
        found = np.concatenate([rows.numbers for rows in seen])
        assert np.isnan(found[3, 0])
        np.testing.assert_array_equal(np.delete(found, 3, 0).astype(np.float32), stored)
        assert np.diff(np.concatenate([rows.time for rows in seen])).tolist() == [1.0] * (len(values) - 1)
