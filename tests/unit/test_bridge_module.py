"""The functions of the bridge module: choices, recording, invariants, randomness, refusals."""

from __future__ import annotations

import os
import random
import sys
import threading
import time
import uuid
from threading import Lock
from typing import Any

import pytest
from support import driver
from support.driver import explore

from pytest_statespace._native import _bridge
from pytest_statespace.runtime import bookkeeping
from pytest_statespace.runtime.bookkeeping import CallerClass, build_table


def test_choose_gives_every_value_and_backtracks_to_the_same_memory() -> None:
    def program() -> object:
        first = _bridge.choose(3)
        second = _bridge.choose(2)
        return first, second

    report = explore(program)
    assert report.results == {str((a, b)) for a in range(3) for b in range(2)}
    assert report.executions == 6


def test_choose_refuses_what_makes_no_sense() -> None:
    def program() -> object:
        try:
            return _bridge.choose(1)
        except ValueError as error:
            return str(error)

    assert explore(program).results == {repr("choose: n is 1; it must be at least 2")}
    with pytest.raises(RuntimeError, match="no path is running"):
        _bridge.choose(2)


def test_where_am_i() -> None:
    def program() -> object:
        seen: list[object] = []
        thread = threading.Thread(target=lambda: seen.append(_bridge.current_thread()))
        thread.start()
        thread.join()
        return seen, _bridge.current_thread(), _bridge.thread_count(), _bridge.in_exploration(), _bridge.clock_ns()

    assert explore(program).results == {"([1], 0, 2, True, 0)"}
    assert not _bridge.in_exploration()


def test_paused_hooks_make_no_choice_points() -> None:
    def program() -> object:
        lock = Lock()
        thread = threading.Thread(target=int)
        thread.start()
        _bridge.pause()
        _bridge.pause()
        with lock:
            pass
        _bridge.resume()
        with lock:
            pass
        _bridge.resume()
        return "done"

    report = explore(program)
    assert (report.results, report.choice_points) == ({"'done'"}, 0)


def test_an_invariant_is_checked_at_every_choice_point() -> None:
    balance = [0]

    def unbalanced() -> None:
        assert balance[0] == 0, "unbalanced"

    def program() -> object:
        lock = Lock()

        def work() -> None:
            balance[0] += 1
            with lock:
                balance[0] -= 1

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        return "passed"

    assert explore(program).results == {"'passed'"}
    (text,) = explore(program, invariants=[unbalanced]).results
    assert text.startswith("failed: AssertionError: unbalanced")


def test_an_invariant_must_not_wait() -> None:
    lock = Lock()

    def waits() -> None:
        with lock:
            pass

    def program() -> object:
        with lock:
            threading.Thread(target=int).start()
        return "passed"

    (text,) = explore(program, invariants=[waits]).results
    assert text.startswith("failed: RuntimeError: an invariant or recorder callback would have to wait")


def test_an_invariant_must_not_start_threads_and_clocks_stay_virtual() -> None:
    def checks() -> None:
        threading.Thread(target=int).start()

    def program() -> object:
        threading.Thread(target=int).start()

    (text,) = explore(program, invariants=[lambda: time.time() == 1.7e9 or 1 / 0, checks]).results
    assert text == "failed: RuntimeError: an invariant or recorder callback can't start a thread"


def test_the_recorder_is_told_every_step_switch_and_wait() -> None:
    lines: list[str] = []

    def recorder(event: dict[str, Any]) -> None:
        if event["kind"] == "step":
            where = event["frame"].f_code.co_name if event["frame"] is not None else None
            lines.append(f"{event['thread']} {event['operation']} {event['outcome']} in {where}")
        elif event["kind"] == "switch":
            lines.append(f"{event['from']}->{event['to']} of {event['alternatives']}")

    def program() -> object:
        lock = Lock()

        def work() -> None:
            with lock:
                pass

        thread = threading.Thread(target=work)
        with lock:
            thread.start()
        thread.join()
        return list(lines)

    (text,) = explore(program, recorder=recorder, forced=[1, 1], tracker="none", guard=False).results
    join = "join" if sys.version_info >= (3, 13) else "_wait_for_tstate_lock"
    assert eval(text) == [
        "0 acquire done in program",
        "0 start done in start",
        "0->1 of [0, 1]",
        "1 begin done in _bootstrap_inner",
        "1 acquire blocked in work",
        "0 release done in program",
        f"0 join blocked in {join}",
        "1 acquire done in work",
        "1 release done in work",
        "1 end done in _delete",
        f"0 join done in {join}",
    ]


