"""Things that generated programs share: how to make one, what changes it quietly, how to look at it.

In the texts `$s` is the thing, `$v` a value of 0 or 1 that the program chooses or reads, `$w` the
number of the thread. A *quiet* step leaves nothing in the thread that took it: two histories that end in
different things differ in nothing else. `show` says at the end of the program which thing it is, by
everything that Python code can ask it.
"""
# ruff: noqa: E501 (tables of program text read best with one entry a line)

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Subject:
    name: str
    make: str
    """Statements or, without a newline, an expression."""
    steps: tuple[str, ...]
    show: str
    reads: tuple[str, ...] = ()
    """Expressions a thread may put into its log."""


def _of(name: str, make: str, steps: list[str], show: str, reads: list[str] | None = None) -> Subject:
    return Subject(name, make, tuple(steps), show, tuple(reads or ()))


CONTAINERS = [
    _of("list", "[3, 1]", [
        "$s.append($v)", "$s.insert(0, $v)", "$s.sort()", "$s.reverse()", "$s[:1] = [$v]", "$s.extend([$w, $v])",
        "take($s)", "$s.append([$w])", "$s.clear()", "del $s[:$v]", "$s.__imul__(1 + $v)",
        "$s.append($s[0] if $s else 5)",
    ], "$s", ["len($s)", "sum(x for x in $s if isinstance(x, int))", "$s[:1]"]),
    _of("aliases", "[[0], [0]]", ["$s[0] = $s[1]", "$s[0] = [0]", "$s[1] = [0]", "$s[0] = list($s[1])", "$s[$v].append($w)", "$s[1][0] = $v"],
        "($s, $s[0] is $s[1])", ["$s[0] is $s[1]"]),
    _of("dict", "{0: 'zero', 'a': [1]}", [
        "$s[$v] = $w", "$s.pop($v, None)", "$s[0] = $v", "$s.setdefault($v, 2)", "$s.update(b=$v)",
        "$s[1] = $s.pop(0, 4)", "$s['a'] = $s.pop('a', $w)", "$s.clear()", "$s[1.5 + $v] = None",
    ], "list($s.items())", ["$v in $s", "len($s)", "list($s)[:1]"]),
    _of("names", "{'x': 1, 'y': 2}", [
        "$s['x'] = $v", "$s.pop('y', None)", "$s['z'] = $s.pop('x', $w)", "$s['y'] = [$w]", "$s.popitem() if $s else None",
    ], "list($s.items())", ["$s.get('x')"]),
    _of("set", "{1, 5}", ["$s.add($v)", "$s.discard($v)", "$s.add('w$w')", "$s.clear()",
        "$s.symmetric_difference_update({$v})"], "sorted($s, key=repr)", ["$v in $s", "len($s)"]),
    _of("frozenset", "[frozenset({1})]", ["$s[0] = $s[0] | {$v}", "$s[0] = frozenset({$w})"], "sorted($s[0])"),
    _of("set of objects", "set()", ["$s.add(Pair($v, $w))", "$s.add(Frozen($v))", "$s.add(('t', $v))",
        "$s.discard(Pair(0, $w))"], "sorted(map(repr, $s))", ["len($s)"]),
    _of("identity set", "set()", ["o = Plain(); o.n = $v; $s.add(o); del o", "o = Slots(); o.x = $w; $s.add(o); del o"],
        "sorted(getattr(o, 'n', None) or getattr(o, 'x', 0) for o in $s)", ["len($s)"]),
    _of("deque", "collections.deque([1, 2], maxlen=4)", [
        "$s.append($v)", "$s.appendleft($v)", "$s.rotate($v)", "$s.popleft() if $s else None", "take($s)",
        "$s.extend([$w, $v])", "$s.clear()", "$s.extendleft([$w])",
    ], "$s", ["len($s)", "list($s)[:1]"]),
    _of("deque bound", "[collections.deque([1], 2)]", ["$s[0] = collections.deque($s[0], 2 + $v)", "$s[0].append($w)"],
        "$s"),
    _of("OrderedDict", "collections.OrderedDict(a=1, b=2, c=3)", [
        "$s.move_to_end('a', bool($v))", "$s.move_to_end('b') if 'b' in $s else None", "$s['d'] = $v",
        "$s.pop('b', None)", "$s.popitem($v) if len($s) > 1 else None", "$s['a'] = $w",
    ], "list($s.items())", ["next(iter($s))"]),
    _of("defaultdict", "collections.defaultdict(int)", [
        "$s[$v]", "$s[0] += 1 + $v", "setattr($s, 'default_factory', (int, list)[$v])", "$s.pop(0, None)",
        "setattr($s, 'default_factory', None)",
    ], "($s, shown(lambda: $s['new']))", ["len($s)"]),
    _of("Counter", "collections.Counter('ab')", ["$s.update('a' * $v)", "$s.subtract(b=$v)", "$s['c'] += $w"],
        "sorted($s.items())", ["$s.most_common(1)[0][1]"]),
    _of("ChainMap", "collections.ChainMap({'x': 1}, {'x': 2})", ["$s.maps.reverse()", "$s['x'] = $v",
        "$s.maps[0].pop('x', 0)", "$s.maps.append({'y': $w})"], "($s.get('x'), $s.maps)"),
    _of("heap", "[2, 4, 6]", ["heapq.heappush($s, $v)", "heapq.heappush($s, 3 + $w)", "heapq.heappop($s) if $s else None",
        "heapq.heapify($s)"], "$s", ["$s[:1]"]),
    _of("tuple", "[(1, 2)]", ["$s[0] = ($v, *$s[0][:1])", "$s[0] += ($w,)", "$s[0] = Row($s[0])",
        "$s[0] = tuple([[$v], $w])"], "($s, type($s[0]).__name__)"),
    _of("long values", "['q', 1]", ["$s[0] = f'a text of more than sixteen bytes: {$v}'", "$s[1] = 10**60 + $v",
        "$s[1] = -(10**60)", "$s[0] = f'a value of twenty bytes: {$w}'.encode()"], "$s"),
    _of("str", "['q']", ["$s[0] += 'ab'[$v]", "$s[0] = $s[0].upper()", "$s[0] = 'é' * $v", "$s[0] = '\\u4e00' + str($w)"],
        "$s"),
    _of("bytes", "[b'q']", ["$s[0] += bytes([$v])", "$s[0] = $s[0] * 3", "$s[0] = bytes(1 + $w)"], "$s"),
    _of("numbers", "[1, 1.5, 1j]", ["$s[0] = (-3, 3)[$v]","$s[0] = 10 ** (18 + $v)", "$s[1] = -0.0 * $v", "$s[2] *= 1j", "$s[0] = -$s[0]",
        "$s[0] = bool($v)", "$s[1] = float('nan') if $v else float('inf')", "$s[0] = $s[0] * 2 + $w"], "$s"),
    _of("bytearray", "bytearray(b'abc')", ["$s.append($v)", "$s[:1] = bytes([$w])", "$s.reverse()", "del $s[$v:]",
        "$s.extend(b'xyz' * $v)"], "$s", ["len($s)"]),
    _of("exported bytearray", "[bytearray(b'abc'), None]", ["$s[1] = memoryview($s[0])[$v:]", "$s[1] = None",
        "$s[1] and $s[1].release()", "$s[0][0] = 65 + $w"],
        "(shown(lambda: $s[0].append(9)), $s[0], shown(lambda: bytes($s[1])))"),
    _of("array", "array.array('i', [1, 2])", ["$s.append($v)", "$s.reverse()", "take($s)", "$s[0:1] = array.array('i', [$w])",
        "$s.byteswap()"], "$s", ["len($s)"]),
    _of("array type", "[array.array('b', [1])]", ["$s[0] = array.array('bB'[$v], $s[0])", "$s[0] = array.array('h', [1])"],
        "$s"),
    _of("memoryview", "[memoryview(bytearray(b'abcdef'))]", ["$s[0] = $s[0][$v::2]", "$s[0][0] = 70 + $w",
        "$s[0] = $s[0].toreadonly()", "$s[0] = $s[0][::-1]"],
        "($s[0].tobytes(), $s[0].readonly, $s[0].strides, $s[0].format)"),
    _of("StringIO", "io.StringIO('hello')", ["$s.write(str($v))", "$s.seek($v)", "$s.read(1)", "$s.truncate(3)",
        "$s.write('x\\n$w')", "$s.readline()"], "($s.tell(), $s.getvalue(), shown(lambda: $s.read()))", ["$s.tell()"]),
    _of("BytesIO", "io.BytesIO(b'hello')", ["$s.write(bytes([65 + $v]))", "$s.seek($v)", "$s.read(1)", "$s.truncate(3)",
        "$s.seek(0, 2)", "$s.close() if $v else None"], "(shown(lambda: $s.tell()), shown(lambda: $s.getvalue()))"),
    _of("stack of streams", "io.TextIOWrapper(io.BytesIO(b'one\\ntwo\\nthree'), 'ascii')", ["$s.readline()", "$s.seek(0)",
        "$s.read(1 + $v)"], "shown(lambda: $s.read())"),
]  # fmt: skip

