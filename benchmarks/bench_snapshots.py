"""What keeping snapshots costs: whole searches with plain full copies, and with each idea added that saves some of it.

    python benchmarks/bench_snapshots.py [--rounds 3] [--write]

Full copies keep every page at every choice point. Merging hashes every page and keeps equal ones once. Comparing looks
first whether a page is what it was. Tracking names the pages that may have been written; without prediction each of
them is armed again at every choice point. All of them find the same. `--write` adds a file to `benchmarks/results`.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "tests"), str(HERE)]

import pytest  # noqa: E402, F401  (a pytest process is what is searched in earnest)
from litmus import programs  # noqa: E402
from support.search import Found, Program, Subject, explore_with  # noqa: E402
from written import publish  # noqa: E402

from pytest_statespace.sandbox.protocol import Without  # noqa: E402

MEBIBYTES = 4096
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Contender:
    tracker: str
    without: Without


CONTENDERS = {
    "full copies": Contender("compare", Without.MERGING | Without.COMPARISON),
    "merging": Contender("compare", Without.COMPARISON),
    "merging, comparing": Contender("compare", Without.NOTHING),
    "merging, tracking (`wpasync`)": Contender("wpasync", Without.PREDICTION),
    "merging, tracking (`mprotect`)": Contender("mprotect", Without.PREDICTION),
    "merging, tracking (`wpasync`), prediction": Contender("wpasync", Without.NOTHING),
    "merging, tracking (`mprotect`), prediction": Contender("mprotect", Without.NOTHING),
}
BASIS = "full copies"

SEARCHES: dict[str, tuple[Program, bool]] = {
    "two threads, two locked increments each, every interleaving": (programs.locked_increments(2, 2), False),
    "three philosophers, states merged": (programs.philosophers(3, ordered=True), True),
}
Values = dict[str, float]


def _times(pid: int) -> tuple[float, float]:
    """Seconds of CPU time so far, of the program and of the kernel for it."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return int(fields[11]) / TICKS, int(fields[12]) / TICKS


def measuring(prune: bool, found: list[Found]) -> Callable[[Subject], Values]:
    def measure(subject: Subject) -> Values:
        arena, pid = subject.sandbox._arena, subject.sandbox._child.pid
        user, system = _times(pid)
        before, started = arena._statistics(), time.perf_counter()
        one = subject.search("dfs", prune=prune)
        seconds = time.perf_counter() - started
        after, (user_then, system_then) = arena._statistics(), _times(pid)
        found.append(one)
        checkpoints, restores = after.checkpoints - before.checkpoints, after.restores - before.restores
        engine = sum(
            getattr(after, name) - getattr(before, name)
            for name in ("ns_checkpoint", "ns_restore", "ns_fingerprint")
        )
        return {
            "seconds": seconds,
            "user": user_then - user,
            "system": system_then - system,
            "peak": after.peak_stored_bytes / 2**20,
            "share": 100 * after.peak_stored_bytes / (after.naive_bytes - before.naive_bytes),
            "checkpoint": (after.ns_checkpoint - before.ns_checkpoint) / checkpoints / 1e3,
            "restore": (after.ns_restore - before.ns_restore) / restores / 1e3,
            "program": (user_then + system_then - user - system - engine / 1e9) / one.transitions * 1e6,
        }

    return measure


def table(rounds: list[dict[str, Values]]) -> list[str]:
    lines = [
        "| | against full copies | seconds | user s | system s | peak of the store MiB | of all copies |"
        " checkpoint µs | restore µs | program µs |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name in CONTENDERS:
        ratio = statistics.median(one[name]["seconds"] / one[BASIS]["seconds"] for one in rounds)

        def median(field: str, name: str = name) -> float:
            return statistics.median(one[name][field] for one in rounds)

        lines.append(
            f"| {name} | {ratio:.3f} | {median('seconds'):.2f} | {median('user'):.2f} | {median('system'):.2f} |"
            f" {median('peak'):.1f} | {median('share'):.3f} % | {median('checkpoint'):.0f} | {median('restore'):.0f} |"
            f" {median('program'):.0f} |"
        )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", action="store_true")
    arguments: Any = parser.parse_args()
    lines: list[str] = []
    for title, (program, prune) in SEARCHES.items():
        found: list[Found] = []
        rounds = [
            {
                name: explore_with(
                    program,
                    measuring(prune, found),
                    tracker=contender.tracker,
                    without=contender.without,
                    mebibytes=MEBIBYTES,
                )
                for name, contender in CONTENDERS.items()
            }
            for _ in range(arguments.rounds)
        ]
        same = len({(one.executions, one.transitions, one.states, one.results) for one in found}) == 1
        counts = f"{found[0].executions} executions, {found[0].transitions} transitions" if same else "THEY DIFFER"
        lines += ["", f"## {title}", "", *table(rounds), "", f"All of them: {counts}."]
    facts = [
        f"medians of {arguments.rounds} rounds, contenders alternating; CPU times of the child",
        "*program*: CPU time of a transition outside checkpoints, restores and fingerprints: of the program itself,"
        " with the faults that tracking costs it",
        "*of all copies*: the peak of the store, the base content included, against full copies at all choice points",
    ]
    publish("snapshots", "Snapshots", facts, lines, write=arguments.write)


if __name__ == "__main__":
    main()
