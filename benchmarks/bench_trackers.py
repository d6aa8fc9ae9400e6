"""What a tracker costs: the same search with each of them, in alternating rounds; ratios against `wpasync`.

And one long execution with tracking off and on, with and without prediction of the pages that will be written.

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
from pytest_statespace.sandbox.protocol import Command, End, RunFlag, Without  # noqa: E402

PROGRAMS = {
    "two threads, locked": programs.locked_increments(2, 3),
    "three philosophers": programs.philosophers(3, ordered=True),
}
TIMES = 1000
"""Increments of each thread in the long execution."""
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


def measure_once(subject: Subject) -> Values:
    """One execution with a snapshot at each choice point: the second in its child."""
    sandbox = subject.sandbox
    for _ in range(2):
        before, started = sandbox._arena._statistics(), time.perf_counter()
        transitions = _run_once(subject, RunFlag.SNAPSHOT)
        seconds = time.perf_counter() - started
        after = sandbox._arena._statistics()
    each = 1e6 / transitions
    kept, scans = after.ns_checkpoint - before.ns_checkpoint, after.ns_scan - before.ns_scan
    restores = after.ns_restore - before.ns_restore
    return {
        "whole": seconds * each,
        "keeping": (kept - scans) / 1e9 * each,
        "scan": scans / 1e9 * each,
        "running": (seconds - (kept + restores) / 1e9) * each,
        "named": (after.dirty_pages - before.dirty_pages) / transitions,
    }


def measure_off() -> Values:
    """Without snapshots there is no second execution in a child: what the longer of two takes more."""
    seconds, transitions = [], []
    for times in (TIMES, 5 * TIMES):

        def run(subject: Subject) -> None:
            started = time.perf_counter()
            transitions.append(_run_once(subject, RunFlag.NONE))
            seconds.append(time.perf_counter() - started)

        explore_with(programs.locked_increments(2, times), run, tracker="none")
    each = (seconds[1] - seconds[0]) / (transitions[1] - transitions[0]) * 1e6
    return {"whole": each, "keeping": 0.0, "scan": 0.0, "running": each, "named": 0.0}


def _run_once(subject: Subject, flags: RunFlag) -> int:
    result = subject.sandbox.run(Command(0, 0, flags), deadline=time.monotonic() + 60)
    assert result.end is End.FINISHED, result
    for state in result.states:
        subject.sandbox.release(state.number)
    return result.transitions


def on_and_off(trackers: list[str], times: int) -> list[str]:
    """The table of one long execution."""
    contenders = {}
    for name in trackers:
        if name != "compare":
            contenders[f"{name}, without prediction"] = (name, Without.PREDICTION)
        contenders[name] = (name, Without.NOTHING)
    program = programs.locked_increments(2, TIMES)
    rounds = [
        {
            "off: no snapshots": measure_off(),
            **{
                title: explore_with(program, measure_once, tracker=tracker, without=without)
                for title, (tracker, without) in contenders.items()
            },
        }
        for _ in range(times)
    ]
    lines = [
        "| tracking | whole | keeping what changed | asking the tracker | the program, its faults included |"
        " pages named |",
        "|---|---|---|---|---|---|",
    ]
    for title in rounds[0]:
        fields = ("whole", "keeping", "scan", "running", "named")
        medians = [statistics.median(one[title][field] for one in rounds) for field in fields]
        lines.append(f"| {title} | " + " | ".join(f"{value:.1f}" for value in medians) + " |")
    return lines


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
    lines += ["", "## One execution of two threads, 1 000 locked increments each", ""]
    lines += ["Microseconds a transition, nothing hashed.", "", *on_and_off(trackers, arguments.rounds)]
    facts = [
        f"medians of {arguments.rounds} rounds, trackers alternating",
        *(f"not here: {name} ({reason})" for name, reason in reasons.items() if reason),
    ]
    publish("trackers", "Trackers", facts, lines, write=arguments.write)


if __name__ == "__main__":
    main()
