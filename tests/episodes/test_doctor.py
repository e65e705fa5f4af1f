"""The doctor finds each fault that is planted in a good recording, and none in the good one."""

import numpy as np
import pytest

from armillary.episodes.doctor import Report, Row, diagnose
from armillary.episodes.lag import LAGS, motion
from armillary.episodes.split import split
from armillary.episodes.store import Episode, Episodes
from armillary.errors import ArmillaryError
from armillary.spec import ActionSpace, Spec, Stream

BOX = ActionSpace("box", 2, (-1.0, -1.0), (1.0, 1.0))
STATE = Stream("state", "vector", (3,), channels=("x", "y", "t"))
IMAGE = Stream("image", "image", (48, 48, 3))
LIDAR = Stream("lidar", "scan", (12,))
FORCE, WRIST = Stream("force", "vector", (3,), optional=True), Stream("wrist", "image", (48, 48, 3), optional=True)


def walk(rng: np.random.Generator, rows: int = 60, *, hold: int = 1, dtype=np.float32) -> tuple[np.ndarray, np.ndarray]:
    """Positions of a point that is pushed about in a square of side 40, and the pushes."""
    actions = np.repeat(rng.uniform(-1, 1, (rows, 2)), hold, 0)[: rows - 1].astype(dtype)
    place = np.empty((rows, 2))
    place[0] = rng.uniform(5, 35, 2)
    for t, action in enumerate(actions):
        place[t + 1] = np.clip(place[t] + 3 * action, 0, 40)
    return place, actions


def picture(place: np.ndarray, light: float) -> np.ndarray:
    """A dark disc on a light ground with a bar across it."""
    y, x = np.mgrid[:48, :48]
    frames = np.full((len(place), 48, 48, 3), 220, np.uint8)
    frames[:, :, 22:26] = 90
    near = np.hypot(y - place[:, 1, None, None] - 4, x - place[:, 0, None, None] - 4) < 4
    frames[near] = light
    return frames


def ranges(place: np.ndarray) -> np.ndarray:
    """How far it is from there to twelve posts around the square, one of which is out of sight."""
    angle = np.arange(12) * 2 * np.pi / 12
    posts = 20 + 30 * np.stack([np.cos(angle), np.sin(angle)], 1)
    return np.where(angle == 0, np.nan, np.linalg.norm(place[:, None] - posts, axis=2)).astype(np.float32)


def episode_of(spec: Spec, rng: np.random.Generator, rows: int = 60, **options) -> Episode:
    place, actions = walk(rng, rows, **options)
    state = np.column_stack([place + 0.05 * rng.standard_normal(place.shape), rng.standard_normal(len(place))])
    offered = {"vector": lambda: state.astype(np.float32), "image": lambda: picture(place, 30), "scan": lambda: ranges(place)}
    return Episode({stream.name: offered[stream.kind]() for stream in spec.observed}, actions)


@pytest.fixture
def examine(tmp_path):
    """Diagnose a recording of 12 episodes, each of which was changed; name of a check -> its row."""

    def run(change=lambda episode: episode, streams=(STATE,), *, action=BOX, parts=None, length=2, **options) -> dict[str, Row]:
        spec, rng = Spec(streams, action), np.random.default_rng(0)
        with Episodes.create(tmp_path / "s", spec) as store:
            store.append(*(change(episode_of(spec, rng, **options)) for _ in range(12)))
            report = diagnose(store, parts=parts(store) if parts else (), length=length)
        assert str(report).count("\n") >= len(report.rows) - 1
        return {row.check: row for row in report.rows}

    return run


def test_a_good_recording_passes(examine):
    rows = examine(streams=(STATE, IMAGE), parts=lambda store: split(store, 0.2))
    assert {row.verdict for row in rows.values()} == {"ok"}
    assert not any(row.advice for row in rows.values())
    assert rows["episode length"].value == "12 episodes of 60 to 60 rows, 720 in all"


def shifted(by: int):
    return lambda e: Episode(e.observations, np.roll(e.actions, by, 0))


@pytest.mark.parametrize("streams", [(STATE,), (IMAGE,), (LIDAR,)])
@pytest.mark.parametrize("hold", [1, 4])
@pytest.mark.parametrize("by", [-2, -1, 0, 1, 2])
def test_lag_of_shifted_actions(examine, streams, hold, by):
    """A roll by +1 puts a[t] where a[t+1] was: the action that counts is then found at lag +1."""
    row = examine(shifted(by), streams, hold=hold)["lag of the action"]
    assert row.value.startswith(f"{by:+d} rows" if by else "0 rows")
    if by == 0:
        assert row.verdict == "ok"
    elif hold == 1:
        assert row.verdict == "fail"
    else:
        assert row.verdict in ("warn", "fail")


