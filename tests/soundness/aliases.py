"""Random programs whose threads use attributes under two names: of an instance, and as items of its dictionary.

Every interleaving of all instructions says what can come out. A seed gives the same program for ever. `getattr` fetches
the dictionary because `vars` and `__dict__` in a function make the search careful everywhere.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from support.search import UNDER_TEST

FILE = str(UNDER_TEST[1] / "aliases.py")

_HEADER = """\
import threading


class Box:
    def __init__(self):
        self.x = 0


def program():
    p, q = Box(), Box()
    lock = threading.Lock()
    given = []
"""
_END = """\
    threads = [threading.Thread(target=work0, args=(log0,)), threading.Thread(target=work1, args=(log1,))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return log0, log1, p.x, q.x, d["x"], [sorted(each.items()) for each in given]
"""


def _operation(rng: random.Random, who: int) -> list[str]:
    box = rng.choice("pq")
    return rng.choice(
        [
            [f"{box}.x = {who + 1}"],
            [f"log.append({box}.x)"],
            [f"{box}.x += 1"],
            [f"with lock: {box}.x += 1"],
            [f"d['x'] = {who + 5}"],
            ["log.append(d['x'])"],
            ["d['x'] += 1"],
            [f"e = getattr({box}, '__dict__')", "e['x'] += 1"],
            [f"log.append(getattr({box}, '__dict__')['x'])"],
            ["setattr(q, '__dict__', getattr(p, '__dict__'))"],
            ["mine = Box()", "given.append(getattr(mine, '__dict__'))", "mine.x += 1", "log.append(mine.x)"],
            ["if given: given[-1]['x'] += 7"],
            [f"found = {box}", "found.x += 1", "log.append(found.x == found.x)"],
        ]
    )


def source_of(seed: int) -> str:
    """The program as text."""
    rng = random.Random(f"aliases {seed}")
    d = rng.choice(["getattr(p, '__dict__')"] * 2 + ["{'x': 0}"])
    text = f"{_HEADER}    d = {d}\n"
    for who in range(2):
        lines = [line for _ in range(rng.randint(1, 2)) for line in _operation(rng, who)]
        body = "".join(f"        {line}\n" for line in lines)
        text += f"    log{who} = []\n\n    def work{who}(log):\n{body}\n"
    return text + _END


def load(source: str) -> Callable[[], Any]:
    """The program, ready to run, as code under test."""
    namespace: dict[str, Any] = {"__name__": "aliases", "__file__": FILE}
    exec(compile(source, FILE, "exec"), namespace)
    program: Callable[[], Any] = namespace["program"]
    return program
