"""Failures that are collected instead of raised: of subtests, of pytest-check and pytest-assume.

They are reported when the test has returned, by hooks that run in the parent, which has seen nothing of what happened
here. So in the child the first one is raised where it happens, and ends the execution, as in `unittest`'s subTest.
"""

from __future__ import annotations

import contextlib
import inspect
import sys
import threading
import unittest
from collections.abc import Iterator
from types import FunctionType
from typing import Any, NoReturn

import pytest

__all__ = ["raise_at_once"]

_SUBTESTS = ("_pytest.subtests", "pytest_subtests.plugin")


def raise_at_once() -> None:
    """In the child, before the exploration."""
    for name in _SUBTESTS:
        module = sys.modules.get(name)
        for kind in ("Subtests", "SubTests"):
            if hasattr(module, kind):
                getattr(module, kind).test = _subtest
    if "pytest_check" in sys.modules:
        _raise_checks()
    assume = getattr(sys.modules.get("pytest_assume.plugin"), "AssumeContextManager", None)
    if assume is not None:
        assume.__exit__ = _let_pass


@contextlib.contextmanager
def _subtest(self: object, msg: str | None = None, **names: Any) -> Iterator[None]:
    try:
        yield
    except (pytest.skip.Exception, pytest.xfail.Exception, unittest.SkipTest):
        return  # of this subtest only
    except BaseException as error:
        shown = [repr(msg)] * (msg is not None) + [f"{name}={value!r}" for name, value in names.items()]
        error.add_note(f"in the subtest {', '.join(shown)}" if shown else "in a subtest")
        raise


def _raise_checks() -> None:
    modules = [vars(module) for name, module in list(sys.modules.items()) if name.partition(".")[0] == "pytest_check"]
    for namespace in modules:
        if "_stop_on_fail" in namespace:
            namespace["_stop_on_fail"] = True  # what `with check:` catches goes on
        if "log_failure" in namespace:
            namespace["log_failure"] = _failed_check
    # It wraps Thread.start to collect what fails in threads, which costs choice points and has nothing left to do.
    wrapped = inspect.unwrap(threading.Thread.start)
    if wrapped.__module__.partition(".")[0] == "pytest_check" and wrapped.__closure__:
        original = inspect.getclosurevars(wrapped).nonlocals.get("original_start")
        if isinstance(original, FunctionType):
            threading.Thread.start = original  # type: ignore[method-assign]


def _failed_check(msg: object = "", check_str: str = "", tb: object = None, xfail: str | None = None) -> NoReturn:
    if xfail:
        pytest.xfail(xfail)
    raise AssertionError(": ".join(filter(None, (str(msg).strip(), check_str))))


def _let_pass(self: object, *raised: object) -> None:
    """Of a context manager: what was raised inside goes on."""
