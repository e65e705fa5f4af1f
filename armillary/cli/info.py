"""`armillary info` and `armillary merge`: what a store holds, and one store of several."""

from typing import Annotated, Any

import tyro
from rich.table import Table
from tyro.conf import Positional

from armillary import kinds
from armillary.addresses import local_path
from armillary.cli.shared import StorePath, console, in_words


def info(path: Positional[Annotated[str, tyro.conf.arg(metavar="PATH")]]) -> dict[str, Any]:
    """Show what a store of episodes, a checkpoint or a run holds.

    Args:
        path: a store of episodes, a checkpoint (model.safetensors) or a run's folder.
    """
    from armillary.episodes.offsets import offsets_in_words
    from armillary.episodes.store import Episodes
    from armillary.model.world_model import MODEL, STATE, WorldModel
    from armillary.training import state

    local = local_path(path)
    if local is not None and local.name == STATE:
        local = local.parent
    if local is not None and (local.suffix == ".safetensors" or (local / MODEL).exists()):
        model = WorldModel.load(local, "cpu")
        spec, about = model.spec, {"parameters": f"{sum(p.numel() for p in model.parameters()):,}", **vars(model.config)}
        about |= {"action coordinates": f"{model.actions.dim} of {model.actions.size}", **model.provenance}
        about.pop("trained", None)  # hashes, for a later `train --from`
    elif local is not None and (local / STATE).exists():
        spec, at = state.describe(local / STATE)
        about = {"not finished": f"stage {at.stage + 1}, step {at.step}; add --resume to its train command to go on with it"}
    else:
        episodes = Episodes.open(path)
        spec, lengths = episodes.spec, episodes.lengths
        about = {"episodes": len(episodes), "rows": int(lengths.sum()), **episodes.info}
        if episodes.unfinished is not None:
            about["unfinished"] = f"{episodes.unfinished['command']} was interrupted, or is at it; --resume goes on with it"
        if len(episodes):
            about["rows of an episode"] = f"{lengths.min()} to {lengths.max()}"
    table, streams = Table("stream", "kind", "shape", "unit", ""), []
    for stream in spec.streams:
        units = ", ".join(dict.fromkeys(stream.unit))
        standing = "truth" if stream.truth else "optional" if stream.optional else ""
        shape = f"{stream.shape} {', '.join(kinds.of(stream).axes)}"
        table.add_row(stream.name, stream.kind, shape, units, standing)
        said = {"name": stream.name, "kind": stream.kind, "shape": stream.shape, "unit": stream.unit, "is": standing}
        streams.append(said | ({"offset": stream.offset} if stream.offset else {}))
    table.add_row("action", spec.action.kind, str((spec.action.n,)), ", ".join(dict.fromkeys(spec.action.unit)), "")
    print(f"{path}, {spec.rate:g} Hz" if spec.rate else f"{path}, no rate")
    console.print(table)
    for line in (*offsets_in_words(spec), *(f"{name}: {in_words(value)}" for name, value in about.items())):
        print(line)
    action = {"kind": spec.action.kind, "n": spec.action.n, "unit": spec.action.unit}
    return {"path": path, "rate": spec.rate, "streams": streams, "action": action, **about}


def merge(
    stores: Positional[tuple[StorePath, ...]], out: StorePath, resume: bool = False, overwrite: bool = False
) -> dict[str, Any]:
    """Merge several stores into one. A stream that is missing from one of them becomes optional.

    Args:
        stores: two or more stores of episodes.
        out: the store to create.
        resume: continue a merge of the same stores that was interrupted.
        overwrite: replace a store that is at --out.
    """
    from armillary.episodes.merge import merge
    from armillary.episodes.store import Episodes

    merge([Episodes.open(store) for store in stores], out, resume=resume, overwrite=overwrite, progress=True)
    return info(out)
