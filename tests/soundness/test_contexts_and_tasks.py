"""What C holds below `Context.run` and below a step of a task: nothing that frames do not show, but an exception."""

from __future__ import annotations

import _asyncio
import _thread
import asyncio
import contextvars
import functools
from collections.abc import Callable
from typing import Any

import pytest
from test_merging import exact, join, merged

from pytest_statespace._native import _bridge

pytestmark = pytest.mark.skipif(not _bridge.supported()[0], reason=_bridge.supported()[1])

Call = Callable[[Callable[..., object], int], object]


def direct(function: Callable[..., object], value: int) -> object:
    return function(value)


def in_a_context(function: Callable[..., object], value: int) -> object:
    arguments = (function, value)
    return contextvars.copy_context().run(*arguments)


def in_a_partial(function: Callable[..., object], value: int) -> object:
    return functools.partial(contextvars.copy_context().run, function)(value)


def racing(call: Call) -> Callable[[], object]:
    """Two threads whose work is the same function with other arguments."""

    def program() -> object:
        lock, order = _thread.allocate_lock(), []

        def work(value: int) -> None:
            for _ in range(2):
                lock.acquire()
                order.append(value)
                lock.release()

        join(lambda: call(work, 1), lambda: call(work, 2))
        return order

    return program


@pytest.mark.parametrize("call", [in_a_context, in_a_partial])
def test_a_context_loses_no_outcome_and_makes_no_states(call: Call) -> None:
    report, promoted = merged(racing(call))
    plain, _ = merged(racing(direct))
    assert not promoted
    assert set(report.results) == set(exact(racing(call)).results) == set(plain.results)
    assert report.states == plain.states


def sorting() -> object:
    """What sort has of the first key is in C only, whatever calls it."""
    run = contextvars.copy_context().run
    return run(sorted, (1, 2), key=lambda value: _bridge.choose(2))


def test_what_a_context_calls_may_hide_more() -> None:
    report, promoted = merged(sorting)
    assert not promoted
    assert set(report.results) == set(exact(sorting).results) == {"[1, 2]", "[2, 1]"}


class Loop:
    """No more than a task asks of its loop."""

    def __init__(self) -> None:
        self.ready: list[tuple[contextvars.Context, Callable[..., object], tuple[object, ...]]] = []

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def call_exception_handler(self, context: object) -> None:
        raise AssertionError(context)

    def call_soon(self, callback: Callable[..., object], *arguments: object, context: contextvars.Context) -> None:
        self.ready.append((context, callback, arguments))

    def run(self) -> None:
        _asyncio._set_running_loop(self)  # type: ignore[attr-defined]  # from 3.14 on, steps of tasks insist on it
        try:
            while self.ready:
                context, callback, arguments = self.ready.pop(0)
                context.run(callback, *arguments)
        finally:
            _asyncio._set_running_loop(None)  # type: ignore[attr-defined]


class Mark:
    def __init__(self, value: object, seen: list[object]) -> None:
        self.value, self.seen = value, seen

    def __del__(self) -> None:
        self.seen.append(self.value)


def cancelled() -> object:
    """The exception that cancels a task holds what was chosen, until the step ends. Only C holds it."""
    loop, seen = Loop(), []  # type: ignore[var-annotated]
    lock, unused = _thread.allocate_lock(), _thread.allocate_lock()

    def bystander() -> None:  # with whom to choose
        with unused:
            pass

    async def wait(future: Any) -> None:
        try:
            await future
        except asyncio.CancelledError as error:
            error.mark = Mark(_bridge.choose(2), seen)  # type: ignore[attr-defined]
        with lock:  # all that differs from now on is what the exception holds
            pass

    future = _asyncio.Future(loop=loop)  # type: ignore[arg-type]
    task = _asyncio.Task(wait(future), loop=loop)  # type: ignore[arg-type]
    loop.run()
    _thread.start_new_thread(bystander, ())
    task.cancel()
    loop.run()
    return seen


def test_an_exception_that_only_c_holds_is_part_of_the_state() -> None:
    report, promoted = merged(cancelled)
    assert not promoted
    assert set(report.results) == set(exact(cancelled).results) == {"[0]", "[1]"}
