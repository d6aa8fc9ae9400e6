"""Does a state cost the same however many are known already?

    python benchmarks/bench_scaling.py [--states 100000] [--write]

One depth-first search with the visited set of a program with many states: two threads that never end, each of which
goes round a circle of four hundred places and takes a lock of its own and a common one at each. Every state looks
alike, two steps lead out of it, and no path comes to an end of the test: where threads end, the states that are found
first are near those ends, and paths from them run the rest of the program besides. Time, and CPU time of explorer and
child, for each new state, from one power of ten to the next: later states bear whatever grows with the number of known
ones. The first path comes to more than a thousand states at once, and is left out.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "tests"), str(HERE)]

import pytest  # noqa: E402, F401  (a pytest process is what is explored in earnest)
from support.search import Notes, Subject, explore_with  # noqa: E402
from written import publish  # noqa: E402

from pytest_statespace.explore.budget import Budget  # noqa: E402
from pytest_statespace.explore.explorer import Explorer  # noqa: E402
from pytest_statespace.explore.strategies.dfs import DepthFirstSearch  # noqa: E402
from pytest_statespace.sandbox.protocol import Command, PathResult  # noqa: E402

THREADS = 2
PLACES = 400
VISIT_BYTES = 32
"""Of one entry of the visited table; it is at most seven eighths full."""


def program() -> object:
    locks = [threading.Lock() for _ in range(THREADS + 1)]

    def work(own: int) -> None:
        place = 0
        while True:
            with locks[own]:
                place = (place + 1) % PLACES
            with locks[THREADS]:
                pass

    threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return None


@dataclass(frozen=True, slots=True)
class Moment:
    """When so many states were known, and what had been used by then."""

    states: int
    executions: int
    seconds: float
    cpu: float


class Watched(Notes):
    """Takes the time whenever the number of states has reached the next of `marks`."""

    def __init__(self, sandbox: Any, marks: list[int]) -> None:
        super().__init__(sandbox, notes=False)
        self._marks = marks
        self._pid = sandbox._child.pid
        self._executions = 0
        self.moments = [self._now()]

    def run(self, command: Command, *, deadline: float) -> PathResult:
        result = super().run(command, deadline=deadline)
        self._executions += result.runs
        if self._marks and self.state_count() >= self._marks[0]:
            del self._marks[0]
            self.moments.append(self._now())
        return result

    def _now(self) -> Moment:
        ticks = Path(f"/proc/{self._pid}/stat").read_text().rpartition(")")[2].split()[11:13]
        child = sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")
        return Moment(self.state_count(), self._executions, time.monotonic(), time.process_time() + child)


def measure(marks: list[int]) -> Callable[[Subject], list[Moment]]:
    def use(subject: Subject) -> list[Moment]:
        engine = Watched(subject.sandbox, list(marks))
        budget = Budget(time.monotonic, time.monotonic(), 3600.0, max_states=marks[-1])
        Explorer(engine, DepthFirstSearch(None), budget).run()
        return engine.moments

    return use


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--states", type=int, default=100_000)
    parser.add_argument("--write", action="store_true")
    arguments: Any = parser.parse_args()
    marks = [10**power for power in range(3, 8) if 10**power <= arguments.states]
    moments = explore_with(program, measure(marks), granularity="sync", mebibytes=2048)
    lines = ["| states | executions | µs a state | CPU µs a state |", "|---|---|---|---|"]
    costs = []
    for before, now in pairwise(moments[1:]):
        new = now.states - before.states
        cost = (now.cpu - before.cpu) / new * 1e6
        costs.append(cost)
        wall = (now.seconds - before.seconds) / new * 1e6
        executions = now.executions - before.executions
        lines.append(f"| {before.states} to {now.states} | {executions} | {wall:.0f} | {cost:.0f} |")
    facts = [
        "dfs, granularity sync; CPU time of explorer and child together",
        f"the dearest of these states over the cheapest, by CPU time: {max(costs) / min(costs):.2f}",
        f"visited table: {VISIT_BYTES} bytes an entry, one for a state",
    ]
    publish("scaling", "Time for each state", facts, lines, write=arguments.write)


if __name__ == "__main__":
    main()
