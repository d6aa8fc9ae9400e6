"""The parent's side of the child: waiting, reaping, pinning, messages, remedies."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_statespace.runtime.wire import MessageReader, from_plain, pack, send, to_plain, unpack
from pytest_statespace.sandbox.pinning import pinned
from pytest_statespace.sandbox.process import ChildProcess, ExitStatus
from pytest_statespace.sandbox.remedies import refused
from pytest_statespace.sandbox.watchdog import wait_for_turn
from pytest_statespace.types import (
    Choice,
    ChoiceKind,
    ExplorationResult,
    Failure,
    FailureKind,
    Report,
    Schedule,
    Step,
    Verdict,
)


class Arena:
    """Says when the turn comes and how far the child has got."""

    def __init__(self, turns: list[bool], progress: list[int]) -> None:
        self.turns = turns
        self.steps = progress

    def wait(self, milliseconds: int) -> bool:
        return self.turns.pop(0) if self.turns else False

    def progress(self) -> int:
        return self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]


class Child(ChildProcess):
    """A process that dies when told to, without there being one."""

    def __init__(self, statuses: list[ExitStatus | None]) -> None:
        super().__init__(-1)
        self.statuses = statuses

    def poll(self) -> ExitStatus | None:
        return self.statuses.pop(0) if self.statuses else None


def clock(step: float) -> Iterator[float]:
    now = 0.0
    while True:
        yield now
        now += step


def test_our_turn() -> None:
    waited = wait_for_turn(Arena([False, True], [0]), Child([]), hang_seconds=1, deadline=None)
    assert waited.turn


def test_death_and_a_result_that_came_first() -> None:
    dead = ExitStatus(0, signal.SIGSEGV)
    waited = wait_for_turn(Arena([False, False], [0]), Child([dead]), hang_seconds=1, deadline=None)
    assert waited.died == dead
    assert dead.describe() == "SIGSEGV"
    assert ExitStatus(3, 0).describe() == "exit status 3"
    waited = wait_for_turn(Arena([False, True], [0]), Child([dead]), hang_seconds=1, deadline=None)
    assert waited.turn


def test_a_hang_is_time_without_progress() -> None:
    ticks = clock(0.4)
    waited = wait_for_turn(
        Arena([], [0]), Child([]), hang_seconds=1, deadline=None, clock=lambda: next(ticks)
    )
    assert waited.hung
    ticks = clock(0.4)
    waited = wait_for_turn(
        Arena([], list(range(30))), Child([]), hang_seconds=1, deadline=8, clock=lambda: next(ticks)
    )
    assert waited.late


def test_a_child_is_reaped_once() -> None:
    pid = os.fork()
    if pid == 0:
        signal.pause()
        os._exit(0)
    child = ChildProcess(pid)
    assert child.poll() is None
    assert child.kill() == ExitStatus(0, signal.SIGKILL)
    assert child.kill() == ExitStatus(0, signal.SIGKILL)
    child.close()
    with pytest.raises(ChildProcessError):
        os.waitpid(pid, 0)


def test_a_child_that_somebody_else_reaped() -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(5)
    os.waitpid(pid, 0)
    assert ChildProcess(pid).kill() == ExitStatus(-1, 0)


def test_pinning_is_undone() -> None:
    before = os.sched_getaffinity(0)
    with pinned():
        assert len(os.sched_getaffinity(0)) == 1
    assert os.sched_getaffinity(0) == before
    with pinned(5):
        assert os.sched_getaffinity(0) == {sorted(before)[5 % len(before)]}


@given(st.lists(st.dictionaries(st.text(), st.integers(-5, 5)), max_size=5), st.integers(1, 7))
def test_messages_arrive_whole_however_they_are_cut(
    messages: list[dict[str, int]], size: int
) -> None:
    read_end, write_end = os.pipe()
    for message in messages:
        send(write_end, message)
    os.close(write_end)
    data = b""
    while part := os.read(read_end, 4096):
        data += part
    os.close(read_end)
    reader = MessageReader()
    got = [
        message for i in range(0, len(data), size) for message in reader.feed(data[i : i + size])
    ]
    assert got == messages
    assert list(MessageReader().feed(data[:-1])) == messages[:-1]


def test_results_travel() -> None:
    choice = Choice(ChoiceKind.THREAD, 1, 2, 1, (1 << 64) - 1)
    step = Step(0, "acquire", "lock", "", "f.py", 3, "f", "lock.acquire()", preemption=True)
    report = Report(None, "", "", "", (("title", "text"),), ("main",), (step,))
    failure = Failure(
        FailureKind.DEADLOCK, "m\udce4", Schedule((choice,), 1), report, 1, 2, 0.5, 3
    )
    result = ExplorationResult(
        nodeid="n",
        verdict=Verdict.FAILED,
        reason="r",
        granularity="sync",
        strategy="dfs",
        preemption_bound=None,
        timeouts="idle",
        executions=1,
        transitions=2,
        states=3,
        seconds=0.1,
        outcomes=(("x", 2),),
        failures=(failure,),
    )
    assert from_plain(ExplorationResult, unpack(pack(to_plain(result)))) == result


@pytest.mark.parametrize(
    ("detail", "call", "where", "remedy"),
    [
        ("socket (network) at a.py:3", "socket (network)", "a.py:3", "in-memory double"),
        ("openat (opening for writing) at a at b.py:1", "openat", "b.py:1", "io.StringIO"),
        ("clone (new process or thread)", "clone", "", "threads"),
        ("more than 4 threads", "more than 4 threads", "", "--statespace-max-threads"),
        ("unheard_of at x.py:9", "unheard_of", "x.py:9", "fixture"),
    ],
)
def test_refused_calls_have_a_remedy(detail: str, call: str, where: str, remedy: str) -> None:
    error = refused(detail)
    assert error.call.startswith(call)
    assert error.where == where
    assert remedy in error.remedy
    assert remedy in str(error)
