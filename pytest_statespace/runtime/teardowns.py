"""What happens after the test function: behind the ``yield`` of a fixture, in teardown functions, in finalizers.

pytest does it in the parent, once, which has not seen what the test did. So the child does it as well, at the end of
each execution, for what was set up for this test by code of the user's: it may assert something, raise or wait for
ever. What can't be taken back there (a file that is removed, say) is left to the parent. Where something asserts that
nobody explores, the test is not verified.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import CodeType, FunctionType
from typing import Any

import pytest

from pytest_statespace.runtime.asserting import asserts, mentions_after_yield
from pytest_statespace.runtime.roots import roots_of
from pytest_statespace.settings import Settings

__all__ = ["Teardown", "forgive", "may_be_left", "other_threads", "unexplored_teardowns"]

_KIND = "teardown"  # of an assumption: that this one can be explored
_REPORTS = frozenset({"rep_setup", "rep_call", "stash", "testsfailed"})  # as pytest's documentation has them
_UNDOING = ("monkeypatch", "mocker")  # undone in between, as always
_XUNIT = {  # pytest's own fixtures, and what of the user's they call
    "_xunit_setup_method": ("teardown_method",),
    "_xunit_setup_function": ("teardown_function",),
    "_xunit_setup_class": ("teardown_class",),
    "_xunit_setup_module": ("teardown_module", "tearDownModule"),
    "_unittest_setUpClass": ("tearDownClass",),
}


@dataclass(frozen=True, slots=True)
class _Step:
    """One finalizer of the item, as pytest would call it."""

    name: str
    call: Callable[[], object]
    functions: tuple[tuple[FunctionType, dict[str, Any], bool], ...] = ()
    """Those of the user's that it calls, what their names stand for, and whether only the part behind the ``yield``."""

    def asserts(self, is_users: Callable[[CodeType], bool]) -> bool:
        """Does it assert something?"""
        return any(asserts(function, is_users, names, after_yield=part) for function, names, part in self.functions)

    def reads_reports(self) -> bool:
        """Does it ask pytest how the test ended? Nobody knows that inside an execution."""
        return any(part and mentions_after_yield(function, _REPORTS) for function, _, part in self.functions)


class Teardown:
    """What the child does when the test function has returned. Made in the parent."""

    def __init__(self, item: pytest.Function, settings: Settings) -> None:
        self._item = item
        self._finalizers: list[Callable[[], object]] = []
        self._steps: list[Callable[[], object]] = []
        waiting: list[Callable[[], object]] = []
        for step in _of_the_item(item):
            if step.name in _UNDOING:
                waiting.append(step.call)
            elif _may_be_run(item, step, settings):
                self._steps += [*waiting, step.call]
                waiting.clear()

    def keep_finalizers(self) -> None:
        """What is registered from now on is run by `run`: the parent will never hear of it."""

        def register(finalizer: Callable[[], object], node: object) -> None:
            self._finalizers.append(finalizer)

        self._item.session._setupstate.addfinalizer = register  # type: ignore[method-assign]

    def run(self) -> None:
        """Raises what a teardown raises."""
        while self._finalizers:
            self._finalizers.pop()()
        for step in self._steps:
            step()


def forgive(item: pytest.Function, settings: Settings) -> None:
    """In the parent, after an exploration or replay: the test's fixtures will be torn down there, where it did nothing.

    That they find so is no error, unless no execution has looked.
    """
    finalizers, _ = item.session._setupstate.stack.get(item, ([], None))
    for number, finalizer in enumerate(finalizers):
        step = _step(item, finalizer, also_coroutines=True)
        if step is None or step.name in _UNDOING:
            continue
        if _may_be_run(item, step, settings):
            finalizers[number] = _forgiving(finalizer, (Exception, pytest.fail.Exception))
        elif step.asserts(_is_users(item)):
            finalizers[number] = _forgiving(finalizer, (AssertionError, pytest.fail.Exception))


def _forgiving(call: Callable[[], object], errors: tuple[type[BaseException], ...]) -> Callable[[], object]:
    def forgiving() -> None:
        with contextlib.suppress(*errors):
            call()

    return forgiving


def may_be_left(item: pytest.Function, settings: Settings) -> list[str]:
    """Assumptions to give up where something can't be explored: that the teardowns can."""
    steps = (step for step in _of_the_item(item) if step.name not in _UNDOING)
    return [f"{_KIND} {step.name}" for step in steps if _may_be_run(item, step, settings)]


def unexplored_teardowns(item: pytest.Function, settings: Settings) -> list[str]:
    """Names of the fixtures and teardown functions of the user's that assert something where nobody explores it."""
    is_users = _is_users(item)
    explored = {step.name for step in _of_the_item(item) if _may_be_run(item, step, settings)}
    found = [step.name for step in _all_steps(item) if step.name not in explored and step.asserts(is_users)]
    return list(dict.fromkeys(found))


