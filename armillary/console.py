"""Consoles that print data as they are: names such as `pressure [bar]` or `:key:` are no markup. Styles come as `Text`.

Rich is imported when something is shown: it would be a tenth of the time that `Agent` and `fit` take to import.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import TaskID


def plain_console(*, stderr: bool = False, quiet: bool = False) -> "Console":
    """A console that takes every string, also in tables and rules, literally."""
    from rich.console import Console

    return Console(stderr=stderr, quiet=quiet, markup=False, emoji=False)


class ProgressBar:
    """Progress of several tasks: bars on a terminal, and elsewhere, as in a log file, a line for each tenth of a task.

    Args:
        shown: without it, nothing is printed.
    """

    def __init__(self, shown: bool = True) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        console = plain_console()
        self._lines = shown and not console.is_terminal
        columns = TextColumn("{task.description}"), BarColumn(), "{task.percentage:3.0f}%", TextColumn("{task.fields[text]}")
        times = TimeElapsedColumn(), TimeRemainingColumn()
        self._bars = Progress(*columns, *times, console=console, disable=not shown or self._lines)
        self._tasks: dict[str, TaskID] = {}
        self._tenths: dict[str, int] = {}

    def __enter__(self) -> "ProgressBar":
        self.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self.stop()

    def start(self) -> None:
        """Show bars from now on."""
        self._bars.start()

    def stop(self) -> None:
        """Leave the bars as they are."""
        self._bars.stop()

    def update(self, task: str, share: float, text: str) -> None:
        """`share` of a task is done, from 0 to 1; `text` says where it stands."""
        share = min(share, 1.0)
        if not self._lines:
            if task not in self._tasks:
                self._tasks[task] = self._bars.add_task(task, total=1.0, text="")
            self._bars.update(self._tasks[task], completed=share, text=text)
        elif int(10 * share) > self._tenths.get(task, -1):
            self._tenths[task] = int(10 * share)
            print(f"{task}: {share:.0%}, {text}", flush=True)
