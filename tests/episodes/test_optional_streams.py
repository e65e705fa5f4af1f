"""A stream that some episodes are without: stored, merged, examined, learned and judged; and never taken for a measurement."""

from dataclasses import replace

import gymnasium
import numpy as np
import pytest
import torch
from episode_fakes import assert_equal, random_episode, small_spec
from gymnasium.spaces import Box, Dict

from armillary.episodes.clips import Clips
from armillary.episodes.doctor import diagnose
from armillary.episodes.formats.lerobot_export import export_lerobot
from armillary.episodes.merge import merge, merged_spec
from armillary.episodes.record import record
from armillary.episodes.scripted import Random
from armillary.episodes.split import split
from armillary.episodes.store import Episode, Episodes
from armillary.errors import ArmillaryError, SpecMismatch
from armillary.evaluation.latent.prediction import evaluate_prediction
from armillary.evaluation.report.imagined import make_gallery
from armillary.latents import encode_episodes, encode_tracks
from armillary.model.config import ModelConfig
from armillary.model.world_model import WorldModel
from armillary.objectives.prediction import Prediction
from armillary.objectives.sigreg import SIGReg
from armillary.spec import NO_ACTION, ActionSpace, Spec, Stream
from armillary.training.fit import fit
from armillary.training.loop import TrainConfig
from armillary.training.recipes import Recipe
from armillary.training.stages import StageConfig

CAMERA, STATE = "camera.image", "state"
CONFIG = ModelConfig(
    image_size=16,
    width=4,
    projector=16,
    latent=4,
    predictor_width=16,
    objective={"prediction": Prediction(rollout=2), "sigreg": SIGReg()},
)


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """Two recordings, of camera and state and of state alone, and their episodes."""
    folder, rng, made = tmp_path_factory.mktemp("optional"), np.random.default_rng(0), []
    for name, image in (("both", True), ("state", False)):
        spec = small_spec(16, image=image)
        episodes = [random_episode(spec, 12, rng) for _ in range(6)]
        with Episodes.create(folder / name, spec, info={"world": "none", "seed": len(made)}) as store:
            store.append(*episodes)
        made.append((Episodes.open(folder / name), episodes))
    return made


@pytest.fixture(scope="module")
def merged(parts, tmp_path_factory):
    return merge([store for store, _ in parts], tmp_path_factory.mktemp("merged") / "store")


def test_the_doctor_takes_angles_beside_a_vector_that_some_episodes_are_without(tmp_path):
    streams = Stream("force", "vector", (2,), optional=True), Stream("arm", "vector", (2,), unit=("m", "rad"))
    spec, rng = Spec(streams, ActionSpace("box", 1), 10), np.random.default_rng(0)
    with Episodes.create(tmp_path / "s", spec) as store:
        for number in range(4):
            actions = rng.uniform(-1, 1, (60, 1)).astype(np.float32)
            turned = np.concatenate([[0], 0.1 * np.cumsum(actions)])
            seen = {"arm": np.stack([turned, (turned + np.pi) % (2 * np.pi) - np.pi], 1).astype(np.float32)}
            if number % 2:
                seen["force"] = rng.normal(size=(61, 2)).astype(np.float32)
            store.append(Episode(seen, actions))
        verdicts = {row.check: row.verdict for row in diagnose(store).rows}
    assert verdicts["lag of the action"] == verdicts["optional force"] == "ok"


def test_two_recordings_become_one(parts, merged):
    store = Episodes.open(merged.path)
    assert store.spec[CAMERA].optional
    assert not store.spec[STATE].optional
    assert Spec.from_json(store.spec.to_json()) == store.spec
    for number, episode in enumerate([*parts[0][1], *parts[1][1]]):
        stored = store.episode(number, truth=True)
        episode = Episode(episode.observations, episode.actions, episode.truth, stored.info)
        assert_equal(stored, episode)
    assert store.infos[7]["recording"] == "state"
    assert store.info["world"] == "none"
    assert "seed" not in store.info
    np.testing.assert_array_equal(store.present[CAMERA], [True] * 6 + [False] * 6)
    both = store.read_rows(np.array([70, 0, 75]), [CAMERA])[CAMERA]  # rows of 5, 0 and 6
    assert (both[2] == 0).all()
    np.testing.assert_array_equal(both[0], store.read(5, 10)[CAMERA][0])
    np.testing.assert_array_equal(store.presence(np.array([70, 0, 75]), [CAMERA])[CAMERA], [True, True, False])
    with pytest.raises(ArmillaryError, match=r"episode 6 is without the optional stream camera\.image"):
        store.read(6, streams=[CAMERA])


