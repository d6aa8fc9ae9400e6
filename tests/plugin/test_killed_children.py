"""Children that are killed from outside: every one is reported, no process is left, the arena stays readable."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from litmus import programs
from support.search import Notes, Subject, explore_with

from pytest_statespace.explore.budget import Budget
from pytest_statespace.explore.explorer import Explorer, Search, SearchEnd
from pytest_statespace.explore.strategies.dfs import DepthFirstSearch
from pytest_statespace.explore.verdict import conclude
from pytest_statespace.settings import Settings
from pytest_statespace.types import FailureKind, Verdict

# Every signal that ends a process by default and can be caught or not; Python ignores SIGPIPE and SIGXFSZ, we SIGINT.
FATAL = [
    signal.SIGKILL, signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGABRT, signal.SIGSYS,
    signal.SIGTRAP, signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP, signal.SIGALRM, signal.SIGVTALRM, signal.SIGPROF,
    signal.SIGUSR1, signal.SIGUSR2, signal.SIGXCPU, signal.SIGIO, signal.SIGPWR, signal.SIGSTKFLT,
]  # fmt: skip
SECONDS = 20.0


def children() -> set[int]:
    return {int(pid) for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()}


def searched_and_killed(number: signal.Signals, delay: float, *, frozen: bool = False) -> Search:
    """Search a program with far more states than time, and kill the child, or the copy that keeps its base state."""
    before = children()

    def use(subject: Subject) -> Search:
        ours = children() - before
        child = subject.sandbox._child.pid
        (copy,) = ours - {child}
        killer = os.fork()
        if killer == 0:
            time.sleep(delay)
            os.kill(copy if frozen else child, number)
            os._exit(0)
        if frozen:
            os.waitpid(killer, 0)
        engine = Notes(subject.sandbox, False)
        budget = Budget(time.monotonic, time.monotonic(), SECONDS)
        found = Explorer(engine, DepthFirstSearch(None), budget).run()
        if not frozen:
            os.waitpid(killer, 0)
        lib, arena = subject.sandbox._arena._lib, subject.sandbox._arena._arena
        if lib.ss_arena_is_valid(arena) != 0:
            assert subject.sandbox._arena.last_error().startswith("the child died while it changed the store")
        return found

    found = explore_with(programs.locked_increments(5, 4), use)
    assert children() <= before, "a process was left"
    return found


@contextlib.contextmanager
def fatal(number: signal.Signals) -> Iterator[None]:
    """Under nohup, say, a signal is ignored, and children inherit that."""
    ignored = signal.getsignal(number) is signal.SIG_IGN
    if ignored:
        signal.signal(number, signal.SIG_DFL)
    yield
    if ignored:
        signal.signal(number, signal.SIG_IGN)


def check_reported(number: signal.Signals, delay: float) -> None:
    with fatal(number):
        found = searched_and_killed(number, delay)
    assert found.end is SearchEnd.FAILED, (number, delay, found.end, found.detail)
    assert found.found is not None
    assert (found.found.kind, found.found.message) == (FailureKind.CRASH, number.name), (number, delay)
    assert found.seconds < SECONDS


@pytest.mark.parametrize("number", FATAL, ids=lambda number: number.name)
def test_every_fatal_signal_is_reported(number: signal.Signals) -> None:
    check_reported(number, random.Random(number).random() * 0.1)


def test_the_copy_that_keeps_the_base_state_is_no_failure_of_the_test() -> None:
    found = searched_and_killed(signal.SIGKILL, 0.0, frozen=True)
    assert found.found is None
    assert "the process that keeps the base state was killed from outside" in found.detail
    result = conclude(found, nodeid="t", settings=Settings())
    assert result.verdict is Verdict.INCOMPLETE
    assert "keeps the base state" in result.reason


@pytest.mark.campaign
@pytest.mark.parametrize("seed", range(50))
def test_killed_a_thousand_times(seed: int) -> None:
    rng = random.Random(seed)
    for number in FATAL:
        check_reported(number, rng.random() ** 2)
