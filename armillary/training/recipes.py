"""Recipes: a model, its stages of training and the agent that acts with it, under a name, as they were measured together.

- `two_room`: the demo. Perception and dynamics together, then the predictor alone on frozen latents: the joint stage gives a
  position to half a pixel, the second stage dynamics that stand still when the agent does, which holding a goal needs.
- `two_room_random_door`: the layout varies between episodes. SIGReg within episodes and inverse dynamics keep the latent from
  holding the door alone; the critic knows the way round the wall.
- `two_room_any_look`: the same, in colours and light that no recording shows.
- `maze`: the layout is new in every episode. It stands in a map beside the latent, all of whose eight numbers change within an
  episode (with four or two, a place is known half as well); the critic tells how far apart two places are, for a search among
  them.
- `reacher`: velocity matters, which a single image does not show; the critic counts steps where distance in angles does not.
- `house`: seen from within, where no look shows the whole. Odometry, which need not be sensed later on, teaches the latent the
  place and the way it looks (egomotion); three layers read one sense by another. A habit learned on top proposes what the
  planner refines.
- `push_t`: temporal contrast keeps the pose of the block in the latent, which the prediction loss alone would drop.
- `cube`: patches of 4 px for a small object in dark images; contrast keeps the cube in the latent beside the arm. A habit
  learned on top picks up and places.
- `physics`: many things at once, hidden for long. SIGReg on what changes within a clip keeps each of them in the latent; a
  state that is carried through whole episodes, and looks up to twelve steps ahead, keeps what is hidden.
- `robot`: camera and joint states at control rate, kept every few frames. A session later, the camera and the idle joints have
  moved: images shift by some pixels while the encoder learns, and dynamics, half of them linear, are learned with offsets on
  latents and actions, twelve steps ahead.
- `sensors`: a machine's sensors and nothing else. The latent is the standardised sensors; three quarters of the prediction
  are a linear path's, and few steps leave the rest near "nothing changes" where it knows nothing.
- `control_vectors`: positions, angles and velocities, and actions. The latent is the standardised numbers; dynamics four blocks
  of three steps ahead, and the critic, which tells how many blocks away a goal is.
- `lewm`: LeWM (arXiv 2603.19312), for a GPU.
"""

import warnings
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from armillary import objectives
from armillary.acting.config import AgentConfig
from armillary.acting.habit import HabitConfig
from armillary.errors import ArmillaryError, PluginError
from armillary.model.config import ModelConfig, Size
from armillary.objectives.contrast import Contrast
from armillary.objectives.critic import Critic
from armillary.objectives.egomotion import Egomotion
from armillary.objectives.inverse import Inverse
from armillary.objectives.prediction import Prediction
from armillary.objectives.sigreg import SIGReg
from armillary.planning import CEM, ICEM, MPPI, GraphSearch, StayAtGoal
from armillary.spec import Spec
from armillary.training.augmentation import Augmentation
from armillary.training.stages import StageConfig


@dataclass(frozen=True)
class Recipe:
    """What to train, and how."""

    model: ModelConfig
    """The shape of the model."""
    stages: tuple[StageConfig, ...]
    """Run one after another."""
    agent: AgentConfig = field(default_factory=AgentConfig)
    """How the model is acted with: saved in the run, and judged."""

    def sized(self, size: Size) -> "Recipe":
        """The same stages for the model of another size; frame skip and objective stay as they are."""
        kept = {name: getattr(self.model, name) for name in ("skip", "clips_per_episode", "objective")}
        return replace(self, model=ModelConfig.sized(size, **kept))

    def with_every_term(self) -> "Recipe":
        """The same, whose objective names every term that is installed, with weight 0 where it is not asked for.

        A package that is broken is left out, with a warning.
        """
        objective = dict(self.model.objective)
        for name in objectives.names():
            if name not in objective:
                try:
                    objective[name] = objectives.get(name)(weight=0.0)
                except PluginError as error:
                    warnings.warn(str(error), stacklevel=2)
        return replace(self, model=replace(self.model, objective=objective))

    def to_json(self) -> dict[str, Any]:
        """All of it, JSON-able, for the settings of a result."""
        stages = [asdict(stage) for stage in self.stages]
        return {"model": asdict(self.model), "stages": stages, "agent": self.agent.to_json()}


_RANDOM_DOOR = Recipe(
    ModelConfig.sized(
        "nano",
        latent=16,
        clips_per_episode=4,
        objective={
            "prediction": Prediction(),
            "sigreg": SIGReg(5.0, episode_dims=4),
            "inverse": Inverse(),
            "critic": Critic(),
        },
    ),
    (
        StageConfig("joint", steps=500, learning_rate=3e-3),
        StageConfig("dynamics", steps=4000, batch=256, learning_rate=3e-3),
        StageConfig("critic", steps=1500, batch=128, learning_rate=2e-3),
    ),
    AgentConfig(MPPI(horizon=4, samples=48, sigma=0.8)),
)