def test_nothing_changes_for_a_store_without_optional_streams(parts):
    store = parts[0][0]
    assert "optional" not in store.spec.to_json()
    assert "absent" not in store._dataset.schema.names
    assert store.present == {}
    assert Clips(store, 3)[:2].present == {}


def test_to_be_without_a_stream_is_another_episode(tmp_path):
    streams = [Stream(name, "vector", (1,), optional=True) for name in "ab"]
    store = Episodes.create(tmp_path / "store", Spec(tuple(streams), NO_ACTION))
    same, none = np.zeros((3, 1), np.float32), np.empty((2, 0), np.float32)
    store.append(Episode({"a": same}, none), Episode({"b": same}, none), Episode({"a": same, "b": same}, none))
    store.append(Episode({"b": same}, none))
    assert len(set(store.digests)) == 3
    np.testing.assert_array_equal(store.present["a"], [True, False, True, False])
    assert np.isnan(store.read_rows(np.arange(3, 6), ["a"])["a"]).all()


@pytest.mark.parametrize("where", [{}, {"budget_mb": 0}, {"budget_mb": 0, "cache_dir": "cache"}])
def test_clips_say_where_it_is(merged, tmp_path, where):
    where = where | {"cache_dir": tmp_path} if "cache_dir" in where else where
    batch = Clips(merged, 3, skip=2, **where).sample(40, np.random.default_rng(0))
    assert batch.present[CAMERA].shape == (40, 3)
    assert torch.equal(batch.present[CAMERA], (batch.episode < 6)[:, None].expand(-1, 3))
    assert batch.to("cpu").present.keys() == {CAMERA}
    with pytest.raises(ArmillaryError, match=r"6 episodes have none of the streams camera\.image, such as \[6, 7, 8"):
        Clips(merged, 3, streams=[CAMERA])
    assert len(Clips(merged, 3, streams=[CAMERA], which=range(6)))


def test_the_doctor_tells_it_and_examines_the_rest(merged):
    rows = {row.check: row for row in diagnose(merged, parts=split(merged, 0.2)).rows}
    assert (rows[f"optional {CAMERA}"].value, rows[f"optional {CAMERA}"].verdict) == ("in 6 of 12 episodes", "ok")
    assert rows["NaN or missing"].verdict == "ok"
    assert f"frozen {CAMERA}" in rows
    assert rows["constant channels"].value == "0 of 3"


def test_what_others_do_not_know_is_left_out(merged, tmp_path):
    summary = export_lerobot(merged.path, tmp_path / "out", rate=10.0, progress=False)
    assert summary.left_out[CAMERA] == "some episodes may be without it, which LeRobot does not know"
    assert summary.episodes == 12


def test_what_is_not_there_is_not_read(merged):
    """Neither filler nor its absence reaches scales, latents or gradients."""
    torch.manual_seed(0)
    spec = Spec((merged.spec[CAMERA], Stream("imu", "vector", (2,), optional=True), merged.spec[STATE]), merged.spec.action)
    model = WorldModel(spec, CONFIG)
    batch = Clips(merged, 3).sample(32, np.random.default_rng(1))
    there = batch.present[CAMERA]
    batch.observations["imu"] = torch.where(there[..., None], 5 + torch.randn(32, 3, 2), torch.nan)
    batch.present["imu"] = there
    model.fit_scales(batch)
    assert (model.perception.encoders[1].mean > 3).all()
    model.losses(batch, torch.Generator().manual_seed(0))["loss"].backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())
    assert model.perception.absent[0].grad.abs().sum() > 0
    model.eval()
    z = model.encode(batch.observations, batch.present)
    for name in (CAMERA, "imu"):
        batch.observations[name][~there] = 77
    assert torch.equal(model.encode(batch.observations, batch.present), z)
    alone = model.encode({STATE: batch.observations[STATE]})
    torch.testing.assert_close(z[~there], alone[~there])
    assert not torch.allclose(z[there], alone[there])
    nowhere = {name: torch.zeros_like(there) for name in batch.present}
    torch.testing.assert_close(model.encode(batch.observations, nowhere), alone)


