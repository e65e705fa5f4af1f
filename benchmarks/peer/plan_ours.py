"""The same plan with the same weights, and how far costs and latents are from the peer's."""

import common
import torch

from armillary.backends.low_precision import LowPrecision
from armillary.costs import LatentGoal
from armillary.goals import Goal
from armillary.imagination import Context
from armillary.latents import encode_frames
from armillary.model.lewm import load_lewm
from armillary.planning import CEM, Plan, Problem, RandomStreams
from armillary.spec import ActionSpace, Spec, Stream


def main() -> None:
    settings = common.SETTINGS
    torch.set_num_threads(settings["cores"])
    spec = Spec((Stream("pixels", "image", (224, 224, 3)),), ActionSpace("box", 2))
    model = load_lewm(common.WORK / "lewm", spec, action_mean=(0.0, 0.0), action_std=(1.0, 1.0), device="cpu")
    images = torch.load(common.WORK / "images.pt", weights_only=True)
    nothing = torch.zeros(1, 0, 10)

    def plan(iterations: int) -> Plan:
        z, goal = (encode_frames(model, {"pixels": images[name][None]}) for name in ("start", "goal"))
        cem = CEM(5, settings["samples"], iterations, elites=30, sigma=1.0, narrowest=1.0, floor=0.0)
        problem = Problem(Context(z[:, None], nothing), Goal(goal), streams=RandomStreams(settings["seed"], [0]))
        return cem.plan(imagination, problem, LatentGoal("last"))

    imagination = LowPrecision(model) if settings["fast"] else model
    plan(1)  # what is loaded at first use
    found = []
    times = common.timed(lambda: found.append(plan(settings["iterations"])), settings["repeats"])
    theirs, facts = torch.load(common.WORK / "plans.pt", weights_only=True), {}

    @torch.inference_mode()
    def costs(plans: torch.Tensor) -> torch.Tensor:
        """In the peer's unit: summed over dimensions, at the last step."""
        rollout = imagination.rollout(Context(theirs["z"], nothing), plans)
        return LatentGoal("last")(rollout, Goal(theirs["goal"][:, -1])) * rollout.z.shape[-1]

    for name, same in theirs["sets"].items():
        ours = costs(same["plans"])
        facts[f"cost_error_{name}"] = error(ours, same["costs"])
        facts[f"rank_correlation_{name}"] = rank_correlation(ours, same["costs"])
    facts["latent_error"] = error(encode_frames(model, {"pixels": images["start"][None]}), theirs["z"][:, 0])
    imagination = model
    facts["cost_of_plan"], facts["cost_of_their_plan"] = (costs(p[:, None]).item() for p in (found[-1].blocks, theirs["found"]))
    common.answer(**times, **facts)


def error(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    """Relative, of all numbers together."""
    return ((ours - theirs).norm() / theirs.norm()).item()


def rank_correlation(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    """Spearman's."""
    ranks = torch.stack([x.flatten().argsort().argsort().double() for x in (ours, theirs)])
    return torch.corrcoef(ranks)[0, 1].item()


main()
