"""Offsets of vectors: what float32 would merge is kept, from every importer; what it holds stays as it is."""

import json
from itertools import islice

import numpy as np
import pytest

from armillary.arguments import observed
from armillary.cli import main
from armillary.episodes.doctor import diagnose
from armillary.episodes.formats import importing
from armillary.episodes.formats.hdf5 import import_hdf5
from armillary.episodes.formats.lerobot import import_lerobot
from armillary.episodes.formats.lerobot_export import export_lerobot
from armillary.episodes.formats.npz import import_npz
from armillary.episodes.formats.streams import import_streams
from armillary.episodes.formats.table import import_table
from armillary.episodes.merge import merge
from armillary.episodes.offsets import find_offset
from armillary.episodes.row_hashes import row_hashes, share_known
from armillary.episodes.store import Episode, Episodes
from armillary.errors import ArmillaryError, SpecMismatch
from armillary.spec import ActionSpace, Spec, Stream

pytest.importorskip("lance")
AIR = 101325.0
WALK = AIR + np.cumsum(np.random.default_rng(0).integers(-9, 10, 400)) / 1000
"""Pa, in steps of 0.001; float32 has steps of 0.008 there."""
FLOW = np.round(np.random.default_rng(1).normal(5, 1, 400), 3)


def table(path, pressure=WALK, rows=slice(None), **columns):
    columns = {"t": np.arange(400), "flow": FLOW, "p [Pa]": pressure, "valve": np.arange(400) % 7} | columns
    lines = [",".join(columns), *(",".join(map(str, row)) for row in zip(*columns.values(), strict=True))]
    path.write_text("\n".join([lines[0], *lines[1:][rows]]) + "\n")
    return path


def imported(path, out, **options):
    summary = import_table(path, out, time="t", controls=["valve"], progress=False, **options)
    return summary, Episodes.open(out)


def test_what_float32_would_merge_is_stored_less_a_round_number(tmp_path):
    summary, store = imported(table(tmp_path / "a.csv"), tmp_path / "store")
    stream = store.spec["sensors"]
    assert stream.offset == summary.spec["sensors"].offset == (0.0, pytest.approx(AIR, abs=1))
    assert stream.offset[1] * 10 == round(stream.offset[1] * 10)  # round, so that another import of the sensor has it, too
    assert "stored less an offset, since float32 would merge values: p [Pa] 101325" in str(summary)
    assert "loses" not in str(summary)
    values = store.read(0)["sensors"]
    assert values.dtype == np.float32
    np.testing.assert_allclose(stream.in_units(values)[:, 1], WALK, atol=1e-7)
    np.testing.assert_array_equal(values[:, 0], FLOW.astype(np.float32))
    assert not [row for row in diagnose(store).rows if row.check == "merged by float32" and row.verdict != "ok"]
    assert Spec.from_json(store.spec.to_json()) == store.spec


def test_a_usual_recording_has_none_and_keeps_its_hash(tmp_path):
    summary, store = imported(table(tmp_path / "a.csv", pressure=FLOW + 1000), tmp_path / "store")
    assert store.spec["sensors"].offset == ()
    assert "offset" not in store.spec.to_json()
    assert "offset" not in str(summary)
    plain = Episodes.create(tmp_path / "plain", Spec(summary.spec.streams, summary.spec.action, summary.spec.rate))
    plain.append(store.episode(0))
    assert store.content_hash() == plain.content_hash()


@pytest.mark.parametrize("power", [5, 7, 9])
def test_an_added_constant_makes_no_difference(tmp_path, power):
    level = WALK - AIR
    stored = []
    for name, added in (("usual", 0.0), ("moved", 10.0**power)):
        _, store = imported(table(tmp_path / f"{name}.csv", pressure=level + added), tmp_path / name)
        stored.append(store.read(0)["sensors"][:, 1].astype(np.float64))
        stored[-1] += (store.spec["sensors"].offset or (0.0, 0.0))[1] - added
    np.testing.assert_allclose(stored[0], stored[1], atol=3e-7)


