"""Small racy programs: what they can end with must not depend on how choice points are left out.

Each function is a whole program; its result is the outcome. Two threads each, few instructions,
so that every instruction can be tried as a choice point.

Over 600 lines on purpose: a flat catalogue of independent programs, read one at a time.
"""

from __future__ import annotations

import collections
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

PROGRAMS: dict[str, Callable[[], object]] = {}


def program(function: Callable[[], object]) -> Callable[[], object]:
    PROGRAMS[function.__name__] = function
    return function


def together(*bodies: Callable[[], object]) -> None:
    """Run the first body in a thread and the second one in this thread: fewer interleavings than two threads."""
    first, second = bodies
    thread = threading.Thread(target=first)
    thread.start()
    second()
    thread.join()


counter = 0
shared: Any = None
mode = "a"


def helper() -> str:
    return "old"


class Box:
    limit = 1

    def __init__(self, value: Any = 0) -> None:
        self.value = value

    def add(self) -> None:
        self.value += 1

    def kind(self) -> str:
        return "class"

    def __len__(self) -> int:
        return len(self.value)

    def __bool__(self) -> bool:
        return bool(self.value)


class Slotted:
    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0

    def add(self) -> None:
        self.value += 1


class Account:
    def __init__(self) -> None:
        self._balance = 0

    @property
    def balance(self) -> int:
        return self._balance

    @balance.setter
    def balance(self, amount: int) -> None:
        self._balance = amount

    def deposit(self) -> None:
        self.balance += 1


class Fallback:
    def __init__(self) -> None:
        self.inner = {"x": 0}

    def __getattr__(self, name: str) -> int:
        return self.inner[name]


@dataclass(frozen=True)
class Frozen:
    x: int


@program
def global_increment() -> object:
    global counter
    counter = 0

    def work() -> None:
        global counter
        counter += 1

    together(work, work)
    return counter


@program
def attribute_increment() -> object:
    box = Box()
    together(box.add, box.add)
    return box.value


@program
def slot_increment() -> object:
    slotted = Slotted()
    together(slotted.add, slotted.add)
    return slotted.value


@program
def property_increment() -> object:
    account = Account()
    together(account.deposit, account.deposit)
    return account.balance


@program
def cell_increment() -> object:
    n = 0

    def work() -> None:
        nonlocal n
        n += 1

    together(work, work)
    return n


@program
def item_increment() -> object:
    items = {"n": 0}

    def work() -> None:
        items["n"] += 1

    together(work, work)
    return items


@program
def check_then_act() -> object:
    box, winners = Box(None), []

    def work() -> None:
        if box.value is None:
            box.value = 1
            winners.append(1)

    together(work, work)
    return len(winners)


@program
def truth_then_pop() -> object:
    items, failures = [1], []

    def work() -> None:
        if items:
            try:
                items.pop()
            except IndexError:
                failures.append(1)

    together(work, work)
    return len(failures)


@program
def length_then_pop() -> object:
    items, failures = [1], []

    def work() -> None:
        if len(items) > 0:
            try:
                items.pop()
            except IndexError:
                failures.append(1)

    together(work, work)
    return len(failures)


@program
def user_truth_then_pop() -> object:
    box, failures = Box([1]), []

    def work() -> None:
        if box:
            try:
                box.value.pop()
            except IndexError:
                failures.append(1)

    together(work, work)
    return len(failures)


@program
def append_order() -> object:
    items: list[int] = []
    together(lambda: items.append(1), lambda: items.append(2))
    return items


@program
def dict_changed_during_iteration() -> object:
    table, seen = {1: 1, 2: 2}, []

    def read() -> None:
        try:
            for key in table:
                seen.append(key)
        except RuntimeError:
            seen.append(-1)

    together(read, lambda: table.update({3: 3}))
    return seen


@program
def iterator_shared() -> object:
    iterator, first, second = iter([1, 2, 3]), [], []

    def take(into: list[int]) -> None:
        for value in iterator:
            into.append(value)

    together(lambda: take(first), lambda: take(second))
    return first, second


@program
def range_iterator_shared() -> object:
    iterator, first, second = iter(range(2)), [], []

    def take(into: list[int]) -> None:
        for value in iterator:
            into += [value]

    together(lambda: take(first), lambda: take(second))
    return first, second


