"""The doctor on what single numbers tell: jumps, rotation, changes of unit, and what float32 merges."""

from collections.abc import Callable

import numpy as np
import pytest

from armillary.episodes.doctor import Row, diagnose
from armillary.episodes.store import Episode, Episodes
from armillary.spec import NO_ACTION, ActionSpace, Spec, Stream

TURN = ActionSpace("box", 1)


def examine(folder, spec: Spec, episodes: list[Episode]) -> dict[str, Row]:
    store = Episodes.create(folder / "s", spec)
    store.append(*episodes)
    return {row.check: row for row in diagnose(store).rows}


def turned(draw: Callable[[np.ndarray], np.ndarray], most: float, late: int, rows: int = 60) -> list[Episode]:
    """Ten episodes of something that turns at random by up to `most` radians a row, with actions that come some rows late."""
    rng, episodes = np.random.default_rng(0), []
    for _ in range(10):
        turns = rng.uniform(-most, most, rows - 1)
        seen = draw(rng.uniform(-np.pi, np.pi) + np.append(0, turns.cumsum()))
        name = "image" if seen.ndim == 4 else "state"
        episodes.append(Episode({name: seen}, np.roll(turns, late)[:, None].astype(np.float32)))
    return episodes


def vector(*channels: Callable[[np.ndarray], np.ndarray]) -> Callable[[np.ndarray], np.ndarray]:
    return lambda heading: np.stack([f(heading) for f in channels], 1).astype(np.float32)


def bar(heading: np.ndarray) -> np.ndarray:
    y, x = np.mgrid[:32, :32] - 15.5
    c, s = np.cos(heading)[:, None, None], np.sin(heading)[:, None, None]
    dark = (abs(x * s - y * c) < 3) & (abs(x * c + y * s) < 13)
    return np.where(dark, 30, 220).astype(np.uint8)[..., None]


def wrap(heading: np.ndarray) -> np.ndarray:
    return (heading + np.pi) % (2 * np.pi) - np.pi


SCENES = {
    "radians": (vector(wrap), ("rad",)),
    "radians without a unit": (vector(wrap), ("",)),
    "degrees": (vector(lambda heading: np.degrees(heading) % 360), ("deg",)),
    "sine and cosine": (vector(np.cos, np.sin), ()),
    "a bar in an image": (bar, None),
}


@pytest.mark.parametrize("late", [0, 1])
@pytest.mark.parametrize("scene", SCENES)
def test_what_turns_has_the_lag_that_it_has_and_does_not_jump(tmp_path, scene, late):
    draw, unit = SCENES[scene]
    episodes = turned(draw, 0.5, late)
    (name, seen), *_ = episodes[0].observations.items()
    kind = {"unit": unit} if name == "state" else {}
    rows = examine(
        tmp_path, Spec((Stream(name, "image" if unit is None else "vector", seen.shape[1:], **kind),), TURN), episodes
    )
    assert rows["lag of the action"].verdict == ("fail" if late else "ok")
    assert rows["lag of the action"].value.startswith("+1 rows" if late else "0 rows")
    if late:
        assert "1 row late" in rows["lag of the action"].advice
        assert "a[t+1] is what led from o[t] to o[t+1]" in rows["lag of the action"].advice
    assert rows["jumps"].verdict == "ok"


def walk(rng: np.random.Generator, rows: int = 60) -> np.ndarray:
    """Two positions that move on, a velocity that is noise, and a gripper that closes."""
    place = rng.uniform(-10, 10, 2) + 0.1 * rng.uniform(-1, 1, (rows, 2)).cumsum(0)
    return np.column_stack([place, rng.standard_normal(rows), np.arange(rows) > rng.integers(10, 50)]).astype(np.float32)


STATE = Spec((Stream("state", "vector", (4,)),), NO_ACTION)


@pytest.mark.parametrize(("resets", "verdict"), [(0, "ok"), (2, "warn"), (9, "fail")])
def test_a_reset_inside_an_episode_is_found_with_its_row(tmp_path, resets, verdict):
    rng = np.random.default_rng(0)
    states = [walk(rng) for _ in range(12)]
    for state in states[:resets]:
        state[40:] = walk(rng)[:20]
    row = examine(tmp_path, STATE, [Episode({"state": state}, np.empty((59, 0), np.float32)) for state in states])["jumps"]
    assert row.verdict == verdict
    assert int(row.value.split()[0]) == resets
    assert resets == 0 or "episode 0 row 40, episode 1 row 40" in row.value


