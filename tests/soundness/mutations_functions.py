"""Functions, generators, coroutines, frames, tracebacks, `functools`, context variables."""

from __future__ import annotations

import contextlib
import contextvars
import functools
import operator
import sys
import types
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from typing import Any

from mutations import Case, case
from pairs import call, drop, put

VARIABLE: contextvars.ContextVar[Any] = contextvars.ContextVar("VARIABLE")
DEFAULTED: contextvars.ContextVar[Any] = contextvars.ContextVar("DEFAULTED", default=0)


class Thing:
    def method(self) -> None:
        pass

    @functools.cached_property
    def cached(self) -> list[int]:
        return []


def function() -> Any:
    def inner(a: int = 1, *, b: int = 2) -> int:
        return a + b

    return inner


def closure(n: object) -> Any:
    def inner() -> object:
        return n

    def change(value: object) -> None:
        nonlocal n
        n = value

    inner.change = change  # type: ignore[attr-defined]
    return inner


def generator(n: int = 1) -> Generator[int, Any, str]:
    kept = [n]
    with contextlib.suppress(KeyError):
        got = yield 1
        kept.append(got)
    try:
        yield from kept
        yield 2
    finally:
        kept.clear()
    return "end"


async def coroutine(n: int) -> int:
    await step()
    await step()
    return n


@types.coroutine
def step() -> Generator[int, Any, None]:
    yield 1


async def asynchronous() -> AsyncIterator[int]:
    yield 1
    await step()
    yield 2


def send(o: Any) -> None:
    with contextlib.suppress(StopIteration, StopAsyncIteration):
        o.send(None)


def awaiting(n: int) -> Any:
    made = asynchronous()
    for _ in range(n):
        send(made.__anext__())
    return made


def asend(n: int) -> Any:
    made = asynchronous()
    send(made.__anext__())
    waiting = made.__anext__()
    for _ in range(n):
        send(waiting)
    return made, waiting


def raised(depth: int = 1) -> BaseException:
    try:
        if depth > 1:
            raise raised(depth - 1)
        raise ValueError(depth)
    except ValueError as error:
        return error


def chained(cause: bool) -> BaseException:
    try:
        try:
            raise KeyError(1)
        except KeyError as error:
            if cause:
                raise ValueError(1) from error
            raise ValueError(1)  # noqa: B904
    except ValueError as error:
        return error


def frame(n: int) -> types.FrameType:
    kept = n
    assert kept == n
    return sys._getframe()


def frame_of(depth: int) -> object:
    """A frame object of one of the functions that run."""
    return sys._getframe(depth)


def context(**values: object) -> contextvars.Context:
    made = contextvars.Context()
    for name, value in values.items():
        made.run({"v": VARIABLE, "d": DEFAULTED}[name].set, value)
    return made


def many_variables(n: int) -> contextvars.Context:
    made = contextvars.Context()
    for i in range(n):
        made.run(VARIABLES[i].set, i)
    return made


VARIABLES = [contextvars.ContextVar[int](f"v{i}") for i in range(40)]


def cached(maxsize: int | None = 4) -> Any:
    @functools.lru_cache(maxsize)
    def f(x: object = 0) -> object:
        return [x]

    return f


def called(*keys: object) -> Callable[[Any], None]:
    def step(o: Any) -> None:
        for key in keys:
            o(key)

    return step


def dispatching() -> Any:
    @functools.singledispatch
    def f(x: object) -> int:
        return 0

    return f


@contextlib.contextmanager
def managed() -> Iterator[int]:
    yield 1


def entered() -> Any:
    made = contextlib.ExitStack()
    made.enter_context(managed())
    return made