@program
def generator_shared() -> object:
    def numbers() -> Iterator[int]:
        yield 1
        yield 2

    generator, first, second = numbers(), [], []

    def take(into: list[int]) -> None:
        into.append(next(generator, 0))

    together(lambda: take(first), lambda: take(second))
    return first, second


@program
def module_attribute_by_setattr() -> object:
    this = sys.modules[__name__]
    seen = []
    this.mode = "a"  # type: ignore[attr-defined]

    def read() -> None:
        seen.append(mode)
        seen.append(mode)

    together(read, lambda: setattr(this, "mode", "b"))
    return seen


@program
def global_function_by_setattr() -> object:
    this = sys.modules[__name__]
    seen, old = [], helper

    def read() -> None:
        seen.append(helper())
        seen.append(this.helper())

    together(read, lambda: setattr(this, "helper", lambda: "new"))
    this.helper = old
    return seen


@program
def global_by_namespace() -> object:
    seen = []
    globals()["mode"] = "a"

    def read() -> None:
        seen.append(mode)
        seen.append(mode)

    def write() -> None:
        globals()["mode"] = "b"

    together(read, write)
    return seen


@program
def closure_rebound() -> object:
    seen = []

    def current() -> str:
        return "old"

    def read() -> None:
        seen.append(current())
        seen.append(current())

    def write() -> None:
        nonlocal current

        def current() -> str:
            return "new"

    together(read, write)
    return seen


@program
def cell_bound_late() -> object:
    seen = []

    def read() -> None:
        try:
            seen.append(late)
        except NameError:
            seen.append(0)

    thread = threading.Thread(target=read)
    thread.start()
    late = 1
    thread.join()
    return seen


@program
def cell_bound_after_release() -> object:
    seen, lock = [], threading.Lock()

    def read() -> None:
        with lock:
            pass
        try:
            seen.append(late)
        except NameError:
            seen.append(0)

    lock.acquire()
    thread = threading.Thread(target=read)
    thread.start()
    lock.release()
    late = 1
    thread.join()
    return seen


@program
def class_attribute() -> object:
    seen, box = [], Box()
    Box.limit = 1

    def read() -> None:
        seen.append(box.limit)
        seen.append(Box.limit)

    def write() -> None:
        Box.limit = 2

    together(read, write)
    return seen


@program
def class_attribute_by_setattr() -> object:
    seen, slotted = [], Slotted()

    def read() -> None:
        seen.append(slotted.add.__name__)
        seen.append(Slotted.add.__name__)

    old = Slotted.add
    together(read, lambda: setattr(Slotted, "add", Box.kind))
    Slotted.add = old
    return seen


@program
def method_replaced_on_instance() -> object:
    seen, box = [], Box()

    def read() -> None:
        seen.append(box.kind())
        seen.append(box.kind())

    def write() -> None:
        box.kind = lambda: "instance"  # type: ignore[method-assign]

    together(read, write)
    return seen


@program
def attribute_by_dict() -> object:
    box = Box()

    def work() -> None:
        box.__dict__["value"] = box.value + 1

    together(work, box.add)
    return box.value


@program
def getattr_fallback() -> object:
    fallback, seen = Fallback(), []

    def write() -> None:
        fallback.inner["x"] = 1

    together(lambda: seen.append(fallback.x + fallback.x), write)
    return seen


@program
def frozen_by_object_setattr() -> object:
    frozen, seen = Frozen(1), []

    def read() -> None:
        seen.append(frozen.x)
        seen.append(frozen.x)

    together(read, lambda: object.__setattr__(frozen, "x", 2))
    return seen


@program
def published_then_changed() -> object:
    global shared
    shared = None
    seen = []

    def make() -> None:
        global shared
        items = [1]
        items.append(2)
        shared = items
        items.append(3)

    def look() -> None:
        if shared is not None:
            seen.append(len(shared))

    together(make, look)
    return seen


@program
def constructor_leaks_self() -> object:
    global shared
    shared = None
    seen = []

    class Leaky:
        def __init__(self) -> None:
            global shared
            self.early = 1
            shared = self
            self.late = 2

    def look() -> None:
        leaked = shared
        if leaked is not None:
            seen.append(hasattr(leaked, "late"))

    together(Leaky, look)
    return seen