RECIPES: dict[str, Recipe] = {
    "two_room": Recipe(
        ModelConfig.sized("nano", latent=16, predictor_width=128),
        (
            StageConfig("joint", steps=190, batch=48),
            StageConfig("dynamics", steps=1100, batch=192, learning_rate=6e-3),
        ),
        AgentConfig(MPPI()),
    ),
    "two_room_random_door": _RANDOM_DOOR,
    "two_room_any_look": Recipe(
        replace(_RANDOM_DOOR.model, standardise_images=True),
        (
            replace(_RANDOM_DOOR.stages[0], steps=1300, augmentation=Augmentation(tone=40, hue=1, wave=20, grow=0.5)),
            *_RANDOM_DOOR.stages[1:],
        ),
        _RANDOM_DOOR.agent,
    ),
    "maze": Recipe(
        ModelConfig.sized(
            "nano",
            latent=8,
            map_channels=8,
            predictor="map",
            clips_per_episode=4,
            objective={
                "prediction": Prediction(),
                "sigreg": SIGReg(5.0, episode_dims=8),
                "inverse": Inverse(),
                "critic": Critic(),
            },
        ),
        (
            StageConfig("joint", steps=6400, learning_rate=3e-3),
            StageConfig("dynamics", steps=10_000, batch=192, learning_rate=3e-3, length=6),
            StageConfig("critic", steps=3000, batch=128, learning_rate=2e-3),
        ),
        AgentConfig(
            GraphSearch(
                horizon=4,
                actions=8,
                spacing=0.35,
                goal_radius=0.7,  # env steps, as the critic counts them
                places=250,
                refine=CEM(samples=32, iterations=3, elites=5, sigma=0.8),
            )
        ),
    ),
    "house": Recipe(
        ModelConfig.sized(
            "nano",
            image_size=None,
            width=32,
            stem=4,
            projector_depth=3,
            latent=64,
            clips_per_episode=4,
            objective={
                "prediction": Prediction(rollout=2),
                "sigreg": SIGReg(5.0),
                "inverse": Inverse(),
                "contrast": Contrast(),
                "egomotion": Egomotion(3.0),
                "critic": Critic(),
            },
        ),
        (
            StageConfig("joint", steps=16_000, batch=128, learning_rate=4e-3),
            StageConfig("dynamics", steps=4000, batch=192, learning_rate=3e-3, length=6),
            StageConfig("critic", steps=5000, batch=128, learning_rate=2e-3),
        ),
        # The habit finds the way as long as the critic counts more than four steps, as far as the planner looks.
        AgentConfig(
            StayAtGoal(
                refine=ICEM(horizon=4, samples=48, iterations=1, elites=5, sigma=0.3, floor=0.02),
                goal_radius=0.8,
                habit_beyond=4.0,
            ),
            habit=HabitConfig(reach=25, width=384, steps=9000),
        ),
    ),
    "reacher": Recipe(
        ModelConfig.sized(
            "nano",
            latent=24,
            predictor="gru",
            predictor_width=192,
            context=3,
            objective={"prediction": Prediction(rollout=4), "sigreg": SIGReg(8.0), "critic": Critic()},
        ),
        (
            StageConfig("joint", steps=2500, learning_rate=3e-3),
            StageConfig("dynamics", steps=10_000, batch=192, learning_rate=4e-3),
            StageConfig("critic", steps=3000, batch=192, learning_rate=2e-3),
        ),
        # To hold takes small corrections.
        AgentConfig(ICEM(horizon=4, samples=100, iterations=5, elites=6, sigma=0.8, floor=0.01)),
    ),
    "push_t": Recipe(
        ModelConfig.sized(
            "nano",
            stem=4,
            latent=64,
            predictor_width=512,
            objective={"prediction": Prediction(rollout=2), "sigreg": SIGReg(5.0), "contrast": Contrast()},
        ),
        (
            StageConfig("joint", steps=3000, batch=128, learning_rate=3e-3),
            StageConfig("dynamics", steps=4000, batch=192, learning_rate=2e-3, length=5),
        ),
        AgentConfig(ICEM(samples=136, elites=10, sigma=0.6), habit=HabitConfig()),
    ),
    "cube": Recipe(
        ModelConfig.sized(
            "nano",
            standardise_images=True,
            stem=4,
            latent=64,
            predictor="gru",
            context=2,
            objective={
                "prediction": Prediction(),
                "sigreg": SIGReg(5.0),
                "inverse": Inverse(),
                "contrast": Contrast(),
                "critic": Critic(),
            },
        ),
        (
            StageConfig("joint", steps=8000, learning_rate=3e-3),
            StageConfig("dynamics", steps=4000, batch=192, learning_rate=3e-3),
            StageConfig("critic", steps=2000, batch=192, learning_rate=2e-3),
        ),
        # The habit picks up and places as the play that was recorded does. It sees the present alone, since the moment before
        # invites copying the errors of play. The planner may change its actions by little, since the model predicts contact too
        # badly to find a grasp by itself.
        AgentConfig(
            ICEM(horizon=4, samples=65, elites=5, sigma=0.1, floor=0.02),
            habit=HabitConfig(
                reach=25,
                timed=False,
                context=1,
                embedding=64,
                width=512,
                dropout=0.1,
                median=True,
                steps=6000,
                batch=256,
                learning_rate=3e-3,
            ),
        ),
    ),
    "physics": Recipe(
        ModelConfig.sized(
            "nano",
            stem=4,
            latent=192,
            predictor="gru",
            predictor_width=512,
            ahead=(3, 6, 12),
            context=2,
            objective={
                "prediction": Prediction(rollout=1),
                "sigreg": SIGReg(5.0, episode_dims=96),
                "contrast": Contrast(0.3, dense=True),
            },
        ),
        (
            StageConfig("joint", steps=1000, batch=24, learning_rate=2e-3, length=12),
            StageConfig("dynamics", steps=3000, batch=64, learning_rate=2e-3, length=48, open_loop=False),
        ),
    ),
    "robot": Recipe(
        ModelConfig.sized(
            "nano",
            skip=5,
            predictor="gru",
            linear=0.5,
            context=3,
            objective={"prediction": Prediction(rollout=4), "sigreg": SIGReg(2.0)},
        ),
        (
            StageConfig("joint", steps=400, augmentation=Augmentation(shift=3)),
            StageConfig("dynamics", steps=1000, batch=128, length=15, offset=0.5),
        ),
    ),
    "sensors": Recipe(
        ModelConfig.sized(
            "nano",
            scale="channel",
            projector=0,
            predictor="gru",
            linear=0.75,
            predictor_width=32,
            context=10,
            objective={"prediction": Prediction(rollout=1)},
        ),
        (StageConfig("dynamics", steps=1000, batch=128, learning_rate=3e-3),),
    ),
    "control_vectors": Recipe(
        ModelConfig.sized(
            "nano",
            skip=3,
            scale="channel",
            projector=0,
            predictor_width=128,
            objective={"prediction": Prediction(rollout=4), "critic": Critic()},
        ),
        (
            StageConfig("dynamics", steps=1500, batch=192, learning_rate=4e-3),
            StageConfig("critic", steps=1000, batch=192, learning_rate=2e-3),
        ),
        # To hold takes small corrections; to park a car takes a wide search.
        AgentConfig(ICEM(horizon=4, samples=64, sigma=1.5, floor=0.02)),
    ),
    "lewm": Recipe(
        ModelConfig.sized("base", skip=5),
        (StageConfig("joint", steps=100_000, batch=128, learning_rate=5e-5, weight_decay=1e-3),),
    ),
}

