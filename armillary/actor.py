"""Actors: whatever decides what to do. One contract for recording, evaluating, exploring and serving.

The contract is not in `acting/`, because recordings and worlds ask for it, and they come before `acting/` in the import order.
Actors without a model are in `episodes/scripted.py`, all others in `acting/`. Design choices:
- an actor serves many environments, named by whole numbers (`ids`): environments of a vector, pairs of an evaluation set, or
  clients of a server. A call is about those it names; the others are not touched;
- what an actor is shown: the observed streams of its environments. One that needs ground truth says so (`needs_truth`) and is
  also shown the truth streams, and `TRUE_STATE` where there is one; no learned actor does.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int

from armillary.arguments import an_array, whole_numbers
from armillary.errors import ArmillaryError, OutOfRange

TRUE_STATE = "true state"
"""Key of a world's full states (B, S), now or at the goals, among what an actor that needs truth is shown."""
Observations = Mapping[str, Any]
"""Arrays or tensors (B, *shape) by stream, one row for each environment."""


@dataclass(frozen=True)
class Action:
    """What B environments do now, and what led to it."""

    values: np.ndarray
    """(B, n) float32 in raw units, or (B,) int64 choices"""
    mode: Literal["scripted", "habit", "plan"]
    """a fixed rule; Mode 1 (LeCun 2022): a policy on latents; Mode 2: planning"""
    decided: np.ndarray | None = None
    """(B,) bool: in which environments a learned actor chose anew; in the others it carries out what it chose before"""
    plan: Any = None
    """the `Plan` of B rows that is being carried out"""


@runtime_checkable
class Actor(Protocol):
    """Base class: a subclass writes `start` and `act`."""

    needs_observations: bool = True
    """Whether it reads observations; if not, a world may leave out drawing them."""
    needs_truth: bool = False
    """Whether it is also shown ground truth."""
    needs_goals: bool = False
    """Whether `start` has to be given goals."""

    def reset(self, seed: int | None = None) -> None:
        """Forget every environment. Random numbers begin again, under another seed if one is given."""

    def start(self, ids: Any, goals: Observations | None = None) -> None:
        """An episode begins in these environments, of which some may be new.

        Args:
            ids: whole numbers from 0, or a mask (N,) bool of the N environments that were started before.
            goals: what is sensed at their goals, (n, *shape) by stream, or (1, *shape) for one goal for all.

        Raises:
            ArmillaryError: no such environments, or one is named twice.
        """
        ...

    def act(self, observations: Observations, ids: Any = None) -> Action:
        """What to do now.

        Args:
            observations: of the B environments that act.
            ids: these environments, as in `start`. Default: all that were started, in the order in which they first were.

        Raises:
            ArmillaryError: an environment that was not started.
        """
        ...


class Started:
    """The environments that an actor knows. Each has a row, counted from 0 in the order in which they were first started."""

    def __init__(self) -> None:
        self._rows: dict[int, int] = {}
        self._all = np.arange(0)

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def ids(self) -> Int[np.ndarray, " n"]:
        """Their ids, by row."""
        return np.fromiter(self._rows, np.int64, len(self))

    def named(self, given: Any) -> Int[np.ndarray, " n"]:
        """The ids that numbers, or a mask of the known ones, stand for; all that are known for None.

        Raises:
            OutOfRange: a number below 0.
            ArmillaryError: a mask of another length, one that is named twice, no whole numbers, or None when none is known.
        """
        if given is None:
            if not len(self):
                raise ArmillaryError("no environment was started; call start with their ids first")
            return self.ids
        array = an_array(given, "environments")
        if array.dtype == bool:
            if array.shape != (len(self),):
                raise ArmillaryError(f"expected a mask of the ({len(self)},) environments that were started; got {array.shape}")
            return self.ids[array]
        ids = whole_numbers(array, "environments")
        if ids.size and ids.min() < 0:
            raise OutOfRange(f"expected environments by whole numbers from 0; got {ids.tolist()}")
        if len(np.unique(ids)) < len(ids):
            raise ArmillaryError(f"an environment is named twice in {ids.tolist()}")
        return ids

    def add(self, given: Any) -> Int[np.ndarray, " n"]:
        """Rows of these environments, of which some may be new; `named` says what is refused."""
        rows = np.array([self._rows.setdefault(i, len(self._rows)) for i in self.named(given).tolist()], np.int64)
        self._all = np.arange(len(self))
        return rows

    def rows(self, given: Any = None) -> Int[np.ndarray, " n"]:
        """Rows of environments that are known.

        Raises:
            OutOfRange: one that is not.
            ArmillaryError: as `named`.
        """
        if given is None and len(self):
            return self._all
        ids = self.named(given).tolist()
        if unknown := [i for i in ids if i not in self._rows]:
            raise OutOfRange(f"environments {unknown} were not started; call start with their ids first")
        return np.array([self._rows[i] for i in ids], np.int64)

    def require_goals(self, rows: np.ndarray, has_goal: np.ndarray, remedy: str = "give start their goals") -> None:
        """Require that the environments of these rows have a goal: of N, `has_goal` (N,) says which have.

        Raises:
            ArmillaryError: one has none.
        """
        if not has_goal[rows].all():
            lost = self.ids[rows][~has_goal[rows]].tolist()
            raise ArmillaryError(f"environments {lost} have no goal; {remedy}")
