"""`armillary import FORMAT` and `armillary export FORMAT`: the functions in episodes/formats/ that do it, as verbs.

Their signatures are the options, and their docstrings the help. What differs here: progress is always shown, images are reduced
unless `--image-size none` is given, and a mapping is written as name=value.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, field, make_dataclass
from importlib import import_module
from inspect import Parameter, signature
from pathlib import Path
from typing import Any, get_type_hints

from tyro.conf import Positional
from tyro.constructors import PrimitiveConstructorSpec, PrimitiveTypeInfo

from armillary import plugins
from armillary.cli.parse import call
from armillary.cli.planners import constructors
from armillary.cli.shared import StorePath, parse_options
from armillary.episodes.formats import GROUP

IMAGE_SIZE = 64
ABOUT = {
    "import": {
        "lerobot": "A LeRobot dataset, v2.0, v2.1 or v3.0.",
        "swm": "A recording of stable-worldmodel: Lance, HDF5 or a folder.",
        "table": "Tables of sensors, CSV or Parquet: a row is a step, and every column of numbers that is not named here is a "
        "sensor.",
        "streams": "Folders of tables, each table with a clock of its own: a folder is an episode, a table in it is a stream.",
        "hdf5": "HDF5 files: robomimic's, a group or a file an episode (ALOHA), or arrays that all episodes share (D4RL).",
        "npz": "NumPy archives (.npz): arrays that all episodes share (OGBench), or a file an episode.",
        "minari": "A dataset of Minari: HDF5, Arrow or Parquet.",
        "mcap": "Recordings of ROS (.mcap, .db3, .bag): images, depth, scans, clouds, inertial units, joints, on one clock.",
        "video": "Videos and folders of images, each an episode; with actions where a CSV or Parquet table is beside each.",
    },
    "export": {
        "lerobot": "Export to a LeRobot dataset, v3.0: images as video, everything else as vectors. What cannot be exported is "
        "listed."
    },
}
_TYPES = {"path": Positional[Path], "store": Positional[StorePath], "out": StorePath}
_EXPLAINED = re.compile(r"^ {8}(\w+): (.+(?:\n {12}.+)*)", re.MULTILINE)


def call_format(what: str, name: str, program: str, arguments: list[str]) -> Any:
    """Import from, or export to, a format, print the summary and return it."""
    if name in ABOUT[what]:
        summary = function_of(what, name)(**vars(call(options_of(what, name), program, arguments)))
    else:
        summary = call(plugins.find(GROUP, name, ABOUT[what]), program, arguments)
    print(summary)
    return summary


def options_of(what: str, name: str) -> type:
    """The arguments of a format's function as tyro reads them: a dataclass, `what` being import or export."""
    importing, function = import_module("armillary.episodes.formats.importing"), function_of(what, name)
    texts, hints, options = _texts(function), get_type_hints(function) | _TYPES, []
    parameters = dict(signature(function).parameters)
    if parameters.pop("writing", None):
        hints |= get_type_hints(importing.Writing)
        parameters |= {name: signature(importing.import_units).parameters[name] for name in importing.Writing.__annotations__}
    for option, parameter in parameters.items():
        if option != "progress":
            default = MISSING if parameter.default is Parameter.empty else parameter.default
            default = IMAGE_SIZE if option == "image_size" else default
            options.append((option, hints[option], field(default=default)))
    about = f"{ABOUT[what][name]}\n\n    Args:\n" + "".join(f"        {option}: {texts[option]}\n" for option, *_ in options)
    return make_dataclass(name, options, namespace={"__doc__": about}, kw_only=True)


def function_of(what: str, name: str) -> Callable[..., Any]:
    """What imports a format, or exports to it."""
    module = name if what == "import" else f"{name}_export"
    return getattr(import_module(f"armillary.episodes.formats.{module}"), f"{what}_{name}")


def _texts(function: Callable[..., Any]) -> dict[str, str]:
    """What each argument is, by the docstring of a function and of the importer whose arguments it says that it shares."""
    doc, found = function.__doc__ or "", {}
    for name in re.findall(r"those of `import_(\w+)`", doc):
        found = _texts(function_of("import", name))
    return found | {name: " ".join(text.split()) for name, text in _EXPLAINED.findall(doc)}


@constructors.primitive_rule
def _mapping(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec | None:
    """A mapping is written as name=value ..."""
    if info.type != Mapping[str, str]:
        return None
    return PrimitiveConstructorSpec(
        nargs="*",
        metavar="[NAME=VALUE [NAME=VALUE ...]]",
        instance_from_str=lambda words: parse_options(tuple(words)),
        is_instance=lambda value: isinstance(value, Mapping),
        str_from_instance=lambda value: [f"{name}={part}" for name, part in value.items()],
    )
