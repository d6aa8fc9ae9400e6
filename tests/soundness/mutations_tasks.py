"""Futures and tasks of asyncio (in C and in Python), futures of executors."""

from __future__ import annotations

import _asyncio
import asyncio
import asyncio.futures
import asyncio.tasks
import concurrent.futures
import contextvars
from collections.abc import Callable, Generator
from typing import Any

from mutations import Case, case
from pairs import call, put


class Loop:
    """As much of an event loop as futures and tasks need."""

    def __init__(self) -> None:
        self.ready: list[tuple[Callable[..., object], tuple[object, ...]]] = []

    def get_debug(self) -> bool:
        return False

    def call_soon(
        self, function: Callable[..., object], *args: object, context: contextvars.Context | None = None
    ) -> None:
        self.ready.append((function, args))

    def call_exception_handler(self, context: object) -> None:
        pass

    def step(self) -> None:
        function, args = self.ready.pop(0)
        _asyncio._set_running_loop(self)  # type: ignore[attr-defined]  # from 3.14 on, steps of tasks insist on it
        try:
            function(*args)
        finally:
            _asyncio._set_running_loop(None)  # type: ignore[attr-defined]


class Pause:
    def __await__(self) -> Generator[None, None, None]:
        yield


async def work(n: int) -> int:
    await Pause()
    await Pause()
    return n


async def wait_for(future: Any) -> object:
    return await future


def future(make: Any = None) -> Any:
    loop = Loop()
    return loop, (make or asyncio.Future)(loop=loop)


def task(make: Any = None, n: int = 1) -> Any:
    loop = Loop()
    return loop, (make or asyncio.Task)(work(n), loop=loop, name="t")


def waiting() -> Any:
    loop = Loop()
    waited = asyncio.Future(loop=loop)  # type: ignore[arg-type]
    made = asyncio.Task(wait_for(waited), loop=loop, name="t")  # type: ignore[arg-type]
    loop.step()
    return loop, made, waited


def steps(n: int) -> Callable[[Any], object]:
    def run(o: Any) -> None:
        for _ in range(n):
            o[0].step()

    return run


def future_cases(name: str, make: Any) -> Case:
    return case(
        name,
        lambda: future(make),
        undone=[lambda o: (o[1].add_done_callback(len), o[1].remove_done_callback(len)), lambda o: o[1].done()],
        changes=[
            lambda o: o[1].set_result(1),
            lambda o: o[1].set_result(2),
            lambda o: o[1].set_exception(ValueError(1)),
            lambda o: o[1].cancel(),
            lambda o: o[1].cancel("why"),
            lambda o: o[1].add_done_callback(len),
            lambda o: (o[1].add_done_callback(len), o[1].add_done_callback(repr)),
            lambda o: (o[1].set_exception(ValueError(1)), o[1].exception()),
            put_blocking,
            lambda o: (o[1].set_result(3), o[0].ready.clear()),
        ],
    )


def put_blocking(o: Any) -> None:
    o[1]._asyncio_future_blocking = True


def task_cases(name: str, make: Any) -> Case:
    return case(
        name,
        lambda: task(make),
        others=[lambda: task(make, 2)],
        undone=[lambda o: o[1].done(), lambda o: o[1].get_name()],
        changes=[
            steps(1),
            steps(2),
            steps(3),
            lambda o: o[1].cancel(),
            lambda o: (o[0].step(), o[1].cancel()),
            lambda o: o[1].set_name("u"),
            lambda o: o[1].add_done_callback(len),
            lambda o: (o[1].cancel(), o[1].uncancel()),
        ],
        existing=False,
        repeats=False,
    )


CASES: list[Case] = [
    future_cases("future", asyncio.Future),
    future_cases("Python future", asyncio.futures._PyFuture),  # type: ignore[attr-defined]
    task_cases("task", asyncio.Task),
    task_cases("Python task", asyncio.tasks._PyTask),  # type: ignore[attr-defined]
    case(
        "task that waits",
        waiting,
        changes=[lambda o: o[2].set_result(1), lambda o: o[1].cancel(), lambda o: (o[2].set_result(1), o[0].step())],
        existing=False,
        repeats=False,
    ),
    case("asyncio lock", asyncio.Lock, changes=[put("_locked", True)]),
    case("asyncio event", asyncio.Event, undone=[lambda o: (o.set(), o.clear())], changes=[call("set")]),
    case(
        "asyncio queue",
        asyncio.Queue,
        undone=[],
        changes=[lambda o: o.put_nowait(1), lambda o: (o.put_nowait(1), o.get_nowait())],
    ),
    case(
        "executor future",
        concurrent.futures.Future,
        undone=[lambda o: o.done()],
        changes=[
            call("set_result", 1),
            call("set_result", 2),
            call("cancel"),
            call("set_running_or_notify_cancel"),
            lambda o: o.add_done_callback(len),
            lambda o: o.set_exception(ValueError()),
        ],
    ),
]
