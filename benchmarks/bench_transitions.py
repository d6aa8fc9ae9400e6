"""Transitions per second: the engine against a fork at every choice point.

One process, one program (two `threading` threads, three locked increments each), rounds in which the
contenders take turns, medians of the rounds. Times on a shared machine vary by two; ratios vary less.

    python benchmarks/bench_transitions.py [--rounds 5] [--write]

`--write` adds a file to `benchmarks/results`.
"""

from __future__ import annotations

import argparse
import ctypes
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "tests"), str(HERE)]

import pytest  # noqa: E402, F401  (a pytest process is what is forked in earnest)
from fork_per_choice import baseline  # noqa: E402
from litmus import programs  # noqa: E402
from page_costs import checkpoint_us  # noqa: E402
from support.search import Program, Subject, explore_with, run_child  # noqa: E402
from written import machine, publish_text  # noqa: E402

PROGRAM: Program = programs.locked_increments(2, 3)
MORE_MEBIBYTES = (256, 1024)
_COUNTERS = (
    "checkpoints", "restores", "dirty_pages", "changed_pages", "restored_pages", "ns_checkpoint", "ns_scan",
    "ns_fingerprint", "ns_restore",
)  # fmt: skip


@dataclass(slots=True)
class Series:
    """Values of one contender over the rounds, by name of the value."""

    values: dict[str, list[float]] = field(default_factory=dict)

    def add(self, **values: float) -> None:
        for name, value in values.items():
            self.values.setdefault(name, []).append(value)

    def median(self, name: str) -> float:
        return statistics.median(self.values[name])

    def best(self, name: str) -> float:
        return max(self.values[name])


