"""The type checker of the tests: array shapes alone, with beartype. conftest.py puts it on every function of the package.

Other annotations are left out, because errors about values of a wrong type are part of what is tested.
"""

from typing import Any, get_args

from beartype import beartype
from jaxtyping import AbstractArray


def check(function: Any) -> Any:
    """`function`, which checks those of its arguments and results that are annotated with shapes."""
    hints = getattr(function, "__annotations__", {})
    shapes = {name: hint for name, hint in hints.items() if _has_shape(hint)}
    if not shapes:
        return function
    function.__annotations__ = shapes
    return beartype(function)


def _has_shape(hint: Any) -> bool:
    return (isinstance(hint, type) and issubclass(hint, AbstractArray)) or any(map(_has_shape, get_args(hint)))
