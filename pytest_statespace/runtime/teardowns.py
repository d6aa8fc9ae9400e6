"""What is asserted after the test: behind the ``yield`` of a fixture, in teardown functions, in finalizers.

Fixtures are torn down in the parent, once, which has not seen what the test did. So the child runs the teardown of
those fixtures of the user's that assert something, and the finalizers that the test itself registers, at the end of
each execution. It does so for fixtures that are made for one test; where others assert something, the test is not
verified.
"""

from __future__ import annotations

import dis
import inspect
from collections.abc import Callable, Iterator
from types import CodeType
from typing import Any

import pytest

__all__ = ["Teardown", "unexplored_teardowns"]

_LOADS = ("LOAD_GLOBAL", "LOAD_ATTR", "LOAD_METHOD")  # of what raises it: pytest.fail, assert_called_once
_XUNIT = {
    "teardown_method": "_xunit_setup_method_fixture",
    "teardown_function": "_xunit_setup_function_fixture",
}


class Teardown:
    """In the child: what is to be done when the test function has returned."""

    def __init__(self, item: pytest.Function) -> None:
        self._item = item
        self._finalizers: list[Callable[[], object]] = []
        self._fixtures = [definition for _, definition in _asserting(item) if _is_explored(definition)]
        order = {name: number for number, name in enumerate(item.fixturenames)}
        self._fixtures.sort(key=lambda definition: order.get(definition.argname, len(order)), reverse=True)

    def keep_finalizers(self) -> None:
        """What is registered from now on is run by `run`: the parent will never hear of it."""

        def register(finalizer: Callable[[], object], node: object) -> None:
            self._finalizers.append(finalizer)

        self._item.session._setupstate.addfinalizer = register  # type: ignore[method-assign]

    def run(self) -> None:
        """Raises what a teardown raises."""
        while self._finalizers:
            self._finalizers.pop()()
        for definition in self._fixtures:
            definition.finish(self._item._request)


def unexplored_teardowns(item: pytest.Function) -> list[str]:
    """Names of the fixtures and teardown functions of the user's that assert something where nobody explores it."""
    found = [name for name, definition in _asserting(item) if not _is_explored(definition)]
    return list(dict.fromkeys(found))


def _is_explored(definition: Any) -> bool:
    return definition is not None and definition.scope == "function" and not _is_coroutine(definition)


def _is_coroutine(definition: Any) -> bool:
    return inspect.isasyncgenfunction(inspect.unwrap(definition.func))


def _asserting(item: pytest.Function) -> Iterator[tuple[str, Any]]:
    """Names, and the fixture that runs it if there is one."""
    root = f"{item.config.rootpath}/"
    for name, function, definition in _teardowns(item):
        code = function.__code__
        is_users = code.co_filename.startswith(root) and "/site-packages/" not in code.co_filename
        if is_users and _asserts(code, everywhere=name.startswith("teardown_")):
            yield name, definition


def _teardowns(item: pytest.Function) -> Iterator[tuple[str, Callable[..., Any], Any]]:
    definitions = {name: known[-1] for name, known in item._fixtureinfo.name2fixturedefs.items()}
    for definition in _in_use(item):
        function = inspect.unwrap(definition.func)
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            yield definition.argname, function, definition
    of_class, of_module = ("teardown_method", "teardown_class"), ("teardown_function", "teardown_module")
    for owner, names in (item.cls, of_class), (None if item.cls else item.module, of_module):
        for name in names:
            function = getattr(owner, name, None)
            function = getattr(function, "__func__", function)
            fixtures = [known for known in definitions if name in _XUNIT and known.startswith(_XUNIT[name])]
            if inspect.isfunction(function):
                yield name, function, definitions[fixtures[-1]] if fixtures else None


def _in_use(item: pytest.Function) -> list[Any]:
    """All fixtures that are set up for the item: also those that others replace and ask for, or ask for by name."""
    closure = [definition for known in item._fixtureinfo.name2fixturedefs.values() for definition in known]
    asked_for = item._request._fixture_defs.values()
    unique = {id(definition): definition for definition in (*closure, *asked_for)}
    return [definition for definition in unique.values() if definition.cached_result is not None]


def _asserts(code: CodeType, *, everywhere: bool) -> bool:
    """Does the code assert something, behind its first ``yield`` unless ``everywhere``?"""
    after = everywhere
    for step in dis.get_instructions(code):
        if after and _is_assertion(step):
            return True
        after = after or step.opname == "YIELD_VALUE"
    return False


def _is_assertion(step: dis.Instruction) -> bool:
    if step.opname in ("LOAD_ASSERTION_ERROR", "LOAD_COMMON_CONSTANT"):
        return step.opname == "LOAD_ASSERTION_ERROR" or "AssertionError" in step.argrepr
    name = step.argval if isinstance(step.argval, str) else ""
    return step.opname in _LOADS and (name in ("AssertionError", "fail") or name.startswith("assert"))
