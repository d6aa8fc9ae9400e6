"""Places where a thread can keep a value while others run, and ways in which threads meet.

A *hiding place* takes `$v`, passes a choice point, and only then puts the value into its log: at the
choice point two states differ in nothing but what lies in that place: a local variable, the value stack,
a C function's own variables, an exception in flight, a generator, a deadline.

Each text comes with the number of choice points its thread passes, where that is not the number of times
it says `point()`.
"""
# ruff: noqa: E501 (tables of program text read best with one entry a line)

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Snippet:
    text: str
    points: int


def _s(text: str, points: int | None = None) -> Snippet:
    return Snippet(text, text.count("point()") if points is None else points)


PYTHON = [
    _s("x = $v\npoint()\nlog.append(x)"),
    _s("log.append([$v, point()])"),
    _s("log.append(($v, then(2)))", 1),
    _s("log.append(f'{$v}{point()}')"),
    _s("log.append(then($v))", 1),
    _s("log.append(dict(k=$v, p=point()))"),
    _s("log.append([$v, *early(1, 2)])", 1),
    _s("log.append($v + then(10))", 1),
    _s("log.append((lambda x=$v: (point(), x))()[1])"),
    _s("x = $v\nf = lambda: x\npoint()\nlog.append(f())"),
    _s("log.append([x + then(0) for x in [$v]])", 1),
    _s("log.append([x for x in (y + then(0) for y in [$v])])", 1),
    _s("if $v:\n    point()\n    log.append(1)\nelse:\n    point()\n    log.append(0)", 1),
    _s("for i in range(1 + $v):\n    point()\n    log.append(i)", 2),
    _s("for x in [$v, 2]:\n    then(0)\n    log.append(x)", 2),
    _s("for k, x in {'k': $v}.items():\n    point()\n    log.append(x)"),
    _s("for k, x in enumerate([5, 6][$v:]):\n    point()\n    log.append((k, x))", 2),
    _s("for k, x in zip('ab', reversed([$v, 4])):\n    point()\n    log.append(x)", 2),
    _s("for x in zip([5, $v], early(1, 2)):\n    log.append(x)", 1),
    _s("for x in map(lambda x: x * 2, [$v]):\n    point()\n    log.append(x)"),
    _s("while 1:\n    x = $v\n    point()\n    if not x: break\n    log.append(x)\n    break"),
    _s("with contextlib.nullcontext($v) as x:\n    point()\n    log.append(x)"),
    _s("with Meets($v) as x:\n    log.append(x)", 2),
    _s("with contextlib.suppress((KeyError, ValueError)[$v]):\n    point()\n    raiser(1)"),
    _s("with contextlib.ExitStack() as stack:\n    stack.callback(log.append, $v)\n    point()"),
    _s("try:\n    try: raiser($v)\n    finally: point()\nexcept ValueError as e: log.append(e.args)"),
    _s("try: raiser($v)\nexcept ValueError:\n    point()\n    log.append(sys.exc_info()[1].args)"),
    _s("try:\n    try: raiser($v)\n    except ValueError:\n        point()\n        raise\nexcept ValueError as e: log.append(e.args)"),
    _s("try:\n    try: raiser($v)\n    except ValueError:\n        point()\n        int('x')\nexcept ValueError as e: log.append(e.__context__.args)"),
    _s("try:\n    raise (KeyError, ValueError)[$v]\nexcept KeyError:\n    point()\n    log.append('key')\nexcept ValueError:\n    point()\n    log.append('value')", 1),
    _s("try: raise ExceptionGroup('g', [ValueError($v), KeyError()])\nexcept* ValueError as e:\n    point()\n    log.append(e.exceptions[0].args)\nexcept* KeyError: pass"),
    _s("g = held($v)\nnext(g)\npoint()\nlog.append(next(g))"),
    _s("g = held($v)\nif $v: next(g)\npoint()\nlog.append(next(g, None))"),
    _s("g = (x for x in [$v, 2])\npoint()\nlog.append(list(g))"),
    _s("def g():\n    log.append([$v, (yield 0)])\nit = g()\nnext(it)\npoint()\ndrained(it)"),
    _s("def g():\n    try: raiser($v)\n    except ValueError:\n        yield 0\n        log.append(sys.exc_info()[1].args)\nit = g()\nnext(it)\npoint()\ndrained(it)"),
    _s("def g():\n    x = yield from held($v)\nit = g()\nnext(it)\npoint()\nlog.append(next(it))"),
    _s("async def c(x):\n    point()\n    return x\nlog.append(shown(lambda: c($v).send(None)))"),
    _s("tl.x = $v\npoint()\nlog.append(tl.x)"),
    _s("cv.set($v)\npoint()\nlog.append(cv.get())"),
    _s("contextvars.copy_context().run(lambda: (cv.set($v), point(), log.append(cv.get())))"),
    _s("decimal.getcontext().prec = 5 + $v\npoint()\nlog.append(decimal.Decimal(1) / 3)"),
    _s("with decimal.localcontext() as c:\n    c.prec = 5 + $v\n    point()\n    log.append(decimal.Decimal(1) / 3)"),
    _s("log.append(deep(1 + $v))", 1),
    _s("exec('x = v\\npoint()\\nlog.append(x)', globals(), {'v': $v, 'log': log})"),
    _s("class T:\n    x = $v\n    point()\n    log.append(x)"),
    _s("log.append((point, then)[$v]() if 0 else (point() or $v))"),
    _s("f = functools.partial(then, $v)\nlog.append(f())", 1),
    _s("log.append((then if $v else held)(1) and 1)", 1),
    _s("log.append(Meets($v).method(5))", 1),
    _s("match [$v, point()]:\n    case [0, _]: log.append('zero')\n    case [n, _]: log.append(n)"),
    _s("x = [$v]\nx.append(x)\npoint()\nlog.append(x[0])"),
    _s("fr = sys._getframe()\nx = $v\npoint()\nlog.append(fr.f_locals['x'])\ndel fr"),
]  # fmt: skip

