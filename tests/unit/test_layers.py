"""Imports point down only: plugin over reporting over replay over explore over sandbox over runtime."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import pytest_statespace

PACKAGE = Path(pytest_statespace.__file__).parent
LAYERS = (  # from the top down; a module may import its own layer and those below
    {"__init__", "plugin", "marks", "running"},
    {"given"},
    {"reporting"},
    {"distributed"},
    {"replay"},
    {"explore"},
    {"sandbox"},
    {"runtime"},
    {"snapshot"},
    {"_native"},
    {"errors", "settings", "types", "hookspecs"},
)
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}
FILES = sorted(PACKAGE.rglob("*.py"))


def imported(tree: ast.AST) -> Iterator[str]:
    """Names below the package that a module imports, by statement or through importlib."""
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            for child in node.body:  # no import at run time: not an edge
                for leaf in ast.walk(child):
                    leaf.skipped = True  # type: ignore[attr-defined]
    for node in ast.walk(tree):
        if getattr(node, "skipped", False):
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            if node.module == "pytest_statespace":
                yield from (f"pytest_statespace.{alias.name}" for alias in node.names)
            else:
                yield node.module
        elif isinstance(node, ast.Constant) and is_module_name(node.value):
            yield str(node.value)


def is_module_name(value: object) -> bool:
    return isinstance(value, str) and value.startswith("pytest_statespace.") and " " not in value


def upward_edges(layer: str, source: str) -> list[str]:
    found = []
    for name in imported(ast.parse(source)):
        parts = name.split(".")
        if parts[0] == "pytest_statespace" and len(parts) > 1:
            target = parts[1] if parts[1] in RANK else "__init__"
            if RANK[target] < RANK[layer]:
                found.append(f"{layer} imports {name}")
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_imports_point_down(file: Path) -> None:
    top = file.relative_to(PACKAGE).parts[0].removesuffix(".py")
    assert top in RANK, f"{top} has no layer: add it to LAYERS"
    assert not upward_edges(top, file.read_text(encoding="utf-8"))


def test_an_upward_edge_is_found() -> None:
    assert upward_edges("runtime", "from pytest_statespace.explore import budget")
    assert upward_edges("sandbox", "from pytest_statespace import replay")
    assert upward_edges("errors", "def f():\n    import pytest_statespace.runtime.api")
    assert not upward_edges("explore", "from pytest_statespace.sandbox.protocol import End")