def _may_be_run(item: pytest.Function, step: _Step, settings: Settings) -> bool:
    if step.reads_reports() or f"{_KIND} {step.name}" in settings.promoted:
        return False
    # With one execution all system calls are let through, and would be made twice. A thread that a fixture started is
    # missing in the child: a teardown that waits for its answer would hang.
    doubtful = settings.max_executions == 1 or bool(other_threads())
    return not doubtful or step.asserts(_is_users(item))


def _of_the_item(item: pytest.Function) -> Iterator[_Step]:
    """What is torn down with the item, in this order."""
    finalizers, _ = item.session._setupstate.stack.get(item, ([], None))
    for finalizer in reversed(finalizers):
        step = _step(item, finalizer)
        if step is not None:
            yield step


def _all_steps(item: pytest.Function) -> Iterator[_Step]:
    """What is torn down with the item or later, of what it uses."""
    closure = [definition for known in item._fixtureinfo.name2fixturedefs.values() for definition in known]
    used = {id(definition) for definition in (*closure, *item._request._fixture_defs.values())}
    for finalizers, _ in item.session._setupstate.stack.values():
        for finalizer in finalizers:
            step = _step(item, finalizer, also_coroutines=True)
            definition = _definition(finalizer)
            if step is not None and (definition is None or id(definition) in used):
                yield step


def _step(item: pytest.Function, finalizer: Callable[[], object], *, also_coroutines: bool = False) -> _Step | None:
    """The finalizer, if it runs code of the user's or undoes something."""
    is_users = _is_users(item)
    definition = _definition(finalizer)
    if definition is None:
        function = _plain(finalizer)
        if function is None or not is_users(function.__code__):
            return None
        return _Step(function.__name__, finalizer, ((function, {}, False),))
    if definition.argname in _UNDOING:
        return _Step(definition.argname, finalizer)
    if definition.cached_result is None:
        return None
    functions = [found for found in _functions(item, definition) if is_users(found[0].__code__)]
    if not functions or (any(inspect.isasyncgenfunction(known) for known, _, _ in functions) and not also_coroutines):
        return None
    name = functions[0][0].__name__ if definition.argname.startswith(tuple(_XUNIT)) else definition.argname
    return _Step(name, finalizer, tuple(functions))


def _definition(finalizer: Callable[[], object]) -> Any:
    """The fixture that it tears down; None if it is no such finalizer."""
    if isinstance(finalizer, functools.partial):
        candidates = [getattr(finalizer.func, "__self__", None)]
    else:
        candidates = [cell.cell_contents for cell in getattr(finalizer, "__closure__", None) or ()]
    found = [candidate for candidate in candidates if isinstance(candidate, pytest.FixtureDef)]
    return found[0] if found else None


def _functions(item: pytest.Function, definition: Any) -> Iterator[tuple[FunctionType, dict[str, Any], bool]]:
    """What is called to tear a fixture down: its own rest, finalizers that it registered, what pytest calls for it."""
    for fixture, names in _XUNIT.items():
        if definition.argname.startswith(fixture):
            for owner in item.cls, item.module:
                known = [_plain(getattr(owner, name, None)) for name in names]
                yield from ((function, {}, False) for function in known if function is not None)
            for cleanup, *_ in getattr(item.cls, "_class_cleanups", ()):
                if (function := _plain(cleanup)) is not None:
                    yield function, {}, False
            return
    function = _plain(definition.func)
    if function is not None and (inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)):
        yield function, _locals(definition), True
    for finalizer in definition._finalizers:
        if _definition(finalizer) is None and (function := _plain(finalizer)) is not None:
            yield function, {}, False


def _plain(function: object) -> FunctionType | None:
    """The Python function behind methods, partial objects and wrappers."""
    while isinstance(function, functools.partial):
        function = function.func
    function = inspect.unwrap(getattr(function, "__func__", function))  # type: ignore[arg-type]
    return function if isinstance(function, FunctionType) else None


def _locals(definition: Any) -> dict[str, Any]:
    """Those of the generator that waits behind its ``yield``."""
    for finalizer in definition._finalizers:
        for argument in getattr(finalizer, "args", ()):
            if inspect.isgenerator(argument):
                return inspect.getgeneratorlocals(argument)
    return {}


def _is_users(item: pytest.Function) -> Callable[[CodeType], bool]:
    roots = tuple(f"{root}/" for root in roots_of(item))
    return lambda code: code.co_filename.startswith(roots) and "/site-packages/" not in code.co_filename


def other_threads() -> list[str]:
    """Names of threads that fixtures have here. Not counted are those of pytest's plugins, such as a timeout's."""
    found = []
    for thread in threading.enumerate():
        if thread is threading.main_thread() or isinstance(thread, threading._DummyThread):
            continue
        function = _plain(getattr(thread, "function", None) or getattr(thread, "_target", None))
        if function is None or "/site-packages/" not in function.__code__.co_filename:
            found.append(thread.name)
    return found
