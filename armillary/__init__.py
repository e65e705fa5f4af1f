"""Armillary: an open world-model system.

Record a world, learn how it works from what is sensed and done, predict in latent space, plan to reach goals, and be
judged honestly. `armillary --help` lists what can be done from the command line.
"""

import os

__version__ = "0.1.0"

# OpenMP's threads spin while they wait, by default. Where another process wants the same cores, that makes small networks ten
# times slower; where none does, sleeping costs little. Has no effect once torch is loaded, or where the user has chosen.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
