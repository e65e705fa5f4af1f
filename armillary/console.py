"""Consoles that print data as they are: names such as `pressure [bar]` or `:key:` are no markup. Styles come as `Text`."""

from rich.console import Console


def plain_console(*, stderr: bool = False, quiet: bool = False) -> Console:
    """A console that takes every string, also in tables and rules, literally."""
    return Console(stderr=stderr, quiet=quiet, markup=False, emoji=False)
