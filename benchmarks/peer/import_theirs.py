"""Seconds to import the peer once torch is there, and what its installation weighs."""

import common
import lewm  # noqa: F401 (torch, and torchvision if it has to be helped)
from weigh import weigh


def bring() -> None:
    import stable_worldmodel  # noqa: F401


common.answer(**common.timed(bring, 1), installed=weigh("stable-worldmodel[train,env,format]"))
