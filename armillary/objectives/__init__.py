"""What training minimises: one term a file, under the file's name.

A package adds a term with two classes (see `term.py`) and an entry point, which needs no change here:

    [project.entry-points."armillary.objectives"]
    small_steps = "my_package.small_steps:SmallSteps"

A term is imported when it is first asked for.
"""

from importlib import import_module
from pkgutil import iter_modules

from armillary import plugins
from armillary.objectives.term import TermConfig

GROUP = "armillary.objectives"
BUILT_IN = tuple(sorted({module.name for module in iter_modules(__path__)} - {"term"}))


def names() -> tuple[str, ...]:
    """All terms that there are: the built-in ones, and those that installed packages register."""
    return plugins.names(GROUP, BUILT_IN)


def get(name: str) -> type[TermConfig]:
    """The settings of the term of this name.

    Raises:
        PluginError: there is none, or the package that registers it is broken.
    """
    if name in BUILT_IN:
        module = import_module(f"{GROUP}.{name}")
        return next(
            x
            for x in vars(module).values()
            if isinstance(x, type) and x.__module__ == module.__name__ and issubclass(x, TermConfig)
        )
    return plugins.find(GROUP, name, dict.fromkeys(BUILT_IN), TermConfig)
