"""Seconds to import armillary once torch is there, and what its installation weighs: the core, and what this job takes."""

import common
import torch  # noqa: F401
from weigh import weigh


def bring() -> None:
    import armillary.acting.agent
    import armillary.planning
    import armillary.training.fit  # noqa: F401


common.answer(**common.timed(bring, 1), installed=weigh("armillary[data,worlds]"), core=weigh("armillary"))