IN_C = [
    _s("log.append(sum(early($v, 2)))", 1),
    _s("log.append(max(early($v, 0)))", 1),
    _s("log.append(min(early(1 - $v, 1)))", 1),
    _s("log.append(any(early(0, $v)) + 0)", 1),
    _s("log.append(list(early($v, 2)))", 1),
    _s("log.append(tuple(early($v, 2)))", 1),
    _s("log.append(sorted(early($v, 0)))", 1),
    _s("log.append(sorted(set(early($v, 0))))", 1),
    _s("log.append(dict(early(('a', $v), ('b', 2))))", 1),
    _s("log.append(','.join(early('xy'[$v], 'z')))", 1),
    _s("log.append(bytes(early($v, 2)))", 1),
    _s("log.append(functools.reduce(lambda p, q: p * 2 + q, early($v, 1)))", 1),
    _s("log.append(functools.reduce(lambda p, q: then(0), [$v, 1]))", 1),
    _s("log.append(list(map(then, [$v])))", 1),
    _s("log.append(list(filter(then, [$v, 2])))", 2),
    _s("log.append(list(zip(early($v, 1), 'ab')))", 1),
    _s("log.append(list(itertools.accumulate(early($v, 1))))", 1),
    _s("log.append(list(itertools.chain([$v], early(3, 4))))", 1),
    _s("log.append(collections.deque(early($v, 1)))", 1),
    _s("log.append(sorted([1 - $v, 5], key=then))", 2),
    _s("x = [$v, 0]\nx.sort(key=then)\nlog.append(x)", 2),
    _s("x = [Meets($v), Meets(1 - $v)]\nx.sort()\nlog.append(x[0].n)", 1),
    _s("log.append(min([3 - $v, 2], key=then))", 2),
    _s("log.append([7, Meets(3)].index(3 + $v) if $v == 0 else 1)", 1),
    _s("log.append({Meets(1): $v}[Meets(1)])", 1),
    _s("log.append(Meets($v) in [Meets(1)])", 1),
    _s("log.append(Meets($v) + 1)", 1),
    _s("log.append(Meets($v)[0])", 1),
    _s("log.append(1 in Meets($v))", 1),
    _s("log.append(Meets($v)(1))", 1),
    _s("log.append(Meets($v) == 1)", 1),
    _s("log.append(Meets($v) < Meets(1))", 1),
    _s("log.append(list(Meets($v)))", 1),
    _s("a0, a1 = Meets($v)\nlog.append(a0)", 1),
    _s("log.append(1 if Meets($v) else 0)", 1),
    _s("log.append([4, 5][Meets($v)])", 1),
    _s("log.append(f'{Meets($v)}')", 1),
    _s("log.append('{}{}'.format($v, Meets(1)))", 1),
    _s("log.append(Meets($v).missing)", 1),
    _s("log.append(Meets($v).prop)", 1),
    _s("log.append(getattr(Meets($v), 'prop'))", 1),
    _s("log.append(operator.attrgetter('prop')(Meets($v)))", 1),
    _s("log.append(re.sub('.', lambda m: str(then(m[0])), '45'[$v:]))", 2),
    _s("log.append(heapq.nsmallest(1, [3 - $v, 2], key=then))", 2),
    _s("log.append(functools.partial(functools.partial(then, $v))())", 1),
    _s("log.append(functools.lru_cache(then)($v))", 1),
    _s("log.append(type('T', (), {'__init__': lambda self: [point()] and None, 'x': $v})().x)"),
    _s("log.append(eval('[v, point()]', globals(), {'v': $v}))"),
    _s("log.append(copy.deepcopy([$v, type('T', (), {'__deepcopy__': lambda s, m: then(1)})()]))", 1),
    _s("log.append(json.dumps([$v, Plain()], default=lambda o: then(1)))", 1),
    _s("log.append(io.StringIO().write(str($v) * then(2)))", 1),
    _s("d = DiesSlowly($v)\ndel d", 1),
    _s("x = [DiesSlowly($v), 1]\nx.clear()", 1),
    _s("o = Plain()\nw = weakref.ref(o, lambda _, n=$v: (point(), log.append(n)))\ndel o"),
    _s("contextvars.copy_context().run(then, $v)\nlog.append(1)", 1),
]  # fmt: skip

