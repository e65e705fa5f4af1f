"""Armillary: an open world-model library.

    import armillary as arm

    world = arm.make("two_room", num_envs=16)                # a simulated world, by name
    episodes = arm.record(world, world.play(), "recording", episodes=200)
    arm.fit(episodes, "run", recipe)                         # train a model; its folder says what it was made from
    arm.WorldModel.load("run"), arm.Agent                    # predict; act
    arm.evaluate("run")                                      # judge the run: results.json, report.html
    arm.Episodes, arm.Spec                                   # a recording of your own, and what is sensed and done in it

`evaluate` is `evaluation.run.evaluate_run`: it judges the folder of a run, by all that its recording and its world allow. Parts
of it, such as `evaluation.latent.prediction.evaluate_prediction`, are functions of their own in `armillary.evaluation`.

These names are imported when they are first used, so that `import armillary` does not load torch.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:  # as in typing, which would take longer to import than all of this
    from armillary.acting.agent import Agent
    from armillary.acting.recording import record
    from armillary.episodes.store import Episodes
    from armillary.evaluation.run import evaluate_run as evaluate
    from armillary.model.world_model import WorldModel
    from armillary.spec import Spec
    from armillary.training.fit import fit
    from armillary.worlds.world import make

__version__ = "0.1.0"
__all__ = ["Agent", "Episodes", "Spec", "WorldModel", "evaluate", "fit", "make", "record"]

_PLACES = {
    "Agent": "armillary.acting.agent:Agent",
    "Episodes": "armillary.episodes.store:Episodes",
    "Spec": "armillary.spec:Spec",
    "WorldModel": "armillary.model.world_model:WorldModel",
    "evaluate": "armillary.evaluation.run:evaluate_run",
    "fit": "armillary.training.fit:fit",
    "make": "armillary.worlds.world:make",
    "record": "armillary.acting.recording:record",
}

if not TYPE_CHECKING:  # a type checker that saw it would accept any name

    def __getattr__(name: str) -> object:
        if name not in _PLACES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        from armillary.errors import require

        if name == "record":
            require("gymnasium", "worlds")
        module, attribute = _PLACES[name].split(":")
        value = globals()[name] = getattr(import_module(module), attribute)
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
