"""A small spec and random episodes of it, for the tests of stores, clips and the doctor."""

import numpy as np

from armillary.episodes.store import Episode
from armillary.spec import ActionSpace, Spec, Stream


def small_spec(size: int = 8, action: ActionSpace | None = None, *, image: bool = True, vector: bool = True) -> Spec:
    streams = [Stream("camera.image", "image", (size, size, 3))] * image
    streams += [Stream("state", "vector", (3,), unit=("m", "m", "rad"))] * vector
    truth = Stream("position", "vector", (2,), truth=True)
    return Spec((*streams, truth), action or ActionSpace("box", 2, (-1.0, -1.0), (1.0, 1.0)))


def random_episode(spec: Spec, rows: int, rng: np.random.Generator, **info) -> Episode:
    def values(streams):
        shapes = {stream.name: (rows, *stream.shape) for stream in streams}
        images = {s.name: rng.integers(0, 256, shapes[s.name], np.uint8) for s in streams if s.kind == "image"}
        return {n: images.get(n, rng.standard_normal(shape, np.float32)) for n, shape in shapes.items()}

    if spec.action.kind == "discrete":
        actions = rng.integers(spec.action.n, size=rows - 1)
    else:
        actions = rng.uniform(-1, 1, (rows - 1, spec.action.n)).astype(np.float32)
    return Episode(values(spec.observed), actions, values(spec.truth), info)


def assert_equal(one: Episode, other: Episode) -> None:
    for given, got in ((one.observations, other.observations), (one.truth, other.truth)):
        assert set(given) == set(got)
        for name in given:
            np.testing.assert_array_equal(given[name], got[name])
            assert given[name].dtype == got[name].dtype
    np.testing.assert_array_equal(one.actions, other.actions)
    assert one.actions.dtype == other.actions.dtype
    assert one.info == other.info
