"""Instances in all layouts, classes, enumerations, data classes."""

from __future__ import annotations

import abc
import dataclasses
import enum
import types
from typing import Any, ClassVar, Generic, TypeVar

from mutations import Case, case
from pairs import drop, put

T = TypeVar("T")


def with_subclasses(order: str) -> tuple[type, dict[str, type]]:
    """A class and its subclasses, made in this order, and kept in another."""
    below = type("K", (), {})
    made = {name: type(name, (below,), {}) for name in order}
    return below, {name: made[name] for name in sorted(made)}


class Plain:
    pass


class Other:
    pass


class Base:
    pass


class Below(Base):
    pass


class BelowToo(Base):
    pass


BELOW: list[type] = []


class Slots:
    __slots__ = ("x", "y")


class SlotsToo:
    __slots__ = ("x", "y")


class SlotsBelow(Slots):
    __slots__ = ("z",)


class SlotsAndDict(Slots):
    pass


class SlotsAndWeak:
    __slots__ = ("__weakref__", "x")


class Returning:
    """Comes back once: the finalizer is not called again."""

    gone: ClassVar[list[object]] = []

    def __del__(self) -> None:
        Returning.gone.append(self)


def came_back() -> object:
    Returning()
    return Returning.gone.pop()


class Meta(type):
    mark: object


class WithMeta(metaclass=Meta):
    pass


class Error(Exception):
    pass


class SlottedError(Exception):
    __slots__ = ("x",)


class Property:
    @property
    def x(self) -> int:
        return 1


class Big:
    def __init__(self) -> None:
        for i in range(40):
            setattr(self, f"a{i}", i)


class Box(Generic[T]):
    item: T


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


class Flags(enum.Flag):
    A = 1
    B = 2


@dataclasses.dataclass
class Data:
    a: int
    b: list[int] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True, slots=True)
class Frozen:
    a: int


@dataclasses.dataclass(order=True, slots=True)
class Ordered:
    a: int
    b: int = 2


class Abstract(abc.ABC):
    @abc.abstractmethod
    def f(self) -> None: ...


def made(cls: type, **attributes: object) -> Any:
    o = cls()
    for name, value in attributes.items():
        setattr(o, name, value)
    return o


def new_class(**attributes: object) -> type:
    return type("K", (Plain,), attributes)


def with_instance() -> Any:
    k = new_class(a=1)
    return k, k(), k()


def crossed(swap: bool) -> object:
    a, b = made(Plain, x=1), made(Plain, x=1)
    return a, b, vars(b if swap else a)


def cell(value: object) -> types.CellType:
    return types.CellType(value)


def swapped_keys() -> Any:
    o = made(Plain, y=2, x=1)
    del o.y
    o.y = 2
    return o


