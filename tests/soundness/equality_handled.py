"""For every type that has a handler of its own: something that differs in an object of that type only.

The random programs draw these often, so that a handler that leaves something out is noticed soon
(`test_broken_handlers`). The steps replace or advance one object and leave no other trace.
"""
# ruff: noqa: E501 (tables of program text read best with one entry a line)

from __future__ import annotations

from soundness.equality_subjects import Subject


def _of(make: str, steps: list[str], show: str) -> Subject:
    return Subject(make.partition("\n")[0], make, tuple(steps), show)


def _over(make: str) -> Subject:
    return _of(f"[{make}]", [f"$s[0] = advanced({make}, $v)", "next($s[0], None) if $v else None"], "drained($s[0])")


HANDLED: dict[str, Subject] = {
    "tuple": _of("[(1, 2)]", ["$s[0] = ($v, 7)", "$s[0] = ([$v], 7)"], "$s"),
    "list": _of("[[1]]", ["$s[0] = [$v]", "$s[0].append($v)"], "$s"),
    "dict": _of("[{}]", ["$s[0] = {'k': $v}", "$s[0][$v] = 1"], "list($s[0].items())"),
    "set": _of("{1, 5}", ["$s.add($v)", "$s.discard($v)"], "sorted($s)"),
    "frozenset": _of("[frozenset()]", ["$s[0] = frozenset([$v])", "$s[0] |= {$v}"], "sorted($s[0])"),
    "frozendict": _of("[frozendict()]", ["$s[0] = frozendict(k=$v)", "$s[0] = frozendict(k=[$v])"], "list($s[0].items())"),
    "OrderedDict": _of("collections.OrderedDict(a=1, b=2, c=3)", ["$s.move_to_end('ab'[$v])", "$s.move_to_end('a')"], "list($s)"),
    "odict_iterator": _over("iter(collections.OrderedDict(a=1, b=2, c=3))"),
    "dict_keyiterator": _over("iter({'a': 1, 'b': 2, 'c': 3})"),
    "dict_valueiterator": _over("iter({'a': 1, 'b': 2, 'c': 3}.values())"),
    "dict_itemiterator": _over("iter({'a': 1, 'b': 2, 'c': 3}.items())"),
    "dict_reversekeyiterator": _over("reversed({'a': 1, 'b': 2, 'c': 3})"),
    "dict_reversevalueiterator": _over("reversed({'a': 1, 'b': 2, 'c': 3}.values())"),
    "dict_reverseitemiterator": _over("reversed({'a': 1, 'b': 2, 'c': 3}.items())"),
    "set_iterator": _over("iter(some)"),
    "deque": _of("collections.deque([1, 2])", ["$s.append($v)", "$s.rotate($v)", "$s.appendleft($v)"], "$s"),
    "_deque_iterator": _over("iter(collections.deque([1, 2, 3]))"),
    "_deque_reverse_iterator": _over("reversed(collections.deque([1, 2, 3]))"),
    "array": _of("array.array('i', [1, 2])", ["$s[0] = $v", "$s.append($v)"], "$s"),
    "bytearray": _of("bytearray(b'ab')", ["$s[0] = $v", "$s.append($v)"], "$s"),
    "BytesIO": _of("io.BytesIO(b'hello')", ["$s.seek($v)", "$s.write(bytes([65 + $v]))"], "($s.tell(), $s.getvalue())"),
    "StringIO": _of("io.StringIO('hello')", ["$s.seek($v)", "$s.write('ab'[$v])"], "($s.tell(), $s.getvalue())"),
    "Decimal": _of("[decimal.Decimal(1)]", ["$s[0] = decimal.Decimal($v)", "$s[0] = decimal.Decimal(10**40 + $v)"], "$s"),
    "_abc_data": _of("import abc\nclass K(abc.ABC): pass\n$s = K", ["$s.register((Plain, Slots)[$v])"], "(issubclass(Plain, $s), issubclass(Slots, $s))"),
    "ContextVar": _of("[contextvars.ContextVar('c', default=2)]", ["$s[0] = contextvars.ContextVar('c', default=$v)", "$s[0] = contextvars.ContextVar('cd'[$v])"], "($s[0].name, $s[0].get(None))"),
    "Context": _of("[contextvars.Context()]", ["$s[0].run(cv.set, $v)", "$s[0] = contextvars.Context(); $s[0].run(cv.set, $v)"], "sorted($s[0].values())"),
    "type": _of("class K: pass\n$s = K", ["$s.__name__ = 'KL'[$v]", "$s.__qualname__ = 'KL'[$v]"], "($s.__name__, $s.__qualname__)"),
    "function": _of("[None]", ["$s[0] = lambda x=[$v]: x", "$s[0] = (lambda n: lambda: n)($v)"], "shown($s[0])"),
    "code": _of("[None]", ["$s[0] = compile('12'[$v], 'f', 'eval')", "$s[0] = then.__code__.replace(co_name='n$v')"], "$s[0] and ($s[0].co_name, $s[0].co_consts)"),
    "generator": _over("held([1])"),
    "coroutine": _of("[None]", ["$s[0] = waits($v)", "shown(lambda: $s[0].send(None))"], "$s[0] and [shown(lambda: $s[0].send(None)) for _ in range(2)]"),
    "async_generator": _of("[None]", ["$s[0] = gives($v)", "shown(lambda: $s[0].asend(None).send(None))"], "$s[0] and [shown(lambda: $s[0].asend(None).send(None)) for _ in range(2)]"),
    "frame": _of("[None]", ["$s[0] = framed($v)", "$s[0] = framed([$v])"], "$s[0] and $s[0].f_locals"),
    "traceback": _of("[None]", ["$s[0] = traced($v)", "$s[0] = traced(1 - $v)"], "$s[0] and $s[0].tb_lineno - $s[0].tb_frame.f_code.co_firstlineno"),
    "ReferenceType": _of("$s = [named(0), named(1), None]", ["$s[2] = weakref.ref($s[$v])", "$s[2] = weakref.WeakMethod(Meets($v).method)"], "$s[2] and vars($s[2]() or box)"),
    "ProxyType": _of("$s = [named(0), named(1), None]", ["$s[2] = weakref.proxy($s[$v])"], "$s[2] and $s[2].n"),
    "CallableProxyType": _of("$s = [lambda: 0, lambda: 1, None]", ["$s[2] = weakref.proxy($s[$v])", "$s[2] = weakref.proxy($s[1 - $v])"], "$s[2] and $s[2]()"),
    "lock": _of("threading.Lock()", ["$s.acquire(False) if $v else None", "$s.release() if $s.locked() else None"], "$s.locked()"),
    "RLock": _of("threading.RLock()", ["$s.acquire(False) if $v else None", "$s.acquire(False)"], "$s._release_save()[0] if $s._is_owned() else 0"),
    "str": _of("[Text('t')]", ["$s[0] = Text('ab'[$v])", "$s[0] = Text('é' * (1 + $v))"], "$s"),
    "bytes": _of("[Octets(b't')]", ["$s[0] = Octets([$v])", "$s[0] = Octets(bytes(20) + bytes([$v]))"], "$s"),
    "memoryview": _of("[memoryview(b'abc')]", ["$s[0] = memoryview(b'abc')[$v:]", "$s[0] = memoryview(b'abc')[::1 + $v]"], "$s[0].tobytes()"),
    "date": _of("[None]", ["$s[0] = datetime.date(2020, 1, 1 + $v)"], "$s"),
    "time": _of("[None]", ["$s[0] = datetime.time(1, $v)", "$s[0] = datetime.time(1, fold=$v)"], "$s"),
    "datetime": _of("[None]", ["$s[0] = datetime.datetime(2020, 1, 1 + $v)", "$s[0] = datetime.datetime(2020, 1, 1, fold=$v)"], "$s"),
    "timedelta": _of("[None]", ["$s[0] = datetime.timedelta($v)", "$s[0] = datetime.timedelta(0, 0, $v)"], "$s"),
    "Match": _of("[None]", ["$s[0] = re.match('a*', 'aab'[$v:])", "$s[0] = re.match('(a)*' * (1 + $v), 'aab')"], "$s[0] and ($s[0].regs, $s[0].re.groups)"),
    "GenericAlias": _of("[None]", ["$s[0] = list[(int, str)[$v]]", "$s[0] = (list, set)[$v][int]"], "$s"),
    "UnionType": _of("[None]", ["$s[0] = int | (str, bytes)[$v]"], "$s"),
    "_lru_cache_wrapper": _of("$s = functools.lru_cache(maxsize=2)(lambda x: [x])", ["$s($v)", "$s(2)"], "($s.cache_info(), $s(0), $s(1), $s.cache_info())"),
    "_local": _of("[Kept(5)]", ["$s[0] = kept($v)", "$s[0] = kept([$v])"], "elsewhere(lambda: $s[0].n)"),
    "SimpleQueue": _of("queue.SimpleQueue()", ["$s.put($v)", "$s.put([$v])"], "[$s.get_nowait() for _ in range($s.qsize())]"),
    "_ThreadHandle": _of("[_thread._make_thread_handle(5)]", ["$s[0] = _thread._make_thread_handle(5 + $v)", "$s[0]._set_done() if $v else None"], "($s[0].ident, $s[0].is_done())"),
}  # fmt: skip
"""Under the names of the types. `_ThreadHandle` exists from 3.13 on, `frozendict` from 3.15 on; `memoryview` is compared word by word."""

