"""The litmus programs as explicit-state models: the choice points that the engine promises.

Read side by side with `programs`: every model has the name of the program it describes. Choice
points lie before start, begin, acquire (also of a lock that is free), release, get, put, join and the
end of a thread; at `access` granularity also before each read and write of data that others can
reach. What the standard library does in between (the lock inside a `Condition`, the waiter locks) is
written out, because each of its lock operations is a choice point too.
"""

from __future__ import annotations

from collections.abc import Callable

from litmus.modelling import (
    Model,
    Shared,
    Step,
    Thread,
    World,
    access_of_a_result,
    acquire,
    begin,
    end,
    finish,
    increment,
    join,
    release,
    start,
    start_raw,
)


def _joined(workers: list[list[Step]], shared: Shared, result: Callable[[World], object]) -> Model:
    """Main starts all workers in order, joins them in order, and returns."""
    ordinals = range(1, len(workers) + 1)
    main = [*(start(i) for i in ordinals), *(join(i) for i in ordinals), finish()]
    return Model([main, *([begin(), *worker, end()] for worker in workers)], shared, result)  # type: ignore[arg-type]


def locked_increments(threads: int, times: int, *, access: bool) -> Model:
    turn = [acquire("lock"), *increment("value", visible=access), release("lock")]
    return _joined([turn * times for _ in range(threads)], {"lock": False, "value": 0}, lambda w: w.shared["value"])


def straight_line(threads: int) -> Model:
    return _joined([[acquire("lock"), release("lock")] * 2] * threads, {"lock": False}, lambda w: "done")


def raw_locked_increments(threads: int, times: int, *, access: bool) -> Model:
    """With `_thread` alone: each worker releases a lock at its end, main takes one after the other."""
    turn = [acquire("lock"), *increment("value", visible=access), release("lock")]
    ordinals = range(1, threads + 1)
    look = access_of_a_result(visible=access)  # a worker that is about to end is still there
    main = [*(start_raw(i) for i in ordinals), *(acquire(f"finished{i}") for i in ordinals), look, finish()]
    workers = [[begin(), *turn * times, release(f"finished{i}"), end()] for i in ordinals]
    shared: Shared = {"lock": False, "value": 0} | {f"finished{i}": True for i in ordinals}
    return Model([main, *workers], shared, lambda w: w.shared["value"])


def unlocked_increments(threads: int, times: int) -> Model:
    worker = increment("value", visible=True) * times
    return _joined([worker] * threads, {"value": 0}, lambda w: w.shared["value"])


def check_then_act(threads: int) -> Model:
    """`if box.value is None: box.value = name`: who wins, and how often it is set."""

    def worker(name: int) -> list[Step]:
        def check(world: World, thread: Thread) -> str | None:
            return None if world.shared["value"] is None else "over"

        def act(world: World, thread: Thread) -> None:
            world.shared["value"] = name

        return [Step(check), Step(act), Step(_end_of_thread, label="over")]

    workers = [worker(i) for i in range(threads)]
    ordinals = range(1, threads + 1)
    main = [*(start(i) for i in ordinals), *(join(i) for i in ordinals), finish()]
    return Model([main, *([begin(), *steps] for steps in workers)], {"value": None}, lambda w: w.shared["value"])


def _end_of_thread(world: World, thread: Thread) -> None:
    thread.done = True
    thread.registers.clear()


def philosophers(count: int, *, ordered: bool) -> Model:
    def worker(seat: int) -> list[Step]:
        left, right = seat, (seat + 1) % count
        first, second = (min(left, right), max(left, right)) if ordered else (left, right)
        return [
            acquire(f"fork{first}"),
            acquire(f"fork{second}"),
            release(f"fork{second}"),
            release(f"fork{first}"),
        ]

    return _joined(
        [worker(seat) for seat in range(count)], {f"fork{i}": False for i in range(count)}, lambda w: "fed"
    )


# -- what threading.py does with a Condition ---------------------------------------------------------


def _wait_begins(world: World, thread: Thread, lock: str, waiters: str, waiter: str) -> None:
    """Up to the release of the condition's lock: a new waiter lock, taken, in the queue."""
    world.shared[waiter] = "taken"
    world.shared[waiters] = (*_queue(world, waiters), waiter)


def _wait(lock: str, waiters: str, waiter: str, label: str, then: Callable[[World, Thread], str | None]) -> list[Step]:
    """Condition.wait from the release of its lock on; `then` follows once the lock is taken again."""

    def ready(world: World) -> bool:
        return world.shared[waiter] == "free"

    def take(world: World, thread: Thread) -> None:
        world.shared[waiter] = "taken"

    def back(world: World, thread: Thread) -> str | None:
        world.shared[waiter] = None
        return then(world, thread)

    return [release(lock, label=label), Step(take, ready=ready), acquire(lock, back)]


def _queue(world: World, waiters: str) -> tuple[str, ...]:
    queue = world.shared[waiters]
    assert isinstance(queue, tuple)
    return queue


def _notify(waiters: str, label: str, again: bool) -> Step:
    """Condition.notify once it has found somebody: free the first waiter, then take it off the queue."""

    def act(world: World, thread: Thread) -> str | None:
        first, *rest = _queue(world, waiters)
        world.shared[first] = "free"
        world.shared[waiters] = tuple(rest)
        left = int(str(thread.registers.get("left", 0)))
        if again and left > 1:
            thread.registers["left"] = left - 1
            return label
        thread.registers.pop("left", None)
        return None

    return Step(act, label=label)