CASES: list[Case] = [
    case(
        "instance",
        lambda: made(Plain, x=1, y=2),
        again=[swapped_keys],
        undone=[
            lambda o: (put("z", 1)(o), drop("z")(o)),
            lambda o: (put("x", 5)(o), put("x", 1)(o)),
            vars,
            lambda o: ([put(f"n{i}", 1)(o) for i in range(60)], [drop(f"n{i}")(o) for i in range(60)]),
            lambda o: (put("__class__", Other)(o), put("__class__", Plain)(o)),
            lambda o: put("__dict__", {"x": 1, "y": 2})(o),
        ],
        others=[lambda: made(Plain, y=2, x=1), lambda: made(Plain, x=1)],
        changes=[
            put("x", 2),
            put("x", 1.0),
            put("z", 1),
            drop("x"),
            put("__class__", Other),
            lambda o: vars(o).__setitem__("zz", 1),
            lambda o: vars(o).clear(),
            lambda o: put("x", o)(o),
            lambda o: put("__dict__", {"y": 2, "x": 1})(o) or put("w", 1)(o),
        ],
    ),
    case(
        "instance after changes of its class",
        with_instance,
        undone=[lambda o: (put("q", 1)(o[0]), drop("q")(o[0]))],
        changes=[
            lambda o: put("a", 2)(o[0]),
            lambda o: put("f", lambda self: 1)(o[0]),
            lambda o: put("a", 2)(o[1]),
            lambda o: put("b", 2)(o[2]),
        ],
        repeats=False,
    ),
    case("attributes of which", lambda: crossed(False), others=[lambda: crossed(True)], existing=False),
    case(
        "slots",
        lambda: made(Slots, x=1),
        undone=[lambda o: (put("y", 1)(o), drop("y")(o))],
        changes=[put("x", 2), put("y", 1), drop("x"), put("__class__", SlotsToo), put("x", None)],
    ),
    case(
        "inherited slots",
        lambda: made(SlotsBelow, x=1, z=2),
        changes=[put("x", 2), put("z", 3), put("y", 1), drop("z")],
    ),
    case(
        "slots and dict",
        lambda: made(SlotsAndDict, x=1, w=2),
        undone=[lambda o: (put("q", 1)(o), drop("q")(o))],
        changes=[put("x", 2), put("w", 3), put("q", 1), drop("w"), drop("x")],
    ),
    case("slots and weak references", lambda: made(SlotsAndWeak, x=1), changes=[put("x", 2), drop("x")]),
    case(
        "many attributes",
        Big,
        undone=[lambda o: (put("z", 1)(o), drop("z")(o))],
        changes=[put("a39", 0), put("z", 1), drop("a7")],
    ),
    case("property", lambda: made(Property), changes=[lambda o: vars(o).__setitem__("x", 2)]),
    case(
        "exception",
        lambda: Error(1),
        undone=[lambda o: (put("n", 1)(o), drop("n")(o))],
        changes=[
            put("args", (2,)),
            put("n", 1),
            put("__cause__", Error(2)),
            put("__context__", Error(3)),
            put("__suppress_context__", True),
            lambda o: o.add_note("x"),
        ],
    ),
    case("exception with slots", lambda: SlottedError(1), changes=[put("x", 1), put("args", ())]),
    case("system exit", lambda: SystemExit(1), changes=[put("code", 2), put("args", (2,))]),
    case(
        "OS error", lambda: OSError(1, "a", "b"), changes=[put("errno", 2), put("strerror", "c"), put("filename", "c")]
    ),
    case("stop iteration", lambda: StopIteration(1), changes=[put("value", 2)]),
    case(
        "exception group",
        lambda: ExceptionGroup("g", [Error(1)]),
        others=[lambda: ExceptionGroup("g", [Error(2)]), lambda: ExceptionGroup("h", [Error(1)])],
        changes=[lambda o: put("n", 1)(o.exceptions[0])],
    ),
    case(
        "import error",
        lambda: ImportError("x", name="n"),
        changes=[put("name", "m"), put("path", "p"), put("msg", "y")],
    ),
    case("attribute error", lambda: AttributeError("x", name="n"), changes=[put("name", "m"), put("obj", "p")]),
    case(
        "unicode error",
        lambda: UnicodeDecodeError("utf-8", b"ab", 0, 1, "r"),
        changes=[put("start", 1), put("end", 2), put("reason", "q"), put("object", b"cd")],
    ),
    case(
        "class",
        lambda: new_class(a=1, f=lambda self: 1),
        undone=[
            lambda o: (put("b", 1)(o), drop("b")(o)),
            lambda o: (put("a", 2)(o), put("a", 1)(o)),
            lambda o: o().f(),
            lambda o: [o().a for _ in range(60)],
            lambda o: isinstance(1, o),
        ],
        changes=[
            put("a", 2),
            put("b", 1),
            drop("a"),
            put("f", lambda self: 2),
            put("__name__", "L"),
            put("__qualname__", "L"),
            put("__doc__", "d"),
            put("__module__", "m"),
            put("__bases__", (Other,)),
            put("__len__", len),
            put("__del__", len),
            put("__getattr__", len),
            put("__annotations__", {"a": int}),
        ],
        repeats=False,
    ),
    case(
        "class with metaclass",
        lambda: Meta("K", (), {"a": 1}),
        changes=[put("mark", 1), put("mark", 2)],
        existing=False,
        repeats=False,
    ),
    case("existing class with metaclass", lambda: WithMeta, changes=[put("mark", 1), put("mark", 2)]),
    case(
        "existing class",
        lambda: Plain,
        undone=[lambda o: (put("b", 1)(o), drop("b")(o)), lambda o: [o() for _ in range(99)]],
        changes=[put("b", 1), put("b", 2), put("__init__", lambda self: None), put("__eq__", lambda a, b: True)],
    ),
    case("builtin slots of a class", lambda: Slots, changes=[put("y", 1), drop("x")]),
    case(
        "abstract class",
        lambda: type("K", (Abstract,), {}),
        undone=[lambda o: isinstance(1, o), lambda o: issubclass(int, o)],
        changes=[lambda o: o.register(int), put("__abstractmethods__", frozenset()), put("f", len)],
        existing=False,
        repeats=False,
    ),
    case(
        "existing abstract class",
        lambda: Abstract,
        undone=[lambda o: isinstance(1, o), lambda o: issubclass(int, o)],
        changes=[lambda o: o.register(int), lambda o: o.register(str)],
    ),
    case(
        "order of subclasses",
        lambda: with_subclasses("LM"),
        others=[lambda: with_subclasses("ML"), lambda: with_subclasses("L"), lambda: with_subclasses("LMN")],
        changes=[lambda o: o[1].pop("L"), lambda o: o[1].setdefault("P", type("P", (o[0],), {}))],
        existing=False,
        repeats=False,
    ),
    case(
        "subclasses of an existing class",
        lambda: (Base, BELOW),
        changes=[
            lambda o: o[1].append(type("L", (o[0],), {})),
            lambda o: o[1].extend([type("L", (o[0],), {}), type("M", (o[0],), {})]),
            lambda o: o[1].extend([type("M", (o[0],), {}), type("L", (o[0],), {})]),
            lambda o: o[1].extend([type("L", (o[0],), {}), type("M", (o[0],), {})][::-1]),
            lambda o: setattr(Below, "__bases__", (Other,)),
            lambda o: (setattr(Below, "__bases__", (Other,)), setattr(Below, "__bases__", (o[0],))),
        ],
        new=False,
    ),
    case("object that came back", came_back, others=[Returning], existing=False),
    case("enum", lambda: [Colour.RED], others=[lambda: [Colour.BLUE]], existing=False),
    case("enum member", lambda: Colour.RED, changes=[put("mark", 1), put("_value_", 3)]),
    case("flag", lambda: Flags.A, others=[lambda: Flags.B, lambda: Flags.A | Flags.B], existing=False),
    case(
        "new enum",
        lambda: enum.Enum("E", "A B"),
        others=[lambda: enum.Enum("E", "A C"), lambda: enum.Enum("F", "A B")],
        existing=False,
        repeats=False,
    ),
    case(
        "data class",
        lambda: Data(1),
        undone=[lambda o: (o.b.append(1), o.b.pop()), dataclasses.asdict],
        others=[lambda: Data(2)],
        changes=[put("a", 3), lambda o: o.b.append(1), put("b", [2])],
    ),
    case(
        "frozen data class",
        lambda: Frozen(1),
        others=[lambda: Frozen(2)],
        changes=[lambda o: object.__setattr__(o, "a", 3)],
    ),
    case("data class with slots", lambda: Ordered(1), changes=[put("a", 3), put("b", 3), drop("b")]),
    case(
        "generic alias",
        lambda: list[int],
        undone=[lambda o: o.__parameters__],
        others=[lambda: list[str], lambda: dict[int, int]],
    ),
    case("typing alias", lambda: Box[int], others=[lambda: Box[str]], existing=False, repeats=False),
    case("union", lambda: int | str, undone=[lambda o: o.__parameters__], others=[lambda: int | None]),
    case("cell", lambda: cell(1), changes=[put("cell_contents", 2), drop("cell_contents")]),
    case(
        "super",
        lambda: (o := made(SlotsBelow), super(SlotsBelow, o)),
        others=[lambda: (o := made(SlotsBelow), super(Slots, o))],
    ),
    case(
        "property object",
        lambda: property(len),
        others=[lambda: property(abs), lambda: property(len, abs)],
        changes=[put("__doc__", "d")],
    ),
    case("staticmethod", lambda: staticmethod(len), others=[lambda: staticmethod(abs)], changes=[put("mark", 1)]),
    case("classmethod", lambda: classmethod(len), others=[lambda: classmethod(abs)], changes=[put("mark", 1)]),
    case(
        "module",
        lambda: types.ModuleType("m"),
        undone=[lambda o: (put("a", 1)(o), drop("a")(o))],
        others=[lambda: types.ModuleType("n")],
        changes=[put("a", 1), put("a", 2), put("__class__", type("M", (types.ModuleType,), {}))],
    ),
]
