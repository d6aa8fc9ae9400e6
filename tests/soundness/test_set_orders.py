"""Sets of new objects are walked in every order in which a real run could walk them.

The reference is the interpreter itself: the same drawn program outside of an exploration, again and again with objects
at other addresses. Whatever comes out there must be among the outcomes of the exploration.

Tried by hand, and seen to fail: an order that stays when something is added, new elements only in front or behind,
walks that are not told of a new order, pops that always follow the walk before them, comparisons that take orders for
hashes; states without the order, and without whether something has been popped.
"""

from __future__ import annotations

import _thread
import itertools
import random
import threading
import types
import weakref
from collections import defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait

import pytest
from support import driver
from support.search import Subject, explore, explore_with
from test_merging import join

from pytest_statespace._native import _bridge

pytestmark = pytest.mark.skipif(not _bridge.supported()[0], reason=_bridge.supported()[1])

ELEMENTS = 5
MOST = 4  # a larger set is walked as it lies
REAL_RUNS = 400


class Thing:
    def __init__(self, n: int) -> None:
        self.n = n


def names(things: Iterable[Thing]) -> str:
    return "".join(str(thing.n) for thing in things)


# ---- drawn programs -------------------------------------------------------------------------------


class OwnSet(set[Thing]):
    pass


class OwnFrozenSet(frozenset[Thing]):
    pass


class Shelf:
    """A set, and what can be done with it; `seen` is what comes out."""

    def __init__(self, things: list[Thing]) -> None:
        self.things = things
        self.set: set[Thing] = set(things[:2])
        self.seen: list[str] = []

    def chosen(self, numbers: Iterable[int]) -> set[Thing]:
        return {self.things[n] for n in numbers}

    def add(self, n: int) -> None:
        if len(self.set) < MOST:
            self.set.add(self.things[n])

    def discard(self, n: int) -> None:
        self.set.discard(self.things[n])

    def pop(self) -> None:
        if self.set:
            self.seen.append(f"popped {self.set.pop().n}")

    def walk(self) -> None:
        self.seen.append(names(self.set))

    def walk_listed(self) -> None:
        self.seen.append(names(list(self.set)))

    def first(self) -> None:
        self.seen.append(names(itertools.islice(self.set, 1)))

    def walk_and_replace(self, after: int, gone: int, come: int) -> None:
        """Without a change of its size, that a walk would notice."""
        seen = []
        for thing in self.set:
            seen.append(thing)
            if len(seen) == after and self.things[gone] in self.set and self.things[come] not in self.set:
                self.set.discard(self.things[gone])
                self.set.add(self.things[come])
            if len(seen) > 12:  # a table that is built anew again and again has no end
                break
        self.seen.append(names(seen))

    def walk_and_shrink(self, gone: int) -> None:
        walk = iter(self.set)
        seen = list(itertools.islice(walk, 1))
        self.set.discard(self.things[gone])
        try:
            seen.extend(walk)
        except RuntimeError:
            self.seen.append("changed")
        self.seen.append(names(seen))

    def compare(self) -> None:
        """With sets of the same elements that have been walked, or that know their hash."""
        others = {*self.set}, frozenset(self.set), OwnSet(self.set), OwnFrozenSet(self.set)
        walked = [names(others[0]) != "", len({others[1]: 1, others[3]: 1})]
        equal = [self.set == other for other in others] + [other == self.set for other in others]
        more = {*self.set, self.things[0]}
        walked.append(names(more) != "")
        subsets = [self.set <= more, self.set < more, self.set != more, more >= self.set, self.set.isdisjoint(more)]
        self.seen.append(f"{walked} {equal} {subsets}")

    def clear(self) -> None:
        self.set.clear()

    def union(self, *numbers: int) -> None:
        if len(self.set | self.chosen(numbers)) <= MOST:
            self.set |= self.chosen(numbers)

    def update(self, *numbers: int) -> None:
        if len(self.set | self.chosen(numbers)) <= MOST:
            self.set.update([self.things[n] for n in numbers])

    def subtract(self, *numbers: int) -> None:
        self.set -= self.chosen(numbers)

    def intersect(self, *numbers: int) -> None:
        self.set &= self.chosen(numbers)

    def toggle(self, *numbers: int) -> None:
        if len(self.set ^ self.chosen(numbers)) <= MOST:
            self.set ^= self.chosen(numbers)

    def turn_over(self, n: int) -> None:
        """Until the table has been built anew."""
        for _ in range(6):
            if self.things[n] in self.set or len(self.set) < MOST:
                self.set.symmetric_difference_update([self.things[n]])


Step = tuple[Callable[..., None], tuple[int, ...]]
CHANGES = (Shelf.add, Shelf.add, Shelf.add, Shelf.discard, Shelf.turn_over)
COMPARED: list[Step] = [(Shelf.add, (2,)), (Shelf.walk, ()), (Shelf.compare, ()), (Shelf.walk, ())]
CHANGES_OF_SEVERAL = (Shelf.union, Shelf.update, Shelf.subtract, Shelf.intersect, Shelf.toggle)
WALKS = (Shelf.walk, Shelf.walk_listed, Shelf.first, Shelf.pop)


