"""Ctrl-C (SIGINT) and SIGTERM: held back where half a job would be worse than none, and delivered right after it."""

import os
import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def uninterrupted() -> Generator[None]:
    """SIGINT and SIGTERM wait until this block has ended; they are then delivered to whoever handled them before.

    Blocks may be nested. Python delivers signals to its main thread alone, so that in other threads there is nothing to do.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    before = {number: handler for number, handler in before.items() if handler not in (None, signal.SIG_IGN)}
    waiting: list[int] = []

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    try:
        for number in before:
            signal.signal(number, lambda number, frame: waiting.append(number))
        yield
    finally:
        try:
            restore()
        except BaseException:  # one that came while the handlers were being put back
            restore()
            raise
    for number in dict.fromkeys(waiting):
        signal.raise_signal(number)


@contextmanager
def sigterm_as_sigint() -> Generator[None]:
    """In this block SIGTERM raises `KeyboardInterrupt`, as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def ended_by_interrupts() -> Generator[None]:
    """In this block SIGINT and SIGTERM end the process with one line and status 130: for imports, where nothing can be lost."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, frame: object) -> None:
        os.write(2, b"armillary: interrupted\n")
        os._exit(130)

    before = {number: signal.getsignal(number) for number in SIGNALS}
    before = {number: handler for number, handler in before.items() if handler not in (None, signal.SIG_IGN)}
    for number in before:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
