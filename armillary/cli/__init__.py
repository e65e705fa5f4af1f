"""`armillary VERB`: thin; each verb calls one public function. Bad input is one line and exit status 2, never a traceback.

Verbs import what they need when they run, so that help comes quickly and nothing asks for an extra that it does not use.
"""

import errno
import sys
from collections.abc import Callable

import tyro

from armillary.cli import bench, exports, imports, verbs
from armillary.errors import ArmillaryError

VERBS: dict[str, Callable[..., None]] = {
    "demo": verbs.demo,
    "record": verbs.record,
    "info": verbs.info,
    "merge": verbs.merge,
    "label": verbs.label,
    "doctor": verbs.doctor,
    "train": verbs.train,
    "eval": verbs.eval_,
    "report": verbs.report,
    "watch": verbs.watch,
    "imagine": verbs.imagine,
}
GROUPS: dict[str, tuple[str, dict[str, Callable[..., None]]]] = {
    "import": (
        "Import somebody's recording into a new store of episodes; `armillary import --help` lists the formats.",
        {
            "lerobot": imports.lerobot,
            "swm": imports.swm,
            "table": imports.table,
            "streams": imports.streams,
            "hdf5": imports.hdf5,
            "minari": imports.minari,
            "mcap": imports.mcap,
            "video": imports.video,
        },
    ),
    "export": (
        "Write a store of episodes for somebody else's tools; `armillary export --help` lists the formats.",
        {"lerobot": exports.lerobot},
    ),
    "bench": (
        "Measure, as the published tables were; `armillary bench --help` lists what there is.",
        {"control": bench.control, "diagnose": bench.diagnose, "monitor": bench.monitor, "speed": bench.speed},
    ),
}
"""Verbs that have verbs of their own."""


def main(arguments: list[str] | None = None) -> None:
    """The command line; exits with 2 on bad input."""
    arguments = sys.argv[1:] if arguments is None else arguments
    program, about = "armillary", "Armillary: record a world, learn how it works, plan in it, and be judged honestly."
    chosen = VERBS | {name: _documented(text) for name, (text, _) in GROUPS.items()}
    if arguments and arguments[0] in GROUPS:
        (about, chosen), program, arguments = GROUPS[arguments[0]], f"armillary {arguments[0]}", arguments[1:]
    try:
        tyro.extras.subcommand_cli_from_dict(chosen, prog=program, description=about, args=arguments)
    except ArmillaryError as error:
        _fail(str(error))
    except OSError as error:
        full = f"the disk is full ({error.filename or 'while writing'}); make room and try again"
        _fail(full if error.errno == errno.ENOSPC else str(error))
    except KeyboardInterrupt:
        _fail("interrupted", status=130)


def _documented(about: str) -> Callable[..., None]:
    def group() -> None: ...

    group.__doc__ = about
    return group


def _fail(message: str, status: int = 2) -> None:
    print(f"armillary: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(status)