ITERATORS = [
    _of(name, make, ["next($s, None)", "next($s, None) if $v else None"], "drained($s)")
    for name, make in {
        "list iterator": "iter([1, 2, 3, 4])",
        "reversed list": "reversed([1, 2, 3, 4])",
        "tuple iterator": "iter((1, 2, 3))",
        "str iterator": "iter('abcd')",
        "bytes iterator": "iter(b'abcd')",
        "range iterator": "iter(range(5))",
        "long range iterator": "iter(range(10**20, 10**20 + 3))",
        "dict iterator": "iter({1: 'a', 2: 'b', 3: 'c'})",
        "dict items": "iter({'p': 1, 'q': 2, 'r': 3}.items())",
        "reversed dict": "reversed({1: 'a', 2: 'b', 3: 'c'})",
        "OrderedDict iterator": "iter(collections.OrderedDict(a=1, b=2, c=3))",
        "set iterator": "iter({1, 2, 3})",
        "deque iterator": "iter(collections.deque([1, 2, 3]))",
        "reversed deque": "reversed(collections.deque([1, 2, 3]))",
        "array iterator": "iter(array.array('i', [1, 2, 3]))",
        "memoryview iterator": "iter(memoryview(b'abc'))",
        "enumerate": "enumerate('abc', 5)",
        "zip": "zip([1, 2, 3], 'abc')",
        "map": "map(abs, [-1, -2, -3])",
        "filter": "filter(None, [1, 0, 2, 3])",
        "count": "itertools.count(3, 2)",
        "float count": "itertools.count(0.5, 0.25)",
        "cycle": "itertools.cycle('ab')",
        "repeat": "itertools.repeat(5, 4)",
        "chain": "itertools.chain([1], [2, 3])",
        "chain of": "itertools.chain.from_iterable([[1], [2], [3]])",
        "islice": "itertools.islice(range(9), 1, 8, 2)",
        "accumulate": "itertools.accumulate([1, 2, 3, 4])",
        "product": "itertools.product([1, 2], 'ab')",
        "permutations": "itertools.permutations([1, 2, 3])",
        "combinations": "itertools.combinations([1, 2, 3], 2)",
        "with replacement": "itertools.combinations_with_replacement([1, 2], 2)",
        "zip_longest": "itertools.zip_longest([1], [2, 3, 4])",
        "pairwise": "itertools.pairwise([1, 2, 3, 4])",
        "compress": "itertools.compress([1, 2, 3, 4], [1, 0, 1, 1])",
        "takewhile": "itertools.takewhile(bool, [1, 2, 0, 3])",
        "dropwhile": "itertools.dropwhile(bool, [1, 0, 2, 3])",
        "filterfalse": "itertools.filterfalse(bool, [0, 1, 0, ''])",
        "starmap": "itertools.starmap(max, [(1, 2), (4, 3), (5, 6)])",
        "tee": "itertools.tee([1, 2, 3])[1]",
        "finditer": "re.finditer('[a-z]', 'a1b2c')",
        "sentinel": "iter(functools.partial(next, itertools.count()), 4)",
        "sequence iterator": "iter(Meets(0))",
        "iter_unpack": "struct.iter_unpack('B', b'abc')",
        "generator": "(x * x for x in range(4))",
        "generator function": "early(4, 5, 6)",
        "from generator": "itertools.chain(early(1, 2), 'z')",
        "json tokens": "iter(json.JSONEncoder().iterencode([1, [2], 3]))",
    }.items()
]

