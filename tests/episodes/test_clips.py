"""Clips: every window is a slice of one episode, in every tier, and nothing else is read."""

import os
import tempfile
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import torch
from episode_fakes import random_episode, small_spec
from hypothesis import given, settings
from hypothesis import strategies as st

from armillary.episodes.clips import Batch, Clips
from armillary.episodes.store import Episode, Episodes
from armillary.episodes.tiers import remove_cache
from armillary.errors import ArmillaryError, CorruptFile, SpecMismatch
from armillary.spec import ActionSpace, Spec, Stream

ROWS = (7, 1, 12, 3, 30, 12, 2, 19)


@lru_cache
def recording(kind: str = "box") -> tuple[Episodes, list[Episode], tempfile.TemporaryDirectory]:
    """A store of episodes of different lengths, the episodes, and the folder that lives as long as they do."""
    folder = tempfile.TemporaryDirectory()
    spec = small_spec(4, ActionSpace(kind, 2))
    rng = np.random.default_rng(0)
    episodes = [random_episode(spec, rows, rng) for rows in ROWS]
    store = Episodes.create(f"{folder.name}/store", spec)
    store.append(*episodes)
    return store, episodes, folder


def tier_settings(folder: str) -> list[dict]:
    return [{"budget_mb": 512}, {"budget_mb": 0, "cache_dir": f"{folder}/cache"}, {"budget_mb": 0}]


def naive(episode: Episode, step: int, length: int, skip: int) -> tuple[dict, np.ndarray, np.ndarray]:
    """A window by the definition: frames, action blocks, truth."""
    rows = [step + k * skip for k in range(length)]
    frames = {name: np.stack([values[row] for row in rows]) for name, values in episode.observations.items()}
    actions = episode.actions
    if actions.ndim == 1:
        actions = np.eye(2, dtype=np.float32)[actions]
    blocks = [np.concatenate(actions[row : row + skip]) for row in rows[:-1]]
    return (
        frames,
        np.stack(blocks) if blocks else np.empty((0, skip * 2)),
        np.stack([episode.truth["position"][r] for r in rows]),
    )


def differs(batch: Batch, episodes: list[Episode], length: int, skip: int) -> str | None:
    """What of a batch is not as the naive window says, if anything."""
    for i in range(len(batch)):
        frames, blocks, truth = naive(episodes[int(batch.episode[i])], int(batch.step[i]), length, skip)
        for name, values in batch.observations.items():
            if not np.array_equal(values[i], frames[name]):
                return name
        if batch.actions[i].shape != blocks.shape or not np.array_equal(batch.actions[i], blocks):
            return "actions"
        if batch.truth and not np.array_equal(batch.truth["position"][i], truth):
            return "truth"
    return None


window = {
    "length": st.integers(1, 5),
    "skip": st.integers(1, 4),
    "stride": st.integers(1, 5),
    "which": st.none() | st.sets(st.integers(0, len(ROWS) - 1), min_size=1).map(lambda s: [4, *s]),
    "kind": st.sampled_from(["box", "discrete"]),
}


@settings(max_examples=40, deadline=None)
@given(**window)
def test_windows_are_slices_of_one_episode_in_every_tier(length, skip, stride, which, kind):
    store, episodes, folder = recording(kind)
    reach = (length - 1) * skip
    chosen = range(len(ROWS)) if which is None else sorted(set(which))
    expected = [(e, s) for e in chosen for s in range(0, ROWS[e] - reach, stride)]
    names = []
    for tier in tier_settings(folder.name):
        clips = Clips(store, length, skip=skip, stride=stride, which=which, truth=["position"], **tier)
        names.append(set(clips.tiers.values()))
        assert len(clips) == len(expected)
        batches = list(clips.sequential(7))
        assert [(int(e), int(s)) for b in batches for e, s in zip(b.episode, b.step, strict=True)] == expected
        for batch in batches:
            assert differs(batch, episodes, length, skip) is None
            assert batch.observations["camera.image"].dtype == torch.uint8
            assert batch.actions.dtype == torch.float32
            assert batch.actions.isfinite().all()
    assert names == [{"resident"}, {"mapped"}, {"streamed"}]


@settings(max_examples=20, deadline=None)
@given(**window)
def test_tracks_hold_every_used_frame_once(length, skip, stride, which, kind):
    store, episodes, _ = recording(kind)
    clips = Clips(store, length, skip=skip, stride=stride, which=which, truth=["position"])
    used, seen = set(), []
    for batch in clips.sequential(50):
        for e, s in zip(batch.episode.tolist(), batch.step.tolist(), strict=True):
            used |= {(e, s + k * skip) for k in range(length)}
    for track in clips.tracks():
        frames = track.actions.shape[1] + 1
        assert differs(track, episodes, frames, skip) is None
        seen += [(int(track.episode), int(track.step) + k * skip) for k in range(frames)]
    assert len(seen) == len(set(seen))
    assert set(seen) == used


