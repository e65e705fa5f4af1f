"""Entry points of installed packages: found by name, imported when asked for, and refused in words where they are broken."""

import sys

import pytest

from armillary import kinds, plugins
from armillary.errors import PluginError

GOOD = "from armillary.kinds.kind import Kind\nclass Heat(Kind):\n    name, axes = 'heat', ('rows', 'columns')\n"


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Lay out a package as pip leaves it: a module, and metadata that register names of kinds."""
    monkeypatch.syspath_prepend(tmp_path)

    def lay_out(package: str, code: str, **registered: str) -> None:
        (tmp_path / f"{package}.py").write_text(code)
        info = tmp_path / f"{package}-1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1\n")
        lines = (f"{name} = {package}:{what}\n" for name, what in registered.items())
        (info / "entry_points.txt").write_text(f"[{kinds.GROUP}]\n" + "".join(lines))
        plugins._entries.cache_clear()

    yield lay_out
    plugins._entries.cache_clear()


def test_a_name_is_imported_when_it_is_asked_for_and_not_before(install):
    install("heat_package", GOOD, heat="Heat")
    assert kinds.names() == (*kinds.BUILT_IN, "heat")
    kinds.get("image")
    assert "heat_package" not in sys.modules
    assert kinds.get("heat").axes == ("rows", "columns")
    assert kinds.get("heat") is kinds.get("heat")
    assert "heat_package" in sys.modules


def test_a_built_in_kind_is_never_replaced(install):
    install("image_package", GOOD.replace("'heat'", "'image'"), image="Heat")
    assert kinds.get("image") is kinds.BUILT_IN["image"]
    assert kinds.names() == tuple(kinds.BUILT_IN)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (
            "import nothing_of_the_kind",
            r"'warm' of broken\d cannot be imported \(ModuleNotFoundError: No module",
        ),
        ("Heat = 3", "'warm' is registered as 3; expected a class of Kind"),
        (GOOD, "expected 'warm'"),
    ],
)
def test_a_package_that_is_broken_is_named(install, code, message):
    install(f"broken{len(code) % 10}", code, warm="Heat")
    with pytest.raises(PluginError, match=message):
        kinds.get("warm")


def test_two_packages_of_one_name_are_both_named(install):
    install("one_package", GOOD, hot="Heat")
    install("other_package", GOOD, hot="Heat")
    with pytest.raises(PluginError, match="'hot' is registered by one_package, other_package; uninstall all but one"):
        kinds.get("hot")
