"""What a fingerprint costs when the state is large.

Each program builds a structure and then runs two threads that change next to nothing of it. The cost of one
fingerprint is marginal: the difference between a longer and a shorter search of the same program, divided by the
states that the longer one has more, so that building the structure and looking at it for the first time are left
out. "changed" means that each transition also changes one entry. "afresh" is the cost with nothing remembered
(`--statespace-check` computes both; the difference is it).

    python benchmarks/bench_fingerprint.py [--rounds 3] [--write]

`--write` adds a file to `benchmarks/results`.
"""

from __future__ import annotations

import argparse
import collections
import statistics
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "tests"), str(HERE)]

import pytest  # noqa: E402, F401  (a pytest process is what is searched in earnest)
from litmus import programs  # noqa: E402
from support.search import Program, Subject, explore_with  # noqa: E402
from written import machine, publish_text  # noqa: E402


class Point:
    def __init__(self, x: int, y: str) -> None:
        self.x = x
        self.y = y


class Node:
    def __init__(self, value: int, after: Node | None) -> None:
        self.value = value
        self.after = after


def chain(n: int) -> Node | None:
    """A list of nodes, each in the one before."""
    node = None
    for i in range(n):
        node = Node(i, node)
    return node


def twice(n: int) -> object:
    """Objects that two containers refer to."""
    points = [Point(i, "y") for i in range(n)]
    return points, {point.x: point for point in points}


STRUCTURES: dict[str, Callable[[int], Any]] = {
    "list of int": lambda n: [1000 + i for i in range(n)],
    "list of instances": lambda n: [Point(1000 + i, f"name {i}") for i in range(n)],
    "list of tuples": lambda n: [(1000 + i, f"name {i}") for i in range(n)],
    "dict of int": lambda n: {f"key {i}": 1000 + i for i in range(n)},
    "dict of lists": lambda n: {i: [i, 1000 + i] for i in range(n)},
    "deque of int": lambda n: collections.deque(1000 + i for i in range(n)),
    "chain of nodes": chain,
    "instances in two containers": twice,
}
SIZES = (100, 10_000, 50_000)
BASE: dict[int, dict[str, int]] = {}


def _threads(times: int, step: Callable[[int], None]) -> None:
    lock = threading.Lock()

    def worker() -> None:
        for i in range(times):
            with lock:
                step(i)

    threads = [threading.Thread(target=worker) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def new_objects(build: Callable[[int], Any], n: int, times: int, change: bool) -> Program:
    def program() -> object:
        structure = build(n)
        at = n // 2 if not isinstance(structure, dict) else list(structure)[n // 2]

        def step(i: int) -> None:
            if change:
                structure[at] = i

        _threads(times, step)
        return None

    return program


def base_dict(n: int, times: int) -> Program:
    entries = BASE.setdefault(n, {f"key {i}": i for i in range(n)})

    def program() -> object:
        entries["key 50"] = -1
        _threads(times, lambda i: None)
        return None

    return program


@dataclass(frozen=True, slots=True)
class Cost:
    """Microseconds for one state."""

    fingerprint: float
    states: int


def _total(program: Program, check: bool) -> Cost:
    def use(subject: Subject) -> Cost:
        arena = subject.sandbox._arena
        before = arena._statistics()
        subject.search("dfs")
        after = arena._statistics()
        return Cost((after.ns_fingerprint - before.ns_fingerprint) / 1e3, after.checkpoints - before.checkpoints)

    return explore_with(program, use, check=check)


def marginal(make: Callable[[int], Program], rounds: int, *, check: bool = False) -> float:
    found = []
    for _ in range(rounds):
        short, long = _total(make(1), check), _total(make(4), check)
        found.append((long.fingerprint - short.fingerprint) / (long.states - short.states))
    return statistics.median(found)


def table(rounds: int) -> list[str]:
    lines = ["| new objects | n | unchanged µs | one entry changed µs | afresh µs |", "|---|---|---|---|---|"]
    for name, build in STRUCTURES.items():
        changeable = name not in ("chain of nodes", "instances in two containers")
        for n in SIZES:
            same = marginal(lambda times, b=build, n=n: new_objects(b, n, times, False), rounds)  # type: ignore[misc]
            both = marginal(lambda times, b=build, n=n: new_objects(b, n, times, False), 1, check=True)  # type: ignore[misc]
            changed = ""
            if changeable:
                cost = marginal(lambda times, b=build, n=n: new_objects(b, n, times, True), rounds)  # type: ignore[misc]
                changed = f"{cost:.0f}"
            lines.append(f"| {name} | {n} | {same:.0f} | {changed} | {both - same:.0f} |")
    lines += ["", "| changed base dict, entries | µs | afresh µs |", "|---|---|---|"]
    for n in (1000, 10_000, 100_000):
        same = marginal(lambda times, n=n: base_dict(n, times), rounds)  # type: ignore[misc]
        both = marginal(lambda times, n=n: base_dict(n, times), 1, check=True)  # type: ignore[misc]
        lines.append(f"| {n} | {same:.0f} | {both - same:.0f} |")
    return lines


def process(rounds: int) -> list[str]:
    """The lock program in a process as it is, and with ten times as many objects."""
    small = [marginal(lambda times: programs.locked_increments(2, times), 1) for _ in range(2 * rounds)]
    import gc

    ballast = [[Point(i, "y")] for i in range(5 * len(gc.get_objects()))]
    large = [marginal(lambda times: programs.locked_increments(2, times), 1) for _ in range(2 * rounds)]
    few, many = statistics.median(small), statistics.median(large)
    count = len(gc.get_objects())
    del ballast
    return [
        "| process | µs |",
        "|---|---|",
        f"| lean | {few:.0f} |",
        f"| {count} tracked objects | {many:.0f} ({many / few:.2f}x) |",
    ]


def share(rounds: int) -> list[str]:
    """Share of the fingerprint in the time of the child between two choice points."""

    def use(subject: Subject) -> tuple[float, float, float]:
        subject.search("dfs")
        arena, times = subject.sandbox._arena, 6
        before = arena._statistics()
        transitions = sum(subject.search("dfs").transitions for _ in range(times))
        after = arena._statistics()
        us = [
            (getattr(after, name) - getattr(before, name)) / transitions / 1e3
            for name in ("ns_fingerprint", "ns_checkpoint", "ns_restore")
        ]
        return us[0], us[1], us[2]

    lines = ["| program | fingerprint µs | checkpoint µs | restore µs | share of the three |", "|---|---|---|---|---|"]
    for name, program in {
        "two threads, three locked increments each": programs.locked_increments(2, 3),
        "three philosophers": programs.philosophers(3, ordered=True),
        "a bounded queue": programs.bounded_queue(2, 1),
    }.items():
        series = [explore_with(program, use, check=False) for _ in range(rounds)]
        a, b, c = (statistics.median(values) for values in zip(*series, strict=True))
        lines.append(f"| {name} | {a:.0f} | {b:.0f} | {c:.0f} | {100 * a / (a + b + c):.0f} % |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", action="store_true", help="keep the result in benchmarks/results")
    options = parser.parse_args()
    lines = ["# What a fingerprint costs", ""]
    lines += ["## Share of a transition", "", *share(options.rounds), ""]
    lines += ["## Large states", "", *table(options.rounds), ""]
    lines += ["## Large processes", "", *process(options.rounds), ""]
    lines[2:2] = [*machine(), f"- medians of {options.rounds} rounds", ""]
    text = "\n".join(lines)
    publish_text("fingerprint", text, write=options.write)


if __name__ == "__main__":
    main()
