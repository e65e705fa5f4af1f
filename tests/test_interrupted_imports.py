"""An interrupt while modules are imported is one line, not a traceback out of the middle of an import."""

import signal
import subprocess
import sys

import pytest

PROGRAM = """
import signal, sys
from armillary.interrupts import ended_by_interrupts
before = signal.default_int_handler
signal.signal(signal.SIGINT, before)  # a shell's background jobs ignore it
with ended_by_interrupts():
    pass
assert signal.getsignal(signal.SIGINT) is before
with ended_by_interrupts():
    signal.raise_signal(int(sys.argv[1]))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupts_end_an_import_in_one_line(number):
    done = subprocess.run([sys.executable, "-c", PROGRAM, str(int(number))], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, "armillary: interrupted\n")


def test_the_command_line_is_imported_so():
    program = "import builtins, signal, sys; real = builtins.__import__\n"
    program += "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    program += "def stopped(name, *rest):\n    if name == 'tyro': signal.raise_signal(signal.SIGINT)\n"
    program += "    return real(name, *rest)\nbuiltins.__import__ = stopped\nimport armillary.cli"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, "armillary: interrupted\n")