@pytest.mark.parametrize("shift", [-1, 1])
def test_shifted_actions_would_be_noticed(shift):
    """The comparison above is no good if actions that are off by one passed it."""
    store, episodes, _ = recording()
    shifted = [Episode(e.observations, np.roll(e.actions, shift, 0), e.truth) for e in episodes]
    batch = Clips(store, 3, skip=2)[:20]
    assert differs(batch, episodes, 3, 2) is None
    assert differs(batch, shifted, 3, 2) == "actions"


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 4), st.integers(1, 6), st.integers(0, 2**32))
def test_batches_grouped_by_episode(per_episode, groups, seed):
    store, episodes, _ = recording()
    clips = Clips(store, 2, skip=2)
    batch = clips.sample(per_episode * groups, np.random.default_rng(seed), per_episode=per_episode)
    chosen = batch.episode.reshape(groups, per_episode)
    assert (chosen == chosen[:, :1]).all()
    usable = sum(rows > 2 for rows in ROWS)
    assert len(set(chosen[:, 0].tolist())) == min(groups, usable) or groups > usable
    assert differs(batch, episodes, 2, 2) is None


def test_samples_are_uniform_over_windows_or_over_episodes():
    store, _, _ = recording()
    clips = Clips(store, 2, which=[0, 4])
    rng = np.random.default_rng(0)
    share = (clips.sample(4000, rng).episode == 4).float().mean()
    assert abs(share - 29 / (29 + 6)) < 0.03
    share = np.mean([(clips.sample(2, rng, per_episode=2).episode[0] == 4) for _ in range(1000)])
    assert abs(share - 0.5) < 0.06
    steps = np.bincount(Clips(store, 2, which=[0]).sample(6000, rng, per_episode=6).step, minlength=6)
    assert (abs(steps / 1000 - 1) < 0.2).all()


def test_stream_gives_what_sample_gives():
    store, _, folder = recording()
    for tier in tier_settings(folder.name):
        clips = Clips(store, 3, **tier)
        one, two = np.random.default_rng(3), np.random.default_rng(3)
        ahead = clips.stream(8, one, per_episode=2)
        for _ in range(5):
            a, b = next(ahead), clips.sample(8, two, per_episode=2)
            assert torch.equal(a.episode, b.episode)
            assert torch.equal(a.observations["camera.image"], b.observations["camera.image"])
        ahead.close()


def test_an_error_in_the_background_reaches_the_caller():
    store, _, _ = recording()
    clips = Clips(store, 3)
    with pytest.raises(IndexError):
        list(clips.prefetch([np.array([0]), np.array([10_000])]))


def test_indexing():
    store, _, _ = recording()
    clips = Clips(store, 2)
    assert len(clips[0]) == 1
    assert clips[-1].step.item() == ROWS[-1] - 2
    assert torch.equal(clips[3:6].step, clips.batch([3, 4, 5]).step)
    with pytest.raises(IndexError):
        clips[len(clips)]


