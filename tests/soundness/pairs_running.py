"""Iterators, generators, functions, exceptions."""

from __future__ import annotations

import collections
import functools
import heapq
import itertools
import re
from collections.abc import Callable, Iterator

from pairs import Pair, after, call, different, same


def three() -> Iterator[int]:
    yield from (1, 2, 3)


def with_local(n: int) -> Iterator[int]:
    kept = n * 2
    yield 1
    yield kept


def returning(n: int) -> Callable[[], int]:
    def inner() -> int:
        return n

    return inner


def raised(value: object) -> Exception:
    try:
        raise ValueError(value)
    except ValueError as error:
        return error


def one_raised() -> Exception:
    return raised(1)


def caused() -> Exception:
    try:
        try:
            raise KeyError(1)
        except KeyError as error:
            raise ValueError(1) from error
    except ValueError as error:
        return error


def watched(change: bool) -> object:
    d = collections.deque([1])
    iterator = iter(d)
    if change:
        d.append(2)
        d.pop()
    return d, iterator


def stepped(change: bool) -> object:
    d = collections.OrderedDict(a=1, b=2)
    iterator = iter(d)
    if change:
        d["c"] = 3
        del d["c"]
    return d, iterator


async def coroutine(n: int) -> int:
    return n


def closed(n: int) -> object:
    c = coroutine(n)
    c.close()
    return c


PAIRS: list[Pair] = [
    same("count", lambda: itertools.count(2), lambda: after(lambda: itertools.count(1), next)),
    different("count", lambda: itertools.count(2), lambda: itertools.count(1)),
    different("list iterator", lambda: after(lambda: iter([1, 2]), next), lambda: iter([1, 2])),
    different("range iterator", lambda: after(lambda: iter(range(5)), next), lambda: iter(range(5))),
    same("range iterator", lambda: after(lambda: iter(range(5)), next), lambda: after(lambda: iter(range(5)), next)),
    different("enumerate", lambda: after(lambda: enumerate("ab"), next), lambda: enumerate("ab")),
    different(
        "zip and map",
        lambda: zip([1], map(abs, [1]), strict=False),
        lambda: after(lambda: zip([1], map(abs, [1]), strict=False), next),
    ),
    different("filter", lambda: filter(None, [1, 2]), lambda: after(lambda: filter(None, [1, 2]), next)),
    different(
        "cycle",
        lambda: itertools.cycle(itertools.islice("abc", 2)),
        lambda: after(lambda: itertools.cycle(itertools.islice("abc", 2)), next),
    ),
    different("tee", lambda: itertools.tee([1, 2]), lambda: after(lambda: itertools.tee([1, 2]), lambda t: next(t[0]))),
    different("groupby", lambda: itertools.groupby("aab"), lambda: after(lambda: itertools.groupby("aab"), next)),
    different(
        "accumulate", lambda: itertools.accumulate([1, 2]), lambda: after(lambda: itertools.accumulate([1, 2]), next)
    ),
    different(
        "product", lambda: itertools.product("ab", "cd"), lambda: after(lambda: itertools.product("ab", "cd"), next)
    ),
    different("reversed", lambda: reversed([1, 2]), lambda: after(lambda: reversed([1, 2]), next)),
    different("deque iterator outdated", lambda: watched(False), lambda: watched(True)),
    same("deque iterator", lambda: watched(False), lambda: watched(False)),
    different("OrderedDict iterator outdated", lambda: stepped(False), lambda: stepped(True)),
    same("generator", lambda: after(three, next), lambda: after(three, next)),
    different("generator position", lambda: after(three, next), lambda: after(three, next, next)),
    different("generator not begun", three, lambda: after(three, next)),
    different("generator over", three, lambda: after(three, call("close"))),
    different(
        "generator local", lambda: after(lambda: with_local(1), next), lambda: after(lambda: with_local(2), next)
    ),
    different("coroutine", lambda: closed(1), lambda: None),
    same("exception", one_raised, one_raised),
    different("exception", lambda: raised(1), lambda: raised(2)),
    different("exception note", lambda: raised(1), lambda: after(lambda: raised(1), call("add_note", "n"))),
    different("exception cause", caused, lambda: raised(1)),
    different("traceback", lambda: raised(1), lambda: after(lambda: raised(1), call("with_traceback", None))),
    same("function", lambda: returning(1), lambda: returning(2 - 1)),
    different("closure", lambda: returning(1), lambda: returning(2)),
    same(
        "function called", lambda: returning(1), lambda: after(lambda: returning(1), lambda f: [f() for _ in range(50)])
    ),
    different("default argument", lambda: lambda a=1: a, lambda: lambda a=2: a),
    same("bound method", lambda: [].append, lambda: [].append),
    different(
        "lru_cache",
        lambda: functools.lru_cache(4)(returning(1)),
        lambda: after(lambda: functools.lru_cache(4)(returning(1)), lambda f: f()),
    ),
    same("match", lambda: re.match("a", "a"), lambda: re.match("a", "a")),
    different("match", lambda: re.match("a", "ab"), lambda: re.match("ab?", "ab")),
    same("heap", lambda: after(list, lambda h: [heapq.heappush(h, i) for i in (2, 1)]), lambda: [1, 2]),
    different("code", lambda: compile("a=1", "f", "exec"), lambda: compile("a=2", "f", "exec")),
    different("operator in code", lambda: compile("a+b", "f", "eval"), lambda: compile("a-b", "f", "eval")),
    same("code", lambda: compile("a+b", "f", "eval"), lambda: compile("a+b", "f", "eval")),
    same("warm-up", lambda: None, lambda: [returning(i)() for i in range(100)] and None),
]
