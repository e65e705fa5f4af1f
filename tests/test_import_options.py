"""The options of `armillary import FORMAT` and `armillary export FORMAT` are the arguments of the function that does it."""

import inspect

import pytest

from armillary.cli import formats
from armillary.episodes.formats.importing import Writing, import_units

DIFFERENT = {"image_size": 64}  # the command line reduces images, unless it is told not to


@pytest.mark.parametrize(("what", "name"), [(what, name) for what, names in formats.ABOUT.items() for name in names])
def test_options_are_the_arguments(what, name):
    arguments = dict(inspect.signature(formats.function_of(what, name)).parameters)
    if arguments.pop("writing", None):
        arguments |= {option: inspect.signature(import_units).parameters[option] for option in Writing.__annotations__}
    options = inspect.signature(formats.options_of(what, name)).parameters
    assert set(options) == set(arguments) - {"progress"}
    for option, parameter in options.items():
        assert parameter.default == DIFFERENT.get(option, arguments[option].default), option


def test_shared_arguments_are_explained_once():
    own = formats.options_of("import", "npz").__doc__ or ""
    assert "ends: arrays of flags that are set in the last row of an episode. Default: terminals" in own
    assert "kinds: kinds as array=kind" in own  # as import_hdf5 says it
    assert "zone: time zone of dates" in (formats.options_of("import", "streams").__doc__ or "")  # as import_table says it
