"""Kinds of stream: what each says fits together, and nothing outside of kinds/ asks for one by its name."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

import armillary
from armillary import kinds
from armillary.errors import ArmillaryError, PluginError
from armillary.model.config import ModelConfig
from armillary.spec import Stream

STREAMS = [
    Stream("camera", "image", (24, 16, 3)),
    Stream("depth", "depth", (24, 16)),
    Stream("lidar", "scan", (30,), full_turn=True),
    Stream("cloud", "points", (20, 4)),
    Stream("state", "vector", (3,), unit=("rad", "m", "")),
    Stream("imu", "signal", (12, 2)),
]


def values_of(stream: Stream, rows: int = 5) -> np.ndarray:
    rng = np.random.default_rng(0)
    if stream.dtype == np.uint8:
        return rng.integers(0, 256, (rows, *stream.shape), np.uint8)
    values = rng.uniform(0.1, 4, (rows, *stream.shape)).astype(np.float32)
    if stream.gaps:
        values[rng.random(values.shape) < 0.2] = np.nan
    return values


def test_every_built_in_kind_is_tried_here():
    assert {stream.kind for stream in STREAMS} == set(kinds.BUILT_IN) == set(kinds.names())


@pytest.mark.parametrize("stream", STREAMS, ids=lambda stream: stream.kind)
def test_an_encoder_takes_what_the_kind_allows(stream):
    torch.manual_seed(0)
    encoder = kinds.of(stream).encoder(stream, ModelConfig(image_size=None, width=8)).eval()
    features = encoder(torch.from_numpy(values_of(stream)))
    assert features.shape == (5, encoder.features)
    assert features.isfinite().all()
    assert encoder.shape == stream.shape


@pytest.mark.parametrize("stream", [s for s in STREAMS if kinds.of(s).is_drawn], ids=lambda stream: stream.kind)
def test_a_drawing_shows_what_changes_on_one_scale(stream):
    values = values_of(stream)
    drawn = kinds.of(stream).draw(stream, values)
    assert drawn.dtype == np.uint8
    assert drawn.ndim == 4
    assert (drawn[1:] != drawn[:-1]).reshape(4, -1).any(1).all()
    np.testing.assert_array_equal(kinds.of(stream).draw(stream, values[2:3])[0], drawn[2])


@pytest.mark.parametrize("stream", STREAMS, ids=lambda stream: stream.kind)
def test_the_doctor_finds_a_stream_that_never_changes(stream):
    values = values_of(stream, 40)
    good, stuck = ([{stream.name: rows}] for rows in (values, values[:1].repeat(40, 0)))
    assert {row.verdict for row in kinds.of(stream).checks([stream], good)} == {"ok"}
    assert any(row.verdict != "ok" for row in kinds.of(stream).checks([stream], stuck))


def test_the_outline_of_a_cloud_does_not_depend_on_the_order_of_its_points():
    values = values_of(STREAMS[3])
    kind = kinds.get("points")
    np.testing.assert_allclose(kind.outline(values), kind.outline(values[:, ::-1]), atol=1e-6)


@pytest.mark.parametrize("name", ["sound", "os:system", "armillary.kinds.image", "../image", "", "im age"])
def test_a_name_that_nobody_registers_is_refused_and_imports_nothing(name):
    with pytest.raises(PluginError, match=r"is none of image, depth, scan, points, vector, signal"):
        kinds.get(name)


class Odd(kinds.Kind):
    name, axes, dtype, is_picture = "odd", ("height", "width"), "float32", True


def test_a_class_that_contradicts_itself_is_refused():
    with pytest.raises(ArmillaryError, match="odd: is_picture takes uint8 and 3 axes, got float32"):
        Odd()


def test_no_kind_is_asked_for_by_its_name_outside_of_kinds():
    package = Path(armillary.__file__).parent
    asked = re.compile(rf"\bkind (==|!=|in|not in) .*[\"']({'|'.join(kinds.BUILT_IN)})[\"']")
    found = [
        f"{path.relative_to(package)}: {line.strip()}"
        for path in sorted(package.rglob("*.py"))
        if path.parent.name != "kinds"
        for line in path.read_text().splitlines()
        if asked.search(line)
    ]
    assert not found
