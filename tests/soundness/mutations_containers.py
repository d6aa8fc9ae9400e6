"""Lists, dictionaries, sets and what `collections` has."""

from __future__ import annotations

import builtins
import collections
import types
from typing import Any, NamedTuple

from mutations import Case, case
from pairs import after, call, drop, put


class Plain:
    def __init__(self, *values: object) -> None:
        self.values = values


class Block:
    pass


class Marked(list[Any]):
    mark: object


class SlottedList(list[Any]):
    __slots__ = ("mark",)
    mark: object


class Mapping(dict[Any, Any]):
    mark: object


class Items(tuple[Any, ...]):
    mark: object


class Bag(set[Any]):
    mark: object


class Ordered(collections.OrderedDict[Any, Any]):
    mark: object


class Queue(collections.deque[Any]):
    mark: object


class Point(NamedTuple):
    x: object
    y: object


class Hashed:
    """Hash and equality of its own: its place in a table does not follow from its address."""

    def __init__(self, n: int) -> None:
        self.n = n

    def __hash__(self) -> int:
        return self.n

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Hashed) and other.n == self.n


def at(key: Any, value: Any) -> Any:
    return lambda o: o.__setitem__(key, value)


def without(key: Any) -> Any:
    return lambda o: o.__delitem__(key)


def crossed(swap: bool) -> object:
    a, b = [1], [1]
    return a, b, [b if swap else a]


def with_instance_dict(n: int) -> object:
    made = Plain(1)
    made.x = n  # type: ignore[attr-defined]
    return vars(made)


