"""Pictures of any order of axes, colours and depth of files, and whole numbers: recognised, or refused with the question."""

import io

import numpy as np
import pytest

from armillary.axes import axes_of, check_axes, picture_shape, to_pictures
from armillary.episodes.formats.hdf5 import import_hdf5
from armillary.episodes.store import Episodes
from armillary.errors import ArmillaryError, CorruptFile

h5py = pytest.importorskip("h5py")
pytest.importorskip("lance")
Image = pytest.importorskip("PIL.Image")

ROWS, SIDES = 4, (20, 24)
PICTURES = np.random.default_rng(0).integers(0, 256, (ROWS, *SIDES, 3), np.uint8)


@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((64, 64), "hw"),
        ((64, 48, 3), "hwc"),
        ((3, 64, 48), "chw"),
        ((4, 84, 84), "chw"),
        ((84, 84, 4), "hwc"),
        ((4, 3, 64, 48), "kchw"),
        ((4, 64, 48, 3), "khwc"),
        ((64, 64, 64), None),
        ((3, 3, 3), None),
        ((64, 3, 64, 64), None),
        ((7,), None),
    ],
)
def test_axes_are_found_or_not(shape, axes):
    assert axes_of(shape) == axes


def test_stacks_become_channels_oldest_first():
    stack = np.arange(2 * 4 * 5 * 6 * 3).reshape(2, 4, 5, 6, 3)  # two rows of four frames
    pictures = to_pictures(stack, "khwc")
    assert pictures.shape == (2, 5, 6, 12)
    np.testing.assert_array_equal(pictures[..., 3:6], stack[:, 1])
    np.testing.assert_array_equal(to_pictures(stack.transpose(0, 1, 4, 2, 3), "kchw"), pictures)
    assert picture_shape((4, 5, 6, 3), "khwc") == (5, 6, 12)


def test_axes_that_do_not_fit():
    assert check_axes("hwc", (3, 3, 3)) == "hwc"
    for axes, shape, words in (
        ("hw", (3, 3, 3), "expected 3 letters"),
        ("xyz", (3, 3, 3), "letters of h"),
        (None, (3, 3, 3), "hwc or chw"),
    ):
        with pytest.raises(ArmillaryError, match=words):
            check_axes(axes, shape)


def png(pixels):
    buffer = io.BytesIO()
    pixels.save(buffer, "PNG")
    return np.frombuffer(buffer.getvalue(), np.uint8)


def load(out, arrays, **options):
    out.mkdir()
    with h5py.File(out / "in.h5", "w") as file:
        file["action"] = np.zeros((ROWS, 1))
        for name, values in arrays.items():
            if isinstance(values, list):
                file.create_dataset(f"obs/{name}", data=np.array([*values, None], object)[:-1], dtype=h5py.vlen_dtype(np.uint8))
            else:
                file[f"obs/{name}"] = values
    summary = import_hdf5(out / "in.h5", out / "store", progress=False, **options)
    with Episodes.open(out / "store") as store:
        return summary, store.spec, store.episode(0).observations


def test_images_of_every_order(tmp_path):
    grey = np.stack([PICTURES[..., 0]] * 4, 1)
    arrays = {"chw": PICTURES.transpose(0, 3, 1, 2), "stack": grey, "colours": np.stack([PICTURES] * 2, 1)}
    arrays["rgba"] = np.concatenate([PICTURES, np.full_like(PICTURES[..., :1], 255)], -1)
    arrays["square"] = np.broadcast_to(PICTURES[..., :1], (ROWS, *SIDES, 20))
    summary, spec, seen = load(tmp_path / "a", arrays)
    assert {s.name: s.shape for s in spec.streams} == {
        "chw": (*SIDES, 3),
        "stack": (*SIDES, 4),
        "colours": (*SIDES, 6),
        "rgba": (*SIDES, 3),
    }
    np.testing.assert_array_equal(seen["rgba"], PICTURES)
    assert "rgba image (without alpha)" in str(summary)
    np.testing.assert_array_equal(seen["chw"], PICTURES)
    np.testing.assert_array_equal(seen["stack"], grey.transpose(0, 2, 3, 1))
    np.testing.assert_array_equal(seen["colours"], np.concatenate([PICTURES] * 2, -1))
    assert "chw image (axes chw of (3, 20, 24))" in str(summary)
    assert "order of their axes" in summary.ignored["obs/square"]
    _, spec, seen = load(tmp_path / "b", arrays, axes={"square": "whc"}, image_size=10)
    assert spec["square"].shape == (10, 10, 20)
    assert seen["chw"].shape == (ROWS, 10, 10, 3)
    with pytest.raises(ArmillaryError, match=r"obs/square: .*hwc or chw"):
        load(tmp_path / "c", arrays, kinds={"square": "image"})


