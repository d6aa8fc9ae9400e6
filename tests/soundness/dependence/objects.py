"""Who holds an object, and what a lost reference does."""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections.abc import Iterator
from typing import Any

from soundness.dependence.registry import Box, Last, program, run

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
