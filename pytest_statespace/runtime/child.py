"""The child's side of an exploration: set up, run the test once for every path, say how it ended.

`run` is called in the freshly forked child and never returns. Everything before
``bridge.explore`` is ordinary Python and happens once; ``body`` below runs again and again,
rewound by the agent. A failure of the set-up is sent to the parent as a message on the pipe.

While exploring, an execution ends with a small payload. In recording mode (one schedule, no
snapshots, no system-call guard) the same ends build the whole report first: pytest's rendering
of the traceback, captured output, the waiting threads of a deadlock.
"""

from __future__ import annotations

import contextlib
import dataclasses
import faulthandler
import gc
import importlib
import inspect
import io
import os
import sys
import threading
import traceback
import unittest
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

import pytest
from _pytest._code.code import TerminalRepr
from _pytest._io import TerminalWriter

from pytest_statespace.runtime import (
    access,
    bookkeeping,
    capture,
    collected,
    context,
    futures,
    left_running,
    outcome,
    patches,
    test_cases,
    weakening,
)
from pytest_statespace.runtime.context import Context
from pytest_statespace.runtime.recorder import Recorder
from pytest_statespace.runtime.teardowns import Teardown
from pytest_statespace.runtime.wire import send, to_plain
from pytest_statespace.settings import Settings
from pytest_statespace.types import FailureKind

__all__ = ["EXAMPLE", "Task", "run"]

#: What is called in the place of the item's function: an example of Hypothesis's @given.
EXAMPLE = pytest.StashKey[Callable[[], object]]()

_getpid = os.getpid  # a test may replace it

END_FINISHED = 1
END_FAILED = 2
_HEAP_BYTES = 1 << 30
_BRK_BYTES = 256 << 20
_STACK_BYTES = 8 << 20
_EPOCH_NS = 1_700_000_000_000_000_000  # a fixed date: wall-clock time starts here in every run
_PASSED = frozenset({"finished", "skip", "xfail", "rejected"})


@dataclass(frozen=True, slots=True)
class Task:
    """What a child is asked to do; inherited through the fork, so it may hold anything."""

    item: pytest.Function
    settings: Settings
    teardown: Teardown
    roots: tuple[str, ...]  # files below are code under test
    tables: dict[str, Any] | None = None  # of the code under test, as the parent made them
    modules: int = -1  # how many there were then
    fingerprint: bool = True
    footprints: bool = False  # note what transitions touch
    guarded: bool = True  # what can't be rewound is refused
    recording: bool = False
    interactive: bool = False  # standard streams stay as they are; with --pdb a debugger opens
    crash_file: int = -1  # where faulthandler writes in recording mode


def with_tables(task: Task) -> Task:
    """In the parent, right before the fork: what is known of code there need not be found out in each child."""
    if _needs_event_loop(task.item):
        importlib.import_module("pytest_statespace.runtime.event_loop")  # as the child will
    with contextlib.suppress(ImportError):
        importlib.import_module("_pickle")  # watched in every child, which would load it
    access.prepare()
    return dataclasses.replace(task, tables=tables_of(task, keep=True), modules=len(sys.modules))


def may_use_tables(task: Task) -> bool:
    """In the parent: have no others been made since?"""
    return task.tables is not None and access.may_be_used(task.tables)


def tables_of(task: Task, *, keep: bool = False) -> dict[str, Any]:
    """The tables of the code under test in this process."""
    return access.build_tables(
        task.roots,
        trace_prefixes=task.settings.trace,
        promoted=frozenset(task.settings.promoted),
        keep=keep,
    )


def _needs_event_loop(item: pytest.Function) -> bool:
    return "asyncio" in sys.modules or inspect.iscoroutinefunction(item.stash.get(EXAMPLE, item.obj))


def _is_asynchronous(function: object) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)


def run(task: Task, bridge: ModuleType, pipe: int) -> NoReturn:
    """Explore in this process. Never returns."""
    try:
        _Child(task, bridge, pipe).explore()
    except BaseException as error:
        send(pipe, {"setup_failed": _reason(error)})
    os._exit(71)


