"""Published bugs of packages on PyPI: what a search says with default options, and what a loop of plain runs finds.

    python benchmarks/bench_published.py [--only NAME ...] [--seconds 5] [--write]

`--write` adds a file to `benchmarks/results`, one for each version of Python. Releases are installed from the package
index into `build/published`.
"""

from __future__ import annotations

import argparse
import platform
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "tests"), str(HERE)]

from published.catalog import BUGS, Bug  # noqa: E402
from published.trying import Stressed, Tried, explore, stress  # noqa: E402
from written import publish  # noqa: E402

STORE = HERE.parent / "build" / "published"
COLUMNS = (
    "bug",
    "release",
    "verdict",
    "preemptions",
    "executions",
    "s",
    "loop",
    "mended in",
    "verdict",
    "executions",
    "s",
)


def row(bug: Bug, seconds: float) -> list[str]:
    """Search in the release that has the bug, a loop there, search in the one that mends it."""
    found = explore(bug, bug.broken, STORE)
    looped = stress(bug, bug.broken, STORE, seconds=seconds)
    mended = explore(bug, bug.fixed, STORE)
    number = bug.issue.rpartition("/")[2]
    return [
        f"[{bug.package} #{number}]({bug.issue}): {bug.what}",
        f"{bug.broken}, {bug.world}",
        said(found),
        str(found.preemptions),
        str(found.executions),
        f"{found.seconds:.1f}",
        in_loop(looped),
        bug.fixed,
        said(mended),
        str(mended.executions),
        f"{mended.seconds:.1f}",
    ]


def said(tried: Tried) -> str:
    if tried.verdict == "failed":
        return f"**failed**: {tried.kind}" + ("" if tried.reproduced else " (not reproduced)")
    return tried.verdict + (f" ({tried.reason})" if tried.verdict == "incomplete" else "")


def in_loop(looped: Stressed) -> str:
    hung = f", {looped.hung} without an end" if looped.hung else ""
    return f"{looped.failures} of {looped.runs}{hung}"


def line(fields: list[str] | tuple[str, ...]) -> str:
    return "| " + " | ".join(fields) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", default=[bug.case for bug in BUGS])
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--write", action="store_true")
    arguments: Any = parser.parse_args()
    lines = [line(COLUMNS), line(["---"] * len(COLUMNS))]
    for bug in BUGS:
        if bug.case in arguments.only:
            lines.append(line(row(bug, arguments.seconds)))
            print(lines[-1], flush=True)
    facts = [
        "`tests/published`; default options; *s* is the time of the whole search, to the first failure or to its end",
        f"*loop*: the same test unexplored, again and again for {arguments.seconds:g} seconds: failures of runs",
        "most asyncio tests use equal delays, so that the events meet: that is why the loop finds them too",
    ]
    version = ".".join(platform.python_version_tuple()[:2])
    publish(f"published-{version}", "Published bugs", facts, lines, write=arguments.write)


if __name__ == "__main__":
    main()
