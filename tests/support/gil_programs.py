"""Programs that lose an update exactly if the interpreter can switch threads between their two accesses.

Each reads `box.value`, does something, and writes the value back plus one, while another thread adds one
in a step of its own. A state space exploration asks whether the update can be lost; run as a script this
module makes a real interpreter answer: right behind the read a *pending call* is put on its list, which the
evaluation loop makes at the very place where it would also give the GIL away. That call lets the other
thread have its turn. No tracing, no luck.

`mark.now` puts it there. It must not itself be a place where the interpreter switches: it is a property
whose getter is C code, called by an attribute lookup.
"""

from __future__ import annotations

import ctypes
import functools
import json
import sys
import threading
import time  # noqa: F401  used by the text in BETWEEN
from collections.abc import Callable
from typing import Any


class Box:
    def __init__(self) -> None:
        self.value = 0
        self.other = 0

    def method(self) -> None: ...

    @property
    def doubled(self) -> int:
        return 2


class Number:
    def __add__(self, other: object) -> int:
        return 1

    def __eq__(self, other: object) -> bool:
        return True

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


class Mark:
    """In an exploration: nothing."""

    now = 0


def helper(*_: object, **__: object) -> int:
    return 1


def numbers() -> Any:
    yield 1


def hidden() -> Any:
    yield from numbers()


pair = (1, 2)
items = [2, 1]
table = {"k": 1}
number = Number()
lock = threading.Lock()
count = 0

BETWEEN: dict[str, str] = {
    "nothing": "pass",
    "function": "helper()",
    "function with keywords": "helper(flag=1)",
    "function unpacked": "helper(*pair)",
    "lambda": "(lambda: 0)()",
    "method": "box.method()",
    "class": "Box()",
    "builtin": "len(items)",
    "builtin asked about types": "isinstance(items, list)",
    "builtin with keywords": "sorted(items, reverse=True)",
    "builtin unpacked": "len(*(items,))",
    "method of a list": "items.append(1)",
    "type": "int('1')",
    "type with keywords": "dict(a=1)",
    "loop": "for _ in pair: pass",
    "loop that is left at once": "for _ in pair: break",
    "loop of no rounds": "for _ in (): pass",
    "while loop": "n = 2\n    while n: n -= 1",
    "while loop that begins with a test": "n = 2\n    while n is not None: n = n - 1 or None",
    "condition": "if pair: pass",
    "comprehension": "[x for x in pair]",
    "generator": "for _ in numbers(): break",
    "generator in a generator": "for _ in hidden(): break",
    "property": "box.doubled",
    "other attribute": "box.other = box.other",
    "operator": "number + 1",
    "comparison": "number == 1",
    "subscripts": "table['k'] = pair[0]",
    "slice": "pair[:1]",
    "element": "'k' in table",
    "formatting": "f'{value}'",
    "unpacking": "a, b = pair",
    "literals": "x = [value, {1: value}, {value}]",
    "global variable": "global count\n    count = count + 1",
    "exception": "try: raise KeyError\n    except KeyError: pass",
    "exception from C code": "try: table['none']\n    except KeyError: pass",
    "with a lock": "with lock: pass",
    "with a manager in Python": "with number: pass",
    "acquire": "lock.acquire()\n    x = lock\n    lock.release()",
    "sleep": "time.sleep(0)",
    "setattr": "setattr(box, 'other', 1)",
    "sort with a key": "items.sort(key=helper)",
}

TEMPLATE = """\
def program(box, mark):
    {first}value = box.value
    mark.now
    {between}
    box.value = value + 1
"""

INSIDE_LOCK = """\
def program(box, mark):
    value = box.value
    mark.now
    with lock:
        box.value = value + 1
"""

IN_PLACE = """\
def program(box, mark):
    box.value += 1 + mark.now
"""


def _made(source: str) -> Callable[[Box, Any], None]:
    namespace: dict[str, Any] = {}
    exec(compile(source, "<program>", "exec"), globals(), namespace)
    return namespace["program"]  # type: ignore[no-any-return]


def _from_template(between: str) -> str:
    first = "global count; " if between.startswith("global count") else ""
    return TEMPLATE.format(first=first, between=between.removeprefix("global count\n    "))


PROGRAMS: dict[str, Callable[[Box, Any], None]] = {
    **{name: _made(_from_template(between)) for name, between in BETWEEN.items()},
    "writing under a lock": _made(INSIDE_LOCK),
    "in place": _made(IN_PLACE),
}


def provoked(program: Callable[[Box, Any], None]) -> int:
    """The value of the box after the other thread had its turn at the first opportunity behind the mark."""
    box, turn, done = Box(), threading.Event(), threading.Event()

    def add() -> None:
        turn.wait()
        box.value += 1
        done.set()

    @ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)
    def let_it_run(_: object) -> int:
        turn.set()
        done.wait()
        return 0

    class Armed:
        _as_parameter_ = 0
        now = property(functools.partial(ctypes.pythonapi.Py_AddPendingCall, let_it_run, None))

    thread = threading.Thread(target=add)
    thread.start()
    program(box, Armed())
    thread.join()
    return box.value


def warmed(program: Callable[[Box, Any], None]) -> Callable[[Box, Any], None]:
    """From 3.14 on some specialised instructions are such places, and the ordinary ones are not."""
    for _ in range(1000):
        program(Box(), Mark)
    return program


def main() -> None:
    sys.setswitchinterval(1000.0)  # nobody asks for the GIL by himself
    found = {name: min(provoked(program), provoked(warmed(program))) for name, program in PROGRAMS.items()}
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
