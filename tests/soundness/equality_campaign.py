"""Comparing batches of random programs, and what came of it.

Run as a program (`python -m soundness.equality_campaign FIRST LAST`) it checks a range of batches and
prints one line of JSON for each; that is how private builds of the bridge are tried, because a process has
one bridge only. What interleavings can do does not depend on the fingerprint: `--outcomes FILE` keeps
programs and outcomes in a file, so that many bridges can be compared with one exhaustive search.
"""

from __future__ import annotations

import argparse
import functools
import json
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings
from soundness.equality_programs import batch, load, programs
from support.batch import Compared, Limits, compare

DRAWN = 130
"""Programs that Hypothesis draws for a batch; some are equal, and kept once."""
LIMITS = Limits(merged=300, exact=250)
SHRINKING = 120  # programs tried to make a failure smaller
_BROKEN = re.compile(r"(NameError|SyntaxError|UnboundLocalError): ")
"""Exceptions that only a mistake in the tables of the generator raises."""


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
    executions: int = 0
    merged_executions: int = 0
    failures: list[str] = field(default_factory=list)

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


Known = dict[str, list[str]]
"""Programs of a batch, and what they can do."""


def check(number: int, known: Known | None = None, *, until_failure: bool = False) -> Report:
    """Check one batch. `known`: filled if it is empty, else used instead of the exhaustive search."""
    sources = list(known) if known else batch(number, DRAWN)
    found = compare(
        _loaders(sources),
        timeouts_any=timeouts_any(number),
        limits=LIMITS,
        known=[frozenset(outcomes) for outcomes in known.values()] if known else None,
        enough=lambda one: until_failure and bool(wrong(one)),
    )
    report = Report(programs=sum(one.searched for one in found))
    for source, one in zip(sources, found, strict=True):
        if not one.searched:
            continue
        if known is not None:
            known.setdefault(source, sorted(one.exact.outcomes))
        report.wholly += one.was_compared
        report.partly += one.merged.complete and not one.exact.complete
        report.large += not one.merged.complete
        report.varied += len(one.exact.outcomes) > 1
        report.looked += bool(one.promoted)
        report.executions += one.exact.executions
        report.merged_executions += one.merged.executions
        if text := wrong(one):
            report.failures.append(f"batch {number}: {text}\n{source}")
    return report


def shrunk(number: int) -> str:
    """The smallest failing program that Hypothesis finds, starting from the first failing one of a batch."""
    failing = {text.split("\n", 1)[1] for text in check(number).failures}
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
    @given(programs())
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


def reports(first: int, last: int, outcomes: Path | None = None, *, until_failure: bool = False) -> Iterator[Report]:
    """Check batches one after the other; read what is known from a file, or write it to one."""
    known: dict[str, Known] = {}
    if outcomes is not None and outcomes.exists():
        known = json.loads(outcomes.read_text())
    for number in range(first, last):
        fresh = str(number) not in known
        report = check(number, known.setdefault(str(number), {}), until_failure=until_failure)
        if fresh and outcomes is not None:
            outcomes.write_text(json.dumps(known))
        yield report
        if report.failures and until_failure:
            return


def main() -> int:
    """Print a line for each batch; end at the first with a failure if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("first", type=int)
    parser.add_argument("last", type=int)
    parser.add_argument("--outcomes", type=Path)
    parser.add_argument("--until-failure", action="store_true")
    options = parser.parse_args()
    failed = False
    found = reports(options.first, options.last, options.outcomes, until_failure=options.until_failure)
    for number, report in enumerate(found, options.first):
        print(json.dumps({"batch": number, **asdict(report)}), flush=True)
        failed = failed or bool(report.failures)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
