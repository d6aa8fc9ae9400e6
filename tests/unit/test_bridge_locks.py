"""Locks and what is built on them, against the outcomes their documentation allows."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from threading import Condition, Lock, RLock

from support.driver import explore

MS = 1_000_000


def _with_threads(*bodies: Callable[[], object]) -> None:
    threads = [threading.Thread(target=body) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _ends(texts: set[str]) -> set[str]:
    return {text.split(":")[0] if text.startswith("deadlock") else text for text in texts}


def test_a_try_lock_fails_only_while_another_holds_the_lock() -> None:
    def program() -> object:
        lock = Lock()
        got: list[bool] = []

        def work() -> None:
            with lock:
                pass

        thread = threading.Thread(target=work)
        thread.start()
        got.append(lock.acquire(blocking=False))
        if got[0]:
            lock.release()
        thread.join()
        return got[0]

    assert explore(program).results == {"True", "False"}


def test_locked_sees_both_states() -> None:
    def program() -> object:
        lock = Lock()
        seen: list[bool] = []

        def work() -> None:
            with lock:
                pass

        _with_threads(work, lambda: seen.append(lock.locked()))
        return seen

    assert explore(program).results == {"[True]", "[False]"}


def test_a_lock_may_be_released_by_another_thread() -> None:
    def program() -> object:
        lock = Lock()
        lock.acquire()
        _with_threads(lock.release)
        return lock.acquire(timeout=1)

    assert explore(program).results == {"True"}


def test_misuse_raises_what_it_always_raised() -> None:
    def outcome(call: Callable[..., object], *args: object) -> str:
        try:
            return repr(call(*args))
        except Exception as error:
            return f"{type(error).__name__}: {error}"

    lock, recursive, condition = Lock(), RLock(), Condition()
    calls: list[tuple[Callable[..., object], tuple[object, ...]]] = [
        (lock.release, ()),
        (recursive.release, ()),
        (condition.notify, ()),
        (condition.wait, ()),
        (lock.acquire, (False, 1)),
        (lock.acquire, (True, -3)),
        (lock.acquire, (True, 1e20)),
        (lock.acquire, (True, "soon")),
        (lock.acquire, (1, 2, 3)),
        (recursive.acquire, (True, -3)),
        (queue.SimpleQueue().get, (True, -1)),
        (queue.SimpleQueue().get_nowait, ()),
        (time.sleep, (-1,)),
        (time.sleep, ("long",)),
        (threading.BoundedSemaphore(1).release, ()),
    ]
    expected = [outcome(call, *args) for call, args in calls]
    assert explore(lambda: [outcome(call, *args) for call, args in calls]).results == {repr(expected)}


def test_an_rlock_excludes_others_and_lets_its_owner_in() -> None:
    def program() -> object:
        lock = RLock()
        trace: list[str] = []

        def work(name: str) -> None:
            with lock:
                trace.append(name)
                with lock:
                    trace.append(name)
                trace.append(name)

        _with_threads(lambda: work("a"), lambda: work("b"))
        return "".join(trace)

    assert explore(program).results == {"'aaabbb'", "'bbbaaa'"}


def test_an_rlock_is_not_released_by_another_thread() -> None:
    def program() -> object:
        lock = RLock()
        errors: list[str] = []

        def work() -> None:
            try:
                lock.release()
            except RuntimeError as error:
                errors.append(str(error))

        with lock:
            _with_threads(work)
        return errors

    assert explore(program).results == {"['cannot release un-acquired lock']"}


def test_acquire_with_a_timeout_idle() -> None:
    def program() -> object:
        lock = Lock()
        lock.acquire()
        start = time.monotonic()
        got = lock.acquire(timeout=2.5)
        return got, time.monotonic() - start

    assert explore(program).results == {"(False, 2.5)"}


def test_nothing_times_out_that_can_proceed_at_once() -> None:
    def program() -> object:
        lock, recursive, items = Lock(), RLock(), queue.SimpleQueue[int]()
        items.put(1)
        got: list[object] = []
        _with_threads(
            lambda: got.append(lock.acquire(timeout=0)),
            lambda: got.append(recursive.acquire(timeout=1)),
        )
        return got, items.get(timeout=0)

    for timeouts_any in (False, True):
        assert explore(program, timeouts_any=timeouts_any).results == {"([True, True], 1)"}


def test_a_timed_wait_against_a_holder() -> None:
    def program() -> object:
        lock = Lock()
        got: list[bool] = []

        def hold() -> None:
            with lock:
                time.sleep(1)

        def wait() -> None:
            got.append(lock.acquire(timeout=3))
            if got[0]:
                lock.release()

        _with_threads(hold, wait)
        return got

    # The holder lets go long before the deadline, unless timeouts may fire at any time.
    assert explore(program).results == {"[True]"}
    assert explore(program, timeouts_any=True).results == {"[True]", "[False]"}


def test_a_wait_that_is_due_may_still_time_out_when_the_lock_is_free_again() -> None:
    def program(seconds: float) -> object:
        lock = Lock()
        trace: list[str] = []

        def hold() -> None:
            with lock:
                time.sleep(seconds)
            trace.append("released")

        def wait() -> None:
            if lock.acquire(timeout=1):
                trace.append("got it")
                lock.release()
            else:
                trace.append("timed out")

        _with_threads(hold, wait)
        return trace

    first, second = "['got it', 'released']", "['released', 'got it']"
    early, late = "['timed out', 'released']", "['released', 'timed out']"
    assert explore(lambda: program(0)).results == {first, second}
    assert explore(lambda: program(1)).results == {first, second, early, late}
    assert explore(lambda: program(2)).results == {first, early}
    assert explore(lambda: program(0), timeouts_any=True).results == {first, second, early, late}


def test_condition_wakes_a_waiter_or_the_notification_is_lost() -> None:
    def program() -> object:
        condition = Condition()

        def notify() -> None:
            with condition:
                condition.notify()

        thread = threading.Thread(target=notify)
        thread.start()
        with condition:
            condition.wait()
        thread.join()
        return "woken"

    assert _ends(explore(program).results) == {"'woken'", "deadlock"}


def test_a_waiter_holds_the_lock_until_it_waits() -> None:
    def program() -> object:
        condition = Condition()
        got: list[bool] = []

        def wait() -> None:
            with condition:
                condition.wait(1)

        def attempt() -> None:
            got.append(condition.acquire(blocking=False))
            if got[0]:
                condition.release()

        _with_threads(wait, attempt)
        return got

    assert explore(program).results == {"[True]", "[False]"}


def test_condition_with_a_predicate_never_misses_it() -> None:
    def program() -> object:
        condition = Condition(Lock())
        ready: list[int] = []

        def produce() -> None:
            with condition:
                ready.append(1)
                condition.notify_all()

        thread = threading.Thread(target=produce)
        thread.start()
        with condition:
            condition.wait_for(lambda: ready)
        thread.join()
        return ready

    assert explore(program).results == {"[1]"}


def test_notify_one_leaves_the_other_waiting() -> None:
    def program() -> object:
        condition = Condition()

        def wait() -> None:
            with condition:
                condition.wait()

        threads = [threading.Thread(target=wait, daemon=True) for _ in range(1)]
        for thread in threads:
            thread.start()
        with condition:
            condition.notify()
        with condition:
            condition.notify()
        threads[0].join(1)
        return threads[0].is_alive()

    assert explore(program).results == {"True", "False"}


def test_condition_wait_with_a_timeout() -> None:
    def program() -> object:
        condition = Condition()
        start = time.monotonic()
        with condition:
            woken = condition.wait(1.5)
        return woken, time.monotonic() - start

    assert explore(program).results == {"(False, 1.5)"}


def test_owned_check_of_a_plain_lock_condition_sees_other_holders() -> None:
    """`notify` without holding the lock: refused unless another thread happens to hold it still."""

    def program() -> object:
        condition = Condition(Lock())
        held, noticed = Lock(), Lock()
        held.acquire()
        noticed.acquire()
        errors: list[str] = []

        def hold() -> None:
            with condition:
                held.release()
                noticed.acquire()

        def misuse() -> None:
            held.acquire()
            noticed.release()
            try:
                condition.notify()
            except RuntimeError:
                errors.append("refused")

        _with_threads(hold, misuse)
        return errors

    assert explore(program).results == {"[]", "['refused']"}


def test_event() -> None:
    def program() -> object:
        event = threading.Event()
        seen: list[object] = []

        def work() -> None:
            seen.append(event.wait())

        thread = threading.Thread(target=work)
        thread.start()
        event.set()
        thread.join()
        return seen, event.is_set()

    report = explore(program)
    assert report.results == {"([True], True)"}
    # begin, wait (acquire, release, and the wait itself if it is not set), set (acquire, release), ...
    assert report.executions < 40


def test_event_wait_with_a_timeout() -> None:
    def program() -> object:
        event = threading.Event()
        thread = threading.Thread(target=event.set)
        thread.start()
        seen = event.wait(1)
        thread.join()
        return seen

    assert explore(program).results == {"True"}
    assert explore(program, timeouts_any=True).results == {"True", "False"}


def test_semaphore_lets_in_no_more_than_its_value() -> None:
    def program() -> object:
        semaphore = threading.Semaphore(1)
        inside: list[int] = [0, 0]
        pause = Lock()

        def work() -> None:
            with semaphore:
                inside[0] += 1
                inside[1] = max(inside)
                with pause:
                    pass
                inside[0] -= 1

        thread = threading.Thread(target=work)
        thread.start()
        work()
        thread.join()
        return inside

    assert explore(program).results == {"[0, 1]"}


def test_barrier() -> None:
    def program() -> object:
        barrier = threading.Barrier(2)
        numbers: list[int] = []
        thread = threading.Thread(target=lambda: numbers.append(barrier.wait()))
        thread.start()
        own = barrier.wait()
        thread.join()
        return own, numbers, barrier.broken

    assert explore(program).results == {"(0, [1], False)", "(1, [0], False)"}


def test_barrier_breaks_when_a_party_is_late() -> None:
    def program() -> object:
        barrier = threading.Barrier(2)
        try:
            barrier.wait(2)
        except threading.BrokenBarrierError:
            return "broken", barrier.broken

    assert explore(program).results == {"('broken', True)"}


def test_queue_hands_over_in_order() -> None:
    def program() -> object:
        items = queue.Queue[int](1)

        def produce() -> None:
            for n in range(2):
                items.put(n)

        thread = threading.Thread(target=produce)
        thread.start()
        got = [items.get() for _ in range(2)]
        thread.join()
        return got, items.qsize()

    assert explore(program).results == {"([0, 1], 0)"}


def test_queue_get_times_out_only_if_nothing_comes() -> None:
    def program() -> object:
        items = queue.Queue[int]()
        thread = threading.Thread(target=items.put, args=(1,))
        thread.start()
        try:
            got: object = items.get(timeout=1)
        except queue.Empty:
            got = "empty"
        thread.join()
        return got

    assert explore(program).results == {"1"}
    assert explore(program, timeouts_any=True).results == {"1", "'empty'"}


def test_simple_queue() -> None:
    def program() -> object:
        items = queue.SimpleQueue[int]()

        def produce() -> None:
            items.put(0)
            items.put(1)

        thread = threading.Thread(target=produce)
        thread.start()
        asked = items.empty(), items.qsize()
        return asked, [items.get() for _ in range(2)], items.empty()

    asked = {(True, 0), (True, 1), (True, 2), (False, 1), (False, 2)}
    assert explore(program).results == {repr((seen, [0, 1], True)) for seen in asked}


def test_simple_queue_get_variants() -> None:
    def program() -> object:
        items = queue.SimpleQueue[int]()
        thread = threading.Thread(target=items.put, args=(1,))
        thread.start()
        try:
            return items.get_nowait()
        except queue.Empty:
            return "empty"

    def blocking() -> object:
        items = queue.SimpleQueue[int]()
        thread = threading.Thread(target=items.put, args=(1,))
        thread.start()
        try:
            return items.get(True, 1)
        except queue.Empty:
            return "empty"

    assert explore(program).results == {"1", "'empty'"}
    assert explore(blocking).results == {"1"}
    assert explore(blocking, timeouts_any=True).results == {"1", "'empty'"}


def test_a_get_that_timed_out_leaves_the_item() -> None:
    def program() -> object:
        items = queue.SimpleQueue[int]()
        trace: list[str] = []

        def produce() -> None:
            time.sleep(1)
            items.put(7)
            trace.append("put")

        thread = threading.Thread(target=produce)
        thread.start()
        try:
            items.get(timeout=1)
            trace.append("got")
        except queue.Empty:
            trace.append("empty")
        thread.join()
        return trace, items.qsize()

    # Both deadlines are the same: the timeout may come first, last, or not at all.
    assert explore(program).results == {"(['put', 'got'], 0)", "(['empty', 'put'], 1)", "(['put', 'empty'], 1)"}


def test_waiting_for_an_item_that_never_comes_is_a_deadlock() -> None:
    (text,) = explore(lambda: queue.SimpleQueue[int]().get()).results
    assert text.startswith("deadlock: thread 0 waits in get of a _queue.SimpleQueue (test_bridge_locks.py:")
