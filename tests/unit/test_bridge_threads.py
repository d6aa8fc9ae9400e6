"""Simulated threads: every interleaving is run, and nothing else, on this Python's own threading."""

from __future__ import annotations

import _thread
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

import pytest
from support.driver import explore
from support.interleavings import Operation, count, joined_threads, raw_threads

CRITICAL: list[Operation] = [("acquire", "lock"), ("release", "lock")]


def _raw(bodies: int, rounds: int) -> Callable[[], object]:
    def program() -> object:
        lock = _thread.allocate_lock()
        done = [_thread.allocate_lock() for _ in range(bodies)]
        order: list[int] = []
        for gate in done:
            gate.acquire()

        def work(number: int) -> None:
            for _ in range(rounds):
                with lock:
                    order.append(number)
            done[number].release()

        for number in range(bodies):
            _thread.start_new_thread(work, (number,))
        for gate in done:
            gate.acquire()
        return tuple(order)

    return program


def _joined(bodies: int, rounds: int) -> Callable[[], object]:
    def program() -> object:
        lock = Lock()
        order: list[int] = []

        def work(number: int) -> None:
            for _ in range(rounds):
                with lock:
                    order.append(number)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(bodies)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return tuple(order)

    return program


@pytest.mark.parametrize(("bodies", "rounds"), [(1, 1), (1, 3), (2, 1)])
def test_raw_threads_run_exactly_the_interleavings_of_the_model(bodies: int, rounds: int) -> None:
    held = frozenset(f"done {number}" for number in range(1, bodies + 1))
    expected = count(raw_threads(*[CRITICAL * rounds] * bodies), held)
    report = explore(_raw(bodies, rounds))
    assert (report.executions, report.choice_points) == (expected.executions, expected.choice_points)


@pytest.mark.parametrize(("bodies", "rounds"), [(1, 1), (1, 4), (2, 1)])
def test_threading_adds_no_choice_points_of_its_own(bodies: int, rounds: int) -> None:
    expected = count(joined_threads(*[CRITICAL * rounds] * bodies))
    report = explore(_joined(bodies, rounds))
    assert (report.executions, report.choice_points) == (expected.executions, expected.choice_points)


def test_both_trackers_see_the_same() -> None:
    reports = [explore(_joined(2, 1), tracker=tracker) for tracker in ("auto", "compare")]
    assert reports[0].outcomes == reports[1].outcomes