def drawn(rng: random.Random) -> list[Step]:
    def one() -> Step:
        kind = rng.randrange(10)
        if kind < 4:
            return rng.choice(CHANGES), (rng.randrange(ELEMENTS),)
        if kind < 5:
            return rng.choice(CHANGES_OF_SEVERAL), tuple(rng.sample(range(ELEMENTS), 2))
        if kind < 6:
            return Shelf.walk_and_replace, (rng.randint(1, 2), *rng.sample(range(ELEMENTS), 2))
        if kind < 7:
            return rng.choice([(Shelf.walk_and_shrink, (rng.randrange(ELEMENTS),)), (Shelf.clear, ())])
        return rng.choice(WALKS), ()

    return [one() for _ in range(rng.randint(3, 7))]


def run(shelf: Shelf, steps: list[Step]) -> None:
    for step, arguments in steps:
        step(shelf, *arguments)


def outcome(steps: list[Step], things: list[Thing]) -> str:
    shelf = Shelf(things)
    run(shelf, steps)
    return " ".join(shelf.seen)


def real(steps: list[Step], seed: int) -> set[str]:
    """What comes out in this interpreter, as it is."""
    rng = random.Random(seed)
    pool = [Thing(0) for _ in range(600)]

    def things() -> list[Thing]:
        picked = rng.sample(pool, ELEMENTS)
        for n, thing in enumerate(picked):
            thing.n = n
        return picked

    return {outcome(steps, things()) for _ in range(REAL_RUNS)}


def explored(programs: list[Callable[[], str]], *, prune: bool = True) -> dict[int, set[str]]:
    def program() -> object:
        number = _bridge.choose(len(programs))
        return number, programs[number]()

    report = driver.explore(
        program,
        fingerprint=prune,
        prune=prune,
        guard=False,
        check=prune,
        max_executions=3_000_000,
        timeout_s=600,
    )
    found: dict[int, set[str]] = defaultdict(set)
    for text in report.results:
        assert text.startswith("("), text
        number, seen = eval(text)
        found[number].add(seen)
    return found


def fresh() -> list[Thing]:
    return [Thing(n) for n in range(ELEMENTS)]


RARE: list[list[Step]] = [
    COMPARED,
    # A pop begins behind the last one, a walk at the front.
    [(Shelf.pop, ()), (Shelf.add, (2,)), (Shelf.add, (3,)), (Shelf.walk, ()), (Shelf.pop, ())],
]


def compare_with_real_runs(seeds: range) -> None:
    programs = [drawn(random.Random(seed)) for seed in seeds[len(RARE) :]] + RARE
    found = explored([lambda steps=steps: outcome(steps, fresh()) for steps in programs])  # type: ignore[misc]
    for number, steps in enumerate(programs):
        lost = real(steps, seeds[number]) - found[number]
        assert not lost, f"{[(f.__name__, a) for f, a in steps]} lost {sorted(lost)}"
    assert sum(len(outcomes) > 1 for outcomes in found.values()) > len(programs) // 2


def test_nothing_that_really_comes_out_is_lost() -> None:
    compare_with_real_runs(range(60))


@pytest.mark.campaign
@pytest.mark.parametrize("first", range(100, 3100, 100))
def test_nothing_is_lost_by_any_of_many(first: int) -> None:
    compare_with_real_runs(range(first, first + 100))


# ---- merging ----------------------------------------------------------------------------------------


def meeting(before: list[list[Step]], after: list[Step]) -> Callable[[], str]:
    """What is seen at first is forgotten, so that states meet; what is left of it shows in what is seen later."""

    def program() -> str:
        shelf = Shelf(fresh())
        run(shelf, before[_bridge.choose(2)])
        shelf.seen.clear()
        _bridge.choose(2)
        run(shelf, after)
        return " ".join(shelf.seen)

    return program


def forgetful(seed: int) -> Callable[[], str]:
    rng = random.Random(seed)
    return meeting([drawn(rng)[:3], drawn(rng)[:3]], drawn(rng)[:4])


def gone_in_two_ways(order: int) -> Callable[[], str]:
    """Both leave the same elements, and only one of them says where the next pop begins."""
    popped, discarded = [(Shelf.add, (2,)), (Shelf.pop, ())], [(Shelf.add, (2,)), (Shelf.discard, (0,))]
    return meeting([popped, discarded][::order], [(Shelf.walk, ()), (Shelf.pop, ())])


def shared(seed: int) -> Callable[[], str]:
    """Two threads, one step each at a time."""
    rng = random.Random(seed)
    parts = drawn(rng)[:2], drawn(rng)[:2]

    def program() -> str:
        shelf, lock = Shelf(fresh()), _thread.allocate_lock()

        def work(steps: list[Step]) -> None:
            for step in steps:
                with lock:
                    run(shelf, [step])

        join(*(lambda steps=steps: work(steps) for steps in parts))  # type: ignore[misc]
        return " ".join(shelf.seen)

    return program


