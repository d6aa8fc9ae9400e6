"""Random changes of large structures: what is remembered of them says what a computation afresh says.

Every state is fingerprinted twice (`check`), and the outcomes are those of a search that merges nothing.
Broken on purpose (a page that was read is forgotten, a type, a reference that is only borrowed) these tests
or the pairs of `pairs_large` fail.
"""

from __future__ import annotations

import collections
import random
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from support import driver

from pytest_statespace._native import _bridge

pytestmark = pytest.mark.skipif(not _bridge.supported()[0], reason=_bridge.supported()[1])

SIZE = 500
STEPS = 4
WAYS = 3


class Point:
    def __init__(self, x: object, y: object) -> None:
        self.x = x
        self.y = y


class Slotted:
    __slots__ = ("__weakref__", "x", "y")

    def __init__(self, x: object, y: object) -> None:
        self.x = x
        self.y = y


BASE: dict[str, Any] = {
    "floats": [i / 3 for i in range(SIZE)],
    "names": {f"name {i}": [i] for i in range(SIZE)},
    "points": [Point(i, str(i)) for i in range(SIZE)],
}


class World:
    """Structures of all kinds, and what else refers to their parts."""

    def __init__(self) -> None:
        self.numbers = [10_000 + i for i in range(SIZE)]
        self.points = [Point(i, [f"text {i}", (i, {"z": i})]) for i in range(SIZE)]
        self.slotted = tuple(Slotted(i, Point(i, None)) for i in range(SIZE))
        self.names = {f"key {i}": (10_000 + i, float(i)) for i in range(SIZE)}
        self.mixed: dict[object, Any] = {(i, str(i)): {"at": i} for i in range(SIZE)}
        self.queue = collections.deque(Point(i, 0) for i in range(SIZE))
        self.kept: list[Any] = []

    def value(self) -> str:
        def plain(o: Any) -> Any:
            if isinstance(o, Point | Slotted):
                return type(o).__name__, plain(o.x), plain(o.y)
            if isinstance(o, dict):
                return [(plain(key), plain(value)) for key, value in o.items()]
            if isinstance(o, weakref.ref):
                return "reference", plain(o())
            return [plain(one) for one in o] if isinstance(o, list | tuple | collections.deque) else o

        return format(hash(repr(plain([list(vars(self).values()), list(BASE.values())]))), "x")


def _change_number(w: World, rng: random.Random) -> None:
    w.numbers[rng.randrange(len(w.numbers))] = rng.choice([rng.randrange(10_000), 1 << 80, 0])


def _move_numbers(w: World, rng: random.Random) -> None:
    at = rng.randrange(len(w.numbers))
    w.numbers[at : at + rng.randrange(3)] = [rng.randrange(10**6) for _ in range(rng.randrange(3))]


def _change_point(w: World, rng: random.Random) -> None:
    setattr(rng.choice(w.points), rng.choice("xyz"), rng.choice([1, "y", [2], {"a": 1.5}, (3, [4])]))


def _change_inside(w: World, rng: random.Random) -> None:
    o = rng.choice(w.points).y
    if isinstance(o, list):
        o.append(rng.randrange(5))


def _change_slot(w: World, rng: random.Random) -> None:
    rng.choice(w.slotted).y = rng.choice([None, Point(1, 2), [Point(3, 4)]])


def _share(w: World, rng: random.Random) -> None:
    candidates = rng.choice(w.points), rng.choice(w.slotted), vars(rng.choice(w.points)), rng.choice(w.queue)
    w.kept.append(rng.choice(candidates))


def _refer_weakly(w: World, rng: random.Random) -> None:
    w.kept.append(weakref.ref(rng.choice([*w.points, *w.slotted])))


def _let_go(w: World, rng: random.Random) -> None:
    if w.kept:
        w.kept.pop(rng.randrange(len(w.kept)))


def _put_twice(w: World, rng: random.Random) -> None:
    w.points[rng.randrange(len(w.points))] = rng.choice(w.points)


def _change_names(w: World, rng: random.Random) -> None:
    key = f"key {rng.randrange(2 * SIZE)}"
    if rng.randrange(2):
        w.names.pop(key, None)
    else:
        w.names[key] = rng.choice([(1, 2.0), (Point(1, 1), 0.0)])  # type: ignore[assignment]


def _change_mixed(w: World, rng: random.Random) -> None:
    rng.choice(list(w.mixed.values()))["at"] = rng.randrange(3)


def _change_queue(w: World, rng: random.Random) -> None:
    w.queue.rotate(rng.randrange(100))
    if rng.randrange(2):
        w.queue.popleft()


def _change_base(w: World, rng: random.Random) -> None:
    BASE["floats"][rng.randrange(SIZE)] = rng.random()
    BASE["names"].pop(f"name {rng.randrange(SIZE)}", None)


def _change_base_point(w: World, rng: random.Random) -> None:
    rng.choice(BASE["points"]).x = rng.choice([1, w.kept, "x"])


def _litter(w: World, rng: random.Random) -> None:
    """Leave holes in the memory between the structures."""
    w.kept.append([object.__new__(Point) for _ in range(rng.randrange(40))])


CHANGES: list[Callable[[World, random.Random], None]] = [
    _change_number, _move_numbers, _change_point, _change_inside, _change_slot, _share, _refer_weakly, _let_go,
    _put_twice, _change_names, _change_mixed, _change_queue, _change_base, _change_base_point, _litter,
]  # fmt: skip


def program(seed: int) -> Callable[[], str]:
    def run() -> str:
        world, path = World(), ""
        for _ in range(STEPS):
            path += str(_bridge.choose(WAYS))
            rng = random.Random(f"{seed} {path[-2:]}")  # the same changes over several ways
            for _ in range(rng.randrange(1, 4)):
                rng.choice(CHANGES)(world, rng)
        return world.value()

    return run


@pytest.mark.parametrize("seed", range(2))
def test_what_is_remembered_is_true(seed: int) -> None:
    merged = driver.explore(program(seed), fingerprint=True, prune=True, guard=False, check=True, timeout_s=120)
    exact = driver.explore(program(seed), guard=False, timeout_s=120)
    assert merged.results == exact.results
    assert merged.executions <= exact.executions == WAYS**STEPS


@pytest.mark.campaign
def test_campaign() -> None:
    for seed in range(2, 60):
        found = driver.explore(program(seed), fingerprint=True, prune=True, guard=False, check=True, timeout_s=300)
        assert not [text for text in found.results if ":" in text], (seed, found.outcomes)
