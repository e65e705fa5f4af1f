"""One plan of the peer's CEM with its LeWM, from two images that are normalised already; and what fixed sets of plans cost."""

import common
import lewm
import torch


def main() -> None:
    settings, model = common.SETTINGS, lewm.load()
    import gymnasium
    from stable_worldmodel import PlanConfig
    from stable_worldmodel.solver import CEMSolver

    images = torch.load(common.WORK / "images.pt", weights_only=True)
    start, goal = (lewm.normalise(images[name][None])[None] for name in ("start", "goal"))

    def plan(iterations: int) -> torch.Tensor:
        solver = CEMSolver(model, num_samples=settings["samples"], n_steps=iterations, topk=30, seed=settings["seed"])
        space = gymnasium.spaces.Box(-1, 1, (1, 2))
        solver.configure(action_space=space, n_envs=1, config=PlanConfig(horizon=5, receding_horizon=5, action_block=5))
        return solver.solve({"pixels": start, "goal": goal, "action": torch.zeros(1, 1, 10)})["actions"]

    plan(1)  # what is loaded at first use
    found = []
    times = common.timed(lambda: found.append(plan(settings["iterations"])), settings["repeats"])
    random = torch.Generator().manual_seed(settings["seed"])
    sets = {}
    with torch.inference_mode():
        # Plans from all over, as in the first round, and around the plan that was found, as in the last.
        for name, mean, spread in (("wide", 0.0, 1.0), ("narrow", found[-1], 0.3)):
            plans = mean + spread * torch.randn(1, 300, 5, 10, generator=random)
            each = {"pixels": start, "goal": goal, "action": torch.zeros(1, 1, 10)}
            each = {key: value[:, None].expand(-1, 300, *value.shape[1:]) for key, value in each.items()}
            sets[name] = {"plans": plans, "costs": model.get_cost(each, plans)}
            ends = {"z": each["emb"][:, 0], "goal": each["goal_emb"]}
    torch.save({"sets": sets, "found": found[-1], **ends}, common.WORK / "plans.pt")
    common.answer(**times)


main()
