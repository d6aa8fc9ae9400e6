"""Conditions, events, queues, and time."""

from __future__ import annotations

import contextlib
import functools
import queue
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from soundness.dependence.registry import Box, program, run

# -- conditions, events, queues ---------------------------------------------------------------------------


@program
def notified_or_not() -> object:
    condition = threading.Condition()
    ready = Box(False)
    log: list[str] = []

    def waiter() -> None:
        with condition:
            while not ready.value:
                log.append("waits")
                condition.wait()
        log.append("done")

    def notifier() -> None:
        with condition:
            ready.value = True
            condition.notify()

    run(waiter, notifier)
    return tuple(log)


@program
def lost_notification() -> object:
    condition = threading.Condition()

    def waiter() -> None:
        with condition:
            condition.wait()

    def notifier() -> None:
        with condition:
            condition.notify()

    run(waiter, notifier)
    return "woken"


@program
def notified_without_the_lock() -> object:
    """With a plain lock a condition can't tell who holds it."""
    condition = threading.Condition(threading.Lock())
    log: list[str] = []

    def waiter() -> None:
        with condition:
            log.append("waits")
            condition.wait(1)

    def notifier() -> None:
        try:
            condition.notify()
            log.append("notified")
        except RuntimeError:
            log.append("refused")

    run(waiter, notifier)
    return tuple(log)


@program
def predicate_in_c() -> object:
    condition = threading.Condition()
    items = [1]
    seen: list[object] = []

    def waiter() -> None:
        with condition:
            seen.append(condition.wait_for(items.pop))

    def writer() -> None:
        with contextlib.suppress(IndexError):
            items[0] = 2

    run(writer, waiter)
    return seen


@program
def flag_of_an_event() -> object:
    event, box = threading.Event(), Box()
    seen: list[object] = []

    def setter() -> None:
        box.value = 1
        event.set()

    def asker() -> None:
        seen.append(event.is_set())
        seen.append(box.value)

    run(setter, asker)
    return seen


@program
def events_both_ways() -> object:
    one, other, log = threading.Event(), threading.Event(), Box("")

    def first() -> None:
        one.set()
        other.wait()
        log.value += "a"

    def second() -> None:
        other.set()
        one.wait()
        log.value += "b"

    run(first, second)
    return log.value


@program
def semaphore() -> object:
    free, box = threading.Semaphore(1), Box()

    def worker(value: int) -> None:
        with free:
            box.value = box.value * 3 + value

    run(lambda: worker(1), lambda: worker(2))
    return box.value


@program
def barrier() -> object:
    both, box = threading.Barrier(2), Box()

    def worker(value: int) -> None:
        box.value += value
        both.wait()
        box.other += box.value

    run(lambda: worker(1), lambda: worker(2))
    return box.value, box.other


@program
def broken_barrier() -> object:
    """Who asks for its state takes no lock."""
    both = threading.Barrier(2)
    seen: list[object] = []

    def asker() -> None:
        seen.append(both.broken)

    run(asker, both.abort)
    return seen


@program
def action_in_c() -> object:
    log: list[str] = []
    alone = threading.Barrier(1, functools.partial(log.append, "all"))

    def worker() -> None:
        log.append("one")

    run(worker, lambda: alone.wait())
    return tuple(log)


@program
def tasks_left() -> object:
    line: queue.Queue[int] = queue.Queue()
    seen: list[object] = []
    line.put(1)

    def worker() -> None:
        line.get()
        line.task_done()

    def asker() -> None:
        seen.append(line.unfinished_tasks)
        line.join()

    run(asker, worker)
    return seen


@program
def stack_from_inside() -> object:
    line: queue.LifoQueue[int] = queue.LifoQueue()
    inside = line.queue
    seen: list[int] = []

    def look() -> None:
        seen.append(len(inside))

    run(look, lambda: line.put(1))
    return seen


@program
def stack_of_two() -> object:
    line: queue.LifoQueue[int] = queue.LifoQueue()
    run(lambda: line.put(1), lambda: line.put(2))
    return line.get(), line.get()


@program
def queue_from_inside() -> object:
    """Who looks at the deque of a queue has no lock."""
    line: queue.Queue[int] = queue.Queue()
    inside = line.queue
    seen: list[int] = []

    def put() -> None:
        line.put(1)

    def look() -> None:
        seen.append(len(inside))

    run(put, look)
    return seen


@program
def two_producers() -> object:
    line: queue.Queue[int] = queue.Queue()

    def put(value: int) -> None:
        line.put(value)

    run(lambda: put(1), lambda: put(2))
    return line.get(), line.get()


@program
def simple_queue() -> object:
    line: queue.SimpleQueue[int] = queue.SimpleQueue()
    seen: list[int] = []

    def put(value: int) -> None:
        line.put(value)

    def take() -> None:
        seen.append(line.get())
        seen.append(line.qsize())

    run(lambda: put(1), lambda: put(2), take)
    return seen


@program
def executor() -> object:
    box = Box()

    def add(value: int) -> int:
        box.value = box.value * 2 + value
        return box.value

    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(add, value) for value in (1, 2)]
        return [future.result() for future in futures]


# -- time ----------------------------------------------------------------------------------------------------


@program
def sleepers() -> object:
    log: list[str] = []

    def sleeper() -> None:
        time.sleep(1)
        log.append("slept")

    def worker() -> None:
        log.append("worked")
        time.sleep(1)
        log.append("too")

    run(sleeper, worker)
    return tuple(log)


@program
def clock() -> object:
    seen: list[float] = []
    start = time.monotonic()

    def sleeper() -> None:
        time.sleep(1)

    def reader() -> None:
        seen.append(time.monotonic() - start)

    run(sleeper, reader)
    return seen


@program
def time_runs_out() -> object:
    lock, box = threading.Lock(), Box()
    seen: list[object] = []

    def holder() -> None:
        with lock:
            box.value = 1
            time.sleep(2)

    def taker() -> None:
        taken = lock.acquire(timeout=1)
        seen.append((taken, box.value))
        if taken:
            lock.release()

    run(holder, taker)
    return seen
