"""How the command line takes a planner: its name, and settings as name=value, in one option."""

from types import UnionType
from typing import Any, Union, get_args, get_origin

import tyro
from tyro.constructors import PrimitiveConstructorSpec, PrimitiveTypeInfo

from armillary.cli.shared import parse_options
from armillary.files import as_json
from armillary.planning import Planner
from armillary.planning.registry import planner_from_json, planner_to_json

constructors = tyro.constructors.ConstructorRegistry()


def parse_planner(words: list[str] | tuple[str, ...]) -> dict[str, Any]:
    """NAME SETTING=VALUE ... as `planner_from_json` takes it."""
    return {**parse_options(tuple(words[1:])), "name": words[0]}


@constructors.primitive_rule
def _planner(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec | None:
    kinds = get_args(info.type) if get_origin(info.type) in (Union, UnionType) else (info.type,)
    if Planner not in kinds:
        return None

    def words(planner: Planner | None) -> list[str]:
        plain = {"name": "default"} if planner is None else planner_to_json(planner)
        settings = {name: value if isinstance(value, str) else as_json(value) for name, value in plain.items()}
        return [settings.pop("name"), *(f"{name}={value}" for name, value in settings.items())]

    return PrimitiveConstructorSpec(
        nargs="*",
        metavar="NAME [SETTING=VALUE ...]",
        instance_from_str=lambda given: None if given in ([], ["default"]) else planner_from_json(parse_planner(given)),
        is_instance=lambda value: value is None or isinstance(value, Planner),
        str_from_instance=words,
    )