def test_lag_of_a_robot_that_is_told_where_to_go(examine):
    """Actions that are targets explain the change only together with the state."""

    def servo(episode):
        state = episode.observations["state"]
        rng = np.random.default_rng(len(state))
        targets = np.cumsum(rng.uniform(-1, 1, (len(state) - 1, 2)), 0).astype(np.float32)
        for t, target in enumerate(targets):
            state[t + 1, :2] = state[t, :2] + 0.5 * (target - state[t, :2])
        return Episode({"state": state}, targets)

    row = examine(servo, action=ActionSpace("box", 2))["lag of the action"]
    assert (row.verdict, row.value[:6]) == ("ok", "0 rows")


def test_actions_without_effect(examine):
    rng = np.random.default_rng(1)
    row = examine(lambda e: Episode(e.observations, rng.uniform(-1, 1, e.actions.shape).astype(np.float32)))[
        "lag of the action"
    ]
    assert row.verdict == "warn"
    assert "next to no change" in row.advice


def test_too_little_for_a_lag(examine):
    assert examine(rows=5)["lag of the action"].value == "not measured"


def changed(stream: str, function):
    def change(episode):
        function(episode.observations[stream])
        return episode

    return change


def test_dead_channel(examine):
    row = examine(changed("state", lambda state: state.__setitem__((slice(None), 2), 7)))["constant channels"]
    assert row.verdict == "warn"
    assert row.value == "1 of 3 state[t]"


@pytest.mark.parametrize(("numbers", "verdict"), [([1], "warn"), ([0, 1], "fail")])
def test_constant_actions(examine, numbers, verdict):
    def change(episode):
        episode.actions[:, numbers] = 0.3
        return episode

    row = examine(change)["constant actions"]
    assert (row.verdict, row.value) == (verdict, f"{len(numbers)} of 2")