def _child_seconds(pid: int) -> float:
    """CPU time so far: of schedstat, because the fields of stat count hundredths of a second."""
    return int(Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii").split()[0]) / 1e9


def measure(subject: Subject, series: Series, *, prune: bool, times: int, most: int | None) -> None:
    """Search `times` times in one child and take down what it cost."""
    arena, pid = subject.sandbox._arena, subject.sandbox._child.pid
    before = arena._statistics()
    wall, parent, child = time.perf_counter(), time.process_time(), _child_seconds(pid)
    executions = transitions = 0
    for _ in range(times):
        found = subject.search("dfs", prune=prune, max_executions=most)
        executions += found.executions
        transitions += found.transitions
    wall = time.perf_counter() - wall
    parent = time.process_time() - parent
    child = _child_seconds(pid) - child
    after = arena._statistics()
    spent = {name: getattr(after, name) - getattr(before, name) for name in _COUNTERS}
    checkpoints, restores = max(spent["checkpoints"], 1), max(spent["restores"], 1)
    named, changed = spent["dirty_pages"] / (checkpoints + restores), spent["changed_pages"] / checkpoints
    engine_us = (spent["ns_checkpoint"] + spent["ns_fingerprint"] + spent["ns_restore"]) / 1e3
    scans_us = spent["ns_scan"] / 1e3
    series.add(
        transitions_per_second=transitions / wall,
        transitions_per_cpu_second=transitions / (parent + child),
        executions_per_second=executions / wall,
        search_executions=executions / times,
        checkpoint_us=spent["ns_checkpoint"] / checkpoints / 1e3,
        fingerprint_us=spent["ns_fingerprint"] / checkpoints / 1e3,
        restore_us=spent["ns_restore"] / restores / 1e3,
        scan_us=scans_us / (checkpoints + restores),
        dirty_pages=named,
        changed_pages=changed,
        checkpoint_ratio=spent["ns_checkpoint"] / checkpoints / 1e3 / checkpoint_us(round(named), round(changed)),
        restored_pages=spent["restored_pages"] / restores,
        path_us=wall / executions * 1e6,
        path_parent_us=parent / executions * 1e6,
        path_child_us=child / executions * 1e6,
        path_scan_us=scans_us / executions,
        path_checkpoint_us=spent["ns_checkpoint"] / executions / 1e3,
        path_fingerprint_us=spent["ns_fingerprint"] / executions / 1e3,
        path_restore_us=spent["ns_restore"] / executions / 1e3,
        path_rest_us=(wall - parent) / executions * 1e6 - engine_us / executions,
        regions=after.tracked_regions,
        tracked_mib=after.tracked_pages * 4096 / 2**20,
    )


def memory(subject: Subject, series: Series) -> None:
    """Share of full copies that the snapshots take when all of them are kept."""
    arena = subject.sandbox._arena
    before = arena._statistics()
    release, subject.sandbox.release = subject.sandbox.release, lambda state: None  # type: ignore[method-assign]
    try:
        subject.search("dfs", prune=False, max_executions=500)
    finally:
        subject.sandbox.release = release  # type: ignore[method-assign]
    after = arena._statistics()
    snapshots = after.checkpoints - before.checkpoints
    copies = after.naive_bytes - before.naive_bytes
    series.add(
        snapshots=snapshots,
        memory_share=after.stored_bytes / copies,
        snapshot_kib=(after.stored_bytes - before.stored_bytes) / snapshots / 1024,
        full_copy_kib=copies / snapshots / 1024,
    )


def _engine_round(series: Series, tracker: str, *, times: int) -> None:
    def use(subject: Subject) -> None:
        subject.search("dfs")  # warm: page caches, the child's and the parent's code
        measure(subject, series, prune=True, times=times, most=None)

    explore_with(PROGRAM, use, tracker=tracker, check=False)


def _plain_round(series: Series, tracker: str, most: int) -> None:
    def use(subject: Subject) -> None:
        subject.search("dfs")
        measure(subject, series, prune=False, times=1, most=most)
        memory(subject, series)

    explore_with(PROGRAM, use, tracker=tracker, check=False)


def _whole_space() -> int:
    """Executions without a visited set: what the baseline would have to run to say the same."""
    counted: Callable[[Subject], int] = lambda subject: subject.search("dfs", prune=False).executions  # noqa: E731
    return explore_with(PROGRAM, counted, check=False)


def _forked_round(series: Series, library: ctypes.CDLL) -> None:
    one = baseline.run(library, lambda other: run_child(PROGRAM, **other), 80)
    series.add(
        transitions_per_second=one.transitions / one.seconds,
        executions_per_second=one.executions / one.seconds,
        fork_us=one.seconds / one.forks * 1e6,
    )


@dataclass(frozen=True, slots=True)
class Results:
    """The medians' material: one series for each contender, and the size of the whole space.

    ``larger``: engine and baseline in processes with so many more MiB.
    """

    engine: Series
    compare: Series
    plain: Series
    forked: Series
    whole: int
    larger: dict[int, tuple[Series, Series]]


def run(rounds: int) -> Results:
    """All contenders in turn, `rounds` times."""
    engine, compare, plain, forked = Series(), Series(), Series(), Series()
    larger = {mebibytes: (Series(), Series()) for mebibytes in MORE_MEBIBYTES}
    with tempfile.TemporaryDirectory() as folder:
        library = baseline.build(Path(folder))
        for _ in range(rounds):
            _forked_round(forked, library)
            _engine_round(engine, "mprotect", times=6)
            _engine_round(compare, "compare", times=1)
            _plain_round(plain, "mprotect", 600)
            for mebibytes, (ours, theirs) in larger.items():
                ballast = bytearray(b"\1") * (mebibytes << 20)
                _forked_round(theirs, library)
                _engine_round(ours, "mprotect", times=6)
                del ballast
    return Results(engine, compare, plain, forked, _whole_space(), larger)


def _speed(results: Results) -> list[str]:
    forked = results.forked.median
    lines = [
        "| | transitions/s | best round | per second of CPU time | against fork | checkpoint µs | scan µs (of both) |"
        " fingerprint µs | restore µs |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, series in (
        ("engine, mprotect, fingerprints and visited set", results.engine),
        ("engine, compare, fingerprints and visited set", results.compare),
        ("engine, mprotect, snapshots only", results.plain),
    ):
        value = series.median
        ratio = value("transitions_per_second") / forked("transitions_per_second")
        costs = " | ".join(f"{value(f'{what}_us'):.0f}" for what in ("checkpoint", "scan", "fingerprint", "restore"))
        best, cpu = series.best("transitions_per_second"), value("transitions_per_cpu_second")
        speed = f"{value('transitions_per_second'):.0f} | {best:.0f} | {cpu:.0f}"
        lines.append(f"| {name} | {speed} | {ratio:.1f}x | {costs} |")
    cost = f"{forked('fork_us'):.0f} (fork, exit, wait)"
    lines.append(f"| fork at every choice point | {forked('transitions_per_second'):.0f} | | | 1x | {cost} | | | |")
    ours = results.engine.median("search_executions")
    seconds = ours / results.engine.median("executions_per_second")
    theirs = results.whole / forked("executions_per_second")
    lines += [
        "",
        f"The whole space: with the visited set {ours:.0f} executions in {seconds:.2f} s; without it there are"
        f" {results.whole}, for which forking would take {theirs:.0f} s: {theirs / seconds:.0f} times as long.",
    ]
    return lines


def _goals(results: Results) -> list[str]:
    speed = results.engine.median("transitions_per_second")
    forked = results.forked.median("transitions_per_second")
    plain = results.plain.median
    ratio, without = speed / forked, plain("transitions_per_second") / forked
    share = plain("memory_share")

    def verdict(met: bool) -> str:
        return "met" if met else "MISSED"

    engine_ratio, plain_ratio = results.engine.median("checkpoint_ratio"), plain("checkpoint_ratio")
    return [
        f"- a checkpoint costs at most 2.0 times comparing its pages, hashing and copying those that changed:"
        f" {verdict(engine_ratio <= 2)}, {engine_ratio:.2f} ({plain_ratio:.2f} without fingerprints in between)",
        f"- at least 100 times the baseline's transitions: {verdict(ratio >= 100)}, {ratio:.1f}"
        f" ({without:.1f} without fingerprints); it depends on the size of the process, see there",
        f"- at least 10 000 transitions/s: {verdict(speed >= 10000)}, {speed:.0f}"
        f" ({results.engine.best('transitions_per_second'):.0f} in the best round,"
        f" {results.engine.median('transitions_per_cpu_second'):.0f} per second of CPU time of both processes)",
        f"- snapshots take at most 0.5 % of full copies: {verdict(share <= 0.005)}, {100 * share:.2f} %"
        f" ({plain('snapshots'):.0f} snapshots kept, {plain('snapshot_kib'):.0f} KiB each beyond the base,"
        f" a full copy has {plain('full_copy_kib'):.0f} KiB)",
    ]


def _sizes(results: Results) -> list[str]:
    """A fork copies page tables; the engine's checkpoints know nothing of memory that nobody writes."""
    lines = ["| more memory in the process | engine, transitions/s | fork, transitions/s | a fork ms | against fork |"]
    lines += ["|---|---|---|---|---|"]
    for mebibytes, (ours, theirs) in {0: (results.engine, results.forked), **results.larger}.items():
        speed, forked = ours.median("transitions_per_second"), theirs.median("transitions_per_second")
        fork_ms = theirs.median("fork_us") / 1e3
        lines.append(f"| {mebibytes} MiB | {speed:.0f} | {forked:.0f} | {fork_ms:.1f} | {speed / forked:.0f}x |")
    return lines


def _path(results: Results) -> list[str]:
    engine, plain = results.engine.median, results.plain.median
    lines = ["| | with fingerprints | snapshots only |", "|---|---|---|"]
    for name, text in (
        ("path_us", "whole path"),
        ("path_parent_us", "explorer (Python, CPU time)"),
        ("path_checkpoint_us", "checkpoints, scans included"),
        ("path_fingerprint_us", "fingerprints"),
        ("path_restore_us", "restore, scan included"),
        ("path_scan_us", "(all scans)"),
        ("path_rest_us", "the rest: running the program with its page faults, wake-ups, preemption by others"),
        ("path_child_us", "(CPU time of the child)"),
    ):
        lines.append(f"| {text} | {engine(name):.0f} | {plain(name):.0f} |")
    return [
        *lines,
        "",
        f"A scan names {engine('dirty_pages'):.0f} pages as perhaps dirty;"
        f" {engine('changed_pages'):.0f} have changed at a checkpoint,"
        f" {engine('restored_pages'):.0f} are written back by a restore."
        f" {engine('regions'):.0f} mappings, {engine('tracked_mib'):.0f} MiB of address space are tracked.",
    ]


def report(results: Results, rounds: int) -> str:
    """The results as Markdown."""
    lines = ["# Transitions per second", "", *machine(), f"- medians of {rounds} rounds, contenders alternating", ""]
    lines += [*_speed(results), "", "## Goals", "", *_goals(results)]
    lines += ["", "## By the size of the process", "", *_sizes(results)]
    lines += ["", "## One path, in microseconds", "", *_path(results)]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--write", action="store_true", help="keep the result in benchmarks/results")
    options = parser.parse_args()
    text = report(run(options.rounds), options.rounds)
    publish_text("transitions", text, write=options.write)


if __name__ == "__main__":
    main()