MUTATED = [
    _of("deque under iteration", "d = collections.deque([1, 2, 3]); it = iter(d); $s = (d, it)", [
        "shown(lambda: next($s[1]))", "$s[0].append($v)", "take($s[0])", "$s[0].rotate(1)",
    ], "($s[0], drained($s[1]))"),
    _of("dict under iteration", "d = {1: 1, 2: 2, 3: 3}; it = iter(d); $s = (d, it)", [
        "shown(lambda: next($s[1]))", "$s[0].pop(2, None)", "$s[0].update({2: $v})", "$s[0].update({4: $w})",
    ], "($s[0], drained($s[1]))"),
    _of("OrderedDict under iteration", "d = collections.OrderedDict(a=1, b=2); it = iter(d); $s = (d, it)", [
        "shown(lambda: next($s[1]))", "$s[0].pop('b', None)", "$s[0].update(b=$v)", "$s[0].move_to_end('a')",
    ], "(list($s[0].items()), drained($s[1]))"),
    _of("list under iteration", "d = [1, 2]; it = iter(d); $s = (d, it)", [
        "shown(lambda: next($s[1]))", "$s[0].append($v)", "take($s[0])",
    ], "($s[0], drained($s[1]))"),
    _of("views", "d = {'x': 1}; $s = (d, d.keys(), d.items())", ["$s[0].update(y=$v)", "$s[0].pop('x', 0)"],
        "(list($s[1]), list($s[2]))"),
]  # fmt: skip

