"""Header, summary, progress and the report object that pytest gets."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any

from _pytest._io import TerminalWriter

from pytest_statespace.reporting.failure import FailureRepr
from pytest_statespace.reporting.progress import Progress, progress_text
from pytest_statespace.reporting.terminal import summary_lines, write_summary
from pytest_statespace.reporting.text import plain, width_of
from pytest_statespace.types import (
    ExplorationResult,
    Failure,
    FailureKind,
    ProgressSnapshot,
    Report,
    Schedule,
    Step,
    Verdict,
)

SNAPSHOT = ProgressSnapshot("a.py::t", 1, 87, 400, 1204, 12, 3.4, 31, 0.4)


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


class Clock:
    """Time that passes only when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def writer_to(stream: Any, markup: bool = True) -> TerminalWriter:
    writer = TerminalWriter(stream)
    writer.hasmarkup = markup
    writer.fullwidth = 80
    return writer


def test_progress_leaves_no_trace_on_the_line() -> None:
    stream, clock = Terminal(), Clock()
    writer = writer_to(stream)
    writer.write("a.py ..")
    progress = Progress(writer, clock=clock)
    progress.update(SNAPSHOT)
    assert stream.getvalue() == "a.py .."  # too early
    for _ in range(100):
        clock.now += 0.01
        progress.update(SNAPSHOT)
    shown = stream.getvalue().removeprefix("a.py ..")
    assert 2 <= shown.count("\x1b7") <= 5
    assert shown.count("\x1b7") == shown.count("\x1b8")
    assert "\n" not in shown
    assert "bound 1 · about 40 % left · 1 204 states · 87 executions" in shown
    assert writer.width_of_current_line == len("a.py ..")
    progress.finish()
    progress.finish()
    assert stream.getvalue().endswith("\x1b8\x1b[K")
    assert writer.width_of_current_line == len("a.py ..")


def test_progress_waits_anew_for_each_search() -> None:
    stream, clock = Terminal(), Clock()
    progress = Progress(writer_to(stream), clock=clock)
    clock.now += 10
    progress.start()
    progress.update(SNAPSHOT)
    assert stream.getvalue() == ""


def test_progress_stays_within_the_line() -> None:
    stream, clock = Terminal(), Clock()
    writer = writer_to(stream)
    writer.write("x" * 50)
    progress = Progress(writer, clock=clock)
    clock.now += 1
    progress.update(SNAPSHOT)
    text = stream.getvalue()[50:].replace("\x1b7", "").replace("\x1b8", "").replace("\x1b[K", "")
    assert text
    assert 50 + width_of(text) < 80
    writer.write("x" * 25)
    clock.now += 1
    before = stream.getvalue()
    progress.update(SNAPSHOT)
    assert stream.getvalue() == before


def test_progress_is_silent_where_nobody_watches() -> None:
    for writer in (None, writer_to(io.StringIO()), writer_to(Terminal(), markup=False)):
        progress = Progress(writer, clock=Clock())
        progress.start()
        progress.update(SNAPSHOT)
        progress.finish()
        if writer is not None:
            assert writer._file.getvalue() == ""  # type: ignore[attr-defined]


def test_progress_text_without_a_bound() -> None:
    snapshot = ProgressSnapshot("a.py::t", None, 1, 1, 1, 0, 61.0)
    assert progress_text(snapshot) == "no bound · 1 state · 1 execution · depth 0 · 0 pending · 61 s"


def result(nodeid: str, verdict: Verdict = Verdict.VERIFIED, **values: Any) -> ExplorationResult:
    defaults: dict[str, Any] = {
        "reason": "",
        "granularity": "access",
        "strategy": "dfs",
        "preemption_bound": None,
        "timeouts": "idle",
        "executions": 1,
        "transitions": 2,
        "states": 3,
        "seconds": 0.5,
    }
    return ExplorationResult(nodeid=nodeid, verdict=verdict, **{**defaults, **values})


def test_summary_section() -> None:
    stream = Terminal()
    writer = writer_to(stream, markup=False)
    titles: list[str] = []
    reporter: Any = SimpleNamespace(section=titles.append, _tw=writer)
    write_summary(reporter, [])
    assert titles == []
    assert stream.getvalue() == ""
    write_summary(reporter, [result("a.py::t"), result("a.py::longer")])
    assert titles == ["state-space exploration"]
    assert stream.getvalue() == (
        "verified  a.py::t       3 states, 1 execution, 0.50 s\n"
        "verified  a.py::longer  3 states, 1 execution, 0.50 s\n"
        "2 verified: 6 states in 1.00 s\n"
    )


def test_incomplete_and_unsupported_say_why() -> None:
    for verdict in (Verdict.INCOMPLETE, Verdict.UNSUPPORTED):
        lines = plain(summary_lines([result("a.py::t", verdict, reason="be\ncause")], 80))
        assert "\n    be\n    cause\n" in lines
        assert f"\n1 {verdict.value}: " in lines


def failing(kind: FailureKind = FailureKind.ASSERTION, message: str = "assert 0\nmore") -> Failure:
    step = Step(1, "access", "x", "write", "a.py", 7, "f", "x = 1", "1")
    report = Report(kind, message, "AssertionError", "E   assert 0", (), ("main", "one"), (step,))
    return Failure(kind, message, Schedule((), 1), report, 1, 2, 0.1, 3)


def test_report_object() -> None:
    shown = FailureRepr(result("a.py::t", Verdict.FAILED), failing())
    assert str(shown).startswith("E   assert 0\n")
    assert shown.reprcrash.message == "assert 0 (1 preemption)"
    assert (shown.reprcrash.path, shown.reprcrash.lineno) == ("a.py", 7)
    stream = Terminal()
    shown.toterminal(writer_to(stream))
    assert "\x1b[31m\x1b[1mE   assert 0\x1b[0m\n" in stream.getvalue()
    stream = Terminal()
    shown.toterminal(writer_to(stream, markup=False))
    assert "\x1b" not in stream.getvalue()
    assert max(map(len, stream.getvalue().splitlines())) == 80
    deadlock = FailureRepr(result("a.py::t"), failing(FailureKind.DEADLOCK, ""))
    assert deadlock.reprcrash.message == "deadlock (1 preemption)"
