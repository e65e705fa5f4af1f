"""Imports go down `ORDER` only, and no modules import each other in a circle; imports inside functions count, too."""

import ast
from collections.abc import Iterator
from pathlib import Path

import armillary

PACKAGE = Path(armillary.__file__).parent

ORDER = (
    "__init__ errors console interrupts model.module_list provenance ridge scales",
    "addresses axes device distributed files model.header plugins",
    "model.attention optimise weights",
    "kinds spec spaces arguments actor",
    "model.actions imagination model.perception model.dynamics",
    "episodes own_run worlds objectives",
    "model.config model.predictors model model.world_model model.lewm",
    "latents goals costs planning backends acting",
    "training evaluation suite monitoring demo",
    "cli",
)
"""Files and folders of the package: each imports those to its left and above it, and nothing else.

`model` is taken apart: terms of the objective learn from the parts of a model, and a whole model has terms.
"""

LAZY = {("kinds", "model.perception")}
"""A kind makes its encoder, and imports it then: a recording needs no torch."""


def imports(node: ast.AST) -> Iterator[str]:
    """The modules, or names in modules, that a file imports; not those that a type checker alone sees."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        if isinstance(child, ast.Import):
            yield from (name.name for name in child.names)
        if isinstance(child, ast.ImportFrom):
            assert not child.level, f"{ast.unparse(child)}: imports are absolute"
            yield from (f"{child.module}.{name.name}" for name in child.names)
        yield from imports(child)


def graph() -> dict[str, set[str]]:
    """Each module of the package, without the package's name, and those that it imports."""
    paths = {path: ".".join(path.relative_to(PACKAGE).with_suffix("").parts) for path in PACKAGE.rglob("*.py")}
    named = {name.removesuffix(".__init__"): name for name in paths.values()}
    found: dict[str, set[str]] = {}
    for path, name in paths.items():
        wanted = [w.removeprefix("armillary.") for w in imports(ast.parse(path.read_text())) if w.startswith("armillary")]
        found[name] = {named.get(w) or named.get(w.rpartition(".")[0], "__init__") for w in wanted} - {name}
    return found


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Modules of which each is reached from the other, in groups."""

    def reached(start: str) -> set[str]:
        seen, left = set(), [start]
        while left:
            new = graph[left.pop()] - seen
            seen |= new
            left += new
        return seen

    reach = {name: reached(name) for name in graph}
    groups = {frozenset(other for other in reach[name] if name in reach[other]) for name in graph}
    return sorted(sorted(group) for group in groups if group)


def place(module: str) -> str:
    """Where a module stands in `ORDER`."""
    names = module.removesuffix(".__init__").split(".")
    return ".".join(names[: 2 if names[0] == "model" else 1])


def test_imports_go_down():
    order = " ".join(ORDER).split()
    assert sorted(order) == sorted({place(name) for name in graph()})
    above = [
        f"{name} imports {other}"
        for name, wanted in graph().items()
        for other in wanted
        for a, b in [(place(name), place(other))]
        if order.index(a) < order.index(b) and (a, b) not in LAZY
    ]
    assert not above


def test_no_modules_import_each_other():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == [["b", "c"]]
    assert circles(graph()) == []
