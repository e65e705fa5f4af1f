"""`armillary VERB`: thin; each verb calls one public function. Bad input is one line and exit status 2, and what nobody
foresaw is one line and status 3; a traceback only with --debug.

Verbs import what they need when they run, so that help comes quickly and nothing asks for an extra that it does not use.
"""

import errno
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any

from armillary import __version__, plugins
from armillary.episodes.formats import GROUP as FORMATS
from armillary.errors import ArmillaryError
from armillary.files import as_json
from armillary.interrupts import ended_by_interrupts, sigterm_as_sigint

with ended_by_interrupts():  # seconds on a slow machine
    from armillary.cli import bench, demo, doctor, eval, formats, imagine, info, label, play, record, train, watch
    from armillary.cli.parse import call, closest
    from armillary.cli.shared import Outcome, plain, results_as_json

FLAGS = {"--debug", "--json"}
EVERY_VERB = "Every verb takes --json (print the result as JSON) and --debug (print the traceback of an error)."
ABOUT = (
    "Armillary: record a world, learn a model of it, plan in the model, and measure how well it does.\n"
    "armillary --version prints the version."
)
VERBS: dict[str, Callable[..., Any]] = {
    "demo": demo.demo,
    "record": record.record,
    "info": info.info,
    "merge": info.merge,
    "label": label.label,
    "doctor": doctor.doctor,
    "train": train.train,
    "eval": eval.eval_,
    "report": eval.report,
    "play": play.play,
    "watch": watch.watch,
    "imagine": imagine.imagine,
}
GROUPS: dict[str, tuple[str, Mapping[str, Callable[..., Any] | str]]] = {
    "import": ("Import a recording of another format into a new store of episodes.", formats.ABOUT["import"]),
    "export": ("Export a store of episodes to another format.", formats.ABOUT["export"]),
    "bench": (
        "Run the benchmarks behind the published tables.",
        {
            "control": bench.control,
            "diagnose": bench.diagnose,
            "physics": bench.physics,
            "figures": bench.figures,
            "monitor": bench.monitor,
            "speed": bench.speed,
        },
    ),
}
"""Verbs that have verbs of their own; of those that stand for a function elsewhere, what it does."""


def main(arguments: list[str] | None = None) -> None:
    """The command line. `--json` and `--debug` are taken anywhere.

    Exit statuses: 2 bad input, 3 an error that nobody foresaw, 130 interrupted (SIGINT or SIGTERM); others are the verb's own.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    flags, arguments = set(arguments) & FLAGS, [argument for argument in arguments if argument not in FLAGS]
    try:
        with sigterm_as_sigint(), results_as_json() if "--json" in flags else nullcontext(sys.stdout) as out:
            result = _run(arguments)
            data = plain(result)
            if "--json" in flags and data is not None:  # watch has written its own lines
                print(as_json(data, indent=1), file=out)
            out.flush()
    except (SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # a panic in a library of Rust is no Exception
        message, status = _said(error)
        if "--debug" in flags:
            traceback.print_exception(error)
        _fail(message, status)
    if isinstance(result, Outcome):
        sys.exit(result.status)


def _run(arguments: list[str]) -> Any:
    """Call the verb that is asked for, with the arguments that follow it."""
    if arguments == ["--version"]:
        return print(f"armillary {__version__}")
    program, about, verbs = "armillary", ABOUT, VERBS | {name: text for name, (text, _) in GROUPS.items()}
    if arguments and arguments[0] in GROUPS:
        (about, verbs), program, arguments = GROUPS[arguments[0]], f"armillary {arguments[0]}", arguments[1:]
        if program == "armillary import":
            verbs = {**verbs, **dict.fromkeys(plugins.registered(FORMATS), "A format that an installed package adds.")}
    see = f"{program} --help says what each does"
    if not arguments:
        raise ArmillaryError(f"expected one of {', '.join(verbs)} after {program}, got nothing; {see}")
    verb, *rest = arguments
    if verb in ("-h", "--help"):
        return _list(program, about, verbs)
    if verb not in verbs:
        raise ArmillaryError(f"expected one of {', '.join(verbs)}, got {verb!r}{closest(verb, verbs)}; {see}")
    function, program = verbs[verb], f"{program} {verb}"
    if function is train.train:
        return train.call_train(program, rest)
    if not isinstance(function, str):
        return call(function, program, rest)
    return formats.call_format(program.split()[1], verb, program, rest)


def _list(program: str, about: str, verbs: Mapping[str, Callable[..., Any] | str]) -> None:
    wide = max(map(len, verbs)) + 2
    print(f"usage: {program} VERB ...\n\n{about}\n")
    for name, verb in verbs.items():
        text = verb if isinstance(verb, str) else (verb.__doc__ or "").splitlines()[0]
        print(f"  {name:{wide}}{text}")
    print(f"\n{program} VERB --help lists the options of a verb. {EVERY_VERB}")


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


def _fail(message: str, status: int = 2) -> None:
    print(f"armillary: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(status)
