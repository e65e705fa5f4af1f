"""The names of `import armillary`: what they are, when they are loaded, and what a type checker sees of them."""

import ast
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import armillary
from armillary import cli
from armillary.acting.agent import Agent
from armillary.evaluation.run import evaluate_run
from armillary.model.world_model import WorldModel
from armillary.training.fit import fit

PACKAGE = Path(armillary.__file__).parent


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_each_name_is_the_thing_itself():
    assert (armillary.Agent, armillary.WorldModel, armillary.fit) == (Agent, WorldModel, fit)
    assert armillary.evaluate is evaluate_run
    assert {name for name in armillary.__all__ if callable(getattr(armillary, name))} == set(armillary.__all__)
    assert set(armillary.__all__) < set(dir(armillary))
    with pytest.raises(AttributeError, match="no attribute 'evaluation_run'"):
        _ = armillary.evaluation_run


def test_nothing_is_loaded_before_it_is_used():
    code = "import sys, armillary; print([name for name in ('torch', 'numpy', 'typing') if name in sys.modules])"
    assert run(code).strip() == "[]"


def test_what_is_shown_alone_loads_rich():
    code = "import sys, armillary as arm; arm.Agent, arm.fit, arm.make; print('rich' in sys.modules)"
    assert run(code).strip() == "False"


def test_without_an_extra_a_name_says_how_to_get_it():
    code = """
import sys
sys.modules["gymnasium"] = None
import armillary
try:
    armillary.record
except armillary.errors.MissingExtra as error:
    print(error)
"""
    assert "pip install 'armillary[worlds]'" in run(code)


def test_type_checkers_see_the_names_where_they_come_from():
    source = ast.parse((PACKAGE / "__init__.py").read_text())
    (guarded,) = [node for node in source.body if isinstance(node, ast.If) and isinstance(node.test, ast.Name)]
    seen = {(name.asname or name.name): f"{node.module}:{name.name}" for node in guarded.body for name in node.names}
    assert seen == armillary._PLACES
    assert sorted(seen) == armillary.__all__


def test_the_package_says_that_it_is_typed():
    assert (PACKAGE / "py.typed").exists()
    assert '[tool.setuptools.package-data]\narmillary = ["py.typed"]' in (PACKAGE.parent / "pyproject.toml").read_text()


def test_the_version_is_one(capsys):
    cli.main(["--version"])
    assert capsys.readouterr().out == f"armillary {armillary.__version__}\n"
    assert armillary.__version__ == version("armillary")