@program
def library_function() -> object:
    counts, seen = collections.Counter("a"), []

    def work() -> None:
        counts.update("a")

    together(work, lambda: seen.append(counts["a"]))
    return seen


@program
def deque_rotation() -> object:
    queue, seen = collections.deque([1, 2]), []
    together(queue.rotate, lambda: seen.extend(queue))
    return seen


@program
def unpacking() -> object:
    pair, seen = [1, 1], []

    def write() -> None:
        pair[0] = 2
        pair[1] = 2

    def read() -> None:
        first, second = pair
        seen.append((first, second))

    together(write, read)
    return seen


@program
def star_call() -> object:
    pair, seen = [1, 1], []

    def write() -> None:
        pair[0] = 2
        pair[1] = 2

    together(write, lambda: seen.append((*pair, max(*pair))))
    return seen


@program
def formatting() -> object:
    items, seen = [1], []

    def write() -> None:
        items[0] = 2

    together(write, lambda: seen.append(f"{items}{items!r}"))
    return seen


@program
def comparison() -> object:
    items, seen = [1], []

    def write() -> None:
        items[0] = 2

    together(write, lambda: seen.append((items == [1], items == [2])))
    return seen


@program
def membership() -> object:
    items, seen = {1}, []

    def write() -> None:
        items.add(2)
        items.discard(1)

    together(write, lambda: seen.append((2 in items, 1 in items)))
    return seen


@program
def operators() -> object:
    items, seen = [1], []

    def write() -> None:
        items.append(2)

    together(write, lambda: seen.append((items + [0], items * 1)))  # noqa: RUF005
    return seen


@program
def slicing() -> object:
    items, seen = [1, 2], []

    def write() -> None:
        del items[:1]

    together(write, lambda: seen.append((items[:1], items[0:2])))
    return seen


@program
def comprehension_over_shared() -> object:
    items, seen = [1, 2], []
    together(lambda: items.append(3), lambda: seen.extend([x for x in items]))  # noqa: C416
    return seen


@program
def nested_containers() -> object:
    inner = [0]
    outer, seen = (inner, {"k": inner}), []

    def write() -> None:
        outer[0][0] = 1
        outer[1]["k"].append(2)

    together(write, lambda: seen.append(str(outer)))
    return seen


@program
def deleted_attribute() -> object:
    box, seen = Box(), []

    def remove() -> None:
        del box.value

    together(remove, lambda: seen.append(getattr(box, "value", None)))
    return seen


@program
def event_flag() -> object:
    event, seen = threading.Event(), []
    together(event.set, lambda: seen.append((event.is_set(), event.is_set())))
    return seen


@program
def printed_order() -> object:
    out: list[str] = []

    class Writer:
        def write(self, text: str) -> None:
            out.append(text)

    writer = Writer()
    together(lambda: print("a", file=writer, end=""), lambda: print("b", file=writer, end=""))  # type: ignore[arg-type]
    return out


@program
def code_made_by_exec() -> object:
    global counter
    counter = 0
    namespace = {"seen": []}
    source = "def work(box):\n    box.value += 1\n"
    exec(source, globals(), namespace)
    box = Box()
    together(lambda: namespace["work"](box), box.add)  # type: ignore[operator]
    return box.value


@program
def sorting_with_key() -> object:
    items, seen = [2, 1], []
    together(lambda: items.sort(key=lambda x: x), lambda: seen.append(len(items)))
    return items, seen


@program
def keys_that_compare() -> object:
    class Key:
        def __hash__(self) -> int:
            return 1

        def __eq__(self, other: object) -> bool:
            return True

    table, seen = {Key(): 1}, []

    def read() -> None:
        try:
            seen.append(table[Key()])
        except KeyError:
            seen.append(0)

    together(read, table.clear)
    return seen


class Own:
    """Its methods are never replaced, as those of `Box` are."""

    def __init__(self) -> None:
        self.total = 0

    def bump(self) -> None:
        self.total += 1


def local_work_only() -> object:
    """Needs no choice point inside the threads: too many instructions to try them all."""

    def work() -> None:
        items = [3, 1, 2]
        items.sort(key=lambda x: -x)
        table = {}
        for item in items:
            table[item] = table.get(item, 0) + 1
        own = Own()
        for _ in range(2):
            own.bump()
        assert table
        assert own.total == 2

    together(work, work)
    return None