def test_when_a_channel_has_one():
    def offset(*values):
        return find_offset([np.array(run, np.float64)[:, None] for run in values])[0]

    steps = np.arange(100.0)
    assert offset(1.7e9 + steps) == pytest.approx(1.7e9, abs=100)  # a clock
    assert offset(steps + 2**23) == 0  # exact in float32
    assert offset(1e9 * steps + 0.001 * steps**2) == 0  # its range is as large as its numbers
    assert offset(np.full(100, 123456789.0)) == 0  # it never changes
    assert offset(np.where(steps == 50, 0.0, WALK[:100])) == pytest.approx(AIR, abs=1)  # a glitch does not count
    assert offset(WALK[:50], WALK[50:100]) == pytest.approx(AIR, abs=1)
    assert offset(25 + np.random.default_rng(0).normal(0, 0.001, 1000)) == 0  # in all digits of float64
    assert offset(np.repeat(WALK[:10], 10)) == pytest.approx(AIR, abs=1)


def test_angles_have_none(tmp_path):
    _, store = imported(table(tmp_path / "a.csv", **{"turned [rad]": WALK}), tmp_path / "store")
    assert [bool(offset) for offset in store.spec["sensors"].offset] == [False, True, False]


def test_truth_has_one_too(tmp_path):
    summary, store = imported(table(tmp_path / "a.csv"), tmp_path / "store", truth=["p [Pa]"])
    assert summary.spec["p [Pa]"].offset == (pytest.approx(AIR, abs=1),)
    kept = store.episode(0, truth=True).truth["p [Pa]"]
    np.testing.assert_allclose(store.spec["p [Pa]"].in_units(kept)[:, 0], WALK, atol=1e-7)


def test_of_every_importer(tmp_path):
    state = np.stack([FLOW, WALK], 1)
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        file["demo_0/obs/state"], file["demo_0/actions"] = state, np.zeros((399, 1), np.float32)
    np.savez(tmp_path / "a.npz", observations=state, actions=np.zeros((400, 1), np.float32))
    (tmp_path / "logs").mkdir()
    table(tmp_path / "logs" / "machine.csv")
    stores = {
        "hdf5": import_hdf5(tmp_path / "a.hdf5", tmp_path / "hdf5", progress=False),
        "npz": import_npz(tmp_path / "a.npz", tmp_path / "npz", progress=False),
        "streams": import_streams(tmp_path / "logs", tmp_path / "streams", rate=1, time="t", ignore=["valve"], progress=False),
    }
    for name, summary in stores.items():
        store, (stream,) = Episodes.open(tmp_path / name), summary.spec.observed
        assert stream.offset == (0.0, pytest.approx(AIR, abs=1)), name
        values = stream.in_units(store.read(0)[stream.name])
        np.testing.assert_allclose(values, state[: len(values)], rtol=1e-7, atol=1e-6, err_msg=name)


def test_of_messages(tmp_path):
    pytest.importorskip("mcap_ros2", reason="MCAP files are read by mcap-ros2-support: pip install 'armillary[ros]'")
    from ros_fakes import write_mcap

    from armillary.episodes.formats.mcap import import_mcap

    joints = [{"name": ["a", "b"], "position": [1.0, p], "velocity": [], "effort": []} for p in WALK]
    topics = {"/joints": ("sensor_msgs/JointState", [(1000 + i / 10, joint) for i, joint in enumerate(joints)])}
    import_mcap(write_mcap(tmp_path / "a.mcap", topics), tmp_path / "store", rate=10, progress=False)
    store = Episodes.open(tmp_path / "store")
    (stream,) = store.spec.observed
    assert stream.offset == (0.0, pytest.approx(AIR, abs=1))
    values = stream.in_units(store.read(0)[stream.name])
    assert np.abs(values[:, 1:] - WALK).min(1).max() < 1e-6  # each is one that was sent


def test_the_doctor_finds_no_unit_in_what_an_offset_left(tmp_path):
    level = np.repeat([0.1, 10.0], 500) + np.random.default_rng(0).normal(0, 0.01, 1000)
    for offset, verdict in (((), "warn"), ((AIR,), "ok")):
        spec = Spec((Stream("p", "vector", (1,), offset=offset),), ActionSpace("none", 0))
        store = Episodes.create(tmp_path / verdict, spec)
        store.append(Episode({"p": level[:, None].astype(np.float32)}, np.empty((999, 0), np.float32)))
        assert next(row for row in diagnose(store).rows if row.check == "change of unit").verdict == verdict


def test_export_adds_it_and_its_import_takes_it_off(tmp_path):
    pytest.importorskip("av")
    _, store = imported(table(tmp_path / "a.csv"), tmp_path / "store")
    export_lerobot(tmp_path / "store", tmp_path / "lerobot", progress=False)
    features = json.loads((tmp_path / "lerobot/meta/info.json").read_text())["features"]
    assert features["observation.sensors"]["dtype"] == "float64"
    import_lerobot(tmp_path / "lerobot", tmp_path / "again", progress=False)
    again = Episodes.open(tmp_path / "again")
    assert again.spec["observation.sensors"].offset == store.spec["sensors"].offset
    np.testing.assert_array_equal(again.read(0)["observation.sensors"], store.read(0)["sensors"])