class _Child:
    def __init__(self, task: Task, bridge: ModuleType, pipe: int) -> None:
        self._task = task
        self._bridge = bridge
        self._pipe = pipe
        self._context = Context(bridge, self.fail)
        self._recorder: Recorder | None = None
        self._arguments: dict[str, Any] = {}
        self._pid = _getpid()

    def explore(self) -> None:
        task, bridge = self._task, self._bridge
        item = task.item
        gc.disable()  # for good: nothing may die between looking at all objects and the base snapshot
        names = item._fixtureinfo.argnames
        self._arguments = {name: item.funcargs[name] for name in names}
        task.teardown.keep_finalizers()
        patches.suspend_tracers()
        patches.silence_faulthandler()
        patches.seed_random(task.settings.seed)
        sys.dont_write_bytecode = True  # an import inside the test must not write files
        patches.fail_on_thread_exception(self.fail)
        patches.answer_unraisable(self.fail)
        patches.collect_warnings(self._context.warnings, item.fixturenames)
        collected.raise_at_once()
        futures.complete_in_any_order(bridge)
        if task.interactive:
            capture.make_live()
        else:
            capture.redirect(bridge, item.fixturenames)
            patches.receive_interrupts()
        if task.recording:
            self._recorder = Recorder(
                lambda message: send(self._pipe, message),
                item.config.rootpath,
                task.settings.trace,
            )
            self._recorder.deadlocked = self._report_deadlock
            if task.crash_file >= 0:
                faulthandler.enable(task.crash_file, all_threads=False)
        if _needs_event_loop(item):
            from pytest_statespace.runtime import event_loop

            event_loop.install(bridge, any_order=task.settings.timeouts == "any")
        context.install(self._context)
        bridge.explore(self.body, self._config())

    def body(self) -> None:
        """One execution. Ends through `finish` or `fail`, never by returning."""
        try:
            result = self._call()
            if inspect.iscoroutine(result):
                from pytest_statespace.runtime import event_loop

                event_loop.run(result)
            self._task.teardown.run()
            left_running.settle(self._task.settings.left_running)
        except BaseException as error:
            self._refuse_fixtures_of_a_loop(error)
            self.fail(error)
        self.finish()

    def _refuse_fixtures_of_a_loop(self, error: BaseException) -> None:
        """Was this raised because an asynchronous fixture, set up in the parent, left something of its loop?"""
        item = self._task.item
        fixtures = [known[-1].func for known in item._fixtureinfo.name2fixturedefs.values()]
        if any(_is_asynchronous(inspect.unwrap(fixture)) for fixture in fixtures):
            from pytest_statespace.runtime import event_loop

            event_loop.refuse_foreign(error, f"{item.path}:{(item.location[1] or 0) + 1}")

    def _call(self) -> object:
        example = self._task.item.stash.get(EXAMPLE, None)
        if example is not None:
            return example()
        test_case = getattr(self._task.item, "instance", None)
        if isinstance(test_case, unittest.TestCase):
            test_cases.run(test_case, self.fail)
            return None
        return self._task.item.obj(**self._arguments)

    def finish(self) -> NoReturn:
        """The test function returned."""
        if _getpid() != self._pid:
            os._exit(0)
        self._bridge.pause()
        if self._recorder is not None:
            self._send_report(None, "", "", "")
        self._end(END_FINISHED, outcome.finished())

    def fail(self, error: BaseException) -> NoReturn:
        """An exception left the test function or a thread."""
        if _getpid() != self._pid:  # of a process that the test forked: the report is not its own
            os.write(2, "".join(traceback.format_exception(error)).encode())
            os._exit(1)
        self._bridge.pause()
        described = outcome.describe(error)
        if self._recorder is not None:
            self._report_exception(error, described)
        passed = described["kind"] in _PASSED or described["kind"] in ("exit", "interrupt")
        self._end(END_FINISHED if passed else END_FAILED, described)

    def _end(self, end: int, described: dict[str, Any]) -> NoReturn:
        running = 0
        names: list[str] = []
        if self._bridge.thread_count() > 1 and end == END_FINISHED:
            running = sum(
                row["status"] != "done" and row["ordinal"] != self._bridge.current_thread()
                for row in self._bridge.thread_table()
            )
            names = left_running.names() if running else []
        data = outcome.payload(
            described,
            self._context,
            threads=self._bridge.thread_count(),
            left_running=running,
            left_names=names,
        )
        if self._task.interactive:
            capture.flush()
        self._bridge.end_execution(end, data, described["message"][:200])
        raise AssertionError("end_execution returned")

    def _config(self) -> dict[str, Any]:
        task, settings = self._task, self._task.settings
        goes_on = task.recording or not task.guarded  # one execution, and nothing is ever rewound
        return {
            "max_threads": settings.max_threads,
            "granularity": self._bridge.GRANULARITIES[settings.granularity],
            "timeouts_any": settings.timeouts == "any",
            "tracker": "none" if goes_on else settings.tracker,
            "check": settings.check,
            "guard": not goes_on,
            "lends_time": not task.guarded,
            "fingerprint": task.fingerprint and not goes_on,
            "footprints": task.footprints and not task.recording,
            "heap_bytes": _HEAP_BYTES,
            "brk_bytes": _BRK_BYTES,
            "stack_bytes": _STACK_BYTES,
            "epoch_ns": _EPOCH_NS,
            "tables": self._tables(),
            "recorder": self._recorder,
            "races": settings.races != "off" and not task.recording,
            "invariants": self._context.invariants,
            "explain": settings.explain_state,
            "ignored": weakening.declarations(settings.ignore),
            "thread_failed": self.fail,
        }

    def _tables(self) -> dict[str, Any]:
        task = self._task
        tables: dict[str, Any] | None = task.tables
        if tables is None or task.modules != len(sys.modules):  # something was imported since: its namespace counts
            tables = tables_of(task)
        tables["bookkeeping"] = bookkeeping.build_table()
        return tables

    # -- recording mode ---------------------------------------------------------------------

    def _report_exception(self, error: BaseException, described: dict[str, Any]) -> None:
        kind = described["kind"]
        if kind in _PASSED or kind in ("exit", "interrupt"):
            self._send_report(None, described["message"], described["type"], "")
            return
        if error.__traceback__ is None:  # a violated invariant: nothing was raised
            assert self._recorder is not None
            where = self._recorder.view.position(sys._getframe())
            text = f"E   {described['type']}: {described['message']}"
            if where.line:
                text = f">   {where.source}\n{text}\n\n{where.file}:{where.line}: found before this line"
            self._send_report(FailureKind(kind), described["message"], described["type"], text)
            return
        excinfo = pytest.ExceptionInfo.from_exception(_without_our_frames(error))
        try:
            longrepr = _rendered(self._task.item.repr_failure(excinfo))
        except Exception:  # a broken __repr__ or source file: the plain traceback is left
            longrepr = "".join(traceback.format_exception(error))
        self._send_report(FailureKind(kind), described["message"], described["type"], longrepr)
        if self._task.interactive:
            self._interact(excinfo)

    def _report_deadlock(self) -> None:
        assert self._recorder is not None
        waiting = self._recorder.waiting
        names = ", ".join(entry.name for entry in waiting)
        tasks = sum(entry.operation == "await" for entry in waiting)
        what = "thread" if not tasks else "task" if tasks == len(waiting) else "thread or task"
        self._send_report(
            FailureKind.DEADLOCK,
            f"deadlock: no {what} can go on ({names} wait for ever)",
            "",
            "\n".join(self._recorder.stacks).rstrip(),
        )

    def _send_report(
        self, kind: FailureKind | None, message: str, exception_type: str, longrepr: str
    ) -> None:
        assert self._recorder is not None
        send(
            self._pipe,
            {
                "report": {
                    "kind": kind.value if kind is not None else None,
                    "message": message,
                    "exception_type": exception_type,
                    "longrepr": longrepr,
                    "sections": self._sections(),
                    "threads": self._recorder.thread_names(self._bridge.thread_count()),
                    "waiting": to_plain(self._recorder.waiting),
                }
            },
        )

    def _sections(self) -> list[tuple[str, str]]:
        sections: list[tuple[str, str]] = []
        for number, name in ((1, "stdout"), (2, "stderr")):
            text = bytes(self._bridge.captured(number)).decode("utf-8", "replace")
            if text:
                sections.append((f"Captured {name} call", text))
        logging = self._task.item.config.pluginmanager.getplugin("logging-plugin")
        handler = getattr(logging, "report_handler", None)
        if handler is not None:
            text = handler.stream.getvalue().strip()
            if text:
                sections.append(("Captured log call", text))
        return sections

    def _interact(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Let the debugger of ``--pdb`` look at the failed execution, in this process."""
        item = self._task.item
        if not item.config.getoption("usepdb", False):
            return

        def raise_again() -> None:
            raise excinfo.value

        call = pytest.CallInfo.from_call(raise_again, when="call")
        report = pytest.TestReport.from_item_and_call(item, call)
        try:
            item.ihook.pytest_exception_interact(node=item, call=call, report=report)
        except pytest.exit.Exception as error:
            send(self._pipe, {"exit": str(error)})


def _rendered(longrepr: object) -> str:
    """The text of pytest's rendering, with the indentation of its first line."""
    if not isinstance(longrepr, TerminalRepr):
        return str(longrepr)
    text = io.StringIO()
    longrepr.toterminal(TerminalWriter(text))
    return text.getvalue().rstrip()


def _without_our_frames(error: BaseException) -> BaseException:
    """Cut the frames of this package and of `threading` off the start of the traceback."""
    package = str(Path(__file__).resolve().parent.parent) + "/"
    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        file = at.tb_frame.f_code.co_filename
        if not file.startswith(package) and file != threading.__file__:
            break
        at = at.tb_next
    return error.with_traceback(at) if at is not None else error


def _reason(error: BaseException) -> str:
    text = "".join(traceback.format_exception_only(error)).strip()
    if isinstance(error, RuntimeError | pytest.UsageError):
        return str(error)
    return text + "\n" + "".join(traceback.format_tb(error.__traceback__)).rstrip()
