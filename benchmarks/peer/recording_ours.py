"""The peer's recording as a store of ours: imported from its HDF5 file, which is without loss, into our default codec."""

import common

from armillary.episodes.formats.swm import import_swm
from armillary.episodes.store import Episodes

summary = import_swm(common.WORK / "clips.h5", common.WORK / "clips", progress=False)
common.answer(frames=summary.frames, seconds=summary.seconds, codec=Episodes.open(common.WORK / "clips").info["images"])