def test_an_interrupted_import_goes_on_with_the_offset_of_its_first_rows(tmp_path, monkeypatch):
    (tmp_path / "tables").mkdir()
    for number in range(4):
        table(tmp_path / "tables" / f"{number}.csv", pressure=WALK + 50 * number)
    whole = imported(tmp_path / "tables", tmp_path / "whole")[1]
    monkeypatch.setattr(importing, "COMMIT_BYTES", 1)
    monkeypatch.setattr(importing, "groups", lambda episodes: islice(([e] for e in episodes), 2))
    finish = importing.Filling.finish
    monkeypatch.setattr(importing.Filling, "finish", lambda self: None)
    imported(tmp_path / "tables", tmp_path / "store")
    monkeypatch.setattr(importing.Filling, "finish", finish)
    monkeypatch.setattr(importing, "groups", lambda episodes: ([e] for e in episodes))
    summary, store = imported(tmp_path / "tables", tmp_path / "store", resume=True)
    assert (summary.already, len(store)) == (2, 4)
    assert store.spec["sensors"].offset == (0.0, pytest.approx(AIR, abs=1))
    values = [s.spec["sensors"].in_units(s.read(3)["sensors"]) for s in (whole, store)]
    np.testing.assert_allclose(*values, atol=1e-5)


def test_other_offsets_are_read_as_a_models_and_refused_unread(tmp_path):
    _, store = imported(table(tmp_path / "a.csv"), tmp_path / "store")
    _, other = imported(table(tmp_path / "b.csv", pressure=WALK + 500), tmp_path / "other")
    with pytest.raises(SpecMismatch, match=r"stream 'sensors': expected values less \(0.0, 101325.*relative_to"):
        store.spec.check(other.spec)
    read = other.relative_to(store.spec)
    store.spec.check(read.spec)
    assert read.content_hash() == other.content_hash()
    difference = read.read(0)["sensors"] - store.read(0)["sensors"]
    np.testing.assert_allclose(difference, np.tile([0, 500], (400, 1)), atol=1e-4)
    assert other.relative_to(other.spec) is other


def test_rows_are_known_again_with_another_offset(tmp_path):
    _, store = imported(table(tmp_path / "a.csv"), tmp_path / "store")
    plain = Episodes.create(tmp_path / "plain", Spec((Stream("sensors", "vector", (2,)),), ActionSpace("box", 1)))
    plain.append(Episode({"sensors": np.stack([FLOW, WALK], 1).astype(np.float32)}, store.actions(0)))
    known = row_hashes(plain, [0], ["sensors"])
    assert len(known) > 100
    assert share_known(known, row_hashes(store, [0], ["sensors"])) > 0.9


def test_merged_recordings_have_one(tmp_path):
    stores = [
        imported(table(tmp_path / f"{n}.csv", pressure=p), tmp_path / n)[1]
        for n, p in (("a", FLOW + 1000), ("b", WALK), ("c", WALK + 500))
    ]
    both = merge(stores, tmp_path / "both")
    offset = both.spec["sensors"].offset
    assert offset == stores[1].spec["sensors"].offset
    for number, pressure in enumerate((FLOW + 1000, WALK, WALK + 500)):
        values = both.spec["sensors"].in_units(both.read(number)["sensors"])
        np.testing.assert_allclose(values[:, 1], pressure, atol=0.004)


def test_info_shows_it(tmp_path, capsys):
    imported(table(tmp_path / "a.csv"), tmp_path / "store")
    main(["info", str(tmp_path / "store")])
    assert "p [Pa] 101325" in capsys.readouterr().out
    main(["info", str(tmp_path / "store"), "--json"])
    assert json.loads(capsys.readouterr().out)["streams"][0]["offset"][1] == pytest.approx(AIR, abs=1)


def test_observations_in_units_are_taken_less_the_offset():
    import torch

    stream = Stream("sensors", "vector", (2,), offset=(0, AIR))
    spec, row = Spec((stream,), ActionSpace("box", 1)), np.array([[5.0, AIR + 0.001]])
    for given in (row, row.tolist(), torch.from_numpy(row)):
        np.testing.assert_allclose(observed(spec, {"sensors": given})["sensors"], [[5, 0.001]], rtol=1e-6)


