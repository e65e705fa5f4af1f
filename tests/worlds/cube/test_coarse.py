"""Models that draw fast: fewer triangles, none of them elsewhere than it was, and nothing else touched."""

import numpy as np
import pytest

mujoco = pytest.importorskip("mujoco", reason="what is made coarse is a model of mujoco")

from armillary.worlds.cube.coarse import coarse  # noqa: E402

TURNS = np.linspace(0, 2 * np.pi, 40, endpoint=False)
BALL = [(np.cos(a) * np.sin(b), np.sin(a) * np.sin(b), np.cos(b)) for a in TURNS for b in np.linspace(0.1, 3, 20)]
VERTICES = " ".join(f"{x:.4f} {y:.4f} {z:.4f}" for x, y, z in BALL)
MJCF = f"""
<mujoco>
  <asset><mesh name="ball" vertex="{VERTICES}"/><mesh name="half" vertex="{VERTICES}" scale="1 1 .5"/></asset>
  <worldbody>
    <geom type="plane" size="5 5 .05"/>
    <body><freejoint/><geom type="mesh" mesh="ball"/><geom type="mesh" mesh="half"/></body>
  </worldbody>
</mujoco>
"""


@pytest.fixture(scope="module")
def model():
    return mujoco.MjModel.from_xml_string(MJCF)


def faces(model, mesh):
    first = model.mesh_faceadr[mesh]
    return model.mesh_face[first : first + model.mesh_facenum[mesh]]


def corners(model, mesh):
    return model.mesh_vert[model.mesh_vertadr[mesh] + faces(model, mesh)]


def test_meshes_have_fewer_triangles_of_the_same_shape(model):
    small = coarse(model, 0.3)
    for mesh in range(2):
        assert 20 < len(faces(small, mesh)) < len(faces(model, mesh)) / 3
        bounds = [(c.min((0, 1)), c.max((0, 1))) for c in (corners(model, mesh), corners(small, mesh))]
        np.testing.assert_allclose(*bounds, atol=0.3)


def test_no_triangle_is_there_twice_or_has_lost_a_corner(model):
    kept = np.sort(faces(coarse(model, 0.3), 0), axis=1)
    assert len(np.unique(kept, axis=0)) == len(kept)
    assert (np.diff(kept, axis=1) > 0).all()


def test_the_model_itself_and_what_moves_stay(model):
    before = model.mesh_facenum.copy(), model.mesh_face.copy(), model.geom_size.copy()
    small = coarse(model, 0.3)
    for left, right in zip(before, (model.mesh_facenum, model.mesh_face, model.geom_size), strict=True):
        np.testing.assert_array_equal(left, right)
    np.testing.assert_array_equal(small.body_inertia, model.body_inertia)
    np.testing.assert_array_equal(small.geom_size[:, :2], model.geom_size[:, :2])
    assert small.geom_size[0, 2] == 3


def test_cells_smaller_than_any_triangle_change_nothing(model):
    np.testing.assert_array_equal(faces(coarse(model, 1e-4), 1), faces(model, 1))
