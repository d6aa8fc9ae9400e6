"""The conflict: true of the recorded order, and silent where nothing can be said."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_statespace.reporting.conflict import conflicts, find_cycle, held_targets
from pytest_statespace.types import FailureKind, Report, Step, WaitingThread


def step(thread: int, line: int, target: str, access: str, operation: str = "access", **values: Any) -> Step:
    return Step(
        thread=thread,
        operation=operation,
        target=target,
        access=access,
        file="a.py",
        line=line,
        function="f",
        source=values.pop("source", "x"),
        **values,
    )


def waits(thread: int, target: str, holder: int = -1, **values: Any) -> WaitingThread:
    defaults: dict[str, Any] = {"operation": "acquire", "line": 9, "source": "with lock:"}
    return WaitingThread(
        thread=thread,
        name="",
        target=target,
        holder=holder,
        file="a.py",
        function="f",
        **{**defaults, **values},
    )


def found(
    *steps: Step, kind: FailureKind = FailureKind.ASSERTION, waiting: tuple[WaitingThread, ...] = ()
) -> list[str]:
    return conflicts(report(*steps, kind=kind, waiting=waiting))


def report(*steps: Step, kind: FailureKind = FailureKind.ASSERTION, waiting: tuple[WaitingThread, ...] = ()) -> Report:
    return Report(kind, "", "", "", (), ("main", "A", "B", "C"), steps, waiting)


def test_both_read_before_either_wrote() -> None:
    steps = [
        step(1, 1, "x", "read", value="0"),
        step(2, 2, "x", "read", value="0", preemption=True),
        step(2, 3, "x", "write", value="1"),
        step(1, 4, "x", "write", value="1"),
    ]
    assert found(*steps) == [
        "A and B both read `x` (0) before either wrote it: B wrote 1 (a.py:3), then A wrote 1 (a.py:4) over it"
    ]


def test_write_based_on_an_outdated_read() -> None:
    steps = [
        step(1, 1, "x", "read", value="0"),
        step(2, 3, "x", "write", value="5", preemption=True),
        step(1, 4, "x", "write", value="1"),
    ]
    assert found(*steps) == ["A read `x` = 0 (a.py:1), B changed it to 5 (a.py:3), then A wrote 1 (a.py:4) over that"]


@pytest.mark.parametrize(
    "steps",
    [
        # one after the other
        [(1, "read"), (1, "write"), (2, "read"), (2, "write")],
        # reads again before it writes
        [(1, "read"), (2, "write"), (1, "read"), (1, "write")],
        # only reads
        [(1, "read"), (2, "read"), (1, "read")],
        # the later write is blind: the read belonged to the earlier one
        [(1, "read"), (1, "write"), (2, "write"), (1, "write")],
        # the last write reads for itself
        [(1, "read"), (2, "write"), (1, "read-write")],
        # blind writes
        [(1, "write"), (2, "write"), (1, "write")],
        # atomic
        [(1, "read-write"), (2, "read-write"), (1, "read-write")],
    ],
)
def test_nothing_to_say(steps: list[tuple[int, str]]) -> None:
    assert found(*(step(thread, 1, "x", access) for thread, access in steps)) == []


def test_other_targets_do_not_matter() -> None:
    assert found(step(1, 1, "x", "read"), step(2, 1, "y", "write"), step(1, 1, "x", "write")) == []


def test_a_blocked_or_lock_access_is_no_data_access() -> None:
    for values in ({"outcome": "blocked"}, {"operation": "acquire"}):
        steps = [
            step(1, 1, "x", "read"),
            step(2, 1, "x", "write", **values),
            step(1, 1, "x", "write"),
        ]
        assert found(*steps) == []


def test_check_then_act_on_the_same_thing() -> None:
    steps = [
        step(1, 1, "q", "read", value="False", operation="call"),
        step(2, 5, "q", "write", operation="get", preemption=True),
        step(1, 2, "q", "write", operation="get", value="'a'"),
    ]
    sentence = "A read `q` = False (a.py:1), B changed it (a.py:5) before A acted on it (a.py:2)"
    assert found(*steps, kind=FailureKind.EXCEPTION)[0].startswith("A read `q`")
    blocked = [*steps[:2], step(1, 2, "q", "write", operation="get", outcome="blocked")]
    assert found(*blocked, kind=FailureKind.DEADLOCK) == [sentence]


def test_check_then_act_on_another_thing() -> None:
    steps = [
        step(1, 1, "ready", "read", value="True"),
        step(2, 5, "ready", "write", value="False", preemption=True),
        step(1, 2, "data", "read", value="None"),
    ]
    assert found(*steps) == [
        "A read `ready` = True (a.py:1), B changed it to False (a.py:5) before A acted on it (a.py:2)"
    ]
    rechecked = [*steps[:2], step(1, 2, "ready", "read"), step(1, 2, "data", "read")]
    assert not any("acted" in sentence for sentence in found(*rechecked))


def test_around_the_last_preemption() -> None:
    steps = [
        step(1, 1, "other", "write"),
        step(2, 5, "x", "write", value="1", preemption=True),
        step(1, 2, "x", "read", value="1"),
    ]
    assert found(*steps) == ["while A was preempted, B wrote `x` = 1 (a.py:5); then A read it (a.py:2)"]


def test_lock_order() -> None:
    steps = [
        step(1, 1, "a", "", operation="acquire"),
        step(2, 2, "b", "", operation="acquire"),
    ]
    waiting = (waits(0, "A", operation="join"), waits(1, "b", 2), waits(2, "a", 1))
    assert found(*steps, kind=FailureKind.DEADLOCK, waiting=waiting) == [
        "A took `a` (a.py:1) and then wants `b` (a.py:9); B took `b` (a.py:2) and then wants `a` (a.py:9)"
    ]
    assert [entry.thread for entry in find_cycle(waiting)] == [1, 2]
    made = report(*steps, kind=FailureKind.DEADLOCK, waiting=waiting)
    assert held_targets(made, 1) == ["a"]
    assert held_targets(made, 2) == ["b"]
    assert held_targets(made, 0) == []


def test_a_cycle_of_three_behind_a_tail() -> None:
    waiting = (waits(0, "p", 1), waits(1, "q", 2), waits(2, "r", 3), waits(3, "p", 1))
    assert [entry.thread for entry in find_cycle(waiting)] == [1, 2, 3]
    assert find_cycle((waits(0, "p", 1), waits(1, "q", -1))) == []
    assert find_cycle(()) == []


def test_locks_that_nobody_will_release() -> None:
    took = step(1, 1, "a", "", operation="acquire")
    assert found(took, kind=FailureKind.DEADLOCK, waiting=(waits(1, "a", 1),)) == [
        "A waits for `a` (a.py:9), which it holds itself"
    ]
    assert found(took, kind=FailureKind.DEADLOCK, waiting=(waits(2, "a", 1),)) == [
        "B waits for `a` (a.py:9), which A took and never released"
    ]


def test_held_locks_follow_acquire_and_release() -> None:
    made = report(
        step(1, 1, "a", "", operation="acquire"),
        step(1, 1, "a", "", operation="acquire"),
        step(1, 1, "a", "", operation="release"),
        step(1, 1, "b", "", operation="acquire"),
        step(1, 1, "b", "", operation="release"),
        step(1, 1, "c", "", operation="acquire", outcome="blocked"),
        step(1, 1, "d", "", operation="try_acquire", value="True"),
        step(1, 1, "e", "", operation="try_acquire", value="False"),
    )
    assert held_targets(made, 1) == ["a", "d"]


def test_lost_notification() -> None:
    waiting = (waits(1, "cond", source="self.cond.wait()", line=7),)
    notify = step(2, 3, "cond", "write", operation="call", source="cond.notify_all()")
    waited = step(1, 7, "cond", "", operation="release", source="self.cond.wait()")
    assert found(notify, waited, kind=FailureKind.DEADLOCK, waiting=waiting) == [
        "B called cond.notify_all() (a.py:3) before A began to wait (a.py:7): "
        "a notification wakes nobody who waits later"
    ]
    assert found(waited, notify, kind=FailureKind.DEADLOCK, waiting=waiting) == []
    other = step(2, 3, "other", "write", operation="call", source="other.notify()")
    assert found(other, waited, kind=FailureKind.DEADLOCK, waiting=waiting) == []