def test_each_order_of_three_threads_occurs() -> None:
    def program() -> object:
        order: list[int] = []
        threads = [threading.Thread(target=order.append, args=(n,)) for n in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return tuple(order)

    expected = count(joined_threads([], [], []))
    report = explore(program)
    assert report.results == {str((a, b, 3 - a - b)) for a in range(3) for b in range(3) if a != b}
    assert report.executions == expected.executions


def test_opposite_lock_order_deadlocks() -> None:
    def program() -> object:
        first, second = Lock(), Lock()

        def work() -> None:
            with second, first:
                pass

        thread = threading.Thread(target=work)
        thread.start()
        with first, second:
            pass
        thread.join()
        return "passed"

    main: list[Operation] = [("acquire", "a"), ("acquire", "b"), ("release", "b"), ("release", "a")]
    other: list[Operation] = [("acquire", "b"), ("acquire", "a"), ("release", "a"), ("release", "b")]
    expected = count([[("start", 1), *main, ("join", 1)], [("begin",), *other, ("end",)]])
    report = explore(program)
    deadlocks = {text: n for text, n in report.outcomes.items() if text.startswith("deadlock")}
    assert report.outcomes["'passed'"] == expected.executions - expected.deadlocks
    assert sum(deadlocks.values()) == expected.deadlocks
    (text,) = deadlocks
    assert text.count("waits in acquire of a _thread.lock (test_bridge_threads.py:") == 2


def test_is_alive_before_and_after_the_end() -> None:
    def program() -> object:
        thread = threading.Thread(target=int)
        before = thread.is_alive()
        thread.start()
        during = thread.is_alive()
        thread.join()
        return before, during, thread.is_alive()

    assert explore(program).results == {"(False, True, False)", "(False, False, False)"}


def test_join_with_a_timeout() -> None:
    gate = Lock()

    def program() -> object:
        gate.acquire()
        thread = threading.Thread(target=gate.acquire)
        thread.start()
        thread.join(5)
        alive = thread.is_alive()
        gate.release()
        thread.join()
        return alive, time.monotonic_ns() % 1_000_000_000

    assert explore(program).results == {"(True, 0)"}


def test_a_subclass_sees_itself_and_identities_differ() -> None:
    def program() -> object:
        seen: list[object] = []

        class Worker(threading.Thread):
            def run(self) -> None:
                seen.append(threading.current_thread() is self)
                seen.append(threading.get_ident() == self.ident != threading.main_thread().ident)
                seen.append((threading.get_native_id(), self.name, self.daemon))

        worker = Worker(name="worker", daemon=True)
        worker.start()
        worker.join()
        return seen, threading.enumerate() == [threading.main_thread()], _thread._count()  # type: ignore[attr-defined]

    assert explore(program).results == {"([True, True, (2, 'worker', True)], True, 0)"}


def test_a_wait_inside_run_is_an_ordinary_operation() -> None:
    def program() -> object:
        lock = Lock()
        order: list[str] = []

        class Worker(threading.Thread):
            def run(self) -> None:
                with lock:
                    order.append("worker")

        worker = Worker()
        worker.start()
        with lock:
            order.append("main")
        worker.join()
        return order

    assert explore(program).results == {"['worker', 'main']", "['main', 'worker']"}


def test_a_thread_object_and_a_lock_made_before_the_exploration() -> None:
    lock = Lock()
    recursive = threading.RLock()
    order: list[str] = []

    def work() -> None:
        with lock:
            order.append("worker")
        with recursive, recursive:
            order.append("again")

    thread = threading.Thread(target=work)

    def program() -> object:
        thread.start()
        with lock:
            order.append("main")
        thread.join()
        return order

    assert explore(program).results == {
        "['main', 'worker', 'again']",
        "['worker', 'main', 'again']",
        "['worker', 'again', 'main']",
    }


def test_thread_local_data_is_per_simulated_thread() -> None:
    def program() -> object:
        local = threading.local()
        local.value = "main"
        seen: list[object] = []

        def work(number: int) -> None:
            seen.append(hasattr(local, "value"))
            local.value = number

        for number in range(2):
            thread = threading.Thread(target=work, args=(number,))
            thread.start()
            thread.join()
        return seen, local.value

    assert explore(program).results == {"([False, False], 'main')"}


def test_an_exception_in_a_thread_reaches_the_excepthook() -> None:
    def program() -> object:
        thread = threading.Thread(target=divmod, args=(1, 0))
        thread.start()
        thread.join()
        return "passed"

    (text,) = explore(program).results
    assert text.startswith("failed in thread: ZeroDivisionError")


def test_an_exception_in_a_raw_thread_ends_the_path() -> None:
    def program() -> object:
        done = _thread.allocate_lock()
        done.acquire()
        _thread.start_new_thread(divmod, (1, 0))
        done.acquire()
        return "passed"

    (text,) = explore(program).results
    assert text.startswith("failed: ZeroDivisionError")


def test_system_exit_ends_only_the_thread() -> None:
    def program() -> object:
        done = _thread.allocate_lock()
        done.acquire()

        def work() -> None:
            done.release()
            _thread.exit()

        _thread.start_new_thread(work, ())
        done.acquire()
        return "passed"

    assert explore(program).results == {"'passed'"}


def test_too_many_threads_is_unsupported_and_says_what_to_do() -> None:
    def program() -> object:
        for _ in range(3):
            threading.Thread(target=int).start()
        return "passed"

    assert explore(program, max_threads=4).results == {"'passed'"}
    assert explore(program, max_threads=3).results == {"unsupported: more than 3 threads (--statespace-max-threads)"}


def test_refused_arguments_are_refused_as_ever() -> None:
    def outcome(call: Callable[..., object], *args: object) -> str:
        try:
            return repr(call(*args))
        except Exception as error:
            return f"{type(error).__name__}: {error}"

    calls: list[tuple[Callable[..., object], tuple[object, ...]]] = [
        (_thread.start_new_thread, (1, ())),
        (_thread.start_new_thread, (int, 1)),
        (_thread.start_new_thread, (int, (), 1)),
        (_thread.start_new_thread, (int,)),
        (threading.Thread(target=int).join, ()),
        (threading.current_thread().join, ()),
        (threading.current_thread().start, ()),
    ]
    expected = [outcome(call, *args) for call, args in calls]
    assert explore(lambda: [outcome(call, *args) for call, args in calls]).results == {repr(expected)}


def test_a_pool_of_one_worker() -> None:
    def program() -> object:
        results: list[int] = []
        pool = ThreadPoolExecutor(1)
        future = pool.submit(results.append, 1)
        results.append(2)
        return future.result(), results

    # The worker starts inside submit(), which takes further locks before it returns.
    assert explore(program).results == {"(None, [1, 2])", "(None, [2, 1])"}


def test_a_forced_schedule_gives_the_same_outcome_again() -> None:
    report = explore(_joined(2, 1))
    assert report.results == {"(0, 1)", "(1, 0)"}
    for outcome, schedule in report.schedules.items():
        assert explore(_joined(2, 1), forced=schedule).results == {outcome}
