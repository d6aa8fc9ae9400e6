"""Threads that start, end and are joined, and locks."""

from __future__ import annotations

import contextlib
import functools
import threading

from soundness.dependence.registry import Box, Last, program, run

# -- threads ------------------------------------------------------------------------------------------


@program
def joined_before_it_starts() -> object:
    seen: list[str] = []

    def nothing() -> None:
        pass

    late = threading.Thread(target=nothing)

    def joiner() -> None:
        try:
            late.join()
            seen.append("joined")
        except RuntimeError:
            seen.append("not started")

    thread = threading.Thread(target=joiner)
    thread.start()
    late.start()
    thread.join()
    late.join()
    return seen


@program
def alive() -> object:
    box = Box()

    def worker() -> None:
        box.value = 1

    thread = threading.Thread(target=worker)
    thread.start()
    first = thread.is_alive()
    value = box.value
    thread.join()
    return first, value


@program
def how_many() -> object:
    box = Box()

    def worker() -> None:
        box.value = 1

    thread = threading.Thread(target=worker)
    thread.start()
    found = threading.active_count(), len(threading.enumerate())
    thread.join()
    return found


@program
def names_of_children() -> object:
    """The default name counts the threads that were made."""
    first = threading.Thread()
    names: dict[str, int] = {}

    def worker(who: str) -> None:
        child = threading.Thread(target=int)
        names[who] = int(child.name.split("-")[1].split()[0]) - int(first.name.split("-")[1].split()[0])

    run(functools.partial(worker, "a"), functools.partial(worker, "b"))
    return sorted(names.items())


@program
def children_of_two() -> object:
    log: list[str] = []

    def child(name: str) -> None:
        log.append(name)

    def parent(name: str) -> None:
        thread = threading.Thread(target=child, args=(name,))
        thread.start()
        thread.join()

    run(lambda: parent("a"), lambda: parent("b"))
    return tuple(log)


@program
def identity_of_children() -> object:
    first: list[int] = []
    idents: dict[str, int] = {}

    def child(name: str) -> None:
        idents[name] = threading.get_ident()

    def parent(name: str) -> None:
        thread = threading.Thread(target=child, args=(name,))
        thread.start()
        thread.join()

    run(lambda: parent("a"), lambda: parent("b"))
    first += sorted(idents.values())
    return first.index(idents["a"])


@program
def left_behind() -> object:
    box, other = Box(), Box()

    def worker() -> None:
        other.value = 1
        box.value = 1

    threading.Thread(target=worker, daemon=True).start()
    return box.value


@program
def locks_that_come_and_go() -> object:
    """Each lock is another, and may lie where one was freed."""
    p, q = Box(), Box()

    def first() -> None:
        with threading.Lock():
            p.value = 1
        with threading.Lock():
            q.value = p.value + 1

    def second() -> None:
        with threading.Lock():
            p.value = q.value + 2

    run(first, second)
    return p.value, q.value


@program
def left_behind_unread() -> object:
    """What the test returns is looked at after its last step, which has nothing to do with the thread that is left."""
    log: list[str] = []

    def worker() -> None:
        log.append("begun")
        log.append("ended")

    threading.Thread(target=worker, daemon=True).start()
    with threading.Lock():
        return log


@program
def left_behind_waiting() -> object:
    """The thread that is left has done nothing that anybody noticed when the test ends."""
    lock, box = threading.Lock(), Box()

    def worker() -> None:
        with lock:
            box.value += 1

    for _ in range(2):
        threading.Thread(target=worker, daemon=True).start()
    with lock:
        return box.value


@program
def thread_local_end() -> object:
    log: list[str] = []
    local = threading.local()

    def worker() -> None:
        local.last = Last(log)

    def other() -> None:
        log.append("other")

    run(worker, other)
    return tuple(log)


# -- locks -----------------------------------------------------------------------------------------------


@program
def order_of_acquires() -> object:
    lock, log = threading.Lock(), Box("")

    def worker(name: str) -> None:
        with lock:
            log.value += name

    run(lambda: worker("a"), lambda: worker("b"), lambda: worker("c"))
    return log.value


@program
def released_by_another() -> object:
    lock = threading.Lock()
    log: list[str] = []

    def taker() -> None:
        lock.acquire()
        log.append("taken")

    def releaser() -> None:
        try:
            lock.release()
            log.append("released")
        except RuntimeError:
            log.append("not locked")

    run(taker, releaser)
    return tuple(log), lock.locked()


@program
def handed_lock() -> object:
    lock = threading.Lock()
    box = Box()

    def first() -> None:
        if lock.acquire(blocking=False):
            box.value = 1

    def second() -> None:
        with contextlib.suppress(RuntimeError):
            lock.release()
            box.other = 1

    def third() -> None:
        if lock.acquire(blocking=False):
            box.value += 2

    run(first, second, third)
    return box.value, box.other, lock.locked()


@program
def deadlock() -> object:
    a, b = threading.Lock(), threading.Lock()
    done = Box()

    def forth() -> None:
        with a, b:
            done.value += 1

    def back() -> None:
        with b, a:
            done.other += 1

    run(forth, back)
    return done.value, done.other


@program
def deadlock_behind_independent_work() -> object:
    a, b = threading.Lock(), threading.Lock()
    x, y = Box(), Box()

    def forth() -> None:
        x.value = 1
        with a:
            x.value = 2
            with b:
                pass

    def back() -> None:
        y.value = 1
        with b:
            y.value = 2
            with a:
                pass

    run(forth, back)
    return x.value, y.value


@program
def nested_lock() -> object:
    lock, box = threading.RLock(), Box()

    def worker(value: int) -> None:
        with lock, lock:
            box.value = box.value * 2 + value

    run(lambda: worker(1), lambda: worker(2))
    return box.value


@program
def asked_lock() -> object:
    lock = threading.Lock()
    seen: list[bool] = []

    def worker() -> None:
        with lock:
            pass

    def asker() -> None:
        seen.append(lock.locked())

    run(worker, asker)
    return seen
