"""Comparing batches of random programs, and what came of it.

Run as a program (`python -m soundness.equality_campaign FIRST LAST`) it checks a range of batches and
prints one line of JSON for each; that is how private builds of the bridge are tried, because a process has
one bridge only. What interleavings can do does not depend on the fingerprint: `--outcomes FILE` keeps
programs and outcomes in a file, and `--again REGEX` compares those programs of the file whose source
matches with the visited set of the present bridge, up to the first failure. `--against FILE` compares
outcomes with those that another version of CPython left in a file.
"""

from __future__ import annotations

import argparse
import functools
import json
import re
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TypedDict

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import SearchStrategy
from soundness.equality_programs import FAMILIES_OF_PROGRAMS, batch, load
from support.batch import Compared, Limits, compare

DRAWN = 130
"""Programs that Hypothesis draws for a batch; some are equal, and kept once."""
LIMITS = Limits(merged=300, exact=250)
_PIECE = 30  # programs of one child when few of them are expected to be needed
SHRINKING = 120  # programs tried to make a failure smaller
_BROKEN = re.compile(r"(NameError|SyntaxError|UnboundLocalError): ")
"""Exceptions that only a mistake in the tables of the generator raises."""


DIFFERENT = {
    "cached_property": "it takes a lock up to 3.11",
    "key=id": "where objects lie, and in which holes",
}
"""Programs that may do something else on another version, by a pattern, and what Python does differently there."""


@dataclass(slots=True)
class Report:
    """What some batches gave. Programs are compared wholly, or `partly`: with as many interleavings as the
    limit allows, each of whose outcomes the search with the visited set must have found; or they were `large`."""

    programs: int = 0
    wholly: int = 0
    partly: int = 0
    large: int = 0
    varied: int = 0
    """Programs with more than one outcome: only these can lose any."""
    looked: int = 0
    """Programs that looked at addresses, sets or garbage, so that the search began again."""
    alike: int = 0
    """Programs whose outcomes are those of another version of CPython."""
    executions: int = 0
    merged_executions: int = 0
    failures: list[str] = field(default_factory=list)
    position: int = 0
    """When programs are searched again: how many of the whole sequence were passed, the failing one included."""

    def add(self, other: Report) -> None:
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


def timeouts_any(number: int) -> bool:
    """Every fourth batch explores timeouts at any moment."""
    return number % 4 == 3


def _loaders(sources: list[str]) -> list[Callable[[], Callable[[], object]]]:
    import soundness.equality_prelude  # noqa: F401  (in the parent: once, not in every child)

    return [functools.partial(load, source, position) for position, source in enumerate(sources)]


def wrong(one: Compared) -> str:
    """What is wrong about one program, in words; "" if nothing is."""
    if one.strange:
        return f"the search ended: {one.strange}"
    if one.lost:
        return f"UNSOUND: {len(one.lost)} of {len(one.exact.outcomes)} outcomes are lost, such as {min(one.lost)}"
    if one.invented:
        return f"{len(one.invented)} outcomes exist with the visited set only, such as {min(one.invented)}"
    broken = [text for text in one.merged.outcomes if _BROKEN.search(text)]
    return f"the generator made a program that can't work: {broken[0]}" if broken else ""


class Can(TypedDict):
    """What a program can do, and whether that is all."""

    outcomes: list[str]
    all: bool


Known = dict[str, Can]
"""Programs of a batch, and what they can do."""


def check(number: int, known: Known | None = None) -> Report:
    """Check one batch. `known` is filled in."""
    sources = batch(number, DRAWN)
    found = compare(_loaders(sources), timeouts_any=timeouts_any(number), limits=LIMITS)
    return _report(f"batch {number}", sources, found, known)


def check_again(known: Known, *, timeouts_any: bool) -> Report:
    """Search programs with the visited set only, up to the first failure."""
    found = compare(
        _loaders(list(known)),
        timeouts_any=timeouts_any,
        limits=LIMITS,
        known=[frozenset(can["outcomes"]) for can in known.values()],
        enough=lambda one: bool(wrong(one)),
    )
    return _report("again", list(known), found, None)


