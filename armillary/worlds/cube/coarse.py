"""A MuJoCo model that draws fast and simulates as before: its meshes with no more triangles than small images show.

Software OpenGL takes its time for triangles, whatever the size of the image: OGBench's arm has 185,000, its floor 10,000
squares.
Vertices within one cell of a grid become one of them, and triangles that lose a corner go (vertex clustering: Rossignac &
Borrel, "Multi-resolution 3D approximations for rendering complex scenes", 1993). Each mesh keeps its place, so that a scene of
the whole model is drawn with this one.
"""

import copy

import mujoco
import numpy as np


def coarse(model: "mujoco.MjModel", cell: float) -> "mujoco.MjModel":
    """A copy to draw with, whose meshes show nothing smaller than `cell` (m), and whose planes are of squares of ten cells."""
    model = copy.copy(model)
    planes = model.geom_type == mujoco.mjtGeom.mjGEOM_PLANE
    model.geom_size[planes, 2] = np.maximum(model.geom_size[planes, 2], 10 * cell)
    for mesh in range(model.nmesh):
        vertices = model.mesh_vertadr[mesh] + np.arange(model.mesh_vertnum[mesh])
        faces = model.mesh_faceadr[mesh] + np.arange(model.mesh_facenum[mesh])
        cells = np.floor(model.mesh_vert[vertices] / cell).astype(np.int64)
        cells -= cells.min(axis=0)
        _, first, which = np.unique(_number(cells), return_index=True, return_inverse=True)
        corners = first[which][model.mesh_face[faces]]
        a, b, c = corners.T
        _, once = np.unique(_number(np.sort(corners, axis=1)), return_index=True)
        kept = np.intersect1d(once, np.flatnonzero((a != b) & (b != c) & (a != c)))
        model.mesh_facenum[mesh] = len(kept)
        model.mesh_face[faces[: len(kept)]] = corners[kept]
        for array in (model.mesh_facenormal, model.mesh_facetexcoord):
            array[faces[: len(kept)]] = array[faces][kept]
    return model


def _number(rows: np.ndarray) -> np.ndarray:
    """A number for each row of whole numbers (n, 3) from 0, the same for equal rows alone."""
    return np.asarray(np.ravel_multi_index(tuple(rows.T), rows.max(axis=0) + 1))
