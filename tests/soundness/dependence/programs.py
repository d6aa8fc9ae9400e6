"""Programs in which two steps of different threads depend on each other in a way that is easily overlooked.

Each returns what it noticed. Whoever takes two of these steps for independent loses a result.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import queue
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

Program = Callable[[], object]
PROGRAMS: dict[str, Program] = {}


def program(function: Program) -> Program:
    PROGRAMS[function.__name__] = function
    return function


class Box:
    limit = 1

    def __init__(self, value: Any = 0) -> None:
        self.value = value
        self.other: Any = 0


def threads(*workers: Callable[[], object]) -> list[threading.Thread]:
    return [threading.Thread(target=worker) for worker in workers]


def run(*workers: Callable[[], object]) -> None:
    made = threads(*workers)
    for thread in made:
        thread.start()
    for thread in made:
        thread.join()


# -- who holds an object ------------------------------------------------------------------------


@program
def handed_over_by_arguments() -> object:
    """The reader may be the only one that still holds the box when it reads."""
    seen: list[object] = []

    def write(box: Box) -> None:
        box.value = 1

    def read(box: Box) -> None:
        seen.append(box.value)

    def start() -> list[threading.Thread]:
        box = Box()
        return [threading.Thread(target=write, args=(box,)), threading.Thread(target=read, args=(box,))]

    made = start()
    for thread in made:
        thread.start()
    for thread in made:
        thread.join()
    return seen


@program
def taken_back() -> object:
    """An object is published, perhaps found, and then belongs to its maker alone again."""
    shelf = Box(None)
    seen: list[object] = []

    def maker() -> None:
        box = Box(0)
        shelf.value = box
        shelf.value = None
        box.value += 1
        seen.append(box.value)

    def finder() -> None:
        found = shelf.value
        if found is not None:
            found.value = 5

    run(maker, finder)
    return seen


@program
def list_handed_over() -> object:
    seen: list[object] = []

    def write(items: list[int]) -> None:
        items.append(1)

    def read(items: list[int]) -> None:
        seen.append(len(items))

    def start() -> list[threading.Thread]:
        items: list[int] = []
        return [threading.Thread(target=write, args=(items,)), threading.Thread(target=read, args=(items,))]

    made = start()
    for thread in made:
        thread.start()
    for thread in made:
        thread.join()
    return seen


@program
def popped_and_changed() -> object:
    shelf = [Box(1)]
    seen: list[object] = []

    def take() -> None:
        with contextlib.suppress(IndexError):
            box = shelf.pop()
            box.value += 1
            seen.append(box.value)

    def change() -> None:
        for box in shelf[:]:
            box.value = 10

    run(take, change)
    return seen


# -- what a lost reference does --------------------------------------------------------------------


class Last:
    def __init__(self, log: list[str]) -> None:
        self.log = log

    def __del__(self) -> None:
        self.log.append("del")


@program
def finalizer_of_the_last() -> object:
    """Whoever drops its reference last runs the finalizer."""
    log: list[str] = []
    shared: list[Any] = [Last(log)]
    copies = [shared[0], shared.pop()]
    one, other = Box(copies.pop()), Box(copies.pop())

    def first() -> None:
        one.value = None
        log.append("a")

    def second() -> None:
        other.value = None
        log.append("b")

    run(first, second)
    return tuple(log)


@program
def finalizer_after_arguments() -> object:
    log: list[str] = []
    x, y = Box(), Box()

    def worker(last: object, box: Box, name: str) -> None:
        box.value = 1
        del last
        log.append(name)

    def start() -> list[threading.Thread]:
        last = Last(log)
        return [threading.Thread(target=worker, args=(last, box, name)) for box, name in ((x, "a"), (y, "b"))]

    made = start()
    for thread in made:
        thread.start()
    for thread in made:
        thread.join()
    return tuple(log)


@program
def weak_reference() -> object:
    box = Box(Box())
    weak = weakref.ref(box.value)
    seen: list[object] = []

    def drop() -> None:
        box.value = None

    def look() -> None:
        seen.append(weak() is None)

    run(drop, look)
    return seen


@program
def weak_reference_with_callback() -> object:
    log: list[str] = []
    box = Box(Box())
    weak = weakref.ref(box.value, lambda _: log.append("gone"))

    def drop() -> None:
        box.value = None

    def look() -> None:
        log.append("look")

    run(drop, look)
    return tuple(log), weak() is None


@program
def generator_that_is_dropped() -> object:
    log: list[str] = []

    def source() -> Iterator[int]:
        try:
            yield 1
        finally:
            log.append("closed")

    generator = source()
    next(generator)
    one, other = Box(generator), Box(generator)
    del generator

    def first() -> None:
        one.value = None
        log.append("a")

    def second() -> None:
        other.value = None
        log.append("b")

    run(first, second)
    return tuple(log)


@program
def weak_dictionary() -> object:
    keys = [Box(1), Box(2)]
    table: weakref.WeakKeyDictionary[Box, int] = weakref.WeakKeyDictionary({key: key.value for key in keys})
    seen: list[int] = []

    def drop() -> None:
        keys.pop()

    def count() -> None:
        seen.append(len(table))

    run(drop, count)
    return seen


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


# -- data ------------------------------------------------------------------------------------------------------


@program
def chain_of_conflicts() -> object:
    x, y = Box(), Box()
    seen: list[int] = []

    def first() -> None:
        x.value = 1

    def second() -> None:
        y.value = x.value + 1

    def third() -> None:
        seen.append(y.value)

    run(first, second, third)
    return seen, y.value


@program
def parts_of_one_object() -> object:
    box = Box()

    def first() -> None:
        box.value = 1
        box.other += box.value

    def second() -> None:
        box.other = 5
        box.value = 2

    run(first, second)
    return box.value, box.other


@program
def slice_of_another() -> object:
    source, target = [1], [0]

    def copy() -> None:
        target[:] = source

    def change() -> None:
        source.append(2)

    run(copy, change)
    return target


@program
def compared_items() -> object:
    inner: list[int] = [0]
    outer = [inner]
    seen: list[bool] = []

    def look() -> None:
        wanted = [1]
        seen.append(wanted in outer)

    def change() -> None:
        inner[0] = 1

    run(look, change)
    return seen


@program
def sorted_items() -> object:
    inner: list[int] = [5]
    outer = [inner, [3]]

    def sort() -> None:
        outer.sort()

    def change() -> None:
        inner[0] = 1

    run(sort, change)
    return outer


@program
def sorted_by_a_key() -> object:
    items = [3, 1, 2]
    factor = Box(1)

    def sort() -> None:
        with contextlib.suppress(ValueError):
            items.sort(key=lambda item: item * factor.value)

    def change() -> None:
        factor.value = -1

    def grow() -> None:
        items.append(0)

    run(sort, change, grow)
    return items


class Equal:
    def __init__(self, box: Box) -> None:
        self.box = box

    def __hash__(self) -> int:
        return 1

    def __eq__(self, other: object) -> bool:
        return self.box.value == 1


@program
def keys_that_compare() -> object:
    box = Box()
    table = {Equal(box): "a"}
    seen: list[object] = []

    def look() -> None:
        seen.append(table.get(1))  # type: ignore[call-overload]

    def change() -> None:
        box.value = 1

    run(look, change)
    return seen


@program
def shared_iterator() -> object:
    source = iter([1, 2, 3])
    seen: dict[str, list[int]] = {"a": [], "b": []}

    def worker(name: str) -> None:
        for item in source:
            seen[name].append(item)
            break

    run(lambda: worker("a"), lambda: worker("b"))
    return seen


@program
def library_in_between() -> object:
    box = Box()
    items = [1, 2]

    def reduce() -> None:
        box.other = functools.reduce(lambda total, item: total + item + box.value, items, 0)

    def change() -> None:
        items.append(3)
        box.value = 10

    run(reduce, change)
    return box.other


@contextlib.contextmanager
def noted(box: Box) -> Iterator[None]:
    box.value += 1
    yield
    box.value += 1


@program
def library_managers() -> object:
    box = Box()
    seen: list[int] = []

    def worker() -> None:
        with noted(box):
            seen.append(box.value)

    def other() -> None:
        box.value = 10

    run(worker, other)
    return seen, box.value


@program
def class_attribute_stored_late() -> object:
    """When it is stored, the thread that has read it may be over."""
    Box.limit = 1
    seen: list[int] = []

    def reader() -> None:
        seen.append(Box.limit)

    thread = threading.Thread(target=reader)
    thread.start()
    Box.limit = 2
    thread.join()
    return seen


@program
def variable_of_a_closure() -> object:
    total = 0

    def worker(value: int) -> None:
        nonlocal total
        total = total * 2 + value

    run(lambda: worker(1), lambda: worker(2))
    return total


@program
def set_by_name() -> object:
    box = Box()

    def worker() -> None:
        setattr(box, "value", 1)  # noqa: B010

    def other() -> None:
        box.other = box.value

    run(worker, other)
    return box.other


@program
def spinning() -> object:
    flag, box = Box(False), Box()

    def waiter() -> None:
        while not flag.value:
            pass
        box.value += 1

    def setter() -> None:
        box.value = 5
        flag.value = True

    run(waiter, setter)
    return box.value


@program
def spinning_beside_a_conflict() -> object:
    """What depends on each other lies behind a loop."""
    flag, x, y = Box(False), Box(), Box()

    def waiter() -> None:
        while not flag.value:
            pass
        y.value = x.value

    def setter() -> None:
        flag.value = True
        x.value = 1

    def third() -> None:
        y.other = y.value

    run(waiter, setter, third)
    return x.value, y.value, y.other


@program
def collected() -> object:
    log: list[str] = []
    box = Box()

    def maker() -> None:
        one = Last(log)
        one.log_and_me = [one]  # type: ignore[attr-defined]
        box.value = 1

    def collector() -> None:
        gc.collect()
        log.append("collected")

    run(maker, collector)
    return tuple(log)


@program
def states_that_meet() -> object:
    """Two ways lead to one state; what comes later depends on what came before it on either."""
    x, y, z = Box(), Box(), Box()

    def first() -> None:
        x.value = 1
        z.value = y.value

    def second() -> None:
        x.value = 1
        y.value = 1

    def third() -> None:
        x.other = z.value

    run(first, second, third)
    return z.value, x.other


@program
def new_objects_where_states_meet() -> object:
    """The box that is fetched was made at an address that depends on the way."""
    shelf: list[Box] = []
    x = Box()

    def maker() -> None:
        if x.value:
            junk = [Box(), Box()]
            del junk
        shelf.append(Box(1))

    def setter() -> None:
        x.value = 1
        x.value = 0

    def user() -> None:
        if shelf:
            shelf[0].value += 1

    def other() -> None:
        if shelf:
            shelf[0].value *= 3

    run(maker, setter, user)
    run(user, other)
    return [box.value for box in shelf]


@program
def handed_over_in_lists() -> object:
    """When the writer is done, the box is the reader's alone: it needs no choice point to read it."""
    seen: list[object] = []

    def write(mine: list[Box]) -> None:
        box = mine.pop()
        box.value = 1

    def read(mine: list[Box]) -> None:
        box = mine.pop()
        seen.append(box.value)

    def start() -> list[threading.Thread]:
        box = Box()
        return [threading.Thread(target=write, args=([box],)), threading.Thread(target=read, args=([box],))]

    made = start()
    for thread in made:
        thread.start()
    for thread in made:
        thread.join()
    return seen


@program
def whole_and_part() -> object:
    """A method may touch any entry."""
    table = {"a": 0}
    box = Box()
    seen: list[object] = []

    def change() -> None:
        table["a"] = 1
        box.value = 1

    def look() -> None:
        seen.append(table.get("a"))

    run(look, change)
    return seen


@program
def three_that_copy() -> object:
    """Known states are met early; what lies below them conflicts with how they were reached."""
    p, q = Box(), Box()
    out: dict[str, object] = {}

    def first() -> None:
        q.value = p.value
        p.value = 3

    def second() -> None:
        p.value = 1
        q.value = 2

    def third() -> None:
        one = q.value
        two = p.value
        out["third"] = (one, two)

    run(first, second, third)
    return out["third"], p.value, q.value