ATTRIBUTES = [
    _of("object", "Plain()", ["$s.x = $v", "setattr($s, 'xy'[$v], 5)", "$s.y = $w", "vars($s).pop('x', None)", "$s.__class__ = (Plain, Other)[$v]",
        "$s.__dict__ = {'z': $v}", "vars($s)"], "(type($s).__name__, list(vars($s).items()))", ["getattr($s, 'x', None)"]),
    _of("object and its dict", "o = Plain(); o.x = 0; $s = (o, vars(o))", ["$s[0].x = $v", "$s[1]['y'] = $w",
        "$s[0].__dict__ = dict($s[1])"], "(vars($s[0]), $s[1], vars($s[0]) is $s[1])"),
    _of("slots", "Slots()", ["$s.x = $v", "$s.y = [$w]", "if hasattr($s, 'x'): del $s.x"],
        "[getattr($s, name, None) for name in 'xy']"),
    _of("dataclass", "[Data()]", ["$s[0].x = $v", "$s[0].y.append($w)", "$s[0] = dataclasses.replace($s[0], x=2)"], "$s"),
    _of("frozen dataclass", "[Frozen()]", ["$s[0] = Frozen($v)", "$s[0] = dataclasses.replace($s[0], x=$s[0].x + 1)"], "$s"),
    _of("enum", "[Color.RED]", ["$s[0] = Color($v)", "$s[0] = Color.GREEN"], "$s"),
    _of("namedtuple", "[Pair(0, 0)]", ["$s[0] = $s[0]._replace(x=$v)", "$s[0] = $s[0]._replace(y=$w)"], "$s"),
    _of("namespace", "types.SimpleNamespace(x=1)", ["$s.x = $v", "$s.y = $w", "vars($s).pop('x', 0)"], "list(vars($s).items())"),
    _of("text with attributes", "Text('t')", ["$s.x = $v", "vars($s).clear()"], "($s, vars($s))"),
    _of("number with attributes", "Number(10**20)", ["$s.x = $v", "vars($s).clear()"], "($s, vars($s))"),
    _of("pile", "Pile([1])", ["$s.append($v)", "$s.x = $v", "$s.y = $w"], "($s, list(vars($s).items()))"),
    _of("keyed list", "Keyed([1])", ["$s.append($v)", "$s.k = $v", "$s.k = [$w]"], "($s, getattr($s, 'k', None))"),
    _of("class name", "class K: pass\n$s = K", ["$s.__name__ = 'KL'[$v]", "$s.__qualname__ = 'QR'[$v]", "$s.__module__ = 'm$w'"],
        "($s.__name__, $s.__qualname__, $s.__module__)"),
    _of("collector", "gc", ["$s.set_threshold(700 + $v)", "$s.set_threshold(700, 10 + $v)"], "$s.get_threshold()"),
    _of("class", "class K:\n    a = 0\n    b = []\n$s = K", ["$s.a = $v", "$s.b.append($w)", "$s.c = $w", "$s.d = $v",
        "$s.m = lambda self: $v", "$s.__name__ = 'KL'[$v]", "$s.p = property(lambda self: $w)"],
        "($s.__name__, [k for k in vars($s) if len(k) == 1], $s.a, $s.b, shown(lambda: $s().m()), shown(lambda: $s().p))",
        ["$s.a", "hasattr($s, 'c')"]),
    _of("class of the prelude", "Plain", ["$s.a = $v", "$s.b = $w", "$s.f = len if $v else max"],
        "[(k, v) for k, v in vars($s).items() if len(k) == 1]"),
    _of("bases", "class K(Other): pass\n$s = K", ["$s.__bases__ = ((Other,), (Plain,))[$v]", "Other.tag = $v",
        "Plain.tag = $w"], "([c.__name__ for c in $s.__mro__], getattr($s, 'tag', None))"),
    _of("subclasses", "class K: pass\n$s = [K]", ["$s.append(type('L$w', ($s[0],), {'x': $v}))", "del $s[1:]"],
        "([c.__name__ for c in $s[0].__subclasses__()], [vars(c).get('x') for c in $s])", ["len($s[0].__subclasses__())"]),
    _of("abstract", "import abc\nclass K(abc.ABC): pass\n$s = K", ["$s.register((Plain, Slots)[$v])", "isinstance(Plain(), $s)"],
        "(issubclass(Plain, $s), issubclass(Slots, $s))"),
    _of("descriptor", "class K:\n    def __set_name__(self, owner, name): self.name = name\n"
        "    def __set__(self, o, value): vars(o)[self.name] = value + 1\nclass L: f = K()\n$s = L()",
        ["$s.f = $v", "$s.f = $w", "type($s).f.name = 'g'"], "vars($s)"),
    _of("module globals", "import builtins as $s", ["$s.__dict__['made'] = $v", "$s.__dict__.pop('made', None)",
        "$s.made = [$w]"], "vars($s).get('made')"),
    _of("interpreter", "sys", ["$s.setrecursionlimit(900 + $v)", "$s.set_int_max_str_digits(5000 + $v)", "gc.disable() if $v else gc.enable()",
        "$s.path.append('p$w')", "$s.modules.update(made=$v)", "gc.set_threshold(700 + $v)"],
        "($s.getrecursionlimit(), $s.get_int_max_str_digits(), gc.isenabled(), gc.get_threshold(), [p for p in $s.path if len(p) == 2], $s.modules.get('made'))"),
]  # fmt: skip

