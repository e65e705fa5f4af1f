"""One recording in the peer's four formats, by its writers."""

import common
import lewm  # noqa: F401  torchvision, which its formats import
from recording import EPISODES, PATHS, ROWS, episode
from stable_worldmodel.data.format import get_format

for name, path in PATHS.items():
    with get_format(name).open_writer(common.WORK / path) as writer:
        writer.write_episodes(map(episode, range(EPISODES)))
common.answer(frames=EPISODES * ROWS)
