"""Merging states loses no outcome, and where nothing hides it merges all that are equal.

`exact` runs every interleaving; `merged` ends paths at visited states. The programs keep state where a
fingerprint could overlook it: in C frames, in addresses, in the order of sets, in garbage.
"""

from __future__ import annotations

import _thread
import builtins
import datetime
import functools
import gc
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, ClassVar

import pytest
from support import driver

from pytest_statespace._native import _bridge

pytestmark = pytest.mark.skipif(not _bridge.supported()[0], reason=_bridge.supported()[1])

Program = Callable[[], object]


def join(*bodies: Callable[[], object]) -> None:
    """Run the bodies in threads of their own, with nothing but locks."""
    done, left = _thread.allocate_lock(), [len(bodies)]
    done.acquire()

    def run(body: Callable[[], object]) -> None:
        body()
        left[0] -= 1
        if not left[0]:
            done.release()

    for body in bodies:
        _thread.start_new_thread(run, (body,))
    done.acquire()


def merged(program: Program) -> tuple[driver.Report, list[str]]:
    """The search with merging; it begins again when the program looks at what states leave out."""
    promoted: list[str] = []
    while True:
        tables = driver.empty_tables() | {"promoted": frozenset(promoted)}
        report = driver.explore(program, fingerprint=True, prune=True, guard=False, check=True, tables=tables)
        looked = [text.removeprefix("restart: ") for text in report.results if text.startswith("restart: ")]
        if not looked:
            return report, promoted
        assert looked[0] not in promoted
        promoted.extend(looked)


def exact(program: Program, promoted: Sequence[str] = ()) -> driver.Report:
    """The search without merging.

    In a program that looks at addresses, outcomes are those of the addresses that there are: it is run in a child that
    was prepared as the one with merging.
    """
    if not {"observe addresses", "observe orders"} & set(promoted):
        return driver.explore(program, guard=False)
    tables = driver.empty_tables() | {"promoted": frozenset(promoted)}
    return driver.explore(program, fingerprint=True, prune=False, guard=False, tables=tables)


class Node:
    mark: object


def increments(k: int) -> Program:
    def program() -> int:
        lock, counter = _thread.allocate_lock(), [0]

        def work() -> None:
            for _ in range(k):
                with lock:
                    counter[0] += 1

        join(work, work)
        return counter[0]

    return program


@pytest.mark.parametrize(("k", "states"), [(1, 21), (2, 34), (3, 49), (4, 66)])
def test_equal_states_are_one(k: int, states: int) -> None:
    report, promoted = merged(increments(k))
    assert not promoted
    assert report.results == {str(2 * k)}
    assert report.states == states  # k**2 + 10*k + 10, also the size of the quotient by behaviour


def sorting() -> object:
    lock, order, results = _thread.allocate_lock(), [0], dict[int, list[int]]()

    def key(x: int) -> int:
        with lock:
            order[0] += 1
        return order[0] * 7 % 4 + (x & 1)

    def work(n: int) -> None:
        numbers = [0, 1]
        numbers.sort(key=key)
        results[n] = numbers

    join(functools.partial(work, 0), functools.partial(work, 1))
    return sorted(results.items())


def pulling(consume: Callable[[Any], Any]) -> Program:
    """C code that adds up what a generator yields; how much it has so far is in C only."""

    def program() -> object:
        lock, order, results = _thread.allocate_lock(), [1], dict[int, Any]()

        def numbers() -> Iterator[int]:
            for _ in range(2):
                with lock:
                    order[0] *= 2
                yield order[0]

        def work(n: int) -> None:
            results[n] = consume(numbers())

        join(functools.partial(work, 0), functools.partial(work, 1))
        return sorted(results.items())

    return program


def reduced_by_partial(numbers: Iterator[int]) -> int:
    def add(a: int, b: int) -> int:
        return a + b

    return functools.partial(functools.reduce, add)(numbers)


def reducing() -> object:
    """How far reduce() has come is in C only, and partial() hides that reduce() was called."""
    lock, steps, results = _thread.allocate_lock(), [0], list[tuple[int, int]]()

    def forget(a: int, b: int) -> int:
        with lock:
            steps[0] += 1
        return 0

    def work(n: int) -> None:
        functools.partial(functools.reduce, forget)([0, 0, 0, 0])
        results.append((n, steps[0]))

    join(functools.partial(work, 0), functools.partial(work, 1))
    return results


def leaving() -> object:
    """Which `__exit__` will run is decided before `__enter__` runs, and may be known to C only."""
    _bridge.choose(2)
    ran, early = list[str](), [_bridge.choose(2)]

    def second(self: object, *error: object) -> None:
        ran.append("second")

    class Manager:
        def __enter__(self) -> None:
            if early == [0]:
                Manager.__exit__ = second  # type: ignore[method-assign]
            early.clear()
            _bridge.choose(2)

        def __exit__(self, *error: object) -> None:
            ran.append("first")

    if early == [1]:
        Manager.__exit__ = second  # type: ignore[method-assign]
    with Manager():
        pass
    return ran


def by_address() -> object:
    """Objects sorted by where they lie."""
    lock, made = _thread.allocate_lock(), list[Node]()

    def work(n: int) -> None:
        junk = [Node() for _ in range(n * 3)]
        with lock:
            pass
        node = Node()
        node.mark = n
        made.append(node)
        del junk
        with lock:
            pass
        node = Node()
        node.mark = n + 10
        made.append(node)

    join(functools.partial(work, 0), functools.partial(work, 1))
    return [node.mark for node in sorted(made, key=id)]