CALLABLES = [
    _of("closure", "def counter(n):\n    def put(x):\n        nonlocal n\n        n = x\n    return put, lambda: n\n$s = counter(5)",
        ["$s[0]($v)", "$s[0]([$w])"], "$s[1]()", ["$s[1]()"]),
    _of("function", "def f(x=0, *, k=0): return (x, k)\n$s = f", ["$s.__defaults__ = ($v,)", "$s.__kwdefaults__ = {'k': $v}",
        "$s.tag = $w", "$s.__code__ = (lambda x=0, *, k=0: (k, x)).__code__", "$s.__name__ = 'fg'[$v]", "$s.__doc__ = 'd$w'",
        "$s.__annotations__ = {'x': $v}"],
        "(shown(lambda: $s()), vars($s), $s.__name__, $s.__doc__, $s.__annotations__)", ["$s()"]),
    _of("partial", "[functools.partial(int, '11', base=2)]", ["$s[0] = functools.partial(int, '11', base=2 + $v)",
        "$s[0] = functools.partial(int, '1$w')", "$s[0].keywords['base'] = 8 + $v"],
        "($s[0](), $s[0].args, $s[0].keywords)"),
    _of("lru_cache", "$s = functools.lru_cache(maxsize=2)(lambda x: [x])", ["$s($v)", "$s($w + 1)", "$s.cache_clear()", "$s(0)"],
        "($s.cache_info(), $s(0), $s.cache_info(), $s(1), $s.cache_info(), $s(2), $s.cache_info())", ["$s.cache_info().hits"]),
    _of("cached_property", "class K:\n    n = 0\n    @functools.cached_property\n    def c(self): return self.n\n$s = K()",
        ["$s.c", "$s.n = $v", "vars($s).pop('c', 0)"], "($s.c, vars($s))"),
    _of("bound method", "[[1].append]", ["$s[0] = ([2, 3].append, [4].extend)[$v]", "$s[0] = 'abc'.index if $v else 'abd'.index",
        "$s[0] = Meets($v).method"], "($s[0].__name__, vars($s[0].__self__) if isinstance($s[0].__self__, Meets) else $s[0].__self__)"),
    _of("operators", "[operator.itemgetter(0)]", ["$s[0] = operator.itemgetter($v)", "$s[0] = operator.methodcaller('index', $w)"],
        "shown(lambda: $s[0]([0, 1]))"),
    _of("singledispatch", "$s = functools.singledispatch(lambda x: 'any')", ["$s.register((int, str)[$v])(lambda x: 'one')",
        "$s(1)"], "($s(1), $s('x'))"),
    _of("generator", "$s = held([1])", ["next($s, None)", "$s.close() if $v else None", "shown(lambda: $s.throw(KeyError($w)))"],
        "(drained($s), $s.gi_frame is None)"),
    _of("sent generator", "def g():\n    got = 0\n    while True:\n        got = got * 2 + (yield got)\n$s = g(); next($s)",
        ["$s.send($v)", "$s.send($w)"], "shown(lambda: $s.send(0))"),
    _of("failing generator", "def g():\n    try:\n        try: raiser(0)\n        except ValueError as e:\n            yield 1\n"
        "            yield e.args\n    finally: gone.append('closed')\n$s = g()",
        ["next($s, None)", "$s.close() if $v else None", "shown(lambda: $s.throw(KeyError($w)))"], "(drained($s), gone)"),
    _of("coroutine", "async def c(x):\n    @types.coroutine\n    def stop(y): return (yield y)\n    return x + await stop(1)\n$s = [c(3)]",
        ["shown(lambda: $s[0].send(None))", "$s[0].close() if $v else None"], "shown(lambda: $s[0].send(5))"),
    _of("async generator", "async def g():\n    yield 1\n    yield 2\n$s = g()", [
        "shown(lambda: $s.asend(None).send(None))"], "[shown(lambda: $s.asend(None).send(None)) for _ in range(2)]"),
    _of("exit stack", "contextlib.ExitStack()", ["$s.callback(gone.append, $v)", "$s.push(lambda *_: gone.append(9))",
        "$s.pop_all()"], "($s.close(), gone)"),
    _of("context manager", "[contextlib.nullcontext(1)]", ["$s[0] = contextlib.nullcontext($v)",
        "$s[0] = contextlib.suppress((KeyError, ValueError)[$v])"], "shown(lambda: vars($s[0]))"),
]  # fmt: skip

