"""The options of `armillary import FORMAT` are the arguments of its importer, with the same defaults of what is left out."""

import inspect
from dataclasses import fields
from importlib import import_module

import pytest

from armillary.cli import GROUPS, imports

FORMATS = GROUPS["import"][1]
DIFFERENT = {"image_size"}  # the command line reduces images, unless it is told not to
COMMAND_LINE = {"path", "out", "time"}


@pytest.mark.parametrize("name", FORMATS)
def test_options_are_arguments_of_the_importer(name):
    options = {field.name: field for field in fields(getattr(imports, name.capitalize()))}
    arguments = dict(
        inspect.signature(getattr(import_module(f"armillary.episodes.formats.{name}"), f"import_{name}")).parameters
    )
    assert set(options) == set(arguments) - {"progress"}
    for option in set(options) - DIFFERENT - COMMAND_LINE:
        expected = arguments[option].default
        if expected is not inspect.Parameter.empty:
            assert options[option].default in (expected, {None: ()}.get(expected, expected)), option
