"""The split: no other episode, no added stream and no copy moves an episode to the other side; parts of a source go by time."""

import numpy as np
import pytest
from episode_fakes import random_episode, small_spec

from armillary.episodes.merge import merge
from armillary.episodes.split import fingerprint, split, split_off, was_seen
from armillary.episodes.store import Episodes
from armillary.errors import ArmillaryError

SPEC = small_spec(image=False)


def store_of(path, infos, rows=4, spec=SPEC, seed=0) -> Episodes:
    """A store of an episode for each info; its contents follow from its place."""
    rng = np.random.default_rng(seed)
    rows = [rows] * len(infos) if isinstance(rows, int) else rows
    store = Episodes.create(path, spec)
    store.append(*[random_episode(spec, count, rng, **info) for count, info in zip(rows, infos, strict=True)])
    return store


def table_of(path, lengths, source="a.csv", seed=0) -> Episodes:
    """One long table in touching parts, as importers cut it: the last row of a part is the first of the next."""
    first = np.concatenate([[0], np.cumsum(np.array(lengths) - 1)[:-1]]).tolist()
    return store_of(path, [{"source": source, "row": row} for row in first], lengths, seed=seed)


def named(number: int) -> dict:
    return {"source": "set", "episode": number}


def sides(store: Episodes, *parts: np.ndarray) -> dict[str, int]:
    """By info, which part each episode is in."""
    return {str(store.infos[number]): side for side, part in enumerate(parts) for number in part}


@pytest.mark.parametrize("held_out", [0.1, 0.3, (0.2, 0.1), 5])
def test_appending_moves_nothing(tmp_path, held_out):
    store = store_of(tmp_path / "s", [named(number) for number in range(20)])
    rng, before = np.random.default_rng(1), {}
    for number in range(20, 49):  # a number is drawn from the first 20 until there are 50
        for seed in range(3):
            now = sides(store, *split(store, held_out, seed=seed))
            assert before.setdefault(seed, now).items() <= now.items()
            before[seed] = now
        store.append(random_episode(SPEC, 4, rng, **named(number)))


@pytest.mark.parametrize("count", [2, 3, 5])
def test_no_part_is_empty_however_few_there_are(tmp_path, count):
    store = store_of(tmp_path / "s", [named(number) for number in range(count)])
    for seed in range(20):
        assert all(map(len, split(store, 0.01, seed=seed)))
        assert all(map(len, split(store, 0.99, seed=seed)))


def test_a_share_is_met_on_average_and_a_number_exactly(tmp_path):
    store = store_of(tmp_path / "s", [named(number) for number in range(300)])
    held = [len(split(store, 0.1, seed=seed)[1]) for seed in range(20)]
    assert 28 < np.mean(held) < 33
    assert len(set(map(tuple, (split(store, 30, seed=seed)[1] for seed in range(5))))) == 5
    for size in (1, 30, 299):
        training, part = split(store, size)
        assert len(part) == size
        assert sorted([*training, *part]) == list(range(300))


def test_a_stream_more_or_another_order_moves_nothing(tmp_path):
    one = store_of(tmp_path / "one", [named(number) for number in range(30)])
    more = store_of(tmp_path / "more", [named(number) for number in reversed(range(30))], spec=small_spec(4), seed=9)
    for seed in range(5):
        a, b = (sides(store, *split(store, 0.3, seed=seed)) for store in (one, more))
        # The first two of a recording are told apart by rank alone, so that neither side is ever empty.
        assert all(a[str(named(number))] == b[str(named(number))] for number in range(2, 28))


def test_merged_recordings_of_the_same_episodes_have_them_on_one_side(tmp_path):
    both = [store_of(tmp_path / name, [named(n) for n in range(12)], seed=i) for i, name in enumerate("ab")]
    merged = merge(both, tmp_path / "merged")
    held = set(split(merged, 0.3)[1])
    assert held == {number % 12 for number in held} | {number % 12 + 12 for number in held}


def test_without_a_name_the_digest_counts_and_one_name_for_all_is_no_name(tmp_path):
    for about in ({}, {"source": "sim"}):
        store = store_of(tmp_path / f"s{len(about)}", [about] * 20)
        first = split(store, 0.3)
        rng = np.random.default_rng(5)
        store.append(*[random_episode(SPEC, 4, rng, **about) for _ in range(20)])
        after = split(store, 0.3)
        for before, now in zip(first, after, strict=True):
            assert set(before) <= set(now)
        assert len(after[1]) > len(first[1])


def test_copies_follow_the_first_of_them(tmp_path):
    rng = np.random.default_rng(0)
    episodes = [random_episode(SPEC, 4, rng, **named(number)) for number in range(20)]
    store = Episodes.create(tmp_path / "s", SPEC)
    store.append(*episodes)
    first = split(store, 0.3), split(store, 5)
    for number in range(20):
        copy = random_episode(SPEC, 4, rng, **named(100 + number))
        copy.observations, copy.actions = episodes[number].observations, episodes[number].actions
        store.append(copy)
    for (training, held), held_out in zip(first, (0.3, 5), strict=True):
        after = split(store, held_out)
        if held_out == 0.3:
            assert after[0].tolist() == [*training, *(training + 20)]
            assert after[1].tolist() == [*held, *(held + 20)]
        assert not {n % 20 for n in after[0]} & {n % 20 for n in after[1]}


