"""Published bugs of packages on PyPI: what a search says with default options, and what a loop of plain runs finds.

    python benchmarks/bench_published.py [--only NAME ...] [--seconds 5] [--write]

`--write` adds a file to `benchmarks/results`, one for each version of Python. Releases are installed from the package
index into `build/published`.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "tests")]

from published.catalog import BUGS, Bug  # noqa: E402
from published.trying import Stressed, Tried, explore, stress  # noqa: E402

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
    git = ["git", "-C", str(HERE), "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip()
    processor = next(entry for entry in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in entry)
    system = f"Linux {platform.release()}, Python {platform.python_version()}"
    today = datetime.datetime.now(tz=datetime.UTC).date()
    loads = " ".join(f"{load:.1f}" for load in os.getloadavg())
    head = [
        "# Published bugs",
        "",
        f"- {processor.rpartition(': ')[2]}, {os.cpu_count()} CPUs, {system}",
        f"- commit {commit}, {today}, load averages at the end {loads}",
        "- `tests/published`; default options; *s* is the time of the whole search, to the first failure or to its end",
        f"- *loop*: the same test unexplored, again and again for {arguments.seconds:g} seconds: failures of runs",
        "- most asyncio tests use equal delays, so that the events meet: that is why the loop finds them too",
        "",
    ]
    text = "\n".join([*head, *lines]) + "\n"
    version = ".".join(platform.python_version_tuple()[:2])
    if arguments.write:
        (HERE / "results" / f"published-{version}-{today}.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
