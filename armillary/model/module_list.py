"""`torch.nn.ModuleList`, of which a type checker also knows what is in it."""

from typing import TYPE_CHECKING, Generic, TypeVar, overload

from torch import nn

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    Part = TypeVar("Part", bound=nn.Module)

    class ModuleList(nn.ModuleList, Generic[Part]):
        def __init__(self, modules: Iterable[Part]) -> None: ...
        def __iter__(self) -> Iterator[Part]: ...
        @overload
        def __getitem__(self, idx: int) -> Part: ...
        @overload
        def __getitem__(self, idx: slice) -> "ModuleList[Part]": ...

else:
    ModuleList = nn.ModuleList
