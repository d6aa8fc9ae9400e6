"""Numbers, text, tuples, lists, dictionaries, sets."""

from __future__ import annotations

import datetime
import decimal
import fractions
from typing import Any

from pairs import Pair, after, call, different, same


class Thing:
    def __init__(self, *values: object) -> None:
        self.values = values


class Text(str):
    __slots__ = ("mark",)
    mark: object


class Numbers(tuple[int, ...]):
    note: object


def shared() -> list[list[object]]:
    inner: list[object] = []
    return [inner, inner]


def with_hash() -> str:
    text = "".join(["q", "w"])
    hash(text)
    return text


def encoded() -> str:
    text = "é" * 3
    text.encode()
    return text


def iterated(d: dict[Any, Any]) -> object:
    iterator = iter(d)
    next(iterator)
    return d, iterator


PAIRS: list[Pair] = [
    same("large int", lambda: 10**30 + 1, lambda: 10**15 * 10**15 + 1),
    different("int by one", lambda: 10**30, lambda: 10**30 + 1),
    different("int sign", lambda: -(10**30), lambda: 10**30),
    different("int and bool", lambda: [1], lambda: [True]),
    same("float", lambda: 0.5 + 0.5, lambda: 2.0 / 2),
    different("negative zero", lambda: [0.0], lambda: [-0.0 * 1]),
    different("int and float", lambda: [1], lambda: [1.0]),
    same("complex", lambda: complex(1, 2), lambda: 1 + 2j),
    same("text built", lambda: "".join(["a", "b" * 3]), lambda: "abb" + "b"),
    same("text hashed", lambda: "".join(["q", "w"]), with_hash),
    same("text encoded", lambda: "é" * 3, encoded),
    different("text of other kind", lambda: ["\xff" * 2], lambda: ["\u01ff"]),
    different("text and bytes", lambda: ["ab"], lambda: [b"ab"]),
    same("bytes", lambda: b"a" + b"b" * 2, lambda: bytes([97, 98, 98])),
    different("bytes", lambda: b"a" * 40, lambda: b"a" * 39 + b"b"),
    same("text subclass", lambda: Text("ab"), lambda: Text("a" + "b")),
    different(
        "slot of text subclass", lambda: after(lambda: Text("ab"), lambda o: setattr(o, "mark", 1)), lambda: Text("ab")
    ),
    different(
        "attribute of tuple subclass",
        lambda: Numbers((1,)),
        lambda: after(lambda: Numbers((1,)), lambda o: setattr(o, "note", 1)),
    ),
    same(
        "bytearray tail",
        lambda: bytearray(b"abc"),
        lambda: after(lambda: bytearray(b"abcdefgh" * 20), lambda o: o.__delitem__(slice(3, None))),
    ),
    different("bytearray", lambda: bytearray(b"abc"), lambda: bytearray(b"abd")),
    same("list tail", lambda: [1, 2], lambda: after(lambda: [1, 2, [], {}], call("pop"), call("pop"))),
    different("list order", lambda: [1, 2], lambda: [2, 1]),
    different("list and tuple", lambda: [1, 2], lambda: (1, 2)),
    same("tuple", lambda: (1, [2]), lambda: (*[1], [2])),
    different("nested", lambda: [[[[[1]]]]], lambda: [[[[[2]]]]]),
    same("dict holes", lambda: {"a": 1, "c": 3}, lambda: after(lambda: {"a": 1, "b": 2, "c": 3}, call("pop", "b"))),
    different("dict order", lambda: {"a": 1, "c": 3}, lambda: {"c": 3, "a": 1}),
    different("dict value", lambda: {"a": 1}, lambda: {"a": 2}),
    same(
        "dict shrunk",
        lambda: {1: 1},
        lambda: after(lambda: {i: i for i in range(1, 100)}, lambda d: [d.pop(i) for i in range(2, 100)]),
    ),
    # The table decides when an insertion moves entries under an iterator.
    different(
        "dict holes under an iterator",
        lambda: iterated({"a": 1, "c": 3}),
        lambda: iterated(after(lambda: {"b": 0, "a": 1, "c": 3}, call("pop", "b"))),
    ),
    same("dict iterator", lambda: iterated({"a": 1, "c": 3}), lambda: iterated({"a": 1, "c": 3})),
    same("set", lambda: {"a"}, lambda: after(lambda: {"a", "b"}, call("discard", "b"))),
    different("set", lambda: {"a"}, lambda: {"b"}),
    different("set and frozenset", lambda: {"a"}, lambda: frozenset({"a"})),
    same("set of objects", lambda: {Thing(1), Thing(2)}, lambda: set([Thing(2), [], Thing(1)][::2])),
    different("set of objects", lambda: {Thing(1), Thing(2)}, lambda: {Thing(1), Thing(3)}),
    different("set of objects, deep", lambda: {Thing([[[[[[1]]]]]])}, lambda: {Thing([[[[[[2]]]]]])}),
    different("set of one object or two", lambda: {Thing(1)}, lambda: {Thing(1), Thing(1)}),
    same("frozenset", lambda: frozenset([1]), lambda: frozenset([1, 1])),
    different("aliasing", shared, lambda: [[], []]),
    same(
        "cycle",
        lambda: after(list, lambda o: o.append(o)),
        lambda: after(list, lambda o: o.append(0), lambda o: o.__setitem__(0, o)),
    ),
    # Immutable values are compared by value: `is` between equal numbers is not part of a state.
    same("sharing of ints", lambda: (lambda i: [i, i])(10**30), lambda: [10**30, 10**29 * 10]),
    same("Decimal", lambda: decimal.Decimal("0.5") + 1, lambda: decimal.Decimal("3.0") / 2),
    different("Decimal", lambda: decimal.Decimal("1.5"), lambda: decimal.Decimal("2.5")),
    different("Decimal, many digits", lambda: decimal.Decimal("1" * 90), lambda: decimal.Decimal("1" * 89 + "2")),
    same(
        "datetime",
        lambda: datetime.datetime(2020, 1, 1),
        lambda: datetime.datetime(2019, 12, 31) + datetime.timedelta(1),
    ),
    different("datetime", lambda: datetime.datetime(2020, 1, 1), lambda: datetime.datetime(2020, 1, 2)),
    same("Fraction", lambda: fractions.Fraction(1, 2), lambda: fractions.Fraction(2, 4)),
    different("slice", lambda: slice(1, 2), lambda: slice(1, 3)),
    different("range", lambda: range(5), lambda: range(6)),
    same(
        "many temporaries", lambda: None, lambda: after(lambda: [Thing(i) for i in range(1000)], call("clear")) or None
    ),
]