UNHANDLED = [
    _of("asyncio.Future(loop=Turns())", ["$s.done() or $s.set_result($v)", "$s.cancel() if $v else None", "$s.add_done_callback((len, max)[$v])"],
        "($s.done(), $s.cancelled(), shown($s.result), $s.get_loop().shown())"),
    _of("$s = asyncio.Task(waits(1), loop=Turns(), name='t')", ["$s.get_loop().turn()", "$s.cancel() if $v else None", "$s.set_name('n$v')"],
        "($s.get_name(), $s.get_loop().turn(), $s.get_loop().turn(), $s.done(), $s.cancelled(), shown($s.result))"),
    _of("$s = asyncio.Task(waits(1), loop=Turns(), name='t')", ["$s.get_loop().turn() if $v else None"], "($s.get_loop().turn(), $s.done())"),
    _of("[1j]", ["$s[0] = 1j + $v", "$s[0] *= 1j"], "$s"),
    _of("[1.5]", ["$s[0] = 1.5 + $v", "$s[0] *= 2"], "$s"),
    _of("[b'x']", ["$s[0] = bytes([$v])", "$s[0] += bytes([$v])"], "$s"),
    _of("[range(2)]", ["$s[0] = range($v, 5)", "$s[0] = slice($v)"], "$s"),
    _of("hashlib.sha256(b'x')", ["$s.update(bytes([$v]))"], "$s.hexdigest()"),
    _of("types.SimpleNamespace(x=0)", ["$s.x = $v"], "$s"),
    _of("[Lazarus(1)]", ["take($s) if $v else None", "take(gone) if $v else None", "$s.append(gone.pop()) if gone else None"], "(len($s), len(gone), $s.clear(), len(gone))"),
    _of("random.SystemRandom()", ["$s.random() if $v else None"], "$s.random()"),
    _of("[None]", ["$s[0] = pierced($v)"], "$s[0] and drained($s[0][1])"),
]  # fmt: skip
"""Types that are compared word by word, values, and what belongs to no type."""
