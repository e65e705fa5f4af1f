"""`armillary VERB`: thin; each verb calls one public function. Bad input is one line and exit status 2, and what nobody
foresaw is one line and status 3; a traceback only with --debug.

Verbs import what they need when they run, so that help comes quickly and nothing asks for an extra that it does not use.
"""

import errno
import os
import sys
import traceback
from collections.abc import Callable

from armillary import __version__
from armillary.errors import ArmillaryError
from armillary.interrupts import ended_by_interrupts, sigterm_as_sigint

with ended_by_interrupts():  # seconds on a slow machine
    import tyro

    from armillary.cli import bench, demo, doctor, eval, exports, imagine, imports, info, label, record, train, watch
    from armillary.cli.planners import constructors

VERBS: dict[str, Callable[..., None]] = {
    "demo": demo.demo,
    "record": record.record,
    "info": info.info,
    "merge": info.merge,
    "label": label.label,
    "doctor": doctor.doctor,
    "train": train.train,
    "eval": eval.eval_,
    "report": eval.report,
    "watch": watch.watch,
    "imagine": imagine.imagine,
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
            "npz": imports.npz,
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
        {
            "control": bench.control,
            "diagnose": bench.diagnose,
            "figures": bench.figures,
            "monitor": bench.monitor,
            "speed": bench.speed,
        },
    ),
}
"""Verbs that have verbs of their own."""


def main(arguments: list[str] | None = None) -> None:
    """The command line. `--debug`, anywhere, adds the traceback to what went wrong; `--version` alone prints the version.

    Exit statuses: 2 bad input, 3 an error that nobody foresaw, 130 interrupted (SIGINT or SIGTERM); others are the verb's own.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    debug, arguments = "--debug" in arguments, [argument for argument in arguments if argument != "--debug"]
    if arguments == ["--version"]:
        return print(f"armillary {__version__}")
    program, about = "armillary", "Armillary: record a world, learn how it works, plan in it, and be judged honestly."
    chosen = VERBS | {name: _documented(text) for name, (text, _) in GROUPS.items()}
    if arguments and arguments[0] in GROUPS:
        (about, chosen), program, arguments = GROUPS[arguments[0]], f"armillary {arguments[0]}", arguments[1:]
    else:
        about += " --version prints the version."
    about += " Add --debug for the traceback of an error."
    try:
        with sigterm_as_sigint(), constructors:
            tyro.extras.subcommand_cli_from_dict(chosen, prog=program, description=about, args=arguments)
            sys.stdout.flush()
    except (SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # a panic in a library of Rust is no Exception
        message, status = _said(error)
        if debug:
            traceback.print_exception(error)
        _fail(message, status)


def _said(error: BaseException) -> tuple[str, int]:
    """One line for an error, and the exit status."""
    if isinstance(error, ArmillaryError):
        return str(error), 2
    if isinstance(error, KeyboardInterrupt):
        return "; ".join(["interrupted", *map(str, error.args)]), 130
    if isinstance(error, BrokenPipeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # or Python complains once more when it flushes at the end
        return "nobody reads the output any more", 3
    if isinstance(error, OSError):
        full = f"the disk is full ({error.filename or 'while writing'}); make room and try again"
        return full if error.errno == errno.ENOSPC else str(error), 2
    reason = next(iter(str(error).splitlines()), "")
    if isinstance(error, MemoryError):
        return f"out of memory {reason and f'({reason})'}; take fewer, smaller or shorter episodes, or a smaller model", 3
    return f"unexpected {type(error).__name__}: {reason}; this is a bug of Armillary: add --debug for the traceback", 3


def _documented(about: str) -> Callable[..., None]:
    def group() -> None: ...

    group.__doc__ = about
    return group


def _fail(message: str, status: int = 2) -> None:
    print(f"armillary: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(status)