@pytest.mark.parametrize(("every", "verdict"), [(2, "warn"), (60, "fail")])
def test_frozen_images(examine, every, verdict):
    def freeze(images):
        images[:] = images[np.arange(len(images)) // every * every]

    assert examine(changed("image", freeze), (STATE, IMAGE))["frozen image"].verdict == verdict


@pytest.mark.parametrize(("length", "verdict"), [(60, "ok"), (61, "fail")])
def test_short_episodes(examine, length, verdict):
    assert examine(length=length)["episode length"].verdict == verdict


def test_some_short_episodes(tmp_path):
    spec, rng = Spec((STATE,), BOX), np.random.default_rng(0)
    with Episodes.create(tmp_path / "s", spec) as store:
        store.append(*(episode_of(spec, rng, rows) for rows in (3, 50, 60)))
        row = diagnose(store, length=10).rows[0]
    assert row.verdict == "warn"
    assert row.advice.startswith("1 episodes are shorter than the 10 rows")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("streams", [(STATE,), (IMAGE,), (STATE, FORCE), (WRIST, IMAGE)])
@pytest.mark.parametrize(("lengths", "verdict"), [((1, 1), "fail"), ((1, 60, 60), "warn")])
@pytest.mark.parametrize("has", [(), (0,), (1,)])
def test_single_rows_and_absent_streams_are_no_obstacle(tmp_path, streams, lengths, verdict, has):
    spec, rng = Spec(streams, BOX), np.random.default_rng(0)
    with Episodes.create(tmp_path / "s", spec) as store:
        for number, rows in enumerate(lengths):
            made = episode_of(spec, rng, rows)
            seen = {s.name: made.observations[s.name] for s in streams if not s.optional or number in has}
            store.append(Episode(seen, made.actions))
        assert diagnose(store).rows[0].verdict == verdict


def test_duplicates_and_leaks(tmp_path):
    spec, rng = Spec((STATE,), BOX), np.random.default_rng(0)
    episodes = [episode_of(spec, rng) for _ in range(5)]
    with Episodes.create(tmp_path / "s", spec) as store:
        store.append(*episodes, episodes[1], episodes[3])
        rows = {row.check: row for row in diagnose(store, parts=(np.arange(5), np.array([5, 6]))).rows}
        kept = {row.check: row for row in diagnose(store, parts=split(store, 0.3)).rows}
    assert (rows["duplicate episodes"].verdict, rows["duplicate episodes"].value) == ("warn", "2 of 7")
    assert (rows["leaks between splits"].verdict, rows["leaks between splits"].value) == ("fail", "2 episodes")
    assert kept["leaks between splits"].verdict == "ok"


def test_slow_actions(examine):
    def slow(episode):
        t = np.linspace(0, 1, len(episode.actions))
        return Episode(episode.observations, np.column_stack([np.sin(t), t]).astype(np.float32))

    row = examine(slow)["action autocorrelation"]
    assert row.verdict == "warn"
    assert float(row.value.split()[0]) > 0.99


def test_saturated_actions(examine):
    row = examine(lambda e: Episode(e.observations, np.sign(e.actions)))["action saturation"]
    assert (row.verdict, row.value) == ("warn", "100% at a bound")


def test_actions_that_use_little_of_their_range(examine):
    rows = examine(lambda e: Episode(e.observations, 0.1 * e.actions))
    assert rows["action coverage"].verdict == "warn"
    assert rows["action coverage"].value == "20% of the range"


def test_a_recording_that_stays_where_it_is(examine):
    rng = np.random.default_rng(0)

    def still(state):
        state[:] = 5 + 1e-3 * rng.standard_normal(state.shape)
        state[0] = 100

    assert examine(changed("state", still))["state coverage"].verdict == "warn"


def test_choices_that_are_never_taken(tmp_path):
    spec, rng = Spec((STATE,), ActionSpace("discrete", 5)), np.random.default_rng(0)
    with Episodes.create(tmp_path / "s", spec) as store:
        for _ in range(10):
            choice = rng.integers(2, size=59)
            state = np.cumsum(np.append(0, 2.0 * choice - 1))[:, None] + 0.1 * rng.standard_normal((60, 3))
            store.append(Episode({"state": state.astype(np.float32)}, choice))
        rows = {row.check: row for row in diagnose(store).rows}
    assert (rows["action coverage"].verdict, rows["action coverage"].value) == ("warn", "40% of the range")
    assert rows["lag of the action"].value.startswith("0 rows")
    assert "action saturation" not in rows


def test_missing_actions_are_found(tmp_path):
    """The store refuses them, so they are planted behind its back."""
    spec, rng = Spec((STATE,), BOX), np.random.default_rng(0)
    with Episodes.create(tmp_path / "s", spec) as store:
        store.append(*(episode_of(spec, rng) for _ in range(3)))
    lance, pyarrow = pytest.importorskip("lance"), pytest.importorskip("pyarrow")
    table = lance.dataset(store.path).to_table()
    actions = table.column("action").to_pylist()
    actions[5] = actions[7] = None
    at = table.schema.get_field_index("action")
    field = table.schema.field(at)
    lance.write_dataset(table.set_column(at, field, pyarrow.array(actions, field.type)), store.path, mode="overwrite")
    row = next(row for row in diagnose(Episodes.open(store.path)).rows if row.check == "NaN or missing")
    assert (row.verdict, row.value) == ("fail", "2 rows")


def test_an_empty_store(tmp_path):
    with pytest.raises(ArmillaryError, match="empty store"):
        diagnose(Episodes.create(tmp_path / "s", Spec((STATE,), BOX)))


def test_the_worst_verdict_counts():
    rows = [Row("a", "", verdict) for verdict in ("ok", "fail", "warn")]
    assert Report(tuple(rows)).verdict == "fail"
    assert Report(tuple(rows[:1])).verdict == "ok"


def test_motion_follows_what_moves():
    place, _ = walk(np.random.default_rng(0), 200)
    moved = motion(picture(place, 30))
    for axis in (0, 1):
        assert np.corrcoef(moved[:, axis], np.diff(place[:, 1 - axis]))[0, 1] ** 2 > 0.3, axis
    ground = np.random.default_rng(0).integers(0, 255, (40, 40)).astype(float)
    smooth = sum(np.roll(ground, (i, j), (0, 1)) for i in range(5) for j in range(5)) / 25
    pan = np.stack([np.roll(smooth, k, 1)[4:36, 4:36] for k in range(4)]).astype(np.uint8)[..., None]
    np.testing.assert_allclose(motion(pan)[:, 3], 1, atol=0.35)
    np.testing.assert_allclose(motion(pan)[:, 2], 0, atol=0.35)
    assert len(LAGS) == 5