LIFETIMES = [
    _of("finalizers", "[Final(1)]", ["$s.append(Final(10 + $w))", "take($s)", "$s.clear()", "$s.insert(0, Final($v))"],
        "(len($s), gone)", ["len(gone)"]),
    _of("garbage", "[0]", ["litter($w)", "litter($v)", "gc.collect()", "$s.append(len(gone))"], "($s, gc.collect() and 0, gone)"),
    _of("by address", "[named(1)]", ["$s.append(named($v))", "$s.append(named(5 + $w))", "take($s)"],
        "[o.n for o in sorted($s, key=id)]"),
    _of("order of a set", "{1, 9}", ["$s.add(17)", "$s.discard(9)", "$s.add(25 + 8 * $v)", "$s.discard(1)", "$s.add(9)"], "list($s)"),
    _of("resurrection", "[Lazarus(1)]", ["take($s)", "take(gone)", "$s.append(gone.pop()) if gone else None"],
        "(len($s), [o.n for o in gone], $s.clear(), [o.n for o in gone])"),
    _of("weak reference", "o = Plain(); o.n = 1; $s = [o, weakref.ref(o)]; del o", ["$s[0] = None", "$s[0] = Plain()",
        "$s[1] = weakref.ref($s[0]) if $s[0] else None", "$s.append($s[1]() if $s[1] else 0)"],
        "($s[1] and $s[1]() is None, $s[1] and $s[1]() is $s[0], len($s))", ["$s[1] is not None and $s[1]() is None"]),
    _of("weak callbacks", "$s = [Plain()]", [
        "$s.append(weakref.ref($s[0], lambda _: gone.append($w))) if isinstance($s[0], Plain) else None",
        "$s.append(weakref.ref($s[0], lambda _, n=$v: gone.append(n))) if isinstance($s[0], Plain) else None",
        "take($s) if len($s) > 1 else None", "$s.__setitem__(0, 0)",
    ], "($s.__setitem__(0, 0), len($s), gone)", ["len(gone)"]),
    _of("proxy", "o = Plain(); o.n = 1; $s = [o, weakref.proxy(o)]; del o", ["$s[0] = Plain()", "$s[0].n = $v",
        "$s[1] = weakref.proxy($s[0])"], "shown(lambda: $s[1].n)"),
    _of("WeakValueDictionary", "o = Plain(); $s = [o, weakref.WeakValueDictionary(x=o)]; del o", ["$s[0] = None",
        "$s[0] = Plain()", "$s[0] and $s[1].update({'yz'[$v]: $s[0]})"], "sorted($s[1])", ["len($s[1])"]),
    _of("WeakKeyDictionary", "o = Plain(); $s = [o, weakref.WeakKeyDictionary({o: 1})]; del o", ["$s[0] = None",
        "$s[0] = Plain()", "$s[0] and $s[1].update({$s[0]: $v})"], "sorted($s[1].values())", ["len($s[1])"]),
    _of("WeakSet", "o = Plain(); $s = [o, weakref.WeakSet([o])]; del o", ["$s[0] = None", "$s[0] = Plain()",
        "$s[0] and $s[1].add($s[0])"], "len($s[1])"),
    _of("finalize", "o = Plain(); $s = [o, weakref.finalize(o, gone.append, 1)]; del o", ["$s[0] = None", "$s[1]()", "$s[1].detach()",
        "$s[0] = Plain()"], "($s[1].alive, gone)"),
    _of("cycle", "$s = [[]]", ["$s[0].append($s)", "$s[0] = [$s[0]]", "$s[0].append([$v])"], "$s"),
]  # fmt: skip