def test_copies_stay_together_in_several_parts(tmp_path):
    store = Episodes.create(tmp_path / "s", SPEC)
    rng = np.random.default_rng(0)
    for number in range(20):
        store.append(*[random_episode(SPEC, 4, rng, number=number)] * (1 + number % 3))
    number = np.array([info["number"] for info in store.infos])
    for seed in range(10):
        parts = split(store, (0.2, 3), seed=seed)
        assert sorted(np.concatenate(parts)) == list(range(len(store)))
        assert len(parts[2]) >= 3
        assert sum(len(set(number[part])) for part in parts) == 20
        assert all((np.diff(part) > 0).all() for part in parts)


def test_a_split_that_leaves_nothing_is_refused(tmp_path):
    store = Episodes.create(tmp_path / "s", SPEC)
    store.append(*[random_episode(SPEC, 4, np.random.default_rng(0))] * 5)
    with pytest.raises(ArmillaryError, match=r"more to train on; got 1\. Add"):
        split(store, 0.2)


def test_one_table_is_split_by_time_with_a_gap(tmp_path):
    store = table_of(tmp_path / "s", [10] * 12 + [3])
    starts = np.array([info["row"] for info in store.infos])
    for seed in range(3):
        training, held = split(store, 0.2, seed=seed, gap=15)
        assert held.tolist() == [10, 11, 12]  # a fifth of the rows, nearly
        assert training.tolist() == list(range(8))
        assert starts[held[0]] - (starts[training[-1]] + 9) - 1 >= 15
    assert split(store, 1)[0].tolist() == list(range(10))  # even the least gap leaves out what shares a row
    _, one, two = split(store, (0.1, 2))
    assert one.tolist() == [8]
    assert two.tolist() == [10, 11, 12]
    with pytest.raises(ArmillaryError, match=r"one source in 2 parts .*--longest"):
        split(table_of(tmp_path / "two", [10, 10]), 1)


def test_a_second_table_leaves_the_first_as_it_was_and_few_parts_stay_together(tmp_path):
    january, february = table_of(tmp_path / "a", [10] * 12), table_of(tmp_path / "b", [10] * 12, "b.csv", 1)
    short = [table_of(tmp_path / f"{i}", [10] * 3, f"short{i}.csv", 2 + i) for i in range(8)]
    merged = merge([january, february, *short], tmp_path / "merged")
    training, held = split(merged, 0.25)
    for own, first in ((split(january, 0.25), 0), (split(february, 0.25), 12)):
        for before, now in zip(own, (training, held), strict=True):
            assert set(before + first) <= set(now)
    assert {9, 10, 11, 21, 22, 23} <= set(held)
    for first in range(24, 48, 3):
        assert len({*range(first, first + 3)} & set(held)) in (0, 3)


def test_idle_parts_that_are_alike_are_on_one_side(tmp_path):
    store = table_of(tmp_path / "s", [10] * 10)
    idle = store.episode(2)
    again = [store.episode(n) for n in range(10)]
    again[9].observations, again[9].actions = idle.observations, idle.actions
    copied = Episodes.create(tmp_path / "copied", SPEC)
    for episode in again:
        episode.truth = {"position": np.zeros((10, 2), np.float32)}
    copied.append(*again)
    training, held = split(copied, 0.2)
    assert 2 in training
    assert held.tolist() == [8]


def test_named_episodes_are_held_out(tmp_path):
    store = store_of(tmp_path / "s", [named(10 + number) for number in range(8)])
    assert [part.tolist() for part in split_off(store, (1, 7))] == [[0, 2, 3, 4, 5, 6], [1, 7]]
    assert split_off(store, ["11", "17"])[1].tolist() == [1, 7]
    for wrong in ((8,), ("8",), (-1,)):
        with pytest.raises(ArmillaryError, match="8 episodes, counted from 0; none is"):
            split_off(store, wrong)
    with pytest.raises(ArmillaryError, match="0 are left"):
        split_off(store, range(8))
    table = table_of(tmp_path / "t", [10] * 8)
    assert split_off(table, [3], gap=5)[0].tolist() == [0, 1, 5, 6, 7]


def test_what_the_starting_model_has_seen_is_never_held_out(tmp_path):
    first = store_of(tmp_path / "first", [named(number) for number in range(30)])
    training, _ = split(first, 0.2)
    known = [fingerprint(first, training)]
    # The same episodes with a stream more, and as many new ones.
    both = store_of(tmp_path / "both", [named(number) for number in range(60)], spec=small_spec(4), seed=3)
    for seed in range(5):
        for held_out in (0.5, 10):
            later = split(both, held_out, seed=seed, seen=was_seen(both, known))
            assert not set(later[1]) & set(training)
            assert set(training) <= set(later[0])
    with pytest.raises(ArmillaryError, match="was trained on episodes"):
        split_off(both, training[:1], seen=was_seen(both, known))
    with pytest.raises(ArmillaryError, match="trained on every episode"):
        split(first, 0.2, seen=was_seen(first, [fingerprint(first, range(30))]))
    other = store_of(tmp_path / "other", [named(number) for number in range(30)], seed=8)  # other episodes, same streams
    assert not was_seen(other, known).any()


def test_rows_that_the_starting_model_has_seen_are_known_however_they_are_cut(tmp_path):
    coarse, fine = table_of(tmp_path / "coarse", [13] * 8), table_of(tmp_path / "fine", [7] * 16, seed=1)
    seen = was_seen(fine, [fingerprint(coarse, range(4))])
    assert seen.tolist() == [True] * 9 + [False] * 7
    held = split(fine, 0.5, seen=seen)[1]
    assert held.tolist() == [*range(9, 16)][-len(held) :]
    assert not seen[held].any()
