"""Comparing what strategies find in random programs, many programs to a child.

Run as a program (`python -m soundness.strategies_campaign FIRST LAST`) it takes a range of batches and prints a
line of JSON for each. The programs are those of state equality, about all types, and those of
`dependence.generator`, where more is independent. Each strategy that claims to be complete is compared with
depth-first search with visited set; that one is compared with the search without (`equality_campaign`).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

from soundness.dependence.generator import load_one, source_of
from soundness.equality_programs import batch, load
from support.search import UNDER_TEST, Found, Subject
from support.shared_child import Load, search_each

from pytest_statespace.errors import InternalError

DRAWN = 8
"""Programs about all types that are drawn for a batch; some are equal, and kept once."""
INDEPENDENT = 32
"""Programs of the other generator in a batch."""
STRATEGIES = ("dpor", "exhaust", "source-dpor")
SIZE = 800
"""Executions of depth-first search. Larger programs are left out."""
MORE = {"dpor": 2, "exhaust": 20, "source-dpor": 2}
"""How many times as many a strategy may need: where nothing is independent; in rounds that begin again."""
WITHOUT_STATES = ("source-dpor",)
"""These may need far more, and are compared if they don't."""
FOLDERS = (*UNDER_TEST, Path(__file__).resolve().parent / "dependence")


@dataclass(slots=True)
class Report:
    """What some batches gave."""

    programs: int = 0
    compared: int = 0
    large: int = 0
    varied: int = 0
    """Programs with more than one outcome: only these can lose any."""
    racy: int = 0
    """Programs after which a data race was known: only these can lose one."""
    executions: dict[str, int] = field(default_factory=dict)
    searched: dict[str, int] = field(default_factory=dict)
    """Programs by strategy."""
    failures: list[str] = field(default_factory=list)

    def add(self, source: str, found: dict[str, Found]) -> None:
        """One program, and what each search of it found."""
        self.programs += 1
        everything = found.get("dfs")
        if everything is None or not everything.complete:
            self.large += 1
            return
        self.compared += 1
        self.varied += len(everything.results) > 1
        self.racy += bool(everything.races)
        for strategy, one in found.items():
            self.executions[strategy] = self.executions.get(strategy, 0) + one.executions
            self.searched[strategy] = self.searched.get(strategy, 0) + 1
            if text := wrong(one, everything):
                self.failures.append(f"{strategy}: {text}\n{source}")


def timeouts_any(number: int) -> bool:
    """Every fourth batch explores timeouts at any moment."""
    return number % 4 == 3


Loads = list[tuple[str, Load]]
"""Programs by their sources."""


def pieces(number: int) -> Iterator[Loads]:
    """The programs of a batch, by the children in which they are searched."""
    sources = batch(number, DRAWN)
    for start in range(0, len(sources), 4):
        yield [(text, partial(load, text, start + i)) for i, text in enumerate(sources[start : start + 4])]
    source = source_of(number, INDEPENDENT)
    yield [(f"{source}\n# {one}", partial(load_one, source, number, one)) for one in range(INDEPENDENT)]


def wrong(found: Found, everything: Found) -> str:
    """What is wrong about a search, in words; "" if nothing is."""
    if not found.complete:
        return f"not done after {found.executions} executions"
    if lost := everything.results - found.results:
        return f"UNSOUND: {len(lost)} of {len(everything.results)} outcomes are lost, such as {min(lost)}"
    if invented := found.results - everything.results:
        return f"{len(invented)} outcomes are invented, such as {min(invented)}"
    if found.races != everything.races:
        return f"races differ: {sorted(map(str, found.races ^ everything.races))[:1]}"
    return ""


def check(number: int, strategies: Sequence[str]) -> Report:
    """Check one batch."""
    report = Report()
    # Which races a child has found is known, not which search found them: what comes later must add none.
    # So each strategy comes first in some batch, and depth-first search, which knows them all, last.
    turn = number % max(1, len(strategies))
    order = [*strategies[turn:], *strategies[:turn], "dfs"]

    def use(source: str, subject: Subject) -> None:
        found: dict[str, Found] = {}
        for strategy in order:
            one = subject.search(strategy, max_executions=SIZE * MORE.get(strategy, 1), seconds=120)
            if strategy in WITHOUT_STATES and not one.complete:
                continue
            found[strategy] = one
        report.add(source, found)

    for piece in pieces(number):
        try:
            small = _small(piece, number)
            report.programs += len(piece) - len(small)
            report.large += len(piece) - len(small)
            _search(small, use, number, footprints=True, races=True)
        except InternalError as error:
            report.failures.append("\n\n".join([f"one of these: {error}", *(source for source, _ in piece)]))
    report.failures = [f"batch {number}, {text}" for text in report.failures]
    return report


def _small(piece: Loads, number: int) -> Loads:
    """Those that depth-first search exhausts: what a strategy does not exhaust then is wrong."""
    small: set[str] = set()

    def use(source: str, subject: Subject) -> None:
        if subject.search("dfs", max_executions=SIZE, seconds=120).complete:
            small.add(source)

    _search(piece, use, number)
    return [(source, load) for source, load in piece if source in small]


def _search(piece: Loads, use: Callable[[str, Subject], None], number: int, **options: bool) -> None:
    if not piece:
        return
    search_each(
        [load for _, load in piece],
        lambda position, subject: use(piece[position][0], subject),
        granularity="access",
        timeouts_any=timeouts_any(number),
        under_test=FOLDERS,
        max_threads=12,
        **options,
    )


def main() -> int:
    """Print a line for each batch."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("first", type=int)
    parser.add_argument("last", type=int)
    parser.add_argument("--strategies", type=lambda text: text.split(","), default=STRATEGIES)
    options = parser.parse_args()
    failed = False
    for number in range(options.first, options.last):
        report = check(number, options.strategies)
        print(json.dumps({"batch": number} | asdict(report)), flush=True)
        failed = failed or bool(report.failures)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
