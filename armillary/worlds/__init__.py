"""Small simulated worlds with known physics, made by `make(name, ...)`; those of ours are in Gymnasium's registry, too."""

from importlib.util import find_spec

from armillary.worlds.world import WORLDS, Judged, Recorded, make

__all__ = ["Judged", "Recorded", "make"]

if find_spec("gymnasium"):
    import gymnasium

    for _class, *_ in WORLDS.values():
        _module, _name = _class.split(":")
        gymnasium.register(f"armillary/{_name}-v0", entry_point=f"{_module}:single", vector_entry_point=_class)
