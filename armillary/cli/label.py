"""`armillary label`: actions for a recording that has none."""

from typing import Any

from tyro.conf import Positional

from armillary.cli.info import info
from armillary.cli.shared import RunPath, StorePath, console
from armillary.training.latent_actions import InverseConfig


def label(
    run: Positional[RunPath],
    recording: Positional[StorePath],
    out: StorePath,
    config: InverseConfig = InverseConfig(),  # noqa: B008 (frozen)
    seed: int = 0,
    device: str = "auto",
    resume: bool = False,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Infer the actions of a recording that has none, with a model of inverse dynamics learned from another recording.

    Args:
        run: a run that was trained on episodes with actions, best with --recipe.model.objective.inverse.weight 1.
        recording: the store to label, with the same streams.
        out: the store to create: the same episodes with actions. Merge it with the run's recording, and train on both.
        config: settings of the networks that infer actions.
        seed: random seed of the networks.
        device: where to compute: auto (a GPU where there is one), cpu, cuda or mps.
        resume: continue the same labelling that was interrupted.
        overwrite: replace a store that is at --out.
    """
    from armillary.evaluation.labelling import label_recording

    kept = {"resume": resume, "overwrite": overwrite}
    share = label_recording(run, recording, out, config, seed=seed, device=device, **kept)
    found = f"R2 {share.value:.3f} [{share.low:.3f}, {share.high:.3f}]" if share else "unknown: no actions were held out"
    console.print(f"inferred actions, checked on held-out known actions: {found}")
    return {"r2_held_out": share, **info(out)}