def test_frames_never_lose_all_that_they_have(merged):
    torch.manual_seed(0)
    perception = WorldModel(merged.spec, ModelConfig(image_size=16, width=4, drop_streams=0.6)).perception
    there = (torch.arange(2000) % 2 == 0).reshape(1, -1)
    dropped = perception._dropped(2000, {CAMERA: there})
    assert not dropped[1, ~there[0]].any()
    assert dropped[1, there[0]].any()


def test_it_is_learned_and_judged(merged, tmp_path):
    recipe = Recipe(CONFIG, (StageConfig("joint", steps=4, batch=8), StageConfig("dynamics", steps=2, batch=8)))
    model = fit(merged, tmp_path / "run", recipe, TrainConfig(progress=False), held_out=4, device="cpu")
    model = WorldModel.load(tmp_path / "run", "cpu")
    assert model.spec[CAMERA].optional
    result = evaluate_prediction(model, merged, range(12), [2])
    assert np.isfinite(result.rows["model"][0].error.value)
    clips = Clips(merged, 2)
    whole = encode_episodes(model, merged, range(12))
    for (z, _), episode in zip(encode_tracks(model, clips), whole, strict=True):
        np.testing.assert_allclose(z.detach(), episode.z, atol=1e-5)
    assert len(make_gallery(model, merged, range(12)).frames) == 6 * 12
    with pytest.raises(ArmillaryError, match="there is no gallery"):
        make_gallery(model, merged, range(6, 12))
    dead = encode_episodes(model, merged, [0], [STATE])[0].z
    assert not np.allclose(dead, whole[0].z)
    strict = WorldModel(small_spec(16), CONFIG).eval()
    with pytest.raises(SpecMismatch, match=r"'camera\.image' is absent in some frames"):
        encode_episodes(strict, merged, [7])
    with pytest.raises(SpecMismatch, match=r"some frames have none of the streams camera\.image"):
        encode_episodes(WorldModel(merged.spec.select([CAMERA]), CONFIG).eval(), merged, [7])


def test_a_world_without_it_is_recorded(tmp_path):
    class Blind(gymnasium.Env):
        observation_space = Dict({STATE: Box(-1, 1, (3,), np.float32)})
        action_space = Box(-1, 1, (2,), np.float32)

        def reset(self, *, seed=None, options=None):
            return {STATE: np.zeros(3, np.float32)}, {}

        def step(self, action):
            return {STATE: np.ones(3, np.float32)}, 0.0, False, False, {}

    streams = Stream(CAMERA, "image", (16, 16, 3), optional=True), Stream(STATE, "vector", (3,))
    spec = Spec(streams, ActionSpace("box", 2, (-1.0, -1.0), (1.0, 1.0)))
    store = record(Blind(), Random(spec.action), tmp_path / "store", spec=spec, steps=5)
    assert store.episode(0).observations.keys() == {STATE}
    assert not store.present[CAMERA].any()


def test_what_is_wrong_is_said(parts, tmp_path):
    (both, _), (state, episodes) = parts
    with pytest.raises(ArmillaryError, match="truth is not optional"):
        Stream("place", "vector", (2,), truth=True, optional=True)
    with pytest.raises(ArmillaryError, match="takes two recordings"):
        merge([both], tmp_path / "out")
    other = replace(state.spec[STATE], unit=("mm", "mm", "rad"))
    with pytest.raises(SpecMismatch, match="stream 'state' differs between recordings"):
        merged_spec([both.spec, Spec((other,), both.spec.action)])
    with pytest.raises(SpecMismatch, match="one action space can be merged"):
        merge([both, Episodes.create(tmp_path / "free", Spec(state.spec.streams, NO_ACTION))], tmp_path / "out")
    assert not (tmp_path / "out").exists()
    spec = merged_spec([both.spec, state.spec])
    store = Episodes.create(tmp_path / "store", spec)
    with pytest.raises(ArmillaryError, match=r"streams \[\], expected .* \(optional: \['camera\.image'\]\)"):
        store.append(replace(episodes[0], observations={}))
    with pytest.raises(ArmillaryError, match="a map takes all streams"):
        WorldModel(spec, replace(CONFIG, image_size=32, predictor="map", map_channels=2))