def test_only_used_rows_are_decoded(monkeypatch):
    store, _, _ = recording()
    read = []
    original = Episodes.read_rows
    monkeypatch.setattr(Episodes, "read_rows", lambda self, rows, *a, **k: read.append(rows) or original(self, rows, *a, **k))
    Clips(store, 3, skip=5, stride=5, streams=["camera.image"])
    rows = np.concatenate(read)
    assert len(rows) == len(set(rows.tolist())) == sum(-(-n // 5) for n in ROWS if n > 10)


def test_what_fits_is_resident_and_the_rest_is_not(tmp_path):
    store, _, _ = recording()
    clips = Clips(store, 2, budget_mb=0.003, cache_dir=tmp_path)
    assert clips.tiers == {"state": "resident", "camera.image": "mapped"}


def test_a_cache_file_is_made_once_and_checked(tmp_path):
    store, episodes, _ = recording()
    make = lambda **k: Clips(store, 2, streams=["camera.image"], budget_mb=0, cache_dir=tmp_path, **k)  # noqa: E731
    clips = make()
    (file,) = tmp_path.iterdir()
    made = file.stat().st_mtime_ns
    make()
    assert [path.stat().st_mtime_ns for path in tmp_path.iterdir()] == [made]
    make(image_size=2)
    assert len(list(tmp_path.iterdir())) == 2
    os.truncate(file, 100)
    with pytest.raises(CorruptFile, match="delete it"):
        list(clips.sequential(10))
    assert differs(make()[:], episodes, 2, 1) is None  # too small to be finished, so made again


def test_a_cache_is_removed_and_nothing_else(tmp_path):
    store, _, _ = recording()
    folder = tmp_path / "cache"
    for mine in (None, folder / "thesis.frames"):
        Clips(store, 2, budget_mb=0, cache_dir=folder)
        if mine:
            mine.write_text("mine")
        remove_cache(folder)
        assert list(tmp_path.rglob("*.frames")) == ([mine] if mine else [])
        assert folder.exists() == bool(mine)


def test_a_cache_that_cannot_be_written_says_so(tmp_path):
    store, _, _ = recording()
    (tmp_path / "file").write_text("")
    with pytest.raises(ArmillaryError, match="cannot be written"):
        Clips(store, 2, budget_mb=0, cache_dir=tmp_path / "file")


def test_resized_images_and_their_spec():
    store, episodes, _ = recording()
    clips = Clips(store, 2, streams=["camera.image"], image_size=2)
    image = clips[:3].observations["camera.image"]
    assert image.shape == (3, 2, 2, 2, 3)
    assert clips.spec["camera.image"].shape == (2, 2, 3)
    whole = episodes[0].observations["camera.image"][0].reshape(2, 2, 2, 2, 3).mean((1, 3))
    assert np.abs(image[0, 0].numpy() - whole).max() <= 1


def test_truth_is_apart_and_only_when_asked_for():
    store, _, _ = recording()
    assert Clips(store, 2)[:2].truth == {}
    batch = Clips(store, 2, truth=["position"])[:2]
    assert set(batch.truth) == {"position"}
    assert "position" not in batch.observations
    with pytest.raises(ArmillaryError, match="ground truth"):
        Clips(store, 2, streams=["position"])


def test_batch_moves_as_a_whole():
    store, _, _ = recording()
    batch = Clips(store, 2, truth=["position"])[:2].to("meta")
    tensors = [*batch.observations.values(), *batch.truth.values(), batch.actions, batch.episode, batch.step]
    assert {x.device.type for x in tensors} == {"meta"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"length": 31}, "need 31 rows; the longest of 8 episodes has 30"),
        ({"length": 4, "skip": 10}, "need 31 rows"),
        ({"length": 0}, "is a whole number from 1"),
        ({"length": 2, "which": [8]}, "the store has 8"),
        ({"length": 2, "which": []}, "no episode was chosen"),
        ({"length": 2, "streams": ["sound"]}, "no stream 'sound'"),
    ],
)
def test_bad_arguments(arguments, message):
    store, _, _ = recording()
    with pytest.raises(ArmillaryError) as error:
        Clips(store, **arguments)
    assert message in str(error.value)


def test_a_batch_that_does_not_divide():
    with pytest.raises(ArmillaryError, match="cannot hold 4 of each"):
        Clips(recording()[0], 2).sample(6, np.random.default_rng(0), per_episode=4)


def test_an_empty_store(tmp_path):
    with pytest.raises(ArmillaryError, match="empty store"):
        Clips(Episodes.create(tmp_path / "s", small_spec()), 2)


def test_streams_of_other_kinds(tmp_path):
    spec = Spec((Stream("scan", "scan", (5,)), Stream("depth", "depth", (3, 4))), ActionSpace("box", 1))
    episode = random_episode(spec, 9, np.random.default_rng(0))
    store = Episodes.create(tmp_path / "s", spec)
    store.append(episode)
    for tier in tier_settings(tmp_path):
        batch = Clips(store, 3, skip=2, **tier)[[2]]
        for name in ("scan", "depth"):
            np.testing.assert_array_equal(batch.observations[name][0], episode.observations[name][2:7:2])


def test_memory_of_the_mapped_tier_is_that_of_its_batches(tmp_path):
    """A cache file twenty times as large as a batch is read without being kept in memory."""
    spec = Spec((Stream("image", "image", (128, 128, 3)),), ActionSpace("box", 1))
    store = Episodes.create(tmp_path / "s", spec)
    for seed in range(10):
        store.append(random_episode(spec, 100, np.random.default_rng(seed)))
    clips = Clips(store, 4, budget_mb=0, cache_dir=tmp_path / "cache")

    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    for batch in clips.sequential(8):
        del batch
        break
    before = resident()
    total = sum(len(batch) for batch in clips.sequential(8))
    assert total == len(clips) == 970
    assert resident() - before < 20e6


def test_unknown_stream_is_a_mismatch():
    with pytest.raises(SpecMismatch):
        Clips(recording()[0], 2, truth=["nothing"])
