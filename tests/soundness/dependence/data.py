"""Accesses to parts of objects, library code, closures, and states that meet."""

from __future__ import annotations

import contextlib
import functools
import gc
import threading
from collections.abc import Iterator

from soundness.dependence.registry import Box, Last, program, run

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
def target_in_c() -> object:
    """No code under test runs in these threads."""
    log: list[str] = []
    made = [threading.Thread(target=log.append, args=(name,)) for name in "ab"]
    for thread in made:
        thread.start()
    for thread in made:
        thread.join()
    return tuple(log)


@program
def target_in_c_with_arguments() -> object:
    log: list[str] = []
    run(functools.partial(log.append, "a"), functools.partial(log.append, "b"))
    return tuple(log)


@program
def target_with_arguments() -> object:
    log: list[str] = []

    def worker(name: str) -> None:
        log.append(name)

    run(functools.partial(worker, "a"), functools.partial(worker, "b"))
    return tuple(log)


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


# -- items of containers ----------------------------------------------------------------------------


@program
def slots_of_a_list() -> object:
    slots = [0, 0]
    seen: list[int] = []

    def first() -> None:
        slots[0] = 1
        slots[1] += 1

    def second() -> None:
        slots[1] = 5
        seen.append(slots[0])

    run(first, second)
    return slots, seen


@program
def size_of_a_list() -> object:
    items = [0, 0, 0]

    def first() -> None:
        with contextlib.suppress(IndexError):
            items[2] = 1

    def second() -> None:
        items.pop()
        items.append(2)

    run(first, second)
    return items


@program
def counted_from_the_end() -> object:
    """Which item it is depends on how many there are when it is written."""
    items = [0, 0, 0]

    def last() -> None:
        items[-1] = 1

    def shorter() -> None:
        del items[0]

    def second() -> None:
        items[1] = 2

    run(last, shorter, second)
    return items


@program
def order_of_keys() -> object:
    table: dict[str, int] = {}

    def store(key: str) -> None:
        table[key] = 1

    run(lambda: store("a"), lambda: store("b"))
    return list(table)


@program
def deleted_item() -> object:
    items = [0, 1, 2]

    def shorter() -> None:
        del items[0]

    def second() -> None:
        items[1] = 9

    run(shorter, second)
    return items


@program
def keys_that_went() -> object:
    """Both threads stand before replacing a key that is there; then it is not, and who comes first matters."""
    table = {"a": 0, 2: 0}
    one, other = Box(False), Box(False)

    def store(key: object, ready: Box) -> None:
        ready.value = True
        table[key] = 1  # type: ignore[index]

    def clear() -> None:
        if one.value and other.value:
            table.clear()

    run(lambda: store("a", one), lambda: store(2, other), clear)
    return list(table.items())


@program
def keys_that_are_equal() -> object:
    table: dict[object, int] = {1: 0, 2: 0}

    def one() -> None:
        table[1] = 1

    def true() -> None:
        table[True] = 2

    run(one, true)
    return list(table.items())


@program
def key_that_is_missing() -> object:
    table = {"a": 1}
    seen: list[object] = []

    def store() -> None:
        table["b"] = 2

    def look() -> None:
        try:
            seen.append(table["b"])
        except KeyError:
            seen.append("missing")

    run(store, look)
    return seen


# -- names and variables ----------------------------------------------------------------------------


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


@program
def two_that_look_back() -> object:
    """What a thread reads after it has written decides, and that comes after states that are met again."""
    p, q = Box(), Box()
    out: dict[str, object] = {}

    def first() -> None:
        p.value = 1
        out["first"] = p.value

    def second() -> None:
        p.value = 3
        out["second"] = p.value

    def third() -> None:
        q.value = 2
        q.value = p.value

    run(first, second, third)
    return out["first"], out["second"], p.value, q.value
