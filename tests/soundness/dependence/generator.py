"""Random programs for reductions, many in one file: the first choice of an execution is which one runs.

They are smaller than those of `soundness.generator`, and more of what they do is independent: a reduction that
leaves nothing out is not tested. A seed gives the same file for ever.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

_FOLDER = Path(__file__).resolve().parent

_HEADER = '''\
import collections
import contextlib
import queue
import threading
import time
import weakref

from pytest_statespace._native._bridge import choose as _choose


class Box:
    shared = 0

    def __init__(self, value=0):
        self.x = value
        self.y = 0
        self.z = None


class Last:
    def __init__(self, log):
        self.log = log

    def __del__(self):
        self.log.append("del")


TOTAL = 0
'''

_START = '''\
def program{number}():
    global TOTAL
    TOTAL = 0
    Box.shared = 0
    p, q, r = Box(), Box(), Box()
    p.z = Box(1)
    q.z = p.z
    a, b = threading.Lock(), threading.RLock()
    cond = threading.Condition()
    event = threading.Event()
    sem = threading.Semaphore(1)
    line = queue.Queue()
    simple = queue.SimpleQueue()
    items = [1]
    table = {{}}
    weak = weakref.ref(p.z)
    ends = []
    p.last = q.last = Last(ends)
'''

_BOXES = ("p", "q", "r")


class _Writer:
    def __init__(self, rng: random.Random, most_inside: int) -> None:
        self.rng = rng
        self.most_inside = most_inside

    def operation(self, who: int, deep: bool = False) -> list[str]:
        kinds = _SIMPLE if deep else _KINDS
        kind: Callable[[_Writer, int], list[str]] = self.rng.choices(list(kinds), list(kinds.values()))[0]
        return kind(self, who)

    def _inner(self, who: int) -> list[str]:
        count = self.rng.randint(1, self.most_inside)
        return ["    " + line for _ in range(count) for line in self.operation(who, deep=True)]

    def attribute(self, who: int) -> list[str]:
        name = f"{self.rng.choice(_BOXES)}.{self.rng.choice('xxy')}"
        return [self.rng.choice([f"{name} = {who + 1}", f"log.append({name})", f"{name} += 1"])]

    def own(self, who: int) -> list[str]:
        return [self.rng.choice([f"mine.x = {who}", "mine.y += mine.x", "log.append(mine.y)"])]

    def between(self, who: int) -> list[str]:
        first, second = self.rng.sample(_BOXES, 2)
        return [f"{first}.x = {second}.x + {who + 1}"]

    def shelf(self, who: int) -> list[str]:
        box = self.rng.choice(_BOXES)
        return self.rng.choice(
            [
                [f"{box}.z = None"],
                [f"mine.z = {box}.z", "if mine.z is not None:", "    mine.z.x += 1"],
                [f"found = {box}.z", f"{box}.z = None", "if found is not None:", "    log.append(found.x)"],
                [f"made = Box({who})", f"{box}.z = made", f"{box}.z = None", "made.x += 1", "log.append(made.x)"],
                [f"if {box}.z is not None:", f"    {box}.z.x = {who + 5}"],
                ["log.append(weak() is None)"],
            ]
        )

    def last(self, who: int) -> list[str]:
        box = self.rng.choice("pq")
        return self.rng.choice([[f"{box}.last = None"], [f"kept = {box}.last", f"{box}.last = None", "del kept"]])

    def shared(self, who: int) -> list[str]:
        return self.rng.choice([["TOTAL += 1"], ["log.append(TOTAL)"], ["Box.shared += 1"], ["log.append(Box.shared)"]])

    def cell(self, who: int) -> list[str]:
        return [self.rng.choice(["local += 1", f"local = {who}", "log.append(local)"])]

    def container(self, who: int) -> list[str]:
        return self.rng.choice(
            [
                [f"items.append({who})"],
                ["log.append(len(items))"],
                ["log.append(items.pop() if items else None)"],
                ["items[:1] = mine_items"],
                [f"log.append({who} in items)"],
                ["for item in items:", "    log.append(item)"],
                [f"table[{who}] = 1"],
                [f"table['k'] = table.get('k', 0) + {who + 1}"],
                ["log.append(len(table))"],
                ["log.append(sorted(items))"],
            ]
        )

    def locked(self, who: int) -> list[str]:
        return [f"with {self.rng.choice(['a', 'b', 'a', 'sem', 'cond'])}:", *self._inner(who)]

    def two_locks(self, who: int) -> list[str]:
        return [f"with {', '.join(self.rng.sample(['a', 'b', 'sem'], 2))}:", "    p.y += 1"]

    def try_lock(self, who: int) -> list[str]:
        lock = self.rng.choice("ab")
        taken = [f"if {lock}.acquire(blocking=False):", "    q.y += 1", f"    {lock}.release()"]
        return [*taken, "else:", "    log.append('busy')"]

    def bare_lock(self, who: int) -> list[str]:
        release = ["with contextlib.suppress(RuntimeError):", "    a.release()", "    log.append('freed')"]
        return self.rng.choice([["a.acquire()"], release, ["log.append(a.locked())"]])

    def signal(self, who: int) -> list[str]:
        return self.rng.choice(
            [
                ["event.set()"], ["event.wait()"], ["log.append(event.is_set())"], ["event.clear()"],
                ["with cond:", "    r.y += 1", "    cond.notify()"],
                ["with cond:", "    while not r.y:", "        cond.wait()"],
                ["with cond:", "    cond.wait()"],
            ]
        )  # fmt: skip

    def line(self, who: int) -> list[str]:
        name = self.rng.choice(["line", "simple"])
        take = ["try:", f"    log.append({name}.get_nowait())", "except queue.Empty:", "    log.append('empty')"]
        ask = [f"log.append({name}.{self.rng.choice(['get', 'qsize'])}())"]
        return self.rng.choice([[f"{name}.put({who})"], take, ask])

    def time(self, who: int) -> list[str]:
        return self.rng.choice(
            [["time.sleep(1)"], ["log.append(event.wait(1))"], ["log.append(time.monotonic_ns() % 10**9)"],
             ["log.append(a.acquire(timeout=1))"]]
        )  # fmt: skip

    def choice(self, who: int) -> list[str]:
        return self.rng.choice([["log.append(_choose(2))"], ["if _choose(2):", "    p.x += 1"]])

    def child(self, who: int) -> list[str]:
        lines = ["child = threading.Thread(target=spawned)", "children.append(child)", "child.start()"]
        return lines + (["child.join()"] if self.rng.random() < 0.5 else [])

    def fails(self, who: int) -> list[str]:
        return ["if p.x > 2:", f"    raise RuntimeError({who})"]


_SIMPLE = {
    _Writer.attribute: 6, _Writer.own: 2, _Writer.between: 2, _Writer.shelf: 2, _Writer.cell: 1, _Writer.container: 2,
    _Writer.shared: 1,
}  # fmt: skip
_KINDS = _SIMPLE | {
    _Writer.locked: 6, _Writer.two_locks: 1, _Writer.try_lock: 1, _Writer.bare_lock: 1, _Writer.signal: 2,
    _Writer.line: 2, _Writer.time: 1, _Writer.choice: 1, _Writer.child: 1, _Writer.fails: 1, _Writer.last: 1,
}  # fmt: skip


def _program(number: int, rng: random.Random) -> list[str]:
    threads = 2 if rng.random() < 0.75 else 3
    most = 3 if threads == 2 else 2
    writer = _Writer(rng, most_inside=most - 1)
    left = rng.random() < 0.1  # the test ends while they run
    lines = [_START.format(number=number), "    local = 0", "    children = []"]
    lines += ["    def spawned():", "        q.x += 1"]
    for who in range(threads):
        body = [line for _ in range(rng.randint(1, most) if who < 2 else 1) for line in writer.operation(who)]
        lines += [f"    def worker{who}(log, mine, mine_items):", "        global TOTAL", "        nonlocal local"]
        lines += ["        " + line for line in body]
    logs = ", ".join(f"log{who}" for who in range(threads))
    lines.append("    " + "; ".join(f"log{who} = []" for who in range(threads)))
    for who in range(threads):
        arguments = f"(log{who}, Box({who}), [7, {who}])"
        lines.append(f"    thread{who} = threading.Thread(target=worker{who}, args={arguments}, daemon=True)")
    lines += [f"    thread{who}.start()" for who in range(threads)]
    lines += [f"    thread{who}.join()" for who in range(1 if left else threads)]
    if not left:
        lines += ["    for child in children:", "        child.join()"]
    lines.append(
        f"    return {number}, {logs}, [(box.x, box.y, box.z and box.z.x) for box in (p, q, r)], TOTAL,"
        " Box.shared, local, items, sorted(table.items(), key=str), line.qsize(), a.locked(), ends"
    )
    return lines


def _bare_program(number: int, rng: random.Random) -> list[str]:
    """Nothing but reads and writes of a few attributes, and locks: every wrong idea of what commutes shows soon."""
    threads = rng.choice([2, 3, 3])
    names = rng.choice([["p.x", "q.x"], ["p.x", "p.y", "q.x"]])
    lines = [f"def program{number}():", "    p, q = Box(), Box()", "    a, b = threading.Lock(), threading.Lock()"]
    for who in range(threads):
        body: list[str] = []
        read = 0
        for _ in range(rng.randint(2, 4) if threads == 2 else rng.randint(1, 3 if who < 2 else 2)):
            kind = rng.choices(["write", "read", "copy", "lock", "try"], [3, 4, 2, 4, 1])[0]
            name = rng.choice(names)
            if kind == "write":
                body.append(f"{name} = {rng.choice([1, 2, 10 * who + len(body) + 3])}")
            elif kind == "read":
                body.append(f"v{read} = {name}")
                read += 1
            elif kind == "copy":
                body.append(f"{name} = {rng.choice(names)}")
            elif kind == "lock":
                inside = rng.choice(["pass", f"{name} = {10 * who + 9}", f"v{read} = {name}"])
                read += inside.startswith("v")
                body += [f"with {rng.choice('aab')}:", f"    {inside}"]
            else:
                lock = rng.choice("ab")
                body += [f"v{read} = {lock}.acquire(blocking=False)", f"if v{read}:", f"    {lock}.release()"]
                read += 1
        body.append(f"mine.out = ({''.join(f'v{i}, ' for i in range(read))})")
        lines += [f"    def worker{who}(mine):", *("        " + line for line in body)]
    lines.append(f"    own = [{', '.join('Box()' for _ in range(threads))}]")
    made = ", ".join(f"threading.Thread(target=worker{who}, args=(own[{who}],))" for who in range(threads))
    lines.append(f"    made = [{made}]")
    lines += ["    for thread in made:", "        thread.start()", "    for thread in made:", "        thread.join()"]
    lines.append(f"    return {number}, [box.out for box in own], p.x, p.y, q.x")
    return lines


def source_of(seed: int, count: int) -> str:
    """`count` programs, and the one that chooses between them."""
    rng = random.Random(f"reductions {seed}")
    lines = [_HEADER]
    for number in range(count):
        make = _bare_program if rng.random() < 0.6 else _program
        lines += ["", *make(number, rng)]
    names = ", ".join(f"program{number}" for number in range(count))
    lines += ["", "", "def program():", f"    return ({names},)[_choose({count})]()"]
    return "\n".join(lines) + "\n"


def load(source: str, seed: int) -> Callable[[], object]:
    """Compile it as a file of this folder: code under test."""
    program = _namespace(source, seed)["program"]
    assert callable(program)
    return program


def load_one(source: str, seed: int, number: int) -> Callable[[], object]:
    """One of the programs."""
    program = _namespace(source, seed)[f"program{number}"]
    assert callable(program)
    return program


def _namespace(source: str, seed: int) -> dict[str, object]:
    name = str(_FOLDER / f"generated_{seed}.py")
    namespace: dict[str, object] = {"__name__": f"soundness.dependence.generated_{seed}", "__file__": name}
    exec(compile(source, name, "exec"), namespace)
    return namespace