CASES: list[Case] = [
    case(
        "tuple",
        lambda: (1, [2], "c"),
        others=[lambda: (1, [3], "c"), lambda: (1, [2]), lambda: [1, [2], "c"]],
        changes=[lambda o: o[1].append(1)],
    ),
    case(
        "tuple subclass",
        lambda: Items([1, 2]),
        others=[lambda: Items([1, 3]), lambda: (1, 2)],
        undone=[lambda o: (put("mark", 1)(o), drop("mark")(o))],
        changes=[put("mark", 1), put("mark", 2), put("other", 1)],
    ),
    case(
        "named tuple",
        lambda: Point([1], 2),
        others=[lambda: Point([1], 3), lambda: ([1], 2)],
        changes=[lambda o: o.x.append(1)],
    ),
    case(
        "list",
        lambda: [1, [2], 3],
        undone=[
            lambda o: (o.append(4), o.pop()),
            lambda o: (o.extend(range(100)), o.__delitem__(slice(3, None))),
            lambda o: (o.reverse(), o.reverse()),
            lambda o: (o.insert(0, 9), o.pop(0)),
            lambda o: (o[1].append(1), o[1].pop()),
            lambda o: len(o),
        ],
        changes=[
            call("append", 4),
            call("pop"),
            at(0, 2),
            at(0, 1.0),
            at(0, True),
            call("reverse"),
            call("clear"),
            lambda o: o[1].append(1),
            lambda o: o.__setitem__(1, o),
            lambda o: o.append(o[1]),
        ],
    ),
    case(
        "list subclass",
        lambda: Marked([1]),
        undone=[lambda o: (put("mark", 1)(o), drop("mark")(o)), vars],
        changes=[put("mark", 1), put("mark", 2), call("append", 1), lambda o: vars(o).__setitem__("z", 1)],
    ),
    case(
        "list subclass with slots",
        lambda: SlottedList([1]),
        undone=[lambda o: (put("mark", 1)(o), drop("mark")(o))],
        changes=[put("mark", 1), put("mark", None), call("append", 1)],
    ),
    case("aliases", lambda: crossed(False), others=[lambda: crossed(True), lambda: ([1], [1], [[1]])]),
    case(
        "dict",
        lambda: {"a": 1, "b": [2], 3: 4},
        undone=[
            lambda o: (at("c", 1)(o), without("c")(o)),
            lambda o: ([at(i, i)(o) for i in range(10, 99)], [without(i)(o) for i in range(10, 99)]),
            lambda o: (without(3)(o), at(3, 4)(o)),
            lambda o: (at("a", 2)(o), at("a", 1)(o)),
            lambda o: o.copy(),
            lambda o: (o.popitem(), at(3, 4)(o)),
            lambda o: list(o.items()),
        ],
        others=[lambda: {"b": [2], "a": 1, 3: 4}, lambda: {"a": 1, "b": [2], 3.0: 4}],
        changes=[
            at("a", 2),
            at("a", True),
            at("d", 1),
            without("a"),
            lambda o: o["b"].append(1),
            call("clear"),
            lambda o: (without("a")(o), at("a", 1)(o)),
            at("b", None),
        ],
    ),
    case(
        "dict of text",
        lambda: {"a": 1, "b": 2},
        undone=[lambda o: (at(1, 1)(o), without(1)(o)), lambda o: (at("z", 1)(o), without("z")(o))],
        changes=[at("a", 2), without("b"), lambda o: (without("a")(o), at("a", 1)(o)), at(1, 1)],
    ),
    case(
        "dict of objects",
        lambda: {Plain(1): 1, Plain(2): 2},
        undone=[lambda o: (at(Block, 1)(o), without(Block)(o))],
        changes=[lambda o: o.popitem(), lambda o: at(next(iter(o)), 5)(o), lambda o: put("values", 1)(next(iter(o)))],
    ),
    case(
        "dict with own hash",
        lambda: {Hashed(1): 1, Hashed(9): 2},
        undone=[lambda o: (at(Hashed(17), 1)(o), without(Hashed(17))(o))],
        changes=[at(Hashed(1), 3), without(Hashed(1)), at(Hashed(17), 1)],
    ),
    case(
        "dict subclass",
        lambda: Mapping(a=1),
        undone=[lambda o: (put("mark", 1)(o), drop("mark")(o))],
        changes=[put("mark", 1), at("a", 2), at("b", 2)],
    ),
    case(
        "attributes as dict",
        lambda: with_instance_dict(1),
        undone=[lambda o: (at("y", 1)(o), without("y")(o))],
        changes=[at("x", 2), at("y", 1), without("x"), call("clear")],
    ),
    case(
        "keys",
        lambda: (d := {"a": 1, "b": 2}, d.keys()),
        others=[
            lambda: (d := {"a": 1, "b": 2}, d.values()),
            lambda: (d := {"a": 1, "b": 2}, d.items()),
            lambda: (d := {"a": 1, "b": 2}, dict(d).keys()),
        ],
        changes=[lambda o: at("c", 1)(o[0])],
    ),
    case("mapping proxy", lambda: (d := {"a": 1}, types.MappingProxyType(d)), changes=[lambda o: at("c", 1)(o[0])]),
    case(
        "set",
        lambda: {1, 2, "a"},
        undone=[lambda o: (o.add(3), o.discard(3)), lambda o: (o.discard(1), o.add(1)), lambda o: len(o)],
        others=[lambda: frozenset({1, 2, "a"}), lambda: {1, 2.0, "a"} - {0}],
        changes=[call("add", 3), call("discard", 1), call("clear")],
    ),
    case(
        "set of objects",
        lambda: {Plain(1), Plain(2), Plain(3)},
        again=[lambda: {Plain(3), Plain(2), Plain(1)}],
        undone=[lambda o: (o.add(Block), o.discard(Block))],
        others=[
            lambda: {Plain(1), Plain(2), Plain(4)},
            lambda: {Plain(1), Plain(2)},
            lambda: {Plain(1), Plain(2), Plain(3), Plain(3)},
        ],
        changes=[lambda o: o.add(Plain(9)), call("clear")],
    ),
    case(
        "set with own hash",
        lambda: {Hashed(1), Hashed(2)},
        undone=[lambda o: (o.add(Hashed(3)), o.discard(Hashed(3)))],
        others=[lambda: {Hashed(1), Hashed(3)}],
        changes=[lambda o: o.discard(Hashed(1)), lambda o: o.add(Hashed(3))],
    ),
    case(
        "frozenset",
        lambda: frozenset({1, (2, 3)}),
        again=[lambda: after(lambda: frozenset([(2, 3), 1, 1]), hash)],
        others=[lambda: frozenset({1, (2, 4)})],
    ),
    case(
        "set subclass",
        lambda: Bag({1}),
        undone=[lambda o: (put("mark", 1)(o), drop("mark")(o))],
        changes=[put("mark", 1), call("add", 2)],
    ),
    case(
        "deque",
        lambda: collections.deque([1, [2], 3], 9),
        undone=[
            lambda o: (o.append(1), o.pop()),
            lambda o: (o.appendleft(1), o.popleft()),
            lambda o: [(o.append(o.popleft())) for _ in range(300)],
            lambda o: (o.rotate(1), o.rotate(-1)),
        ],
        others=[lambda: collections.deque([1, [2], 3], 8), lambda: collections.deque([1, [2], 3])],
        changes=[
            call("append", 4),
            call("popleft"),
            call("rotate", 1),
            at(0, 2),
            lambda o: o[1].append(1),
            call("clear"),
            call("reverse"),
        ],
    ),
    case(
        "deque of blocks",
        lambda: collections.deque(range(200)),
        undone=[lambda o: ([o.append(i) for i in range(300)], [o.pop() for i in range(300)])],
        changes=[at(0, 9), at(100, 9), at(199, 9), lambda o: o.pop(), lambda o: o.popleft(), lambda o: o.remove(100)],
    ),
    case(
        "deque subclass",
        lambda: Queue([1]),
        undone=[lambda o: (put("mark", 1)(o), drop("mark")(o))],
        changes=[put("mark", 1), call("append", 1)],
    ),
    case(
        "OrderedDict",
        lambda: collections.OrderedDict(a=1, b=2, c=3),
        undone=[
            lambda o: (at("z", 1)(o), without("z")(o)),
            lambda o: (at("a", 2)(o), at("a", 1)(o)),
            lambda o: o.move_to_end("c"),
            lambda o: ([at(i, i)(o) for i in range(50)], [without(i)(o) for i in range(50)]),
        ],
        changes=[
            lambda o: o.move_to_end("a"),
            at("a", 2),
            without("b"),
            lambda o: o.popitem(last=False),
            put("mark", 1),
            at("d", 1),
        ],
    ),
    case(
        "OrderedDict subclass",
        lambda: Ordered(a=1),
        undone=[lambda o: (put("mark", 1)(o), drop("mark")(o))],
        changes=[put("mark", 1), at("a", 2)],
    ),
    case(
        "defaultdict",
        lambda: collections.defaultdict(list, a=[1]),
        undone=[lambda o: (o["b"], without("b")(o))],
        changes=[
            put("default_factory", dict),
            put("default_factory", None),
            lambda o: o["b"],
            lambda o: o["a"].append(1),
        ],
    ),
    case(
        "Counter",
        lambda: collections.Counter("aab"),
        undone=[lambda o: (o.update("c"), without("c")(o))],
        changes=[call("update", "a"), call("subtract", "a"), call("update", "c")],
    ),
    case(
        "ChainMap",
        lambda: collections.ChainMap({"a": 1}, {"b": 2}),
        undone=[lambda o: (at("c", 1)(o), without("c")(o))],
        changes=[at("a", 2), at("b", 1), lambda o: o.maps.reverse(), lambda o: o.maps[1].__setitem__("b", 3)],
    ),
    case("UserDict", lambda: collections.UserDict(a=1), changes=[at("a", 2), lambda o: put("data", {})(o)]),
    case("UserList", lambda: collections.UserList([1]), changes=[call("append", 2), at(0, 2)]),
    case(
        "namespace",
        lambda: types.SimpleNamespace(a=1),
        undone=[lambda o: (put("b", 1)(o), drop("b")(o))],
        changes=[put("a", 2), put("b", 1), drop("a")],
    ),
]
if hasattr(builtins, "frozendict"):  # 3.15
    frozendict: Any = builtins.frozendict
    CASES.append(
        case(
            "frozendict",
            lambda: frozendict(a=1, b=[2]),
            again=[lambda: frozendict([("a", 1), ("b", [2])]), lambda: frozendict(a=1) | {"b": [2]}],
            others=[
                lambda: frozendict(a=1, b=[3]),
                lambda: frozendict(b=[2], a=1),
                lambda: {"a": 1, "b": [2]},
            ],
            changes=[lambda o: o["b"].append(1)],
        )
    )