def by_set(ordered: Callable[[set[Node]], Iterable[Node]]) -> Program:
    """Objects in the order of a set of them."""

    def program() -> object:
        lock, made = _thread.allocate_lock(), set[Node]()

        def work(n: int) -> None:
            with lock:
                pass
            node = Node()
            node.mark = n
            made.add(node)
            with lock:
                pass
            if n:
                return
            node = Node()
            node.mark = n + 10
            made.add(node)

        join(functools.partial(work, 0), functools.partial(work, 1))
        return [node.mark for node in ordered(made)]

    return program


def by_dummies() -> object:
    """Numbers in the order of a set from which others were taken."""
    lock, numbers = _thread.allocate_lock(), set[int]()

    def work(n: int) -> None:
        numbers.add(n)
        with lock:
            pass
        numbers.discard(n)
        with lock:
            pass

    join(functools.partial(work, 3), functools.partial(work, 11))
    numbers.update((19, 11, 3))
    return list(numbers)


class Finalized:
    log: ClassVar[list[int]] = []

    def __del__(self) -> None:
        Finalized.log.append(1)


def by_garbage() -> object:
    """Finalizers that run when somebody collects garbage."""
    lock, switch = _thread.allocate_lock(), [0]

    def make() -> None:
        if switch[0]:
            cycle = [Finalized()]
            cycle.append(cycle)  # type: ignore[arg-type]
            del cycle
        with lock:
            pass
        switch[0] = 2

    def flip() -> None:
        with lock:
            pass
        switch[0] = 1

    join(make, flip)
    gc.collect()
    return len(Finalized.log)


def meet() -> None:
    """States that differ in nothing are merged here."""
    _bridge.choose(2)
    _bridge.choose(2)


class Hashed:
    def __hash__(self) -> int:
        return 1


def hash_of_dead_reference() -> object:
    o = Hashed()
    reference = weakref.ref(o)
    if _bridge.choose(2):
        assert {reference}
    meet()
    del o
    try:
        return len({reference})
    except TypeError as error:
        return str(error)


def hash_of_released_view() -> object:
    view = memoryview(b"ab")
    if _bridge.choose(2):
        assert {view}
    meet()
    view.release()
    try:
        return len({view})
    except ValueError as error:
        return str(error)


def hash_from_an_earlier_zone() -> object:
    zone = Zone()
    time = datetime.time(1, tzinfo=zone)
    seen = {}
    if _bridge.choose(2):
        assert {time}
    meet()
    zone.hours = 2
    seen[time] = 1
    return datetime.time(0, tzinfo=datetime.timezone(datetime.timedelta(hours=1))) in seen, len(seen)


class Valued:
    value = 1

    def __hash__(self) -> int:
        return self.value


def hash_from_an_earlier_value(holding: Callable[[Valued], object]) -> Program:
    """Some hashes are computed once and kept (those of tuples from 3.14 on), by code of what is hashed."""

    def program() -> bool:
        valued = Valued()
        holder = holding(valued)
        if _bridge.choose(2):
            hash(holder)
        meet()
        valued.value = 2
        return hash(holder) == hash(holding(valued))

    return program


class Zone(datetime.tzinfo):
    hours = 1

    def utcoffset(self, _: object) -> datetime.timedelta:
        return datetime.timedelta(hours=self.hours)


PROGRAMS: dict[str, tuple[Program, tuple[str, ...]]] = {
    "sort": (sorting, ()),
    "sum": (pulling(sum), ()),
    "max": (pulling(max), ()),
    "tuple": (pulling(tuple), ()),
    "join": (pulling(lambda g: ",".join(map(str, g))), ()),
    "reduce": (pulling(reduced_by_partial), ()),
    "reduce by partial": (reducing, ()),
    "leaving": (leaving, ()),
    "id": (by_address, ("observe addresses",)),
    "order of a set": (by_set(iter), ()),
    "list of a set": (by_set(lambda made: [*made]), ()),
    "dummies of a set": (by_dummies, ("observe sets",)),
    "garbage": (by_garbage, ("observe garbage",)),
    "hash of a dead reference": (hash_of_dead_reference, ()),
    "hash of a released view": (hash_of_released_view, ()),
    "hash from an earlier zone": (hash_from_an_earlier_zone, ()),
    "hash of a tuple": (hash_from_an_earlier_value(lambda valued: (0, valued)), ()),
    "hash of a tuple in a tuple": (hash_from_an_earlier_value(lambda valued: (0, (1, valued))), ()),
}
if hasattr(builtins, "frozendict"):  # 3.15
    FROZEN = hash_from_an_earlier_value(lambda valued: builtins.frozendict(k=valued))
    PROGRAMS["hash of a frozendict"] = (FROZEN, ("observe addresses",))


@pytest.mark.parametrize("name", PROGRAMS)
def test_no_outcome_is_lost(name: str) -> None:
    program, looks_at = PROGRAMS[name]
    report, promoted = merged(program)
    assert report.results == exact(program, promoted).results
    assert set(promoted) == set(looks_at)
    assert report.visited > 0
