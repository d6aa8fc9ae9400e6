"""Iterators of every builtin, of `itertools` and of others."""

from __future__ import annotations

import array
import collections
import csv
import io
import itertools
import re
import struct
from collections.abc import Callable, Iterator
from typing import Any

from mutations import Build, Case, case


class Sequence:
    """Iterated by index."""

    def __getitem__(self, i: int) -> int:
        if i > 5:
            raise IndexError
        return i


class Thing:
    pass


def advanced(make: Build, n: int) -> Build:
    def build() -> Any:
        made = make()
        for _ in range(n):
            next(made[1] if type(made) is tuple else made)
        return made

    return build


def position(
    name: str,
    make: Build,
    *,
    steps: int = 3,
    existing: bool = True,
    others: tuple[Build, ...] = (),
    moves: bool = True,
) -> Case:
    """Each position is a state; so is what is left when it is over."""

    def forward(n: int) -> Callable[[Any], None]:
        def step(o: Any) -> None:
            for _ in range(n):
                next(o[1] if type(o) is tuple else o, None)

        return step

    return case(
        name, make, others=[*others], changes=[forward(n + 1) for n in range(steps)], existing=existing, moves=moves
    )


def counter() -> Callable[[], int]:
    numbers = iter(range(9))
    return lambda: next(numbers)


def holes_before() -> object:
    """The first entry is gone; the iterator stands behind it."""
    d = {"x": 0, "a": 1, "c": 2}
    iterator = iter(d)
    next(iterator)
    del d["x"]
    d["y"] = 3
    return d, iterator


def holes_between() -> object:
    """The second entry is gone; the iterator stands before it."""
    d = {"a": 1, "x": 0, "c": 2}
    iterator = iter(d)
    next(iterator)
    del d["x"]
    d["y"] = 3
    return d, iterator


def kept_tee(n: int) -> object:
    a, b = itertools.tee([1, 2, 3, 4])
    for _ in range(n):
        next(a)
    return a, b


def grouped(n: int) -> object:
    groups = itertools.groupby("aabbc")
    group = [next(groups)[1] for _ in range(n)][-1]
    return groups, group


def lines(n: int) -> object:
    stream = io.StringIO("a\nb\nc\n")
    for _ in range(n):
        next(stream)
    return stream


def numbers() -> Iterator[int]:
    yield from range(4)


D = {"a": 1, "b": 2, "c": 3}
NUMBERS = {1, 9, 17}
WORDS = frozenset({"a", "b", "c"})

