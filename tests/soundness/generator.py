"""Random small concurrent programs, as Python source: a seed gives the same program for ever.

Each program has two or three threads of one to four operations on a few shared things, and returns
everything they noticed: a lost or an invented interleaving shows in the set of results. Threads may
wait for ever (a deadlock is an outcome like any other), raise, and start further threads.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import CodeType

_FOLDER = Path(__file__).resolve().parent

_HEADER = '''\
import collections
import queue
import threading
import time

from pytest_statespace._native._bridge import choose as _choose


class Cell:
    shared = 0

    def __init__(self):
        self.x = 0
        self.y = 0


TOTAL = 0
TABLE = {}


def program():
    global TOTAL
    TOTAL = 0
    TABLE.clear()
    a, b = threading.Lock(), threading.Lock()
    r = threading.RLock()
    cond = threading.Condition()
    sem = threading.Semaphore(1)
    ev = threading.Event()
    q = queue.Queue()
    sq = queue.SimpleQueue()
    o = Cell()
    Cell.shared = 0
    items = [1]
    seen = set()
    line = collections.deque()
    local = 0
    extra = []
'''


@dataclass(frozen=True, slots=True)
class Generated:
    """A program and what it is made of."""

    seed: int
    source: str
    timed: bool
    """It has timeouts: worth exploring with timeouts at any moment, too."""

    def load(self) -> Callable[[], object]:
        """Compile it as a file of this folder: code under test."""
        namespace: dict[str, object] = {
            "__name__": f"soundness.program_{self.seed}",
            "__file__": str(_FOLDER / "generated" / f"program_{self.seed}.py"),
        }
        code: CodeType = compile(self.source, str(namespace["__file__"]), "exec")
        exec(code, namespace)
        program = namespace["program"]
        assert callable(program)
        return program


class _Writer:
    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.timed = False

    def operation(self, who: int, depth: int = 0) -> list[str]:
        rng = self.rng
        kind = rng.choices(*_KINDS, k=1)[0]
        if depth and kind in _COMPOUND:
            kind = "attribute"
        lines: list[str] = getattr(self, "_" + kind)(who, depth)
        return lines

    def block(self, who: int, depth: int) -> list[str]:
        inner: list[str] = []
        for _ in range(self.rng.randint(1, 2)):
            inner += self.operation(who, depth + 1)
        return ["    " + line for line in inner]

    # -- data -----------------------------------------------------------------------------------

    def _attribute(self, who: int, depth: int) -> list[str]:
        name = self.rng.choice(["o.x", "o.y", "Cell.shared"])
        doubled = f"{name} = {name} * 2 + {who}"
        return [self.rng.choice([f"{name} += 1", f"{name} = {who}", f"log.append({name})", doubled])]

    def _global(self, who: int, depth: int) -> list[str]:
        return [self.rng.choice(["TOTAL += 1", f"TOTAL = {who}", "log.append(TOTAL)"])]

    def _cell(self, who: int, depth: int) -> list[str]:
        return [self.rng.choice(["local += 1", f"local = {who}", "log.append(local)"])]

    def _list(self, who: int, depth: int) -> list[str]:
        return self.rng.choice(
            [
                [f"items.append({who})"],
                ["log.append(items.pop() if items else None)"],
                ["log.append(len(items))"],
                ["items.sort()"],
                [f"items[:1] = [{who}]"],
                ["log.append(sum(items))"],
                ["for item in items:", "    log.append(item)"],
                [f"items.insert(0, {who})"],
            ]
        )

    def _dict(self, who: int, depth: int) -> list[str]:
        key = self.rng.randint(0, 1)
        return self.rng.choice(
            [
                [f"TABLE[{key}] = {who}"],
                [f"TABLE[{key}] = TABLE.get({key}, 0) + 1"],
                [f"log.append(TABLE.pop({key}, None))"],
                [f"log.append({key} in TABLE)"],
                [f"if {key} not in TABLE:", f"    TABLE[{key}] = {who}"],
                ["log.append(list(TABLE.items()))"],
                [f"seen.add({key})", "log.append(len(seen))"],
                [f"line.append({who})", "log.append(line.popleft())"],
            ]
        )

    def _check_then_act(self, who: int, depth: int) -> list[str]:
        return ["if o.x == 0:", f"    o.x = {who + 1}", "    log.append('mine')"]

    # -- locks ------------------------------------------------------------------------------------

    def _locked(self, who: int, depth: int) -> list[str]:
        lock = self.rng.choice(["a", "b", "r", "sem", "cond"])
        return [f"with {lock}:", *self.block(who, depth)]

    def _two_locks(self, who: int, depth: int) -> list[str]:
        first, second = self.rng.sample(["a", "b", "r"], 2)
        return [f"with {first}, {second}:", "    o.y += 1"]

    def _try_lock(self, who: int, depth: int) -> list[str]:
        lock = self.rng.choice(["a", "b", "sem", "r"])
        call = self.rng.choice(["blocking=False", f"timeout={self.rng.choice(['0.5', '1', '2'])}"])
        self.timed |= "timeout" in call
        taken = [f"if {lock}.acquire({call}):", "    o.x += 1", f"    {lock}.release()"]
        return [*taken, "else:", "    log.append('busy')"]

    def _bare_lock(self, who: int, depth: int) -> list[str]:
        calls = ["a.acquire()", "a.release()", "sem.release()", "log.append(a.locked())"]
        return [self.rng.choices(calls, [1, 1, 3, 5])[0]]

    # -- hand-over ----------------------------------------------------------------------------------

    def _event(self, who: int, depth: int) -> list[str]:
        calls = ["ev.set()", "ev.clear()", "log.append(ev.is_set())", "log.append(ev.wait(1))", "ev.wait()"]
        call = self.rng.choices(calls, [4, 2, 4, 3, 1])[0]
        self.timed |= "wait(1)" in call
        return [call]

    def _condition(self, who: int, depth: int) -> list[str]:
        if self.rng.random() < 0.5:
            return ["with cond:", "    o.y += 1", f"    cond.{self.rng.choice(['notify()', 'notify_all()'])}"]
        if self.rng.random() < 0.75:
            self.timed = True
            return ["with cond:", "    if not o.y:", "        log.append(cond.wait(1))"]
        return ["with cond:", "    while not o.y:", "        cond.wait()"]

    def _queue(self, who: int, depth: int) -> list[str]:
        name = self.rng.choice(["q", "sq"])
        if self.rng.random() < 0.5:
            return [f"{name}.put({self.rng.randint(0, 1)})"]
        ask = self.rng.choices(["get()", "empty()", "get_nowait()", "get(timeout=1)"], [1, 3, 3, 3])[0]
        self.timed |= "timeout" in ask
        if ask in ("get()", "empty()"):
            return [f"log.append({name}.{ask})"]
        return ["try:", f"    log.append({name}.{ask})", "except queue.Empty:", "    log.append('empty')"]

    # -- the rest -------------------------------------------------------------------------------------

    def _sleep(self, who: int, depth: int) -> list[str]:
        self.timed = True
        return [f"time.sleep({self.rng.choice(['0', '0.5', '1'])})"]

    def _choose(self, who: int, depth: int) -> list[str]:
        return self.rng.choice([["log.append(_choose(2))"], ["if _choose(2):", "    o.x += 1"]])

    def _raise(self, who: int, depth: int) -> list[str]:
        return self.rng.choice(
            [
                ["try:", "    items.remove(1)", "except ValueError:", "    log.append('gone')"],
                ["try:", "    o.x = 1 // o.x", "except ZeroDivisionError:", "    o.x = 1"],
                ["if o.x > 2:", f"    raise RuntimeError({who})"],
            ]
        )

    def _spawn(self, who: int, depth: int) -> list[str]:
        return [
            "child = threading.Thread(target=spawned)",
            "extra.append(child)",
            "child.start()",
            *(["child.join()"] if self.rng.random() < 0.5 else []),
        ]


_WEIGHTS = {
    "attribute": 4, "global": 3, "cell": 2, "list": 3, "dict": 3, "check_then_act": 2, "locked": 9, "two_locks": 1,
    "try_lock": 2, "bare_lock": 1, "event": 2, "condition": 2, "queue": 3, "sleep": 1, "choose": 1, "raise": 1,
    "spawn": 1,
}  # fmt: skip
_KINDS = (list(_WEIGHTS), list(_WEIGHTS.values()))
_COMPOUND = frozenset({"locked", "two_locks", "condition", "spawn", "event"})


def generate(seed: int) -> Generated:
    """The program of a seed."""
    rng = random.Random(f"statespace {seed}")
    threads = 2 if rng.random() < 0.75 else 3
    writer = _Writer(rng)
    most = 4 if threads == 2 else 2
    bodies: list[list[str]] = []
    if rng.random() < 0.5:  # threads that do the same few things again and again meet in more states
        pool = [writer.operation(rng.randint(0, 1)) for _ in range(3)]
        for _ in range(threads):
            bodies.append([line for lines in rng.choices(pool, k=rng.randint(most - 1, most)) for line in lines])
    else:
        for who in range(threads):
            bodies.append([line for _ in range(rng.randint(most // 2, most)) for line in writer.operation(who)])
    lines = [_HEADER]
    lines += ["    def spawned():", "        o.y += 1", ""]
    for who, body in enumerate(bodies):
        lines += [f"    def worker{who}(log):", "        global TOTAL", "        nonlocal local"]
        lines += ["        " + line for line in body]
        lines.append("")
    names = ", ".join(f"log{who}" for who in range(threads))
    lines.append("    " + "; ".join(f"log{who} = []" for who in range(threads)))
    for who in range(threads):
        lines.append(f"    thread{who} = threading.Thread(target=worker{who}, args=(log{who},))")
    lines += [f"    thread{who}.start()" for who in range(threads)]
    lines += [f"    thread{who}.join()" for who in range(threads)]
    lines += ["    for child in extra:", "        child.join()"]
    lines.append(
        f"    return ({names}, o.x, o.y, Cell.shared, TOTAL, local, items, sorted(TABLE.items()), sorted(seen),"
        " q.qsize(), sq.qsize(), ev.is_set(), a.locked(), time.monotonic_ns() % 10**9)"
    )
    return Generated(seed, "\n".join(lines) + "\n", writer.timed)
