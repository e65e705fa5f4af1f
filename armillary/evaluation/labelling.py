"""Label a recording without actions by what a trained run's recording shows, and say how well that does on known actions."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from armillary.episodes.store import Episodes
from armillary.evaluation.run import open_run
from armillary.evaluation.statistics import Estimate, bootstrap, r2
from armillary.latents import clips_for, encode_tracks, learned_from
from armillary.training.latent_actions import InverseConfig, InverseEnsemble, fit_inverse, infer_actions

RESAMPLES = 300


def label_recording(
    run: str | Path,
    recording: str | Path,
    out: str | Path,
    config: InverseConfig | None = None,
    *,
    seed: int = 0,
    device: str = "auto",
    resume: bool = False,
    overwrite: bool = False,
) -> Estimate | None:
    """Infer the actions of a recording; see `fit_inverse` and `infer_actions`.

    Inverse dynamics learn from the episodes that the run was trained on; episodes whose actions were inferred themselves are
    left out, so that a run on labelled and inferred episodes can label once more.

    Args:
        run: the folder of a run, of episodes with actions.
        recording: a store of episodes of the same streams.
        out: the new store.
        config, seed: of the networks.
        device: auto, cpu, cuda or mps.
        resume, overwrite: what to do with a store that is there; see `infer_actions`.

    Returns:
        R2 on the known actions that the run held out; None if it held none out.
    """
    unlabelled = Episodes.open(recording)
    model, labelled = open_run(Path(run), device=device)
    known = [number for number, info in enumerate(labelled.infos) if info.get("actions") != "inferred"]
    held = np.intersect1d(known, model.provenance["held_out"])
    inverse = fit_inverse(model, labelled, np.intersect1d(known, learned_from(model, labelled)), config, seed=seed)
    share = evaluate_inverse(inverse, labelled, held) if len(held) else None
    infer_actions(inverse, unlabelled, out, resume=resume, overwrite=overwrite)
    return share


def evaluate_inverse(ensemble: InverseEnsemble, episodes: Episodes, held_out: Sequence[int] | np.ndarray) -> Estimate:
    """R2 of the action blocks that are inferred of these episodes, with an interval by bootstrap over them."""
    model = ensemble.model
    clips = clips_for(model, episodes, 2, held_out, stride=model.config.skip)
    tracks = [(actions, ensemble(z[:, : model.config.latent])[0]) for z, actions in encode_tracks(model, clips)]
    true, inferred = (np.concatenate([track[part].cpu().numpy() for track in tracks]) for part in (0, 1))
    group = np.repeat(np.arange(len(tracks)), [len(actions) for actions, _ in tracks])
    return bootstrap(true, inferred, groups=group, statistic=r2, samples=RESAMPLES)