def test_the_recorder_gets_the_waiting_threads_of_a_deadlock() -> None:
    def recorder(event: dict[str, Any]) -> None:
        if event["kind"] == "deadlock":
            rows = [(row["ordinal"], row["status"], row["operation"], row["holder"]) for row in event["threads"]]
            names = [row["frame"].f_code.co_name for row in event["threads"] if row["frame"] is not None]
            _bridge.end_execution(driver.lib.SS_END_DEADLOCK, repr((rows, names)).encode(), repr((rows, names)))

    def program() -> object:
        first, second = Lock(), threading.RLock()

        def work() -> None:
            with second, first:
                pass

        thread = threading.Thread(target=work)
        thread.start()
        with first, second:
            pass

    plain = explore(program)
    (schedule,) = [s for text, s in plain.schedules.items() if text.startswith("deadlock")]
    (text,) = explore(program, recorder=recorder, forced=schedule, tracker="none", guard=False).results
    assert text == "deadlock: " + repr(
        ([(0, "blocked", "acquire", 1), (1, "blocked", "acquire", 0)], ["program", "work"])
    )


def test_randomness_is_the_same_in_every_execution_and_differs_between_draws() -> None:
    def program() -> object:
        _bridge.choose(2)
        drawn = [os.urandom(8), os.urandom(8), random.Random().random(), uuid.uuid4()]
        return len(set(drawn)), drawn

    report = explore(program)
    assert report.executions == 2
    (text,) = report.results
    assert text.startswith("(4, ")


def test_captured_output_rewinds() -> None:
    def program() -> object:
        _bridge.capture_write(1, b"start ")
        _bridge.capture_write(1, b"%d" % _bridge.choose(2))
        return _bridge.captured(1), _bridge.captured(2)

    assert explore(program).results == {"(b'start 0', b'')", "(b'start 1', b'')"}


def test_a_body_that_fails_to_set_up_says_why() -> None:
    with pytest.raises(ValueError, match="must not be 0"):
        _bridge.attach(0, 0)
    with pytest.raises(ValueError, match=r"config\['max_threads'\] is missing"):
        _bridge.explore(int, {})


def test_operation_names_and_granularities() -> None:
    assert _bridge.operation_names[:5] == ("none", "begin", "start", "end", "join")
    assert _bridge.GRANULARITIES == {"sync": 0, "access": 1, "line": 2, "opcode": 3, "gil": 4}


def test_the_bookkeeping_table_of_this_version() -> None:
    names: dict[CallerClass, set[str]] = {}
    for code, number in build_table().items():
        if code.co_filename == threading.__file__:
            names.setdefault(CallerClass(number), set()).add(code.co_qualname.split(".<locals>")[0])
    new = sys.version_info >= (3, 13)
    book = {"Thread.start", "Thread._bootstrap", "Thread._set_ident", "Thread._set_native_id", "_DummyThread.__init__"}
    old_book = {"Thread._set_tstate_lock", "Thread._stop", "_maintain_shutdown_locks"}
    condition = {"__enter__", "__exit__", "wait_for", "notify", "notify_all", "_release_save", "_acquire_restore"}
    expected = {
        CallerClass.BOOK: book | ({"_DeleteDummyThreadOnDel.__del__"} if new else old_book),
        CallerClass.BOOTSTRAP: {"Thread._bootstrap_inner"},
        CallerClass.END: {"Thread._delete"},
        CallerClass.HELPER: {f"Condition.{name}" for name in condition} | {"Event.set", "Event.clear", "Event.wait"},
        CallerClass.CONDITION_WAIT: {"Condition.wait"},
        CallerClass.IS_OWNED: {"Condition._is_owned"},
    }
    if not new:
        expected[CallerClass.JOIN] = {"Thread._wait_for_tstate_lock"}
    assert names == expected


def test_a_replaced_threading_function_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading.Thread, "start", int)
    with pytest.raises(bookkeeping.InternalError, match=r"threading.Thread.start is <class 'int'>"):
        build_table()