@pytest.mark.parametrize(
    ("kind", "shape", "offset", "said"),
    [
        ("vector", (2,), (1.0,), "1 entries in 'offset' for 2 channels"),
        ("vector", (2,), (1.0, np.nan), "a finite number for each channel of a vector"),
        ("scan", (2,), (1.0, 2.0), "a finite number for each channel of a vector"),
    ],
)
def test_an_offset_that_does_not_fit_is_refused(kind, shape, offset, said):
    with pytest.raises(ArmillaryError, match=said):
        Stream("sensors", kind, shape, offset=offset)


@pytest.mark.parametrize("dtype", ["i8", "u8", ">i8"])
@pytest.mark.parametrize("base", [2**60, 2**60 + 1, -(2**60), 2**63 + 7])
def test_whole_numbers_beyond_float64_are_kept_to_the_digit(tmp_path, dtype, base):
    if not (base >= 0 if dtype == "u8" else base < 2**63 - 1000):
        pytest.skip("this type does not hold it")
    steps = np.cumsum(np.random.default_rng(0).integers(-3, 4, 300)).tolist()
    ticks = np.array([[base + step, step % 5] for step in steps], dtype)
    h5py, parquet = pytest.importorskip("h5py"), pytest.importorskip("pyarrow")
    assert parquet
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        file["demo_0/obs/state"], file["demo_0/actions"] = ticks, np.zeros((299, 1), np.float32)
    np.savez(tmp_path / "a.npz", observations=ticks, actions=np.zeros((300, 1), np.float32))
    for read, name in ((import_hdf5, "hdf5"), (import_npz, "npz")):
        summary = read(tmp_path / f"a.{name}", tmp_path / name, progress=False)
        store, (stream,) = Episodes.open(tmp_path / name), summary.spec.observed
        values = store.read(0)[stream.name]
        assert [int(stream.offset[0]) + int(value) for value in values[:, 0]] == ticks[: len(values), 0].tolist()
        assert values[:, 1].tolist() == ticks[: len(values), 1].tolist()
        assert "loses" not in str(summary)


def test_whole_numbers_that_float32_does_not_hold_with_any_offset_are_said(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        far = np.concatenate([np.arange(150), 2**60 + np.arange(150)])
        file["demo_0/obs/state"], file["demo_0/actions"] = far[:, None], np.zeros((299, 1), np.float32)
    summary = import_hdf5(tmp_path / "a.hdf5", tmp_path / "store", progress=False)
    assert "column 'state 0' loses 149 of 299 changes" in str(summary)


def test_a_table_says_where_float64_rounds(tmp_path):
    for base, said in ((2**60, True), (2**50, False)):
        summary, _ = imported(table(tmp_path / "a.csv", ticks=base + np.arange(400)), tmp_path / f"store {base}")
        assert ("whole numbers beyond 2^53 lose their last digits in ticks" in str(summary)) == said
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    parquet.write_table(
        pa.table({"t": np.arange(9.0), "valve": np.arange(9), "n": 2**60 + np.arange(9)}), tmp_path / "a.parquet"
    )
    assert "lose their last digits in n" in str(imported(tmp_path / "a.parquet", tmp_path / "parquet")[0])


def test_actions_that_float32_merges_are_said(tmp_path):
    for base, said in ((2**40, True), (2**20, False)):
        np.savez(tmp_path / "a.npz", observations=FLOW[:, None], actions=base + np.arange(400)[:, None])
        summary = import_npz(tmp_path / "a.npz", tmp_path / f"store {base}", action_kind="box", progress=False)
        assert ("column 'action 0' loses 39" in str(summary)) == said
        assert Episodes.open(tmp_path / f"store {base}").actions(0).dtype == np.float32
    summary, _ = imported(table(tmp_path / "a.csv", valve=2**40 + np.arange(400)), tmp_path / "table")
    assert "column 'valve' loses 39" in str(summary)


def test_the_noise_of_float64_is_no_loss(tmp_path):
    draw = np.random.default_rng(0)
    state = np.where(np.arange(400) % 4 == 0, draw.normal(0, 1, 400), 0.5 + draw.normal(0, 1e-12, 400))
    state[1::2] = state[::2] + draw.normal(0, 1e-12, 200)
    np.savez(tmp_path / "a.npz", observations=state[:, None], actions=state[:, None])
    assert not import_npz(tmp_path / "a.npz", tmp_path / "store", progress=False).doubts
