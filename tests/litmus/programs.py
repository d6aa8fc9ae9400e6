"""Tiny concurrent programs with known state spaces; each factory gives the function to explore.

They are written without any data access that the model of the same name does not have: names bound
once, no containers of threads.
"""

from __future__ import annotations

import _thread
import queue
import threading
from collections.abc import Callable

Program = Callable[[], object]


class Box:
    def __init__(self, value: object) -> None:
        self.value = value


def _run(*workers: Callable[[], object]) -> None:
    """Start all in order, join all in order: what `models._joined` describes."""
    threads = [threading.Thread(target=worker) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def locked_increments(threads: int, times: int) -> Program:
    def program() -> object:
        counter = Box(0)
        lock = threading.Lock()

        def worker() -> None:
            for _ in range(times):
                with lock:
                    counter.value += 1  # type: ignore[operator]

        _run(*(worker,) * threads)
        return counter.value

    return program


def straight_line(threads: int) -> Program:
    """Nothing but the position in the code tells the first half of a worker from the second."""

    def program() -> object:
        lock = threading.Lock()

        def worker() -> None:
            lock.acquire()
            lock.release()
            lock.acquire()
            lock.release()

        _run(*(worker,) * threads)
        return "done"

    return program


def raw_locked_increments(times: int) -> Program:
    def program() -> object:
        counter = Box(0)
        lock = _thread.allocate_lock()
        first, second = _thread.allocate_lock(), _thread.allocate_lock()
        first.acquire()
        second.acquire()

        def worker(finished: _thread.LockType) -> None:
            for _ in range(times):
                with lock:
                    counter.value += 1  # type: ignore[operator]
            finished.release()

        _thread.start_new_thread(worker, (first,))
        _thread.start_new_thread(worker, (second,))
        first.acquire()
        second.acquire()
        return counter.value

    return program


def unlocked_attribute(threads: int, times: int) -> Program:
    def program() -> object:
        counter = Box(0)

        def worker() -> None:
            for _ in range(times):
                counter.value += 1  # type: ignore[operator]

        _run(*(worker,) * threads)
        return counter.value

    return program


_total = 0


def _add_to_total() -> None:
    global _total
    _total += 1


def unlocked_global(threads: int) -> Program:
    def program() -> object:
        global _total
        _total = 0
        _run(*(_add_to_total,) * threads)
        return _total

    return program


def unlocked_cell(threads: int) -> Program:
    def program() -> object:
        count = 0

        def worker() -> None:
            nonlocal count
            count += 1

        _run(*(worker,) * threads)
        return count

    return program


def check_then_act(threads: int) -> Program:
    def program() -> object:
        box = Box(None)

        def worker(name: int) -> None:
            if box.value is None:
                box.value = name

        def named(name: int) -> Callable[[], object]:
            return lambda: worker(name)

        _run(*tuple(named(i) for i in range(threads)))
        return box.value

    return program


def philosophers(count: int, *, ordered: bool) -> Program:
    def program() -> object:
        forks = [threading.Lock() for _ in range(count)]

        def seat(number: int) -> Callable[[], object]:
            left, right = number, (number + 1) % count
            first = forks[min(left, right) if ordered else left]
            second = forks[max(left, right) if ordered else right]

            def eat() -> None:
                with first, second:
                    pass

            return eat

        _run(*tuple(seat(i) for i in range(count)))
        return "fed"

    return program


def semaphore(threads: int, value: int) -> Program:
    def program() -> object:
        gate = threading.Semaphore(value)

        def worker() -> None:
            with gate:
                pass

        _run(*(worker,) * threads)
        return "passed"

    return program


def event(waiting: int) -> Program:
    def program() -> object:
        happened = threading.Event()
        _run(*(happened.wait,) * waiting, happened.set)
        return "set"

    return program


def simple_queue(items: int, consumers: int) -> Program:
    def program() -> object:
        line: queue.SimpleQueue[int] = queue.SimpleQueue()
        got: list[list[int]] = [[] for _ in range(consumers)]

        def produce() -> None:
            for i in range(items):
                line.put(i)

        def consumer(mine: list[int]) -> Callable[[], object]:
            def consume() -> None:
                for _ in range(items // consumers):
                    mine.append(line.get())

            return consume

        _run(produce, *(consumer(mine) for mine in got))
        return got

    return program


def bounded_queue(items: int, size: int) -> Program:
    def program() -> object:
        line: queue.Queue[int] = queue.Queue(size)
        got: list[int] = []

        def produce() -> None:
            for i in range(items):
                line.put(i)

        def consume() -> None:
            for _ in range(items):
                got.append(line.get())

        _run(produce, consume)
        return got

    return program
