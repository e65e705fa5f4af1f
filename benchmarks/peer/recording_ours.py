"""The peer's recording as stores of ours: imported from its HDF5 file into our default codec, and its frames kept plain."""

import common
import numpy as np
from recording import EPISODES, PATHS, episode

from armillary.episodes.formats.swm import import_swm
from armillary.episodes.store import Episode, Episodes

summary = import_swm(common.WORK / "clips.h5", common.WORK / "clips", progress=False)
spec = Episodes.open(common.WORK / "clips").spec
with Episodes.create(common.WORK / "clips_plain", spec, images="plain") as store:
    for number in range(EPISODES):
        made = episode(number)
        store.append(Episode({"pixels": np.stack(made["pixels"])}, np.stack(made["action"])[:-1]))
sizes = {}
for name in ("clips", "clips_plain", *PATHS.values()):
    path = common.WORK / name
    sizes[name] = sum(file.stat().st_size for file in ([path] if path.is_file() else path.rglob("*")) if file.is_file()) / 1e6
codec = Episodes.open(common.WORK / "clips").info["images"]
common.answer(frames=summary.frames, seconds=summary.seconds, codec=codec, megabytes=sizes)