VALUES = [
    _of("exception", "[ValueError(0)]", ["$s[0] = ValueError($v)", "$s[0].args = ($w,)", "$s[0].add_note(str($v))",
        "$s[0].__cause__ = KeyError($v)", "$s[0].__suppress_context__ = bool($v)", "$s[0] = (KeyError, OSError)[$v]('x')"],
        "($s[0], $s[0].__cause__, $s[0].__suppress_context__, getattr($s[0], '__notes__', None))"),
    _of("raised exception", "[None]", [
        "try: raiser($v)\nexcept ValueError as e: $s[0] = e",
        "try:\n    try: raiser($w)\n    finally: int('x')\nexcept ValueError as e: $s[0] = e",
        "try:\n    if $v: raise KeyError(1)\n    raise KeyError(1)\nexcept KeyError as e: $s[0] = e",
        "$s[0] = $s[0] and $s[0].with_traceback(None)",
    ], "($s[0], $s[0] and ($s[0].__context__, $s[0].__traceback__ and ($s[0].__traceback__.tb_lineno, $s[0].__traceback__.tb_next is None)))"),
    _of("rich exceptions", "[None]", ["$s[0] = StopIteration($v)", "$s[0] = SystemExit($v)", "$s[0] = OSError($v, 'text', 'file')",
        "$s[0] = ExceptionGroup('g', [KeyError($v)])", "$s[0] = UnicodeDecodeError('ascii', b'abc', $v, 2, 'why')",
        "$s[0] = AttributeError('x', name=str($v))", "$s[0] = SyntaxError('bad', ('f', 1 + $v, 2, 'text'))",
        "$s[0] = ImportError('x', name=str($v))"],
        "($s[0], [getattr($s[0], n, None) for n in 'value code errno strerror filename exceptions start name lineno'.split()])"),
    _of("context variable", "$s = contextvars.ContextVar('c', default=1)", ["$s.set($v)", "$s.set([$w])"], "$s.get()", ["$s.get()"]),
    _of("context", "contextvars.copy_context()", ["$s.run(cv.set, $v)", "$s.run(cv.set, 5)"], "(sorted(var.name for var in $s if var is cv), $s.run(cv.get))"),
    _of("context token", "$s = [contextvars.ContextVar('c').set(1)]", ["$s[0] = $s[0].var.set($v)",
        "shown(lambda: $s[0].var.reset($s[0]))"], "(shown(lambda: $s[0].old_value), $s[0].var.get(None))"),
    _of("thread local", "threading.local()", ["$s.x = $v", "$s.y = $w", "vars($s).clear()"], "sorted(vars($s).items())"),
    _of("Random", "random.Random(5)", ["$s.random()", "$s.seed($v)", "$s.getrandbits(1 + 40 * $v)", "$s.gauss(0, 1)"], "($s.random(), $s.gauss(0, 1))"),
    _of("system random", "random.SystemRandom()", ["$s.random()", "$s.getrandbits(8 + 60 * $v)"], "$s.random()"),
    _of("global random", "random", ["$s.random()", "$s.seed($v)"], "$s.random()"),
    _of("match", "[None]", ["$s[0] = re.match('a*(b?)', 'aab'[$v:])", "$s[0] = re.search('b', 'abb', re.I if $v else 0)"],
        "$s[0] and ($s[0].span(), $s[0].groups(), $s[0].re.flags, $s[0].string)"),
    _of("pattern", "[re.compile('x')]", ["$s[0] = re.compile('x' * (1 + $v))", "$s[0] = re.compile('x', re.I)"], "$s[0].findall('XxX')"),
    _of("dates", "[datetime.datetime(2020, 1, 1)]", ["$s[0] += datetime.timedelta($v)", "$s[0] = $s[0].replace(fold=$v)",
        "$s[0] = $s[0].replace(tzinfo=datetime.timezone(datetime.timedelta(hours=$v)))", "$s[0] = $s[0].replace(microsecond=$w)"],
        "($s, $s[0].fold)"),
    _of("dates apart", "[None]", ["$s[0] = datetime.date(2020, 1, 1 + $v)", "$s[0] = datetime.time(1, $v)", "$s[0] = datetime.timedelta(0, $v)"], "$s"),
    _of("Decimal", "[decimal.Decimal('1.5')]", ["$s[0] += $v", "$s[0] = $s[0] / 3", "$s[0] = -$s[0]", "$s[0] = decimal.Decimal('1.50')",
        "$s[0] = decimal.Decimal(('NaN', 'Infinity')[$v])"], "($s[0], $s[0].as_tuple())"),
    _of("decimal context", "decimal.getcontext()", ["$s.prec = 5 + $v", "$s.rounding = (decimal.ROUND_UP, decimal.ROUND_DOWN)[$v]",
        "decimal.Decimal(1) / 3", "$s.clear_flags()"], "($s.prec, $s.rounding, sorted(f.__name__ for f, on in $s.flags.items() if on), decimal.Decimal(2) / 3)"),
    _of("Fraction", "[fractions.Fraction(1, 2)]", ["$s[0] += $v", "$s[0] /= 3"], "$s"),
    _of("range and slice", "[range(3), slice(1)]", ["$s[0] = range($v, 5)", "$s[1] = slice($v, None, 2)", "$s[0] = $s[0][::-1]"], "$s"),
    _of("hash", "hashlib.md5(b'x', usedforsecurity=False)", ["$s.update(bytes([$v]))"], "$s.hexdigest()"),
    _of("Struct", "[struct.Struct('B')]", ["$s[0] = struct.Struct('BH'[$v])"], "$s[0].size"),
    _of("generic alias", "[list[int]]", ["$s[0] = list[(int, str)[$v]]", "$s[0] = int | (str, bytes)[$v]"], "$s"),
    _of("mapping proxy", "d = {'x': 0}; $s = (d, types.MappingProxyType(d))", ["$s[0].update(x=$v)", "$s[0].update(y=$w)"], "dict($s[1])"),
]  # fmt: skip