CASES: list[Case] = [
    case(
        "function",
        function,
        undone=[
            lambda o: [o() for _ in range(60)],
            vars,
            lambda o: (put("x", 1)(o), drop("x")(o)),
            lambda o: (put("__name__", "q")(o), put("__name__", "inner")(o)),
        ],
        changes=[
            put("__defaults__", (3,)),
            put("__defaults__", None),
            put("__kwdefaults__", {"b": 3}),
            put("mark", 1),
            put("__name__", "q"),
            put("__qualname__", "q"),
            put("__doc__", "q"),
            put("__module__", "q"),
            put("__annotations__", {}),
            put("__code__", (lambda a=1, *, b=2: a * b).__code__),
            lambda o: o.__kwdefaults__.__setitem__("b", 9),
        ],
    ),
    case(
        "closure",
        lambda: closure([1]),
        undone=[lambda o: o()],
        others=[lambda: closure([2])],
        changes=[lambda o: o.change(1), lambda o: o().append(1)],
    ),
    case("lambda", lambda: lambda: 1, others=[lambda: lambda: 2, lambda: lambda: (1,)]),
    case(
        "bound method",
        lambda: Thing().method,
        others=[lambda: (o := Thing(), o.method)],
        changes=[lambda o: put("x", 1)(o.__self__)],
    ),
    case("builtin method", lambda: [1].append, others=[lambda: [2].append, lambda: [1].pop], changes=[lambda o: o(1)]),
    case("method wrapper", lambda: [1].__len__, others=[lambda: [2].__len__]),
    case(
        "code",
        lambda: compile("a + b", "f", "eval"),
        undone=[lambda o: [eval(o, {"a": 1, "b": 2}) for _ in range(60)]],
        others=[
            lambda: compile("a - b", "f", "eval"),
            lambda: compile("a + c", "f", "eval"),
            lambda: compile("a + b", "g", "eval"),
            lambda: compile("\na + b", "f", "eval"),
            lambda: compile("a + 1", "f", "eval"),
            lambda: compile("a + 2", "f", "eval"),
        ],
    ),
    case(
        "generator",
        generator,
        others=[lambda: generator(2)],
        changes=[
            next,
            lambda o: (next(o), next(o)),
            lambda o: (next(o), o.send(5)),
            lambda o: (next(o), o.throw(KeyError())),
            lambda o: (next(o), next(o), next(o)),
            call("close"),
            put("__name__", "x"),
            put("__qualname__", "x"),
        ],
        undone=[lambda o: o.gi_frame],
    ),
    case(
        "coroutine",
        lambda: coroutine(1),
        others=[lambda: coroutine(2)],
        changes=[send, lambda o: (send(o), send(o)), call("close")],
        existing=False,
        repeats=False,
    ),
    case(
        "asynchronous generator", lambda: awaiting(0), others=[lambda: awaiting(1), lambda: awaiting(2)], existing=False
    ),
    case(
        "asynchronous step",
        lambda: asend(0),
        others=[lambda: asend(1)],
        changes=[lambda o: o[1].close()],
        existing=False,
        repeats=sys.version_info < (3, 13),  # taken from the free list, it counts as finalized, and will not warn
    ),
    case(
        "exception raised",
        raised,
        others=[lambda: raised(2)],
        changes=[
            lambda o: o.with_traceback(None),
            lambda o: o.__traceback__.tb_frame.clear(),
            lambda o: put("tb_lasti", 0) and put("n", 1)(o),
        ],
    ),
    case(
        "exceptions chained",
        lambda: chained(True),
        others=[lambda: chained(False)],
        changes=[put("__cause__", None), put("__context__", None), lambda o: put("x", 1)(o.__context__)],
    ),
    case(
        "traceback",
        lambda: raised(3).__traceback__,
        changes=[put("tb_next", None)],
        others=[lambda: raised(2).__traceback__],
    ),
    case(
        "frame",
        lambda: frame(1),
        others=[lambda: frame(2)],
        undone=[lambda o: o.f_lineno, lambda o: o.f_code],
        changes=[lambda o: o.clear(), put("f_trace_lines", False), put("f_trace", len), put("f_trace_opcodes", True)],
    ),
    case(
        "frame that runs",
        lambda: frame_of(1),
        others=[lambda: frame_of(2), lambda: frame_of(3), lambda: frame_of(4)],
        existing=False,
    ),
    case(
        "context variable",
        lambda: contextvars.ContextVar("c", default=(1,)),
        others=[lambda: contextvars.ContextVar("c", default=(2,)), lambda: contextvars.ContextVar("d", default=(1,))],
    ),
    case(
        "context",
        lambda: context(v=1),
        undone=[lambda o: o.run(VARIABLE.get), lambda o: o.run(lambda: VARIABLE.reset(VARIABLE.set(5))), call("copy")],
        others=[lambda: context(), lambda: context(d=1)],
        changes=[
            lambda o: o.run(VARIABLE.set, 2),
            lambda o: o.run(DEFAULTED.set, 0),
            lambda o: o.run(VARIABLE.set, [1]),
        ],
    ),
    case(
        "context of many",
        lambda: many_variables(40),
        undone=[lambda o: o.run(lambda: VARIABLE.reset(VARIABLE.set(5)))],
        others=[lambda: many_variables(39), lambda: many_variables(20)],
        changes=[lambda o: o.run(VARIABLES[3].set, 9)],
    ),
    case(
        "own context",
        lambda: None,
        undone=[lambda _: VARIABLE.reset(VARIABLE.set(1)), lambda _: DEFAULTED.get()],
        changes=[lambda _: VARIABLE.set(1) and None, lambda _: VARIABLE.set(2) and None],
    ),
    case(
        "token",
        lambda: VARIABLE.set(1),
        undone=[lambda o: o.old_value],
        changes=[lambda o: VARIABLE.reset(o)],
        existing=False,
        repeats=False,
    ),
    case(
        "partial",
        lambda: functools.partial(int, "1", base=2),
        again=[lambda: functools.partial(functools.partial(int, "1"), base=2)],
        undone=[vars, lambda o: (put("x", 1)(o), drop("x")(o))],
        others=[
            lambda: functools.partial(int, "1", base=3),
            lambda: functools.partial(float, "1"),
            lambda: functools.partial(int, "2", base=2),
        ],
        changes=[
            put("mark", 1),
            lambda o: o.keywords.__setitem__("base", 8),
            lambda o: o.__setstate__((int, ("5",), {"base": 2}, None)),
        ],
    ),
    case(
        "lru_cache",
        cached,
        undone=[lambda o: (o(1), o.cache_clear()), lambda o: o.cache_info(), vars],
        changes=[
            called(1),
            called(1, 1),
            called(1, 2),
            called(2, 1),
            called(1, 2, 1),
            called(1, 2, 3, 4, 5),
            put("mark", 1),
            lambda o: o(1).append(1),
        ],
    ),
    case(
        "lru_cache without bound",
        lambda: cached(None),
        undone=[lambda o: (o(1), o.cache_clear())],
        changes=[called(1), called(1, 1), called(2)],
    ),
    case("lru_cache of nothing", lambda: cached(0), changes=[called(1), called(1, 2)]),
    case("lru_cache of texts", lambda: cached(2), changes=[called("a"), called("a", "b"), called("b", "a")]),
    case(
        "lru_cache of objects",
        lambda: cached(2),
        changes=[lambda o: o(Thing()), lambda o: (o(Thing()), o(Thing())), lambda o: (o(t := Thing()), o(t))],
    ),
    case("cached_property", Thing, changes=[lambda o: o.cached, lambda o: o.cached.append(1)]),
    case(
        "singledispatch",
        dispatching,
        undone=[lambda o: o.registry],
        changes=[lambda o: o.register(int, len), lambda o: o.register(str, len)],
    ),
    case(
        "cmp_to_key",
        lambda: functools.cmp_to_key(lambda a, b: a - b)(1),
        changes=[put("obj", 2)],
        others=[lambda: functools.cmp_to_key(lambda a, b: b - a)(1)],
    ),
    case(
        "itemgetter",
        lambda: operator.itemgetter(1, 2),
        others=[lambda: operator.itemgetter(1, 3), lambda: operator.itemgetter(1)],
    ),
    case("attrgetter", lambda: operator.attrgetter("a", "b.c"), others=[lambda: operator.attrgetter("a", "b.d")]),
    case(
        "methodcaller",
        lambda: operator.methodcaller("a", 1, k=2),
        others=[lambda: operator.methodcaller("a", 1, k=3), lambda: operator.methodcaller("b", 1, k=2)],
    ),
    case("context manager", managed, undone=[], changes=[lambda o: o.__enter__()]),
    case(
        "exit stack",
        entered,
        changes=[call("close"), lambda o: o.callback(len)],
        existing=False,
        repeats=sys.version_info < (3, 15),  # it looks methods up through a cache that counts
    ),
]