CASES: list[Case] = [
    position("list iterator", lambda: iter([1, 1, 1, 1]), others=(lambda: iter([1, 1, 1]), lambda: iter((1, 1, 1, 1)))),
    position("reversed list", lambda: reversed([1, 1, 1, 1])),
    position("tuple iterator", lambda: iter((1, 1, 1, 1))),
    position("range iterator", lambda: iter(range(4)), others=(lambda: iter(range(5)), lambda: iter(range(0, 8, 2)))),
    position("reversed range", lambda: reversed(range(4))),
    position("long range iterator", lambda: iter(range(10**20, 10**20 + 4))),
    position("ascii iterator", lambda: iter("aaaa")),
    position("text iterator", lambda: iter("éééé")),
    position("bytes iterator", lambda: iter(b"aaaa")),
    position("bytearray iterator", lambda: iter(bytearray(b"aaaa"))),
    position("memoryview iterator", lambda: iter(memoryview(b"aaaa"))),
    position("array iterator", lambda: iter(array.array("i", [1, 1, 1, 1]))),
    position("sequence iterator", lambda: iter(Sequence())),
    position("reversed sequence", lambda: reversed(collections.UserList([1, 1, 1, 1]))),
    position("callable iterator", lambda: iter(counter(), 8)),
    position("dict iterator", lambda: (d := dict(D), iter(d))),
    position("dict value iterator", lambda: (d := dict(D), iter(d.values()))),
    position("dict item iterator", lambda: (d := dict(D), iter(d.items()))),
    position("reversed dict", lambda: (d := dict(D), reversed(d))),
    position("reversed dict items", lambda: (d := dict(D), reversed(d.items()))),
    position("reversed dict values", lambda: (d := dict(D), reversed(d.values()))),
    position("attribute iterator", lambda: (o := Thing(), [setattr(o, n, 1) for n in "abc"], iter(vars(o)))[::2]),
    case("holes before a dict iterator", holes_before, others=[holes_between], existing=False),
    position("iterator of an existing set", lambda: iter(NUMBERS), others=(lambda: iter(WORDS),)),
    position("iterator of an existing frozenset", lambda: iter(WORDS)),
    position("iterator of a small set", lambda: (s := {5}, iter(s)), steps=1, others=(lambda: (s := {6}, iter(s)),)),
    position("deque iterator", lambda: (d := collections.deque([1, 1, 1, 1]), iter(d))),
    position("reversed deque", lambda: (d := collections.deque([1, 1, 1, 1]), reversed(d))),
    position("OrderedDict iterator", lambda: (d := collections.OrderedDict(D), iter(d))),
    position("OrderedDict items", lambda: (d := collections.OrderedDict(D), iter(d.items()))),
    position("enumerate", lambda: enumerate([7, 7, 7, 7]), others=(lambda: enumerate([7, 7, 7, 7], 10**20),)),
    position(
        "zip",
        lambda: zip([1, 1, 1, 1], [2, 2, 2, 2], strict=False),
        others=(lambda: zip([1, 1, 1, 1], [2, 2, 2, 2], strict=True),),
    ),
    position("map", lambda: map(abs, [1, 1, 1, 1]), others=(lambda: map(int, [1, 1, 1, 1]),)),
    position("filter", lambda: filter(None, [1, 1, 1, 1])),
    position(
        "count",
        lambda: itertools.count(1),
        others=(lambda: itertools.count(1, 2), lambda: itertools.count(1.0), lambda: itertools.count(10**20)),
    ),
    position("cycle", lambda: itertools.cycle([1, 2, 3, 4, 5])),
    position("cycle of itself", lambda: itertools.cycle(iter([1, 2])), steps=2),
    position(
        "repeat", lambda: itertools.repeat(1, 9), others=(lambda: itertools.repeat(1), lambda: itertools.repeat(2, 9))
    ),
    position(
        "accumulate",
        lambda: itertools.accumulate([1, 1, 1, 1]),
        others=(lambda: itertools.accumulate([1, 1, 1, 1], initial=0),),
    ),
    position("chain", lambda: itertools.chain([1, 1], [1, 1])),
    position("chain of iterable", lambda: itertools.chain.from_iterable([[1, 1], [1, 1]])),
    position("compress", lambda: itertools.compress([1, 1, 1, 1], [1, 1, 1, 1])),
    position("dropwhile", lambda: itertools.dropwhile(bool, [1, 0, 1, 1, 1])),
    position("takewhile", lambda: itertools.takewhile(bool, [1, 1, 1, 1])),
    position("filterfalse", lambda: itertools.filterfalse(None, [0, 0, 0, 0])),
    position("islice", lambda: itertools.islice([1] * 9, 1, 9, 2)),
    position("pairwise", lambda: itertools.pairwise([1, 1, 1, 1, 1])),
    position("starmap", lambda: itertools.starmap(pow, [(1, 1)] * 4)),
    position("zip_longest", lambda: itertools.zip_longest([1, 1, 1], [1, 1, 1, 1], fillvalue=5)),
    position("product", lambda: itertools.product("ab", "ab")),
    position("permutations", lambda: itertools.permutations("abc", 2)),
    position("combinations", lambda: itertools.combinations("abcd", 2)),
    position("combinations again", lambda: itertools.combinations_with_replacement("abc", 2)),
    case("tee", lambda: kept_tee(0), others=[lambda: kept_tee(1), lambda: kept_tee(2)], changes=[lambda o: next(o[1])]),
    case(
        "groupby", lambda: grouped(1), others=[lambda: grouped(2)], changes=[lambda o: next(o[1]), lambda o: next(o[0])]
    ),
    position("match iterator", lambda: re.compile("a").finditer("aaaaa")),
    position("unpacking", lambda: struct.iter_unpack("b", b"\1\1\1\1")),
    position("CSV", lambda: csv.reader(["a,b", "a,b", "a,b", "a,b"])),
    position("lines", lambda: io.StringIO("a\na\na\na\n")),
    position("lines of bytes", lambda: io.BytesIO(b"a\na\na\na\n")),
    position("generator", numbers),
    position("generator expression", lambda: (x for x in [1, 1, 1, 1])),
]
