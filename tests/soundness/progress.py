"""C functions that call back into Python: how far they are is in C only, and never lost.

Each program has choices inside callbacks that keep nothing of them. A wrong merge loses results.
"""

from __future__ import annotations

import array
import bisect
import collections
import copy
import csv
import functools
import heapq
import io
import itertools
import json
import math
import operator
import pickle
import re
import statistics
import struct
import sys
from collections.abc import Callable
from typing import Any

from progress_values import (
    Anew,
    Dying,
    Equal,
    EqualOrLess,
    First,
    Forgetful,
    InC,
    Less,
    Made,
    Never,
    Number,
    Pairs,
    Point,
    Reduced,
    Shelf,
    Shy,
    Stream,
    Translator,
    either,
    stream_in_c,
)

from pytest_statespace._native import _bridge

Program = Callable[[], object]


def plain(*args: object, **names: object) -> object:
    return args, names


def forgetting(*args: object) -> int:
    del args
    return either()


def forgetting_lru(x: object) -> object:
    @functools.lru_cache(1)
    def f(y: object) -> int:
        del y
        return either()

    return f(either()), f(either()), list(f.cache_info())


def unpacked() -> object:
    a, b, c = Stream()
    return a, b, c


def unpacked_rest() -> object:
    a, *b, c = Stream(4)
    return a, b, c


def matched() -> object:
    match Point():
        case Point(p, q, r):
            return p, q, r


def matched_keys() -> object:
    match collections.UserDict({"a": 1}):
        case {"a": _}:
            return either()


def added(a: Any) -> object:
    try:
        a += a
    except TypeError:
        return "refused"
    return a


def plus(a: Any, b: Any) -> object:
    try:
        return a + b
    except TypeError:
        return "refused"


def less(a: Any, b: Any) -> object:
    try:
        return a < b
    except TypeError:
        return "refused"


def dying(end: Callable[[Any], object], make: Callable[[Any], Any] = list) -> Program:
    def program() -> object:
        Dying.dead = 0
        o = make([Dying(), Dying(), Dying()])
        end(o)
        del o
        return Dying.dead

    return program


def dying_locals() -> object:
    Dying.dead = 0

    def f() -> None:
        a, b, c = Dying(), Dying(), Dying()
        del c
        assert a is not b

    f()
    return Dying.dead


def stored(o: Any, step: Callable[[Any], object]) -> object:
    step(o)
    return o


def members(found: Any) -> object:
    """Its elements, without a look at their order."""
    return 0 in found, 1 in found


def printed() -> str:
    stream = io.StringIO()
    print(Number(), Number(), Number(), file=stream)
    return stream.getvalue()


def written() -> str:
    stream = io.StringIO()
    csv.writer(stream).writerow([Number(), Number(), Number()])
    return stream.getvalue()


def heap_of(n: int) -> list[Any]:
    return [Less() for _ in range(n)]


def order(items: list[Any], arranged: list[Any]) -> list[int]:
    return [items.index(item) for item in arranged]


def arranged(step: Callable[[list[Any]], object], n: int = 3) -> Program:
    def program() -> object:
        items = heap_of(n)
        result = list(items)
        step(result)
        return [[item is other for other in items].index(True) for item in result]

    return program


def sorted_by(key: Any) -> object:
    return sorted([1, 2, 3], key=key)


def frames_apart() -> object:
    """Which of the frames that run does a variable hold?"""

    def deep(n: int) -> object:
        if n:
            return deep(n - 1)
        held = [sys._getframe(_bridge.choose(4))]
        either()
        return held[0].f_locals.get("n")

    return deep(4)


def set_compared() -> object:
    """The order in which equal hashes are compared follows from the order of insertion."""
    log: list[str] = []

    class Colliding:
        def __init__(self, name: str) -> None:
            self.name = name

        def __hash__(self) -> int:
            return 7

        def __eq__(self, other: object) -> bool:
            log.append(self.name)
            return False

    a, b = Colliding("a"), Colliding("b")
    held = {a, b} if either() else {b, a}
    log.clear()
    either()
    other = Colliding("c")
    found = other in held
    return found, log


def two_streams(consume: Callable[[Any, Any], object]) -> Program:
    return lambda: consume(Stream(2), Stream(2))


