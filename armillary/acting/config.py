"""How an agent decides, as plain data: a recipe has it, a run saves it in its checkpoint, and whatever acts reads it there.

So the agent that is judged is the agent that is saved. Planners and costs go by the names that they are registered under; no
text of a file is taken for code.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from armillary.acting.habit import Habit, HabitConfig
from armillary.costs.registry import parse_cost
from armillary.errors import ArmillaryError, CorruptFile, PluginError
from armillary.model.world_model import WorldModel
from armillary.planning import CEM, Planner
from armillary.planning.registry import planner_from_json, planner_to_json

HABIT = "habit.safetensors"
"""The habit's file in a run's folder."""


@dataclass(frozen=True)
class AgentConfig:
    """How an agent decides."""

    planner: Planner | None = None
    """What searches for a plan. Default: `default_planner`."""
    cost: str = "auto"
    """What planning minimises, by name, or a sum such as auto + 0.1*effort; auto is the best measure of distance to the goal
    that the model has."""
    habit: HabitConfig | None = None
    """The policy whose proposal the planner refines; it is trained as the last stage of a run. Default: none."""
    execute: int = 1
    """Action blocks of a plan that are carried out before the next plan is made."""

    def __post_init__(self) -> None:
        parse_cost(self.cost)
        if type(self.execute) is not int or self.execute < 1:
            raise ArmillaryError(f"expected execute to be a whole number from 1; got {self.execute!r}")

    def planner_for(self, model: WorldModel) -> Planner:
        """The planner, or the model's default."""
        return default_planner(model) if self.planner is None else self.planner

    def to_json(self) -> dict[str, Any]:
        """JSON-able.

        Raises:
            ArmillaryError: a planner that has no registered name.
        """
        return {
            "planner": None if self.planner is None else planner_to_json(self.planner),
            "cost": self.cost,
            "habit": None if self.habit is None else asdict(self.habit),
            "execute": self.execute,
        }

    @classmethod
    def from_json(cls, plain: Any) -> "AgentConfig":
        """What `to_json` wrote.

        Raises:
            PluginError: a planner that no installed package registers.
            CorruptFile: it is something else.
        """
        try:
            settings = dict(plain)
            if settings.get("planner") is not None:
                settings["planner"] = planner_from_json(settings["planner"])
            if settings.get("habit") is not None:
                settings["habit"] = HabitConfig(**settings["habit"])
            return cls(**settings)
        except (PluginError, CorruptFile):
            raise
        except (ValueError, TypeError, RecursionError) as error:
            raise CorruptFile(f"it says of its agent what is none ({str(error)[:200]})") from error

    @classmethod
    def of(cls, model: WorldModel) -> "AgentConfig":
        """What a model's checkpoint says; the default where it says nothing.

        Raises:
            PluginError, CorruptFile: as `from_json`.
        """
        saved = model.provenance.get("agent")
        return cls() if saved is None else cls.from_json(saved)

    def changed(
        self,
        planner: Mapping[str, Any] | None = None,
        cost: str | None = None,
        habit: bool = True,
        execute: int | None = None,
    ) -> "AgentConfig":
        """The same with some parts replaced.

        Args:
            planner: its name, and the settings that are not its defaults. A planner of the same name keeps the other settings
                that it has here.
            cost: by name, or a sum.
            habit: whether the habit is kept, if there is one.
            execute: blocks.
        """
        changes: dict[str, Any] = {} if habit else {"habit": None}
        if planner is not None:
            own = {} if self.planner is None else planner_to_json(self.planner)
            changes["planner"] = planner_from_json({**(own if own.get("name") == planner["name"] else {}), **planner})
        changes |= {name: value for name, value in (("cost", cost), ("execute", execute)) if value is not None}
        return replace(self, **changes)


def default_planner(model: WorldModel) -> CEM:
    """CEM. A critic sees beyond the horizon, which may then be shorter, and the search smaller."""
    return CEM(horizon=4, sigma=0.8, samples=48, elites=5) if model.critic is not None else CEM()


def load_habit(run: str | Path, model: WorldModel, config: AgentConfig) -> Habit | None:
    """The habit that proposes, if the agent has one, from a run's folder or from beside its checkpoint.

    Raises:
        ArmillaryError: it is not there, or of other settings than the agent asks for.
        CorruptFile, SpecMismatch: as `Habit.load`.
    """
    if config.habit is None:
        return None
    run = Path(run)
    path = (run if run.is_dir() else run.parent) / HABIT
    if not path.exists():
        raise ArmillaryError(
            f"{path}: no such file, and this agent plans from its habit; finish the run (train --resume), or leave the habit "
            "out (--no-habit)"
        )
    habit = Habit.load(path, model)
    if habit.config != config.habit:
        raise ArmillaryError(f"{path} is another habit than the agent asks for; train it anew, or leave it out (--no-habit)")
    return habit