def semaphore(threads: int, value: int) -> Model:
    """`with semaphore:` in every thread, nothing inside."""

    def worker(number: int) -> list[Step]:
        waiter = f"waiter{number}"

        def look(world: World, thread: Thread) -> str | None:
            if world.shared["count"] == 0:
                _wait_begins(world, thread, "lock", "waiters", waiter)
                return "wait"
            world.shared["count"] = int(str(world.shared["count"])) - 1
            return "got it"

        def give(world: World, thread: Thread) -> str | None:
            world.shared["count"] = int(str(world.shared["count"])) + 1
            return "notify" if _queue(world, "waiters") else "leave"

        return [
            acquire("lock", look),
            *_wait("lock", "waiters", waiter, "wait", look),
            release("lock", label="got it"),
            acquire("lock", give),
            _notify("waiters", "notify", again=False),
            release("lock", label="leave"),
        ]

    numbers = range(1, threads + 1)
    shared: Shared = {"lock": False, "count": value, "waiters": ()} | {f"waiter{i}": None for i in numbers}
    return _joined([worker(i) for i in numbers], shared, lambda w: "passed")


def event(waiting: int) -> Model:
    """Threads that wait for an event, and one that sets it."""

    def waiter_of(number: int) -> list[Step]:
        waiter = f"waiter{number}"

        def look(world: World, thread: Thread) -> str | None:
            if world.shared["flag"]:
                return "leave"
            _wait_begins(world, thread, "lock", "waiters", waiter)
            return "wait"

        return [
            acquire("lock", look),
            *_wait("lock", "waiters", waiter, "wait", lambda world, thread: None),
            release("lock", label="leave"),
        ]

    def raise_flag(world: World, thread: Thread) -> str | None:
        world.shared["flag"] = True
        thread.registers["left"] = len(_queue(world, "waiters"))
        if _queue(world, "waiters"):
            return "notify"
        thread.registers.clear()
        return "leave"

    setter = [
        acquire("lock", raise_flag),
        _notify("waiters", "notify", again=True),
        release("lock", label="leave"),
    ]
    numbers = range(1, waiting + 1)
    shared: Shared = {"lock": False, "flag": False, "waiters": ()} | {f"waiter{i}": None for i in numbers}
    return _joined([*(waiter_of(i) for i in numbers), setter], shared, lambda w: "set")


def simple_queue(items: int, consumers: int) -> Model:
    """One producer puts numbers into a `SimpleQueue`, consumers share them evenly."""

    def put(number: int) -> Step:
        def act(world: World, thread: Thread) -> None:
            world.shared["queue"] = (*_items(world, "queue"), number)

        return Step(act)

    def get(consumer: int) -> Step:
        def act(world: World, thread: Thread) -> None:
            first, *rest = _items(world, "queue")
            world.shared["queue"] = tuple(rest)
            world.shared[f"got{consumer}"] = (*_items(world, f"got{consumer}"), first)

        return Step(act, ready=lambda world: bool(world.shared["queue"]))

    producer = [put(i) for i in range(items)]
    each = items // consumers
    workers = [producer, *([get(i)] * each for i in range(consumers))]
    shared: Shared = {"queue": ()} | {f"got{i}": () for i in range(consumers)}
    return _joined(workers, shared, lambda w: [list(_items(w, f"got{i}")) for i in range(consumers)])


def _items(world: World, name: str) -> tuple[object, ...]:
    items = world.shared[name]
    assert isinstance(items, tuple)
    return items


def bounded_queue(items: int, size: int) -> Model:
    """`queue.Queue(size)`: one producer, one consumer; two conditions on one lock."""

    def put(number: int) -> list[Step]:
        def look(world: World, thread: Thread) -> str | None:
            if len(_items(world, "queue")) >= size:
                _wait_begins(world, thread, "lock", "not_full", "producer")
                return f"wait{number}"
            world.shared["queue"] = (*_items(world, "queue"), number)
            return f"notify{number}" if _queue(world, "not_empty") else f"leave{number}"

        return [
            acquire("lock", look),
            *_wait("lock", "not_full", "producer", f"wait{number}", look),
            _notify("not_empty", f"notify{number}", again=False),
            release("lock", label=f"leave{number}"),
        ]

    def get(number: int) -> list[Step]:
        def look(world: World, thread: Thread) -> str | None:
            if not _items(world, "queue"):
                _wait_begins(world, thread, "lock", "not_empty", "consumer")
                return f"wait{number}"
            first, *rest = _items(world, "queue")
            world.shared["queue"] = tuple(rest)
            thread.registers["item"] = str(first)
            return f"notify{number}" if _queue(world, "not_full") else f"leave{number}"

        def keep(world: World, thread: Thread) -> None:
            world.shared["got"] = (*_items(world, "got"), int(str(thread.registers.pop("item"))))

        return [
            acquire("lock", look),
            *_wait("lock", "not_empty", "consumer", f"wait{number}", look),
            _notify("not_full", f"notify{number}", again=False),
            release("lock", keep, label=f"leave{number}"),
        ]

    producer = [step for i in range(items) for step in put(i)]
    consumer = [step for i in range(items) for step in get(i)]
    shared: Shared = {
        "lock": False, "queue": (), "got": (), "not_full": (), "not_empty": (), "producer": None, "consumer": None,
    }  # fmt: skip
    return _joined([producer, consumer], shared, lambda w: list(_items(w, "got")))

