"""From words to a call: tyro reads a verb's signature, and what it refuses becomes one line of ours.

tyro reports a refusal to a hook of its own before it draws a box. A version of tyro without that hook draws its box.
"""

import contextlib
import difflib
import inspect
import io
import re
import sys
from collections.abc import Callable, Iterable
from functools import partial
from importlib import import_module
from types import NoneType
from typing import Any, get_args

import tyro
from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

from armillary.cli.planners import constructors
from armillary.costs.registry import cost_names
from armillary.errors import ArmillaryError
from armillary.planning.registry import planner_names


def _in(module: str) -> Any:
    """A module of the library, imported when it is needed."""
    return import_module(f"armillary.{module}")


LISTS: dict[str, Callable[[], str]] = {
    "{worlds}": lambda: f"{', '.join(_in('worlds.world').names())}, gym:ID of Gymnasium, or your own as package.module:make",
    "{planners}": lambda: ", ".join(planner_names()),
    "{costs}": lambda: ", ".join(cost_names()),
    "{tasks}": lambda: ", ".join(_in("suite.tasks").SUITE),
}
"""What stands for a list of names in the docstring of a verb."""
WORDS = {"INT": "a whole number", "FLOAT": "a number"}
"""What a metavar asks for."""
NO_DEFAULT = re.compile(r"\(default:[\s│]*(none)?\)")
"""tyro's note for an option whose default is nothing; the text of such an option says what happens then."""


def call(function: Callable[..., Any], program: str, arguments: list[str], more: str = "") -> Any:
    """Call a verb with what `arguments` say, or print its help and `more`.

    Raises:
        ArmillaryError: the arguments do not fit the verb.
        SystemExit: the help was printed.
    """
    about = _complete_docstring(function.func if isinstance(function, partial) else function)
    parsed: dict[str, Any] = {"prog": program, "description": about}
    with constructors:
        if {"-h", "--help"} & set(arguments):
            print(f"{_help(function, parsed, arguments).rstrip()}\n{more}")
            sys.exit(0)

        def refuse(event: Any) -> None:
            raise ArmillaryError(_refusal(event, program, arguments, lambda: _help(function, parsed, ["--help"])))

        hook = getattr(tyro, "_errors", None)
        refusals = hook.on_parse_error(refuse) if hook else contextlib.nullcontext()
        with refusals:
            return tyro.cli(function, args=arguments, **parsed)


def closest(word: str, words: Iterable[str]) -> str:
    """` (did you mean X?)`, or nothing where none of `words` is near."""
    near = difflib.get_close_matches(word, list(words), 1)
    return f" (did you mean {near[0]}?)" if near else ""


def _complete_docstring(verb: Callable[..., Any]) -> str:
    """Write lists of names into a verb's docstring, where tyro reads it; returns what comes before its arguments."""
    text = verb.__doc__ or ""
    for mark, listed in LISTS.items():
        text = text.replace(mark, listed()) if mark in text else text
    text = re.sub(r"\n {12}(?=\S)", " ", text)  # tyro would keep these line breaks
    verb.__doc__ = inspect.unwrap(verb).__doc__ = text
    return inspect.cleandoc(text).partition("\nArgs:")[0].strip()


def _help(function: Callable[..., Any], parsed: dict[str, Any], arguments: list[str]) -> str:
    written = io.StringIO()
    with contextlib.redirect_stdout(written), contextlib.suppress(SystemExit):
        tyro.cli(function, args=arguments, **parsed)
    return NO_DEFAULT.sub(lambda found: re.sub(r"[^\s│]", " ", found[0]), written.getvalue())


def _refusal(event: Any, program: str, arguments: list[str], help_: Callable[[], str]) -> str:
    """Expected, got, and what to do, for an event of tyro's."""
    see = f"{program} --help lists all"
    match type(event).__name__:
        case "MissingArgs":
            missing = ", ".join(_written(each.arg) for each in event.missing_arguments)
            unknown = "".join(f", and did not expect {token}" for token in event.unrecognized_tokens)
            return f"expected {missing}, got none{unknown}; {see}"
        case "UnrecognizedArgs":
            first = event.tokens[0]
            if not first.startswith("-"):
                return f"expected no {first!r} after {_before(first, arguments)}; {see}"
            known = re.findall(r"--[\w.-]+", help_())
            return f"expected an option of {program}, got {first}{closest(first, known)}; {see}"
        case "InvalidChoice":
            name, choices = event.argument.display_name(), ", ".join(event.choices)
            return f"{name}: expected one of {choices}, got {event.value!r}{closest(event.value, event.choices)}"
        case "BadValue":
            return f"expected a value, {_written(event.argument)}, got none; {see}"
        case "InstantiationFailure" if event.argument is not None:
            wanted = next((WORDS[word] for word in WORDS if word in str(event.argument.lowered.metavar)), None)
            name = event.argument.display_name()
            if wanted is None:
                return f"{name}: {event.message}"
            return f"{name}: expected {wanted}, got {_given(event.argument, arguments)}; {see}"
        case other:
            return f"{getattr(event, 'message', other)}; {see}"


def _written(argument: Any) -> str:
    """As it is written: STORE, or --out PATH."""
    metavar = str(argument.lowered.metavar)
    return metavar if argument.is_positional() else f"{argument.lowered.name_or_flags[0]} {metavar}"


def _given(argument: Any, arguments: list[str]) -> str:
    """What stands behind an option, quoted."""
    names = argument.lowered.name_or_flags
    for at, word in enumerate(arguments):
        name, sign, value = word.partition("=")
        if name.replace("_", "-") in names:
            return repr(value) if sign else " ".join(map(repr, arguments[at + 1 : at + 2]))
    return "something else"


def _before(token: str, arguments: list[str]) -> str:
    at = arguments.index(token) if token in arguments else 0
    return repr(arguments[at - 1]) if at else "the verb"


@constructors.primitive_rule
def _optional(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec | None:
    """`X | None` is written as X, or as none."""
    kinds = get_args(info.type)
    if len(kinds) != 2 or NoneType not in kinds:
        return None
    (kind,) = (each for each in kinds if each is not NoneType)
    spec = ConstructorRegistry.get_primitive_spec(PrimitiveTypeInfo.make(kind, info.markers))
    if not isinstance(spec, PrimitiveConstructorSpec):
        return None

    def read(words: list[str]) -> Any:
        if words in (["none"], ["None"]):
            return None
        if spec.choices and words[0] not in spec.choices:
            raise ValueError(f"expected one of {', '.join(spec.choices)}, got {words[0]!r}{closest(words[0], spec.choices)}")
        return spec.instance_from_str(words)

    return PrimitiveConstructorSpec(
        nargs=spec.nargs,
        metavar=spec.metavar,
        instance_from_str=read,
        is_instance=lambda value: value is None or spec.is_instance(value),
        str_from_instance=lambda value: ["none"] if value is None else spec.str_from_instance(value),
    )
