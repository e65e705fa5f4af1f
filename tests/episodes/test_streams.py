"""Tables of several rates on one clock: what a step takes by each rule, where clocks do not fit, what is remembered."""

from pathlib import Path

import numpy as np
import pytest

from armillary.cli import main
from armillary.episodes.formats.streams import StreamsSummary, import_streams
from armillary.episodes.store import Episodes
from armillary.errors import ArmillaryError, CorruptFile

pytest.importorskip("pyarrow", reason="tables are read by pyarrow: pip install 'armillary[data]'")
pytest.importorskip("lance")


def write(path: Path, columns: dict[str, object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [",".join(columns), *(",".join(map(str, row)) for row in zip(*columns.values(), strict=True))]
    path.write_text("\n".join(rows) + "\n")


def robot(folder: Path, seconds: float = 2.0, **clocks: np.ndarray) -> Path:
    """Motors at 10 Hz, which are the control clock, inertia at 40 Hz and position at 2 Hz; each channel tells the time."""
    clocks = {
        name: np.arange(round(seconds * rate)) / rate for name, rate in (("motors", 10), ("imu", 40), ("gps", 2))
    } | clocks
    motors, imu, gps = clocks["motors"], clocks["imu"], clocks["gps"]
    write(folder / "motors.csv", {"t": motors, "speed [m/s]": motors, "target": motors, "mode": ["auto"] * len(motors)})
    write(folder / "imu.csv", {"t": imu, "ax": imu, "ay": -imu})
    write(folder / "gps.csv", {"t": gps, "north": gps, "fault": gps * 0})
    return folder


def imported(path: Path, out: Path, **options: object) -> tuple[StreamsSummary, Episodes]:
    options = {"rate": 10, "time": "t", "controls": ["target"], "truth": ["fault"], "progress": False} | options
    return import_streams(path, out, **options), Episodes.open(out)


def test_a_step_holds_the_last_row_of_each_table(tmp_path):
    summary, store = imported(robot(tmp_path / "run"), tmp_path / "out")
    seen, ticks = store.read(0, truth=["fault"]), np.arange(20) / 10
    np.testing.assert_allclose(seen["motors"][:, 0], ticks, atol=1e-6)
    np.testing.assert_allclose(seen["imu"], np.stack([ticks, -ticks], 1), atol=1e-6)
    np.testing.assert_allclose(seen["gps"][:, 0], np.floor(ticks * 2 + 1e-6) / 2, atol=1e-6)
    np.testing.assert_allclose(store.actions(0)[:, 0], ticks[:-1], atol=1e-6)
    assert seen["fault"].shape == (20, 1)
    assert (store.spec.rate, store.spec["motors"].unit, store.spec.action.channels) == (10, ("m/s",), ("target",))
    assert store.info["rules"] == {"gps": "hold", "imu": "hold", "motors": "hold"}
    assert (store.info["clock"], store.info["drift"]) == ("10 Hz", 0.1)
    assert (summary.episodes, summary.frames, summary.ignored) == (
        ("run",),
        20,
        {"motors.mode": "text in 20 of 20 cells, such as 'auto'"},
    )
    assert "imu at 40 Hz: the last row" in str(summary)


def test_a_step_takes_the_mean_or_every_row_since_the_one_before(tmp_path):
    _, store = imported(robot(tmp_path / "run"), tmp_path / "out", mean=["gps"], every=["imu"])
    ticks = 0.1 * np.arange(1, 20)  # the first step with all of its rows
    imu = store.spec["imu"]
    assert (imu.kind, imu.shape, imu.channels) == ("signal", (4, 2), ("ax", "ay"))
    seen = store.read(0)
    np.testing.assert_allclose(seen["imu"][..., 0], ticks[-len(seen["imu"]) :, None] + [-0.075, -0.05, -0.025, 0], atol=1e-6)
    _, store = imported(robot(tmp_path / "run"), tmp_path / "mean", mean=["imu"])
    np.testing.assert_allclose(store.read(0)["imu"][:, 0], ticks - 0.0375, atol=1e-6)


def test_where_a_step_has_no_row_the_mean_is_the_last(tmp_path):
    run = robot(tmp_path / "run", gps=np.array([0, 0.1, 0.2, 0.5, 0.6, 0.7, 0.8, 0.9]), seconds=1)
    _, store = imported(run, tmp_path / "out", mean=["gps"])
    np.testing.assert_allclose(store.read(0)["gps"][:6, 0], [0, 0.1, 0.2, 0.2, 0.2, 0.5], atol=1e-6)


def test_rows_that_come_when_they_like_are_never_taken_before_they_came(tmp_path):
    rng = np.random.default_rng(0)
    jitter = np.sort(np.arange(80) / 40 + rng.uniform(0, 0.02, 80))
    _, store = imported(robot(tmp_path / "run", imu=jitter), tmp_path / "out", every=["imu"])
    seen = store.read(0)
    assert (seen["imu"][:, -1, 0] <= seen["motors"][:, 0] + 1.1e-3).all()
    assert (np.diff(seen["imu"][..., 0], axis=1) > 0).all()
    assert np.isin(np.float32(jitter[4:70]), seen["imu"][..., 0]).mean() > 0.8  # where five come in a step, one stays out


@pytest.mark.parametrize("rule", [{}, {"mean": ["gps"]}])
def test_nothing_is_there_before_the_first_row_of_every_table(tmp_path, rule):
    run = robot(tmp_path / "run", gps=0.3 + np.arange(4) / 2)
    _, store = imported(run, tmp_path / "out", **rule)
    assert (store.read(0)["motors"][0, 0], store.read(0)["gps"][0, 0]) == (np.float32(0.3), np.float32(0.3))


def test_folders_are_episodes_and_long_ones_are_cut(tmp_path):
    for name, seconds in (("run10", 1.0), ("run9", 2.0)):
        robot(tmp_path / "in" / name, seconds)
    summary, store = imported(tmp_path / "in", tmp_path / "out", longest=12)
    assert summary.episodes == ("run9", "run9", "run10")
    assert store.lengths.tolist() == [12, 9, 10]  # the row between two parts is in both
    assert imported(tmp_path / "in", tmp_path / "one", max_episodes=1)[1].lengths.tolist() == [20]


def test_an_episode_ends_where_a_table_pauses(tmp_path):
    clock = np.arange(240) / 40
    run = robot(tmp_path / "run", 6, imu=clock[(clock < 2) | (clock >= 3)])
    summary, store = imported(run, tmp_path / "out")
    assert store.lengths.tolist() == [23, 30]  # ten steps of its own are held
    assert summary.left_out == {"a table pauses": 7}
    assert imported(run, tmp_path / "through", gap=2)[1].lengths.tolist() == [60]


def test_clocks_that_do_not_fit_are_refused_with_the_figure(tmp_path):
    robot(tmp_path / "in/run1")
    robot(tmp_path / "in/run2", imu=np.arange(80) / 40 * 1.2)  # its clock runs too fast
    with pytest.raises(CorruptFile, match=r"run2: clocks run apart: gps from 0.000 to 1.500 s, imu from 0.000 to 2.370 s"):
        imported(tmp_path / "in", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    summary, store = imported(tmp_path / "in", tmp_path / "skipped", missing="skip")
    assert (summary.episodes, list(summary.skipped)) == (("run1",), ["run2"])
    assert "gps by 0.870 s, more than 0.1 s and a step of 0.500 s" in summary.skipped["run2"]
    summary, store = imported(tmp_path / "in", tmp_path / "allowed", drift=0.5)
    assert (len(store), summary.apart) == (2, pytest.approx(0.87))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"controls": ["t2"]}, "column 't2' is none of "),
        ({"controls": ["target", "motors.target"]}, "'motors.target' is named twice"),
        ({"every": ["lidar"]}, "mean and every name tables, and 'lidar' is none of gps, imu, motors"),
        ({"every": ["imu"], "mean": ["imu"]}, "'imu' is in both"),
        ({"every": ["gps"]}, "gps has 2 rows a second, and there are 10 steps: that is no whole number"),
        ({"time": "when"}, "there is no column 'when'"),
        ({"rate": 0}, "rate is a positive number"),
        ({"rate": 0.3}, "at 0.3 Hz it is 1 rows, and an episode needs 2"),
        ({"drift": -1}, "drift not below 0"),
        ({"ignore": ["speed [m/s]", "ax", "ay", "north"]}, "no column of numbers is left to sense"),
    ],
)
def test_what_cannot_be_done_is_said(tmp_path, options, message):
    with pytest.raises(ArmillaryError) as error:
        imported(robot(tmp_path / "run"), tmp_path / "out", **options)
    assert message in str(error.value)
    assert not (tmp_path / "out").exists()


