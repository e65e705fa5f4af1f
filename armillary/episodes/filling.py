"""A store that one command fills: recordings, imports, merges, and episodes whose actions are inferred.

- The store is made with the first episodes, so that a command that fails before leaves nothing, and nothing has to be deleted;
- until `finish` it says that it is unfinished and what was filling it. A command that fails or is interrupted leaves it so;
- to resume, the same command goes on behind what is stored. To overwrite, the new store takes the old one's place as a new
  version of it: whatever else lies in that folder is not touched, and the old episodes go when the new ones are complete.
"""

import json
import os
from collections.abc import Iterable, Iterator
from typing import Any

from armillary.addresses import address
from armillary.episodes import columns
from armillary.episodes.images import Codec
from armillary.episodes.store import Episode, Episodes
from armillary.errors import ArmillaryError, CorruptFile, NoStore, SpecMismatch
from armillary.interrupts import uninterrupted
from armillary.spec import Spec


class Filling:
    """See above. Episodes have to come in an order that is the same every time.

    Args:
        path: where the store will be.
        spec, images, info: as `Episodes.create` takes them.
        job: what determines the episodes and their order, as JSON holds it; a store is only resumed by the same.
        resume: go on with the unfinished store that is there; begin if there is none.
        overwrite: replace the store that is there.

    Attributes:
        store: the store; None before its first episode.
        spec: of the store that is there, or that the first episode makes; offsets may be set until then.
        stored: how many episodes it had when this began.
        done: the store that is there is finished already, and `resume` was given.

    Raises:
        ArmillaryError: something is there, and neither option or the wrong one was given.
    """

    def __init__(
        self,
        path: str | os.PathLike,
        spec: Spec,
        *,
        job: dict[str, Any],
        images: Codec = "auto",
        info: dict[str, Any] | None = None,
        resume: bool = False,
        overwrite: bool = False,
    ):
        if resume and overwrite:
            raise ArmillaryError("--resume goes on with a store and --overwrite replaces it; give one of them")
        self.path, job = address(path), json.loads(columns.to_json(job, "job"))
        there = _store_at(self.path)
        overwrite = overwrite and there is not None
        self.spec = spec
        self._create: dict[str, Any] = {"images": images, "info": info, "unfinished": job, "overwrite": overwrite}
        self.store, self.stored, self.done = None, 0, False
        if there is None or overwrite:
            return
        if not resume:
            raise ArmillaryError(f"{self.path} exists; {_remedy(there)}")
        self.store, self.stored, self.done = there, len(there), there.unfinished is None
        self.spec = spec.with_offsets(there.spec)
        if there.spec != self.spec:
            raise SpecMismatch(f"{self.path} holds other streams or actions than this would write; --overwrite replaces it")
        if there.unfinished is not None:
            require_same_job(self.path, there.unfinished, job)

    def __enter__(self) -> "Filling":
        return self

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        """An interrupt, and an error after the first commit, say what they leave behind."""
        if self.store is not None and (isinstance(error, KeyboardInterrupt) or len(self.store) > self.stored):
            say_unfinished(error, self.path, len(self.store))

    def append(self, *episodes: Episode) -> None:
        """Add episodes in one commit; see `Episodes.append`."""
        if episodes:
            with uninterrupted():
                self.begun().append(*episodes)

    def begun(self) -> Episodes:
        """The store, made now unless it was before."""
        if self.store is None:
            self.store = Episodes.create(self.path, self.spec, **self._create)
        return self.store

    def require_same(self, number: int, episode: Episode) -> None:
        """Require that a stored episode is the one that the command would write again.

        Raises:
            ArmillaryError: it is not, so that going on would not give what an unbroken run gives.
        """
        store = self.begun()
        if columns.digest(store.spec, episode) != store.digests[number]:
            raise ArmillaryError(
                f"{self.path} cannot be resumed: its episode {number} comes out otherwise this time, so that what follows "
                "would not belong to it; --overwrite replaces it"
            )

    def remaining(self, episodes: Iterable[Episode]) -> Iterator[Episode]:
        """Those of all episodes that are not stored yet; the ones that are stored have to be the same."""
        for number, episode in enumerate(episodes):
            if number < self.stored:
                self.require_same(number, episode)
            else:
                yield episode

    def finish(self) -> Episodes:
        """The store, complete."""
        store = self.begun()
        store.finish()
        return store


def say_unfinished(error: BaseException | None, path: str | os.PathLike, episodes: int) -> None:
    """Add to what an interrupt or an error of ours says that `path` has so many episodes, and how to go on."""
    said = f"{path} is unfinished, with {episodes} episodes so far; go on with --resume"
    if isinstance(error, KeyboardInterrupt | ArmillaryError) and said not in str(error):
        error.args = ("; ".join([*map(str, error.args), said]),)


def require_same_job(path: str | os.PathLike, was: dict[str, Any], now: dict[str, Any]) -> None:
    """Require that what was filling `path` is what would go on with it now.

    Raises:
        ArmillaryError: it is something else; the message says what differs.
    """
    if differ := [name for name in now if was.get(name) != now[name]]:
        said = ", ".join(f"{name} was {was.get(name)!r} and is {now[name]!r}" for name in differ)
        raise ArmillaryError(f"{path} cannot be resumed by another command: {said}; --overwrite replaces it")


def _store_at(path: str) -> Episodes | None:
    """The store at a path; None where there is nothing."""
    try:
        return Episodes.open(path)
    except CorruptFile as error:
        remedy = "it is no store of episodes, or a damaged one, so that nothing here replaces it; take another path"
        raise ArmillaryError(f"{path} exists; {remedy}") from error
    except NoStore:
        return None


def _remedy(store: Episodes) -> str:
    if store.unfinished is None:
        return f"it holds {len(store)} episodes; take another path, or replace it with --overwrite"
    return f"it is unfinished and holds {len(store)} episodes; go on with --resume, or replace it with --overwrite"
