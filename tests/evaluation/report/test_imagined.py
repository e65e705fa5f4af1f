import numpy as np
import pytest
from judging_fakes import Known
from recording_fakes import Point

from armillary.acting.agent import Agent
from armillary.episodes.record import record
from armillary.errors import ArmillaryError
from armillary.evaluation.control.pairs import make_eval_set
from armillary.evaluation.control.rollouts import run
from armillary.evaluation.report.animation import animate
from armillary.evaluation.report.imagined import Gallery, imagined_control, imagined_recording, make_gallery
from armillary.planning import CEM
from armillary.worlds.world import make


@pytest.fixture(scope="module")
def world():
    return make("two_room", num_envs=8, autoreset_mode="Disabled", max_steps=None)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    world = make("two_room", num_envs=8, max_steps=20)
    path = tmp_path_factory.mktemp("imagination") / "store"
    policy = lambda observations, rng: rng.uniform(-1, 1, (8, 2)).astype(np.float32)  # noqa: E731
    return record(world, policy, path, episodes=16, seed=0)


@pytest.fixture(scope="module")
def model(world):
    return Known(world.stream_spec)


@pytest.fixture(scope="module")
def gallery(model, store):
    return make_gallery(model, store, range(12), place="position")


def test_a_gallery_pairs_each_latent_with_its_own_frame_and_place(gallery):
    assert gallery.frames.shape == (12 * 21, 64, 64, 3)
    np.testing.assert_allclose(gallery.z * 64, gallery.place, atol=0.1)
    assert (gallery.nearest(gallery.z[[5, 80]]) == [5, 80]).all()
    assert gallery.when[0] == 0
    assert gallery.when[20] == 1


def test_looking_up_counts_each_dimension_by_its_spread():
    gallery = Gallery(np.array([[0.0, 0.0], [1000.0, 0.0], [0.0, 1.0]]), np.zeros((3, 1, 1, 3)), None, np.zeros(3))
    assert gallery.nearest(np.array([300.0, 0.9])) == 2


def test_control_shows_what_the_first_plan_said(world, model, gallery):
    pairs = make_eval_set(world, 4, seed=1, rollouts=2, cross=False, min_distance=1.5)
    rollouts = run(
        world, Agent(model, CEM(horizon=3, samples=64, iterations=4, elites=6)), pairs.start, pairs.goal, pairs.budget
    )
    shown = imagined_control(world, pairs, rollouts, gallery, [0, 3], skip=1, place="position")
    for row, episode in zip((0, 3), shown, strict=True):
        assert len(episode.real) == len(episode.imagined) == pairs.budget[row] + 1
        np.testing.assert_array_equal(episode.real[0], world.render_states(pairs.start[row : row + 1])["image"][0])
        np.testing.assert_array_equal(episode.imagined[0], episode.real[0])
        np.testing.assert_array_equal(episode.imagined[-1], episode.imagined[3])
        assert episode.success == rollouts.held(3)[row]
        # This model knows how motion goes, so that its plan's first step is near where the agent then went.
        assert np.abs(episode.imagined_place[1] - episode.real_place[1]).max() < 8


def test_a_recording_is_shown_beside_its_own_imagination(model, store, gallery):
    (first, second) = imagined_recording(model, store, [13, 14], gallery, blocks=5)
    assert first.real.shape == second.imagined.shape == (6, 64, 64, 3)
    assert first.goal is None
    assert (first.real != second.real).any()


def test_a_gallery_needs_images(tmp_path):
    from recording_fakes import record as record_point

    with pytest.raises(ArmillaryError, match="needs an image stream"):
        make_gallery(Point(), record_point(tmp_path / "store", episodes=2), [0])


def test_the_animation_shows_every_moment_of_every_episode(model, store, gallery):
    from io import BytesIO

    from PIL import Image

    shown = imagined_recording(model, store, [13, 14, 15], gallery, blocks=5)
    film = Image.open(BytesIO(animate(shown, together=2)))
    assert film.format == "GIF"
    assert film.n_frames >= 2 * 6
    film.seek(1)
    assert film.convert("RGB").getpixel((1, 1)) == (255, 255, 255)
