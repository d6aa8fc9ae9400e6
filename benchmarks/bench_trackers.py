"""What a tracker costs: the same search with each of them, in alternating rounds; ratios against `wpasync`.

    python benchmarks/bench_trackers.py [--rounds 5] [--write]

`--write` adds a file to `benchmarks/results`. A tracker that this machine does not have is left out, with the reason.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "tests"), str(HERE)]

import pytest  # noqa: E402, F401  (a pytest process is what is tracked in earnest)
from litmus import programs  # noqa: E402
from support.search import Subject, explore_with  # noqa: E402
from written import publish  # noqa: E402

from pytest_statespace.sandbox.arena import tracker_names  # noqa: E402
from pytest_statespace.sandbox.probe import probe_trackers  # noqa: E402

PROGRAMS = {
    "two threads, locked": programs.locked_increments(2, 3),
    "three philosophers": programs.philosophers(3, ordered=True),
}
BASIS = "wpasync"
Values = dict[str, float]


def measure(subject: Subject) -> Values:
    """One search, after one that is not counted: base pages are fetched then."""
    arena = subject.sandbox._arena
    subject.search("dfs")
    before = arena._statistics()
    started = time.perf_counter()
    found = subject.search("dfs")
    seconds = time.perf_counter() - started
    after = arena._statistics()

    def each(name: str, of: str) -> float:
        return (getattr(after, name) - getattr(before, name)) / max(1, getattr(after, of) - getattr(before, of))

    return {
        "seconds": seconds,
        "executions": found.executions,
        "transitions": found.transitions / seconds,
        "states": found.states,
        "named": each("dirty_pages", "checkpoints"),
        "checkpoint": each("ns_checkpoint", "checkpoints") / 1000,
        "scan": each("ns_scan", "checkpoints") / 1000,
        "restore": each("ns_restore", "restores") / 1000,
    }


def table(rounds: list[dict[str, Values]], trackers: list[str]) -> list[str]:
    lines = [
        "| tracker | search, against wpasync | transitions/s | pages named | checkpoint µs | scan µs | restore µs |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in trackers:
        ratio = statistics.median(one[name]["seconds"] / one[BASIS]["seconds"] for one in rounds)
        fields = ("transitions", "named", "checkpoint", "scan", "restore")
        medians = [statistics.median(one[name][field] for one in rounds) for field in fields]
        lines.append(f"| {name} | {ratio:.1f}x | " + " | ".join(f"{value:.0f}" for value in medians) + " |")
    counts = {one[name]["executions"] for one in rounds for name in trackers}
    return [*lines, "", "Executions are the same with each." if len(counts) == 1 else "EXECUTIONS DIFFER."]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--write", action="store_true")
    arguments: Any = parser.parse_args()
    reasons = {name: probe_trackers(name)[1] for name in tracker_names()}
    trackers = [name for name, reason in reasons.items() if not reason]
    lines: list[str] = []
    for title, program in PROGRAMS.items():
        rounds = [
            {name: explore_with(program, measure, tracker=name) for name in trackers} for _ in range(arguments.rounds)
        ]
        lines += ["", f"## {title}", "", *table(rounds, trackers)]
    facts = [
        f"medians of {arguments.rounds} rounds, trackers alternating",
        *(f"not here: {name} ({reason})" for name, reason in reasons.items() if reason),
    ]
    publish("trackers", "Trackers", facts, lines, write=arguments.write)


if __name__ == "__main__":
    main()
