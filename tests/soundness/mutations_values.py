"""Numbers, text, times: mostly immutable."""

from __future__ import annotations

import array
import datetime
import decimal
import fractions
import ipaddress
import pathlib
import re
import struct
import uuid

from mutations import Case, case
from pairs import after, call, drop, put


class Number(int):
    mark: object


class Real(float):
    __slots__ = ("mark",)
    mark: object


class Text(str):
    mark: object


class Octets(bytes):
    mark: object


def shown(view: memoryview) -> None:
    hash(view)


def halves() -> tuple[memoryview, memoryview]:
    view = memoryview(bytearray(b"abcd"))
    return view[:2], view[2:]


class Zone(datetime.tzinfo):
    """A time zone that moves: what was hashed before keeps its hash."""

    hours = 1

    def move(self) -> None:
        self.hours += 1

    def utcoffset(self, _: object) -> datetime.timedelta:
        return datetime.timedelta(hours=self.hours)


CASES: list[Case] = [
    case(
        "int",
        lambda: 10**20,
        again=[lambda: 10**10 * 10**10],
        others=[lambda: 10**20 + 1, lambda: -(10**20), lambda: 10**200, lambda: 1, lambda: 0, lambda: True],
    ),
    case("bool", lambda: True, others=[lambda: False, lambda: 1]),
    case(
        "float",
        lambda: 1.5,
        again=[lambda: 3.0 / 2],
        others=[
            lambda: -1.5,
            lambda: 1.5 + 2**-52,
            lambda: 0.0,
            lambda: -0.0,
            lambda: float("nan"),
            lambda: float("inf"),
        ],
    ),
    case("complex", lambda: 1 + 2j, again=[lambda: complex(1, 2)], others=[lambda: 1 - 2j, lambda: 2 + 1j]),
    case(
        "str",
        lambda: "".join(["ab", "cd"]),
        again=[lambda: after(lambda: "".join(["ab", "cd"]), hash), lambda: f"{'abc'}d"],
        others=[
            lambda: "abce",
            lambda: "abc",
            lambda: "abcd\0",
            lambda: "",
            lambda: "ábcd",
            lambda: "\u0142bcd",
            lambda: b"abcd",
        ],
    ),
    case(
        "bytes",
        lambda: bytes([1, 2, 3] * 10),
        again=[lambda: b"\1\2\3" * 10],
        others=[lambda: b"\1\2\3" * 9 + b"\1\2\4", lambda: b"\1\2\3" * 11, lambda: bytearray(b"\1\2\3" * 10)],
    ),
    case(
        "int subclass",
        lambda: Number(7),
        undone=[lambda o: after(lambda: o, put("mark", 1), drop("mark"))],
        others=[lambda: Number(8), lambda: 7],
        changes=[put("mark", 1), put("mark", 2)],
    ),
    case("float subclass", lambda: Real(0.5), others=[lambda: Real(0.25)], changes=[put("mark", 1), put("mark", [])]),
    case(
        "str subclass",
        lambda: Text("ab"),
        again=[lambda: after(lambda: Text("ab"), hash)],
        others=[lambda: Text("ac")],
        changes=[put("mark", 1)],
    ),
    case("bytes subclass", lambda: Octets(b"ab"), others=[lambda: Octets(b"ac")], changes=[put("mark", 1)]),
    case(
        "bytearray",
        lambda: bytearray(b"abc"),
        undone=[
            lambda o: (o.append(1), o.pop()),
            lambda o: (o.extend(bytes(500)), o.__delitem__(slice(3, None))),
            lambda o: (o.insert(0, 1), o.pop(0)),
            lambda o: memoryview(o).release(),
        ],
        changes=[call("append", 0), call("pop"), lambda o: o.__setitem__(1, 0), call("reverse"), call("clear")],
    ),
    case(
        "memoryview",
        lambda: memoryview(bytearray(b"abcdefgh")),
        undone=[lambda o: o[1:].release(), lambda o: (o.__setitem__(0, 1), o.__setitem__(0, 97))],
        others=[
            lambda: memoryview(b"abcdefgh"),
            lambda: memoryview(bytearray(b"abcdefgh"))[1:],
            lambda: memoryview(bytearray(b"abcdefgh"))[::2],
            lambda: memoryview(bytearray(b"abcdefgh")).cast("h"),
            lambda: memoryview(bytearray(b"abcdefgh")).cast("B", (2, 4)),
            lambda: memoryview(bytearray(b"abcdefgh")).toreadonly(),
        ],
        changes=[call("release"), lambda o: o.__setitem__(0, 1), lambda o: o.obj.__setitem__(7, 1)],
    ),
    case("memoryview hashed", lambda: memoryview(b"ab"), changes=[hash, call("release")]),  # its hash outlives it
    case(
        "two views",
        halves,
        undone=[lambda o: o[0][:1].release()],
        changes=[lambda o: o[0].release(), lambda o: o[1].release()],
    ),
    case(
        "array",
        lambda: array.array("i", [1, 2]),
        undone=[
            lambda o: (o.append(3), o.pop()),
            lambda o: (o.extend(range(1000)), o.__delitem__(slice(2, None))),
            lambda o: memoryview(o).release(),
        ],
        others=[lambda: array.array("I", [1, 2]), lambda: array.array("q", [1 + 2**33])],
        changes=[lambda o: o.append(0), lambda o: o.pop(), lambda o: o.__setitem__(0, 9), lambda o: o.byteswap()],
    ),
    case(
        "range",
        lambda: range(1, 10, 2),
        others=[lambda: range(1, 10, 3), lambda: range(1, 12, 2), lambda: range(0, 10, 2)],
    ),
    case("slice", lambda: slice(1, 2), others=[lambda: slice(1, 3), lambda: slice(1, 2, 1), lambda: slice(None, 2)]),
    case(
        "Decimal",
        lambda: decimal.Decimal("1.5"),
        again=[lambda: decimal.Decimal("3.0") / 2, lambda: after(lambda: decimal.Decimal("1.5"), hash)],
        others=[
            lambda: decimal.Decimal("1.50"),
            lambda: decimal.Decimal("-1.5"),
            lambda: decimal.Decimal("NaN"),
            lambda: decimal.Decimal("sNaN"),
            lambda: decimal.Decimal("Infinity"),
            lambda: decimal.Decimal("1" * 90),
            lambda: decimal.Decimal("1" * 89 + "2"),
        ],
    ),
    case(
        "decimal context",
        lambda: decimal.Context(prec=5),
        undone=[lambda o: (put("prec", 6)(o), put("prec", 5)(o)), lambda o: o.copy()],
        changes=[
            put("prec", 6),
            put("rounding", decimal.ROUND_UP),
            put("Emin", -5),
            put("Emax", 5),
            put("capitals", 0),
            put("clamp", 1),
            lambda o: o.divide(1, 3),
            lambda o: o.traps.__setitem__(decimal.Inexact, True),
        ],
    ),
    case("current decimal context", decimal.getcontext, changes=[put("prec", 6)]),
    case(
        "Fraction",
        lambda: fractions.Fraction(1, 2),
        again=[lambda: fractions.Fraction(2, 4)],
        others=[lambda: fractions.Fraction(1, 3)],
    ),
    case(
        "datetime",
        lambda: datetime.datetime(2020, 1, 1),
        again=[
            lambda: datetime.datetime(2019, 12, 31) + datetime.timedelta(1),
            lambda: after(lambda: datetime.datetime(2020, 1, 1), hash),
        ],
        others=[
            lambda: datetime.datetime(2020, 1, 2),
            lambda: datetime.datetime(2020, 1, 1, fold=1),
            lambda: datetime.datetime(2020, 1, 1, microsecond=1),
            lambda: datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc),  # noqa: UP017
            lambda: datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone(datetime.timedelta(hours=1))),
            lambda: datetime.date(2020, 1, 1),
        ],
    ),
    case("aware datetime", lambda: datetime.datetime(2020, 1, 1, tzinfo=Zone()), changes=[hash]),
    case("aware time", lambda: datetime.time(1, tzinfo=Zone()), changes=[hash, lambda o: o.tzinfo.move()]),
    case(
        "date",
        lambda: datetime.date(2020, 1, 1),
        again=[lambda: after(lambda: datetime.date(2020, 1, 1), hash)],
        others=[lambda: datetime.date(2020, 1, 2)],
    ),
    case(
        "time",
        lambda: datetime.time(1, 2),
        again=[lambda: after(lambda: datetime.time(1, 2), hash)],
        others=[lambda: datetime.time(1, 3), lambda: datetime.time(1, 2, fold=1)],
    ),
    case(
        "timedelta",
        lambda: datetime.timedelta(days=1),  # from 3.15 on, the first call with a name leaves a trace
        again=[lambda: after(lambda: datetime.timedelta(hours=24), hash)],
        others=[lambda: datetime.timedelta(2), lambda: datetime.timedelta(1, 1), lambda: datetime.timedelta(1, 0, 1)],
    ),
    case(
        "timezone",
        lambda: datetime.timezone(datetime.timedelta(hours=1)),
        others=[
            lambda: datetime.timezone(datetime.timedelta(hours=1), "x"),
            lambda: datetime.timezone(datetime.timedelta(hours=2)),
        ],
    ),
    case("UUID", lambda: uuid.UUID(int=5), others=[lambda: uuid.UUID(int=6)]),
    case("address", lambda: ipaddress.ip_address("10.0.0.1"), others=[lambda: ipaddress.ip_address("10.0.0.2")]),
    case("path", lambda: pathlib.PurePosixPath("a/b"), others=[lambda: pathlib.PurePosixPath("a/c")]),
    case("Struct", lambda: struct.Struct("<ih"), others=[lambda: struct.Struct("<ii"), lambda: struct.Struct(">ih")]),
    case("pattern", lambda: re.compile("a+b"), others=[lambda: re.compile("a+c"), lambda: re.compile("a+b", re.I)]),
    case(
        "match",
        lambda: re.compile("a(b)").match("ab"),
        undone=[lambda m: m.regs, lambda m: m.groups()],
        others=[
            lambda: re.compile("a(b)").match("abb"),
            lambda: re.compile("(ab)").match("ab"),
            lambda: re.compile("a(b)").search("ab", 0, 2),
        ][:2],
    ),
    case("types", lambda: [int, str], others=[lambda: [int, bytes]]),
]