def compare_merged_with_exact(make: Callable[[int], Callable[[], str]], seeds: range) -> None:
    programs = [make(seed) for seed in seeds]
    found, wanted = explored(programs), explored(programs, prune=False)
    assert [seed for n, seed in enumerate(seeds) if found[n] != wanted[n]] == []


def test_merging_loses_no_order() -> None:
    compare_merged_with_exact(forgetful, range(10))
    compare_merged_with_exact(gone_in_two_ways, range(-1, 2, 2))
    compare_merged_with_exact(shared, range(4, 8))


@pytest.mark.campaign
@pytest.mark.parametrize("first", range(100, 1100, 50))
def test_merging_loses_no_order_of_many(first: int) -> None:
    compare_merged_with_exact(forgetful, range(first, first + 50))
    compare_merged_with_exact(shared, range(first, first + 5))


# ---- reductions -----------------------------------------------------------------------------------


def both_walk() -> object:
    things, seen = {Thing(0), Thing(1), Thing(2)}, types.SimpleNamespace()

    def work(name: str) -> None:
        setattr(seen, name, names(things))

    threads = [threading.Thread(target=work, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return seen.a, seen.b


def one_adds() -> object:
    first, more, seen = Thing(0), Thing(1), []
    things = {first, Thing(2)}

    def change() -> None:
        things.discard(first)
        things.add(more)

    thread = threading.Thread(target=change)
    thread.start()
    try:
        for thing in things:
            seen.append(thing.n)
    except RuntimeError:
        seen.append("changed")
    thread.join()
    return seen, names(things)


def first_of_two_locks() -> object:
    """A deadlock is possible if sets of the same locks are walked in different orders."""

    class Account:
        def __init__(self) -> None:
            self.lock = threading.Lock()

    accounts = [Account(), Account()]

    def transfer(these: set[Account]) -> None:
        one, other = these
        with one.lock, other.lock:
            pass

    threads = [threading.Thread(target=transfer, args=(set(these),)) for these in (accounts, accounts[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return "done"


def pops_of_both() -> object:
    things, seen = {Thing(0), Thing(1), Thing(2)}, types.SimpleNamespace()

    def work(name: str) -> None:
        setattr(seen, name, things.pop().n)

    threads = [threading.Thread(target=work, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return seen.a, seen.b, names(things)


@pytest.mark.parametrize("program", [both_walk, one_adds, first_of_two_locks, pops_of_both], ids=lambda f: f.__name__)
def test_strategies_find_the_same(program: Callable[[], object]) -> None:
    def search(subject: Subject) -> dict[str, frozenset[str]]:
        found = {name: subject.search(name) for name in ("dfs", "dpor", "source-dpor", "exhaust")}
        assert all(one.complete for one in found.values())
        return {name: one.results for name, one in found.items()}

    found = explore_with(program, search)
    assert len(set(found.values())) == 1
    assert len(found["dfs"]) > 1


# ---- one by one -------------------------------------------------------------------------------------


def test_an_order_stays_as_long_as_nothing_is_added() -> None:
    def program() -> object:
        things = set(fresh()[:3])
        first, *rest = things
        ways = [
            names([first, *rest]),
            names(list(things)),
            names(sorted(things, key=lambda thing: 0)),
            names(tuple(things)),
            "".join(map(names, zip(things))),
            names(reversed([*reversed([*things])])),
            names(thing for thing in things),
            names(dict(zip(things, things, strict=True))),
        ]
        things.discard(first)
        assert names(things) == names(rest)
        return len(set(ways)), ways[0]

    assert explore(program).results == {f"(1, '{names}')" for names in map("".join, itertools.permutations("012"))}


def test_futures_and_tasks() -> None:
    def program() -> object:
        with ThreadPoolExecutor(2) as pool:
            futures = [pool.submit(int), pool.submit(int)]
            done, pending = wait(futures, return_when=FIRST_COMPLETED)
            return [futures.index(future) for group in (done, pending) for future in group], len(pending)

    found = explore(program)
    assert found.complete
    assert found.results == {f"([{order}], {pending})" for order in ("0, 1", "1, 0") for pending in (0, 1)}


def test_five_are_walked_as_they_lie() -> None:
    def program() -> object:
        return names({Thing(n) for n in range(5)})

    report = driver.explore(program, fingerprint=True, prune=True, guard=False)
    assert report.results == {"restart: observe orders"}


def test_others_are_no_choice() -> None:
    """Frozen sets, subclasses and what is not hashed by its address alone."""

    class Own(set[object]):
        pass

    kept, other = Thing(0), Thing(1)
    made: list[Callable[[], Iterable[object]]] = [
        lambda: frozenset(fresh()[:2]),
        lambda: Own(fresh()[:2]),
        lambda: {Thing(0), 1},
        lambda: {weakref.ref(kept), weakref.ref(other)},
        lambda: {Thing(0), kept},
        lambda: {object(), object()},
    ]

    def program() -> object:
        return [*made[_bridge.choose(len(made))]()]

    report = driver.explore(program, fingerprint=True, prune=True, guard=False)
    assert report.results <= {"restart: observe orders"}
    assert report.executions == len(made)