CONSUMERS: dict[str, Callable[[Any], object]] = {
    "sum": sum,
    "list": list,
    "tuple": tuple,
    "max": max,
    "min": min,
    "sorted": sorted,
    "bytes": bytes,
    "bytearray": bytearray,
    "any": any,
    "all": all,
    "set": lambda s: members(set(s)),
    "frozenset": lambda s: members(frozenset(s)),
    "deque": collections.deque,
    "array": lambda s: array.array("b", s),
    "prod": lambda s: math.prod(s, start=3),
    "fsum": math.fsum,
    "from_bytes": int.from_bytes,
    "reduce": lambda s: functools.reduce(operator.add, s),
    "join": lambda s: ",".join(map(str, s)),
    "bytes join": lambda s: b"".join(map(bytes, s)),
    "Counter": lambda s: sorted(collections.Counter(s).items()),
    "extend": lambda s: stored([], lambda o: o.extend(s)),
    "slice": lambda s: stored([5, 5], lambda o: o.__setitem__(slice(0, 1), s)),
    "extendleft": lambda s: stored(collections.deque(), lambda o: o.extendleft(s)),
    "update set": lambda s: members(stored(set(), lambda o: o.update(s))),  # type: ignore[call-overload]
    "fromkeys": lambda s: list(dict.fromkeys(s)),
    "enumerate": lambda s: list(enumerate(s)),
    "filter": lambda s: list(filter(None, s)),
    "accumulate": lambda s: list(itertools.accumulate(s)),
    "islice": lambda s: list(itertools.islice(s, 2)),
    "groupby": lambda s: [(k, len(list(g))) for k, g in itertools.groupby(s)],
    "takewhile": lambda s: list(itertools.takewhile(bool, s)),
    "pairwise": lambda s: list(itertools.pairwise(s)),
    "cycle": lambda s: list(itertools.islice(itertools.cycle(s), 5)),
    "product": lambda s: list(itertools.product(s)),
    "combinations": lambda s: list(itertools.combinations(s, 2)),
    "chain": lambda s: list(itertools.chain(s, s)),
    "starred list": lambda s: [*s],
    "starred set": lambda s: members({*s}),
    "starred call": lambda s: plain(*s),
    "starred call after": lambda s: plain(9, *s),
    "starred class": lambda s: Made(*s).args,
    "starred builtin": lambda s: max(*s),
    "starred partial": lambda s: functools.partial(plain, 4)(*s),
    "nlargest": lambda s: heapq.nlargest(2, s),
    "writelines": lambda s: stored(io.StringIO(), lambda o: o.writelines(map(str, s))).getvalue(),  # type: ignore[attr-defined]
    "mean": statistics.mean,
    "comprehension": lambda s: [x + 1 for x in s],
    "generator": lambda s: sum(x * 3 for x in s),
    "in": lambda s: 1 in s,
    "index": lambda s: operator.indexOf(itertools.chain(s, [1]), 1),
    "countOf": lambda s: operator.countOf(s, 1),
    "repeat": lambda s: list(map(operator.add, s, itertools.repeat(1))),
    "reversed": lambda s: list(reversed(list(s))),
    "hypot": lambda s: math.hypot(*s),
    "starmap": lambda s: list(itertools.starmap(pow, zip(s, [1, 2, 3], strict=False))),
}

