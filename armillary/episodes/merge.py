"""Two recordings or more as one, so that a model can learn from all of them.

Streams are told apart by name. One that not every recording has becomes optional (`Stream.optional`): its episodes are without
it. The first offset of a vector (`Stream.offset`) stands for all. What else there is has to agree, since nothing here could
tell which of two units or rates is right. Truth that not every recording has is left out.
"""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.progress import track

from armillary.addresses import absolute
from armillary.console import plain_console
from armillary.episodes.filling import Filling
from armillary.episodes.formats.importing import groups
from armillary.episodes.store import Episode, Episodes
from armillary.errors import ArmillaryError, SpecMismatch
from armillary.spec import Spec, Stream


def merge(
    stores: Sequence[Episodes],
    out: str | os.PathLike,
    *,
    resume: bool = False,
    overwrite: bool = False,
    progress: bool = False,
) -> Episodes:
    """A new store of all episodes, in order; the info of each says under `recording` where it is from.

    What all recordings say of themselves, such as the world that they are of, the new one says too.

    Args:
        stores: two or more. Images in JPEG are decoded and coded anew.
        out: the store to create.
        resume: go on with a merge of the same stores that was interrupted.
        overwrite: replace the store that is there.
        progress: show a progress bar.

    Raises:
        ArmillaryError: fewer than two recordings; `out` is one of them, or is there and is not to be resumed or overwritten; it
            cannot be written. What was committed stays, marked as unfinished.
        SpecMismatch: recordings that do not agree in a stream, the action space or the rate.
    """
    if len(stores) < 2:
        raise ArmillaryError(f"to merge takes two recordings or more, not {len(stores)}")
    spec = merged_spec([store.spec for store in stores])
    agreed = {name: said for name, said in stores[0].info.items() if all(store.info.get(name) == said for store in stores)}
    about = {**agreed, "source": "merge", "recordings": [store.path for store in stores]}
    if absolute(out) in [absolute(store.path) for store in stores]:
        raise ArmillaryError(f"{out} is one of the recordings to merge; take another path for --out")
    job = {"command": "merge", "recordings": {absolute(store.path): store.content_hash() for store in stores}}
    into = Filling(out, spec, job=job, info=about, resume=resume, overwrite=overwrite)
    if into.done:
        return into.begun()
    numbers = [(store, number) for store in stores for number in range(len(store))]
    if into.stored:
        into.require_same(into.stored - 1, _told(*numbers[into.stored - 1], spec))
    shown = track(numbers[into.stored :], "merge", console=plain_console(stderr=True), disable=not progress)
    with into:
        for group in groups(_told(*one, spec) for one in shown):
            into.append(*group)
    return into.finish()


def _told(store: Episodes, number: int, spec: Spec) -> Episode:
    """An episode with the truth that all recordings have, and where it is from."""
    episode = store.relative_to(spec).episode(number, truth=True)
    truth = {stream.name: episode.truth[stream.name] for stream in spec.truth}
    return replace(episode, truth=truth, info={**episode.info, "recording": Path(store.path).name})


def merged_spec(specs: Sequence[Spec]) -> Spec:
    """The Spec of several recordings together; see above.

    Raises:
        SpecMismatch: they do not agree; the message names what.
    """
    first = specs[0]
    found: dict[str, list[Stream]] = {}
    for spec in specs:
        for name, ours, theirs in (("action space", first.action, spec.action), ("rate", first.rate, spec.rate)):
            if ours != theirs:
                raise SpecMismatch(f"recordings of one {name} can be merged; these have {ours} and {theirs}")
        for stream in spec.streams:
            found.setdefault(stream.name, []).append(stream)
    streams = []
    for name, given in found.items():
        if len({replace(stream, optional=False, offset=()) for stream in given}) > 1:
            raise SpecMismatch(f"stream {name!r} differs between recordings: {', '.join(map(str, dict.fromkeys(given)))}")
        everywhere = len(given) == len(specs)
        if everywhere or not given[0].truth:
            optional = not everywhere or any(stream.optional for stream in given)
            offset = next((stream.offset for stream in given if stream.offset), ())
            streams.append(replace(given[0], optional=optional, offset=offset))
    return Spec(tuple(streams), first.action, first.rate)
