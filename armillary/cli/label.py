"""`armillary label`: actions for a recording that has none."""

from pathlib import Path

from tyro.conf import Positional

from armillary.cli.info import info
from armillary.cli.shared import StorePath, console
from armillary.training.latent_actions import InverseConfig


def label(
    run: Positional[Path],
    recording: Positional[StorePath],
    out: StorePath,
    config: InverseConfig = InverseConfig(),  # noqa: B008 (frozen)
    seed: int = 0,
    device: str = "auto",
    resume: bool = False,
    overwrite: bool = False,
) -> None:
    """Infer the actions of a recording that has none, by what the recording of a trained run shows.

    Args:
        run: the folder of a run, trained on episodes with actions, best with --recipe.model.objective.inverse.weight 1.
        recording: a store of episodes of the same streams.
        out: the new store, of the same episodes with actions; merge it with the run's recording, and train on both.
        config: of the networks that infer.
        seed: of the networks.
        device: auto, cpu, cuda or mps.
        resume: go on with the same that was interrupted.
        overwrite: replace the store that is there.
    """
    from armillary.evaluation.labelling import label_recording

    kept = {"resume": resume, "overwrite": overwrite}
    share = label_recording(run, recording, out, config, seed=seed, device=device, **kept)
    told = f"R2 {share.value:.3f} [{share.low:.3f}, {share.high:.3f}] is inferred" if share else "there are none"
    console.print(f"of known actions that were held out, {told}")
    info(out)