def waves(rng, rows=60):
    return np.sin(rng.uniform(0.05, 0.6, 3) * np.arange(rows)[:, None] + rng.uniform(0, 6, 3))


def decays(rng, rows=60):
    return rng.uniform(-3, 3, 2) * np.exp(-rng.uniform(0.02, 1.5, 2) * np.arange(rows)[:, None])


def ball(rng, rows=100, seconds=0.05):
    """The height and velocity of a ball that bounces."""
    height, velocity, seen = rng.uniform(0.5, 2), 0.0, []
    for _ in range(rows):
        seen.append((height, velocity))
        velocity -= 9.81 * seconds
        height += velocity * seconds
        if height < 0:
            height, velocity = -0.8 * height, -0.8 * velocity
    return np.array(seen)


def point(rng, rows=100, seconds=0.1):
    """The position and velocity of a point that is pushed about inside four walls."""
    position, velocity, seen = *rng.uniform(-1, 1, (2, 2)), []
    for push in np.repeat(rng.uniform(-1, 1, (rows // 4, 2)), 4, axis=0):
        seen.append([*position, *velocity])
        velocity = velocity + 0.05 * push
        position = position + seconds * velocity
        out = np.abs(position) > 1
        position = np.where(out, np.sign(position) * (2 - np.abs(position)), position)
        velocity = np.where(out, -velocity, velocity)
    return np.array(seen)


@pytest.mark.parametrize("move", [waves, decays, ball, point])
def test_what_moves_smoothly_or_bounces_does_not_jump(tmp_path, move):
    rng = np.random.default_rng(0)
    smooth = [move(rng).astype(np.float32) for _ in range(20)]
    spec = Spec((Stream("state", "vector", smooth[0].shape[1:]),), NO_ACTION)
    episodes = [Episode({"state": state}, np.empty((len(state) - 1, 0), np.float32)) for state in smooth]
    row = examine(tmp_path, spec, episodes)["jumps"]
    assert (row.verdict, row.value) == ("ok", "0")


@pytest.mark.parametrize("row", [1, 50, 99])
@pytest.mark.parametrize("move", [ball, point])
def test_a_reset_of_what_bounces_is_found(tmp_path, move, row):
    rng = np.random.default_rng(0)
    states = [move(rng).astype(np.float32) for _ in range(20)]
    places = states[3].shape[1] // 2
    states[3][row:, :places] += np.where(states[3][row, :places] > 0, -1, 1)
    spec = Spec((Stream("state", "vector", states[0].shape[1:]),), NO_ACTION)
    episodes = [Episode({"state": state}, np.empty((99, 0), np.float32)) for state in states]
    assert f"episode 3 row {row}" in examine(tmp_path, spec, episodes)["jumps"].value


def test_a_cut_in_a_film_is_found(tmp_path):
    rng, films = np.random.default_rng(0), []
    for number in range(6):
        ground = np.kron(rng.integers(0, 255, (12, 12)), np.ones((8, 8)))
        film = np.stack([ground[k // 2 : k // 2 + 32, k : k + 32] for k in range(40)])
        films.append(film if number else np.concatenate([film[:25], np.roll(film[:15], 16, 2)]))
    episodes = [Episode({"image": film.astype(np.uint8)[..., None]}, np.empty((39, 0), np.float32)) for film in films]
    row = examine(tmp_path, Spec((Stream("image", "image", (32, 32, 1)),), NO_ACTION), episodes)["jumps"]
    assert (row.verdict, row.value) == ("warn", "1 episode 0 row 25")


SENSORS = Spec((Stream("sensors", "vector", (2,), unit=("", ""), channels=("p [bar]", "flow")),), NO_ACTION)


def sensors(tmp_path, change: Callable[[np.ndarray], np.ndarray]) -> dict[str, Row]:
    """Three episodes of 200 rows as one table, which was changed."""
    rng = np.random.default_rng(0)
    table = change(np.column_stack([5 + rng.standard_normal((600, 1)), rng.standard_normal((600, 1))]))
    parts = np.split(table.astype(np.float32), 3)
    return examine(tmp_path, SENSORS, [Episode({"sensors": part}, np.empty((199, 0), np.float32)) for part in parts])


def times(channel: int, row: int, factor: float, plus: float = 0.0) -> Callable[[np.ndarray], np.ndarray]:
    def change(table):
        table[row:, channel] = table[row:, channel] * factor + plus
        return table

    return change


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (times(0, 330, 100), "sensors[p [bar]] from episode 1 row 130 on: 100 times (bar and kPa"),
        (times(0, 400, 0.01), "sensors[p [bar]] from episode 2 row 0 on: 100 times"),
        (times(1, 200, 180 / np.pi), "sensors[flow] from episode 1 row 0 on: 57.3 times (rad and degrees)"),
        (times(1, 450, 1, 273.15), "sensors[flow] from episode 2 row 50 on: 273"),
    ],
)
def test_a_change_of_unit_is_found_inside_and_between_episodes(tmp_path, change, where):
    row = sensors(tmp_path, change)["change of unit"]
    assert row.verdict == "warn"
    assert row.value.startswith(f"1 {where}")


@pytest.mark.parametrize("change", [lambda table: table, times(0, 200, 2), times(1, 200, 1, 20)])
def test_what_only_runs_at_another_level_changes_no_unit(tmp_path, change):
    rows = sensors(tmp_path, change)
    assert {rows[check].verdict for check in ("change of unit", "merged by float32", "jumps")} == {"ok"}


def counter(start: float, step: float) -> Callable[[np.ndarray], np.ndarray]:
    def change(table):
        table[:, 1] = start + step * np.arange(len(table))
        return table

    return change


@pytest.mark.parametrize(
    ("start", "step", "verdict"), [(1.2e9, 3, "warn"), (1e5, 3, "ok"), (1e6, 0.05, "warn"), (1e7, 1, "ok")]
)
def test_numbers_that_float32_merges(tmp_path, start, step, verdict):
    row = sensors(tmp_path, counter(start, step))["merged by float32"]
    assert row.verdict == verdict
    assert ("sensors[flow]" in row.value) is (verdict == "warn")


def test_unlike_channels_that_share_a_scale(tmp_path):
    rng = np.random.default_rng(0)
    rows = (rng.standard_normal((100, 4)) * [1, 1, 1, 1e-4]).astype(np.float32)
    for unit, verdict in (((), "warn"), (("m", "m", "m", "m"), "ok")):
        spec = Spec((Stream("state", "vector", (4,), unit=unit),), NO_ACTION)
        folder = tmp_path / verdict
        folder.mkdir()
        assert (
            examine(folder, spec, [Episode({"state": rows}, np.empty((99, 0), np.float32))])["unlike channels"].verdict
            == verdict
        )


@pytest.mark.parametrize("factor", [1e-9, 1e9])
def test_what_the_doctor_says_does_not_depend_on_units(tmp_path, factor):
    rng, found = np.random.default_rng(0), []
    walks = [(rng.uniform(-1, 1, (59, 2)), walk(rng)) for _ in range(8)]
    for name, scale in (("one", 1.0), ("other", factor)):
        episodes = []
        for actions, state in walks:
            state[1:, :2] = state[0, :2] + 0.3 * actions.cumsum(0)
            episodes.append(Episode({"state": state * np.float32(scale)}, (actions * scale).astype(np.float32)))
        spec = Spec((Stream("state", "vector", (4,), unit=("m", "m", "m/s", "")),), ActionSpace("box", 2))
        (tmp_path / name).mkdir()
        found.append({check: (row.verdict, row.value) for check, row in examine(tmp_path / name, spec, episodes).items()})
    assert found[0] == found[1]
    assert {verdict for verdict, _ in found[0].values()} == {"ok"}


def test_equal_episodes_are_a_failure_and_the_table_is_whole(tmp_path):
    state = walk(np.random.default_rng(0))
    rows = examine(tmp_path, STATE, [Episode({"state": state}, np.empty((59, 0), np.float32))] * 4)
    assert (rows["duplicate episodes"].verdict, rows["duplicate episodes"].value) == ("fail", "3 of 4")
    assert "jumps" in rows