DESCRIPTIONS: dict[str, str] = {
    "two_room": "small images of two rooms whose door stays in place; the recipe of the demo.",
    "two_room_random_door": "small images of two rooms; the door is at another place in every episode.",
    "two_room_any_look": "as two_room_random_door, robust to colours and light that no recording shows.",
    "maze": "small images of corridors; the layout is new in every episode.",
    "house": "camera, depth and scan of apartments; the layout is new in every episode.",
    "reacher": "small images of an arm; velocity matters, which a single image does not show.",
    "push_t": "small images of an object that is pushed.",
    "cube": "small images of an arm that picks up a cube.",
    "physics": "small images of things that fall, collide and pass behind screens, without actions.",
    "robot": "camera and joint states of a robot, at control rate.",
    "sensors": "vectors alone, such as the sensors of a machine.",
    "control_vectors": "vectors and actions, such as the joints of an arm, to reach goals.",
    "lewm": "LeWM (arXiv 2603.19312), 18 M parameters, for a GPU.",
}
"""For what recordings each recipe is, in a line."""


def advice(recipe: Recipe, spec: Spec) -> str | None:
    """Which recipe was measured on such a recording, where this one was made for others."""
    if recipe.model.projector and spec.action.n and all(stream.is_tabular for stream in spec.observed):
        return "all that is observed are vectors; the recipe control_vectors is made to reach goals with these"
    return None


def recipe_named(name: str) -> Recipe:
    """The recipe of this name.

    Raises:
        ArmillaryError: there is none.
    """
    if name not in RECIPES:
        raise ArmillaryError(f"expected a recipe of {', '.join(RECIPES)}, got {name!r}")
    return RECIPES[name]