PROGRAMS: dict[str, Program] = {
    **{
        f"{name}({kind})": functools.partial(lambda f, stream: f(stream()), f, stream)
        for name, f in CONSUMERS.items()
        for kind, stream in {"stream": Stream, "stream in C": stream_in_c}.items()
    },
    **{
        f"{name}(two streams)": two_streams(f)
        for name, f in {
            "zip": lambda a, b: list(zip(a, b, strict=True)),
            "map": lambda a, b: list(map(operator.sub, a, b)),
            "zip_longest": lambda a, b: list(itertools.zip_longest(a, b)),
            "merge": lambda a, b: list(heapq.merge(a, b)),
            "compress": lambda a, b: list(itertools.compress(a, b)),
            "dist": lambda a, b: math.dist(list(a), list(b)),
            "starred twice": lambda a, b: plain(*a, *b),
            "list of both": lambda a, b: [*a, *b],
        }.items()
    },
    "dict(pairs)": lambda: dict(Pairs()),
    "update(pairs)": lambda: stored({}, lambda o: o.update(Pairs())),
    "dict of mapping": lambda: dict(Number()),  # type: ignore[call-overload]
    "starred mapping": lambda: {**Number()},  # type: ignore[dict-item]
    "call with mapping": lambda: plain(**Number()),  # type: ignore[arg-type]
    "OrderedDict of mapping": lambda: collections.OrderedDict(Number()),  # type: ignore[call-overload]
    "unpacking": unpacked,
    "unpacking rest": unpacked_rest,
    "match class": matched,
    "match keys": matched_keys,
    "percent": lambda: "%s-%s-%s" % (Number(), Number(), Number()),  # noqa: UP031
    "percent d": lambda: "%s %r %s" % (Number(), Number(), 1),  # noqa: UP031
    "format": lambda: "{} {} {}".format(Number(), Number(), Number()),  # noqa: UP032
    "f-string": lambda: f"{Number()}{Number()}{Number()}",
    "repr of list": lambda: repr([Number(), Number(), Number()]),
    "repr of dict": lambda: repr({1: Number(), 2: Number()}),
    "print": printed,
    "writerow": written,
    "translate": lambda: "abc".translate(Translator()),
    "re.sub": lambda: re.sub("a", lambda m: str(either()), "a-a-a"),
    "sort key": lambda: sorted_by(lambda x: either()),
    "sort key forgetting": lambda: sorted_by(forgetting),
    "max key": lambda: max([1, 2, 3], key=lambda x: either()),
    "min key": lambda: min([1, 2, 3], key=lambda x: either()),
    "sort less": arranged(lambda o: o.sort()),
    "sort cmp": lambda: sorted([1, 2, 3], key=functools.cmp_to_key(lambda a, b: either() * 2 - 1)),
    "heapify": arranged(heapq.heapify),
    "heappop": arranged(lambda o: stored(o, heapq.heappop).append(o[0])),  # type: ignore[attr-defined]
    "heapreplace": arranged(lambda o: heapq.heapreplace(o, o[1])),
    "bisect less": lambda: bisect.bisect(heap_of(5), Less()),
    "bisect key": lambda: bisect.bisect_left([1, 2, 3, 4, 5], 1, key=lambda x: either()),
    "list index": lambda: [Equal(), Equal(), Equal(), 1].index(1),
    "list index of equals": lambda: (lambda e: [e, e, e, 1].index(1))(Never()),
    "list count": lambda: [Equal(), Equal(), Equal()].count(1),  # type: ignore[arg-type]
    "list count of equals": lambda: (lambda e: [e, e, e].count(1))(Equal()),
    "list remove": lambda: len(stored([Equal(), Equal(), Equal(), 1], lambda o: o.remove(1))),  # type: ignore[arg-type]
    "in list": lambda: (lambda e: 1 in [e, e, e])(Never()),
    "in tuple": lambda: (lambda e: 1 in (e, e, e))(Never()),
    "in deque": lambda: (lambda e: 1 in collections.deque([e, e, e]))(Never()),
    "tuple index": lambda: (lambda e: (e, e, e, 1).index(1))(Never()),
    "deque index": lambda: (lambda e: collections.deque([e, e, e, 1]).index(1))(Never()),
    "deque count": lambda: (lambda e: collections.deque([e, e, e]).count(1))(Equal()),
    "deque remove": lambda: (lambda e: len(stored(collections.deque([e, e, e, 1]), lambda o: o.remove(1))))(Never()),  # type: ignore[arg-type]
    "lists equal": lambda: (lambda e: [e, e, e, 1] == [2, 2, 2, 1])(Equal()),
    "tuples less": lambda: (lambda e: (e, e, e, 1) < (2, 2, 2, 2))(EqualOrLess()),
    "deques equal": lambda: (lambda e: collections.deque([e, e, 1]) == collections.deque([2, 2, 1]))(Equal()),
    "dicts equal": lambda: (lambda e: {1: e, 2: e, 3: e} == {1: 2, 2: 2, 3: 2})(Equal()),
    "dict lookup": lambda: {Never(): 1, Never(): 2, Never(): 3}.get(Never()),
    "dict lookup equal": lambda: {Equal(): 1, Equal(): 2, Equal(): 3}.get(Equal()),  # type: ignore[arg-type]
    "dict of hashes": lambda: len({Number(): 1, Number(): 2, Number(): 3}),
    "set intersection": lambda: len({Equal(), 1} & {Equal(), 1}),
    "set union": lambda: len({Equal()} | {Equal(), Equal()}),
    "set difference": lambda: len({Equal(), Equal()} - {Equal()}),
    "subset": lambda: {Equal()} <= {Equal(), Equal()},
    "sets equal": lambda: {Never()} == {Never()},
    "in plain": lambda: (lambda e: 1 in Shelf(e, e, e))(Never()),
    "in plain, found": lambda: (lambda e: 1 in Shelf(e, e, e, 1))(Never()),
    "equal to itself": lambda: (lambda a: a == a)(Shy()),
    "not equal": lambda: Shy() != Shy(),
    "less than itself": lambda: (lambda a: less(a, a))(Shy()),
    "add in place": lambda: added(Shy()),
    "add": lambda: plus(Shy(), Shy()),
    "add itself": lambda: (lambda a: plus(a, a))(Shy()),
    "add numbers": lambda: sum([Number(), Number()], 5),  # type: ignore[list-item]
    "any map": lambda: any(map(forgetting, [1, 2, 3])),
    "all map": lambda: all(map(forgetting, [1, 2, 3])),
    "map": lambda: list(map(forgetting, [1, 2, 3])),
    "filter callback": lambda: list(filter(forgetting, [1, 2, 3])),
    "reduce callback": lambda: functools.reduce(forgetting, [1, 2, 3, 4]),
    "accumulate callback": lambda: list(itertools.accumulate([1, 2, 3], forgetting)),
    "groupby callback": lambda: [k for k, _ in itertools.groupby([1, 2, 3], forgetting)],
    "dropwhile callback": lambda: list(itertools.dropwhile(forgetting, [1, 2, 3])),
    "iter callback": lambda: len(list(itertools.islice(iter(forgetting, 1), 3))),
    "pack": lambda: struct.pack("3b", Number(), Number(), Number()),
    "range": lambda: range(Number(), Number(), 2 + Number().__index__()),
    "slice indices": lambda: [1, 2, 3][Number() : Number()],
    "pow": lambda: complex(Number(), Number()),
    "attrgetter": lambda: operator.attrgetter("p", "p", "p")(Number()),
    "itemgetter": lambda: operator.itemgetter(1, 2, 3)(Number()),
    "isinstance": lambda: isinstance(1, (First, First, str, First)),
    "issubclass": lambda: issubclass(int, (First, First, str)),
    "json": lambda: json.dumps([Made(), Made(), Made()], default=forgetting),
    "json dict": lambda: json.dumps({"a": Made(), "b": Made()}, default=forgetting),
    "json loads": lambda: json.loads("[{},{},{}]", object_hook=forgetting),
    "pickle": lambda: pickle.loads(pickle.dumps([Reduced(), Reduced(), Reduced()])),
    "pickle in C": lambda: pickle.dumps([InC(), InC(), InC()]),
    "hash in C": lambda: hash((InC(), InC(), InC())),
    "lengths in C": lambda: list(map(len, [InC(), InC(), InC()])),  # type: ignore[list-item]
    "copy": lambda: copy.copy(Reduced()),
    "lru_cache": lambda: forgetting_lru(0),
    "partial": lambda: functools.partial(forgetting, either())(either()),
    "class": lambda: Made(either(), either()).args,
    "forgetful class": lambda: Forgetful().first,
    "class with new": lambda: Anew(either()).args,
    "class by star": lambda: Anew(*(either(),)).args,
    "clear list": dying(lambda o: o.clear()),
    "delete slice": dying(lambda o: o.__delitem__(slice(0, 3))),
    "assign slice": dying(lambda o: o.__setitem__(slice(0, 3), [])),
    "list dies": dying(lambda o: None),
    "tuple dies": dying(lambda o: None, tuple),
    "deque dies": dying(lambda o: o.clear(), collections.deque),
    "dict dies": dying(lambda o: o.clear(), lambda items: dict(enumerate(items))),
    "instance dies": dying(lambda o: None, lambda items: Made(*items)),
    "locals die": dying_locals,
    "frames apart": frames_apart,
    "set compared": set_compared,
}