def _report(name: str, sources: list[str], found: list[Compared], known: Known | None) -> Report:
    report = Report(programs=sum(one.searched for one in found))
    for source, one in zip(sources, found, strict=True):
        if not one.searched:
            continue
        if known is not None:
            outcomes = one.exact.outcomes | one.merged.outcomes
            known.setdefault(source, Can(outcomes=sorted(outcomes), all=one.merged.complete))
        report.wholly += one.was_compared
        report.partly += one.merged.complete and not one.exact.complete
        report.large += not one.merged.complete
        report.varied += len(one.exact.outcomes) > 1
        report.looked += bool(one.promoted)
        report.executions += one.exact.executions
        report.merged_executions += one.merged.executions
        if text := wrong(one):
            report.failures.append(f"{name}: {text}\n{source}")
    return report


def shrunk(number: int) -> str:
    """The smallest failing program that Hypothesis finds, starting from the first failing one of a batch."""
    failing = {text.split("\n", 1)[1] for text in check(number).failures}
    return next(filter(None, (_shrunk(number, failing, strategy) for strategy, _ in FAMILIES_OF_PROGRAMS)), "")


def _shrunk(number: int, failing: set[str], strategy: SearchStrategy[str]) -> str:
    tried: dict[str, str] = {}
    smallest: list[str] = []

    @seed(number)
    @settings(
        max_examples=DRAWN,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def still_fails(source: str) -> None:
        if source not in tried and (smallest or source in failing) and len(tried) < SHRINKING:
            (one,) = compare(_loaders([source]), timeouts_any=timeouts_any(number), limits=LIMITS)
            tried[source] = wrong(one)
        if tried.get(source):
            smallest[:] = [f"{tried[source]}\n{source}"]
            raise AssertionError(source)

    try:
        still_fails()
    except AssertionError:
        return smallest[0]
    return ""


Tell = Callable[[Report], None]
"""Whoever searches tells, and is no generator: handled exceptions are then kept by the thread, not by a generator that
runs below the exploration, and leaving out what a thread keeps can be noticed."""


def _search(first: int, last: int, outcomes: Path | None, against: Path | None, tell: Tell) -> None:
    known: dict[str, Known] = {}
    others: dict[str, Known] = json.loads(against.read_text()) if against else {}
    for number in range(first, last):
        found: Known = {}
        report = check(number, found)
        compare_versions(report, f"batch {number}", found, others.get(str(number), {}))
        tell(report)
        known[str(number)] = found
        if outcomes is not None:
            outcomes.write_text(json.dumps(known))


def compare_versions(report: Report, name: str, found: Known, other: Known) -> None:
    """Does each program do what it did on the other version? Failures are added, unless Python itself differs there."""
    for source, here in found.items():
        there = other.get(source)
        if there is None or not (here["all"] and there["all"]):
            continue
        if here["outcomes"] == there["outcomes"]:
            report.alike += 1
        elif not any(re.search(pattern, source) for pattern in DIFFERENT):
            mine, theirs = set(here["outcomes"]), set(there["outcomes"])
            only = f"here only {sorted(mine - theirs)[:1]}, on the other version only {sorted(theirs - mine)[:1]}"
            report.failures.append(f"{name}: {only}\n{source}")


def _again(first: int, last: int, outcomes: Path, pattern: re.Pattern[str], tell: Tell) -> None:
    """In the order of the whole sequence; programs with a single outcome can't lose any."""
    known: dict[str, Known] = json.loads(outcomes.read_text())
    begun = 0
    for number in range(first, last):
        batch_known = known[str(number)]
        places = {source: place for place, source in enumerate(batch_known)}
        matching = [
            (source, can) for source, can in batch_known.items() if len(can["outcomes"]) > 1 and pattern.search(source)
        ]
        for start in range(0, len(matching), _PIECE):
            piece = dict(matching[start : start + _PIECE])
            report = check_again(piece, timeouts_any=timeouts_any(number))
            if report.failures:
                report.position = begun + 1 + min(places[text.split("\n", 1)[1]] for text in report.failures)
                tell(report)
                return
            report.position = begun + 1 + places[list(piece)[-1]]
            tell(report)
        begun += len(places)


def main() -> int:
    """Print a line for each batch, or for each piece of what is tried again."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("first", type=int)
    parser.add_argument("last", type=int)
    parser.add_argument("--outcomes", type=Path)
    parser.add_argument("--again", type=re.compile)
    parser.add_argument("--against", type=Path)
    options = parser.parse_args()
    failed: list[str] = []

    def tell(report: Report) -> None:
        print(json.dumps(asdict(report)), flush=True)
        failed.extend(report.failures)

    if options.again is None:
        _search(options.first, options.last, options.outcomes, options.against, tell)
    else:
        _again(options.first, options.last, options.outcomes, options.again, tell)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