def test_a_signal_keeps_its_rate(tmp_path):
    robot(tmp_path / "in/run1")
    robot(tmp_path / "in/run2", imu=np.arange(40) / 20)
    with pytest.raises(CorruptFile, match="run2: imu has 20 rows a second, and 40 in the first folder"):
        imported(tmp_path / "in", tmp_path / "out", every=["imu"])
    assert len(imported(tmp_path / "in", tmp_path / "held")[1]) == 2


def test_tables_that_are_missing_or_share_a_name(tmp_path):
    run = robot(tmp_path / "in/run1")
    write(run / "arm.csv", {"t": np.arange(20) / 10, "target": np.ones(20)})
    with pytest.raises(ArmillaryError, match=r"column 'target' is in arm\.target, motors\.target; name one as table\.column"):
        imported(tmp_path / "in", tmp_path / "out")
    _, store = imported(tmp_path / "in", tmp_path / "out", controls=["arm.target"])
    assert (store.actions(0) == 1).all()
    robot(tmp_path / "in/run2")
    with pytest.raises(CorruptFile, match="run2: there is no table 'arm', which the first folder has"):
        imported(tmp_path / "in", tmp_path / "again", controls=["arm.target"])
    with pytest.raises(ArmillaryError, match="there is no folder of tables there"):
        imported(tmp_path / "nowhere", tmp_path / "again")


def test_the_verb(tmp_path, capsys):
    verb = ["import", "streams", str(robot(tmp_path / "run")), "--out", str(tmp_path / "out"), "--rate", "10", "--time", "t"]
    main([*verb, "--controls", "target", "--every", "imu"])
    assert "imu at 40 Hz: every row of a step" in capsys.readouterr().out
    assert Episodes.open(tmp_path / "out").spec["imu"].kind == "signal"