def test_colours_are_said_and_exchanged_on_request(tmp_path):
    files = [png(Image.fromarray(picture)) for picture in PICTURES]
    arrays = {"array": PICTURES, "first": PICTURES.transpose(0, 3, 1, 2), "file": files, "q": np.zeros((ROWS, 2))}
    summary, _, seen = load(tmp_path / "a", arrays)
    assert "colours are taken as RGB: array, file, first" in str(summary)
    summary, _, swapped = load(tmp_path / "b", arrays, bgr=("array", "first", "file"))
    assert "colours are taken" not in str(summary)
    assert "(BGR to RGB)" in str(summary)
    for name in ("array", "first", "file"):
        np.testing.assert_array_equal(seen[name], PICTURES)
        np.testing.assert_array_equal(swapped[name], PICTURES[..., ::-1])
    with pytest.raises(ArmillaryError, match=r"obs/q: float64 .*no image"):
        load(tmp_path / "c", arrays, bgr=("q",))


def test_files_with_alpha_grey_and_depth(tmp_path):
    alpha = np.full((*SIDES, 1), 9, np.uint8)
    millimetres = np.arange(ROWS, dtype=np.uint16)[:, None, None] * 1000 + np.zeros(SIDES, np.uint16)
    arrays = {
        "alpha": [png(Image.fromarray(np.concatenate([picture, alpha], -1))) for picture in PICTURES],
        "grey": [png(Image.fromarray(picture[..., 0])) for picture in PICTURES],
        "front": [png(Image.fromarray(plane)) for plane in millimetres],
    }
    summary, spec, seen = load(tmp_path / "a", arrays)
    np.testing.assert_array_equal(seen["alpha"], PICTURES)
    np.testing.assert_array_equal(seen["grey"], PICTURES[..., :1])
    assert (spec["front"].kind, spec["front"].shape) == ("depth", SIDES)
    np.testing.assert_array_equal(seen["front"][:, 0, 0], np.float32([np.nan, 1, 2, 3]))
    assert "without alpha" in str(summary)
    assert load(tmp_path / "b", arrays, image_size=4)[2]["front"].shape == (ROWS, 4, 4)
    colour_later = [png(Image.fromarray(picture if row else picture[..., 0])) for row, picture in enumerate(PICTURES)]
    with pytest.raises(ArmillaryError, match="20x24 RGB"):
        load(tmp_path / "c", {"mixed": colour_later})
    grey_later = [png(Image.fromarray(picture[..., 0] if row else picture)) for row, picture in enumerate(PICTURES)]
    np.testing.assert_array_equal(load(tmp_path / "d", {"mixed": grey_later})[2]["mixed"][1, ..., 2], PICTURES[1, ..., 0])
    with pytest.raises((ArmillaryError, CorruptFile), match="16 bits"):
        load(tmp_path / "e", {"mixed": [arrays["front"][0], *arrays["grey"][1:]]})


def test_the_last_part_of_a_name_decides_the_kind(tmp_path):
    arrays = {
        "depth_camera/pose": np.zeros((ROWS, 4, 4)),
        "lidar/odometry": np.zeros((ROWS, 7)),
        "lidar/ranges": np.ones((ROWS, 90)),
        "agentview_depth": np.ones((ROWS, 1, *SIDES)),
        "cloud/colour": np.zeros((ROWS, 5, 3)),
    }
    _, spec, _ = load(tmp_path / "a", arrays)
    assert {s.name: (s.kind, s.shape) for s in spec.streams} == {
        "depth_camera.pose": ("vector", (16,)),
        "lidar.odometry": ("vector", (7,)),
        "lidar.ranges": ("scan", (90,)),
        "agentview_depth": ("depth", SIDES),
        "cloud.colour": ("vector", (15,)),
    }


@pytest.mark.parametrize(
    ("numbers", "kind", "expected"),
    [
        (np.array([0, 1, 2, 1]), None, ("discrete", 3, False)),
        (np.array([0, 1, 2, 1]), "box", ("box", 1, True)),
        (np.array([-1, 1, 2, 1]), "box", ("box", 1, True)),
        (np.array([0.0, 1.0, 2.0, 1.0]), "discrete", ("discrete", 3, False)),
        (np.array([[0, 1]] * 4), None, ("box", 2, True)),
        (np.array([[0.0, 1.0]] * 4), None, ("box", 2, False)),
    ],
)
def test_whole_numbers_are_choices_or_amounts(tmp_path, numbers, kind, expected):
    with h5py.File(tmp_path / "in.h5", "w") as file:
        file["obs/q"], file["action"] = np.zeros((ROWS, 2)), numbers
    import_hdf5(tmp_path / "in.h5", tmp_path / "store", action_kind=kind, progress=False)
    with Episodes.open(tmp_path / "store") as store:
        space = store.spec.action
        assert (space.kind, space.n, space.whole) == expected
        np.testing.assert_array_equal(store.episode(0).actions, numbers[:-1].reshape(3, *space.shape))


def test_negative_choices_name_the_way_out(tmp_path):
    with h5py.File(tmp_path / "in.h5", "w") as file:
        file["obs/q"], file["action"] = np.zeros((ROWS, 2)), np.array([-1, 1, 2, 1])
    with pytest.raises(ArmillaryError, match="--action-kind box"):
        import_hdf5(tmp_path / "in.h5", tmp_path / "store", progress=False)
