"""Small simulated worlds with known physics, made by `make(name, ...)`; those of ours are in Gymnasium's registry, too."""

from importlib.util import find_spec

from armillary.worlds.world import World, make

__all__ = ["World", "make"]

if find_spec("gymnasium"):
    import gymnasium

    gymnasium.register(
        "armillary/TwoRoom-v0",
        entry_point="armillary.worlds.two_room:single",
        vector_entry_point="armillary.worlds.two_room:TwoRoom",
    )
