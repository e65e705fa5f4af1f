"""Armillary: an open world-model system.

Record a world, learn how it works from what is sensed and done, predict in latent space, plan to reach goals, and be
judged honestly. `armillary --help` lists what can be done from the command line.
"""

__version__ = "0.1.0"