MEETING = [
    _s("with a:\n    log.append(box.t)", 2),
    _s("with a:\n    box.t = 1\nbox.t = 0", 2),
    _s("a.acquire()\nbox.t += 1\na.release()", 2),
    _s("if a.acquire(False):\n    log.append('got')\n    a.release()", 2),
    _s("log.append(a.acquire(timeout=1 + $v))", 1),
    _s("log.append(a.locked())", 1),
    _s("with r, r:\n    point()", 3),
    _s("with sem:\n    box.t += 1", 2),
    _s("ev.set()", 2),
    _s("log.append(ev.wait(1 + $v))", 3),
    _s("ev.wait()", 3),
    _s("with cond:\n    cond.notify()", 3),
    _s("with cond:\n    log.append(cond.wait(1 + $v))", 4),
    _s("with cond:\n    cond.wait_for(lambda: box.t)", 4),
    _s("sq.put($v)", 1),
    _s("log.append(sq.get())", 1),
    _s("log.append(shown(sq.get_nowait))", 1),
    _s("log.append(sq.empty())", 1),
    _s("sq.put($v)\nlog.append(sq.get())", 2),
    _s("time.sleep($v)\nlog.append(time.monotonic_ns() % 10**9)", 1),
    _s("time.sleep(1 + $v)", 1),
    _s("t = threading.Thread(target=lambda n: log.append(n), args=($v,))\nt.start()\nt.join()", 5),
    _s("_thread.start_new_thread(log.append, ($v,))", 3),
    _s("threading.Timer(1 + $v, log.append, (1,)).start()", 5),
    _s("threading.Timer(1, log.append, ($v,)).start()\ntime.sleep(2)", 6),
    _s("box.t += 1", 0),
    _s("box.x = $v\npoint()\nlog.append(box.x)"),
    _s("if box.t == 0:\n    point()\n    box.t = 1\n    log.append('mine')"),
]  # fmt: skip

STARTING = [
    _s("_thread.start_new_thread(log.append, ($v,))\npoint()", 1),
    _s("_thread.start_new_thread((log.append, log.remove)[$v], (0,))\npoint()", 1),
    _s("_thread.start_new_thread((lambda: log.append(0), lambda: log.append(1))[$v], ())\npoint()", 1),
    _s("threading.Thread(target=log.append, args=($v,)).start()\npoint()", 2),
    _s("_thread.start_new_thread(time.sleep, (1 + $v,))\npoint()\ntime.sleep(1.5)\nlog.append(_thread._count())", 2),
    _s("threading.Timer(1 + $v, log.append, (1,)).start()\npoint()\ntime.sleep(1.5)", 3),
]

TOGGLE = _s("box.t = 1\npoint()\nbox.t = 0")
PAUSE = _s("point()")
