"""Assertions that no exploration checks: those behind the ``yield`` of a fixture, and of teardown functions.

Fixtures are torn down in the parent, once, which has not seen what the test did. A test that leaves its last word to
them is not verified by executions that end when its function returns.
"""

from __future__ import annotations

import dis
import inspect
from collections.abc import Callable, Iterator
from types import CodeType
from typing import Any

import pytest

__all__ = ["asserting_teardowns"]

_LOADS = ("LOAD_GLOBAL", "LOAD_ATTR", "LOAD_METHOD")  # of what raises it: pytest.fail, assert_called_once


def asserting_teardowns(item: pytest.Function) -> list[str]:
    """Names of the fixtures and teardown functions of the user's that assert something after the test."""
    found: dict[str, None] = {}
    for name, function in _teardowns(item):
        code = function.__code__
        file = code.co_filename
        of_the_user = file.startswith(f"{item.config.rootpath}/") and "/site-packages/" not in file
        if of_the_user and _asserts(code, name.startswith("teardown_")):
            found[name] = None
    return list(found)


def _teardowns(item: pytest.Function) -> Iterator[tuple[str, Callable[..., Any]]]:
    for name, definitions in item._fixtureinfo.name2fixturedefs.items():
        function = inspect.unwrap(definitions[-1].func)
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            yield name, function
    of_class, of_module = ("teardown_method", "teardown_class"), ("teardown_function", "teardown_module")
    for owner, names in (item.cls, of_class), (item.module, of_module):
        for name in names:
            function = getattr(owner, name, None)
            function = getattr(function, "__func__", function)
            if inspect.isfunction(function):
                yield name, function


def _asserts(code: CodeType, after: bool) -> bool:
    """Does the code assert something, behind its first ``yield`` unless ``after``?"""
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