THREADING = [
    _of("lock", "threading.Lock()", ["$s.acquire(False)", "$s.release() if $s.locked() else None"], "$s.locked()", ["$s.locked()"]),
    _of("RLock", "threading.RLock()", ["$s.acquire(False)", "$s.release() if $s._is_owned() else None"], "($s._is_owned(), $s._release_save()[0] if $s._is_owned() else 0)"),
    _of("event", "threading.Event()", ["$s.set() if $v else $s.clear()", "$s.clear()", "$s.set()"], "$s.is_set()", ["$s.is_set()"]),
    _of("semaphore", "threading.Semaphore(1)", ["$s.release()", "$s.acquire(blocking=False)"], "$s._value"),
    _of("bounded semaphore", "threading.BoundedSemaphore(2)", ["shown(lambda: $s.release())", "$s.acquire(blocking=False)"], "$s._value"),
    _of("queue", "queue.Queue()", ["$s.put($v)", "$s.put($w)", "$s.get_nowait() if $s.qsize() else None", "shown($s.task_done)"],
        "(list($s.queue), $s.unfinished_tasks)", ["$s.qsize()"]),
    _of("full queue", "queue.Queue(1)", ["shown(lambda: $s.put_nowait($v))", "shown($s.get_nowait)"], "list($s.queue)", ["$s.full()"]),
    _of("LifoQueue", "queue.LifoQueue()", ["$s.put($v)", "$s.put($w)"], "[$s.get() for _ in range($s.qsize())]"),
    _of("PriorityQueue", "queue.PriorityQueue()", ["$s.put($v)", "$s.put(5 + $w)"], "$s.queue"),
    _of("SimpleQueue", "queue.SimpleQueue()", ["$s.put($v)", "$s.put([$w])", "$s.get_nowait() if not $s.empty() else None"],
        "[$s.get_nowait() for _ in range($s.qsize())]", ["$s.qsize()"]),
    _of("barrier", "threading.Barrier(2)", ["$s.abort() if $v else $s.reset()"], "($s.broken, $s.n_waiting)"),
    _of("unstarted threads", "$s = []", ["$s.append(threading.Thread(target=gone.append, args=($v,), name='t$w'))", "take($s)"],
        "[(t.name, t._args, t.daemon) for t in $s]"),
]  # fmt: skip

FAMILIES = [
    (CONTAINERS, 6),
    (ITERATORS, 3),
    (MUTATED, 1),
    (ATTRIBUTES, 4),
    (CALLABLES, 3),
    (LIFETIMES, 3),
    (VALUES, 4),
    (THREADING, 3),
]
"""With how often each is drawn: about as often as it has members, but iterators are much alike."""
