"""The outcome sets of random programs, to compare interpreters by.

`python -m soundness.outcome_sets FIRST LAST` prints a line of JSON for each program of a range of batches, as this
interpreter has it; `python -m soundness.outcome_sets compare FILE FILE...` says where such lists differ, and ends
with 1 if they do. The programs are those of `soundness.strategies_campaign`.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from soundness.strategies_campaign import FOLDERS, SIZE, pieces, timeouts_any
from support.search import Subject
from support.shared_child import search_each

with contextlib.suppress(ImportError):
    importlib.import_module("_colorize")  # which stores attributes: 3.15 imports it to show an exception

TOO_LARGE = ["too large"]
"""What stands for the outcomes of a program that was not searched to its end."""


def outcome_sets(number: int) -> Iterator[tuple[str, list[str]]]:
    """The programs of a batch, and the outcomes of each, sorted."""
    for piece in pieces(number):
        found: dict[int, list[str]] = {}

        def use(position: int, subject: Subject, found: dict[int, list[str]] = found) -> None:
            search = subject.search("dfs", max_executions=SIZE, seconds=120)
            found[position] = sorted(search.results) if search.complete else TOO_LARGE

        search_each(
            [load for _, load in piece],
            use,
            granularity="access",
            timeouts_any=timeouts_any(number),
            under_test=FOLDERS,
            max_threads=12,
        )
        for position, (source, _) in enumerate(piece):
            yield source, found[position]


def differences(files: list[Path]) -> tuple[int, list[str]]:
    """How many programs were compared, and what of them differs."""
    lists: dict[str, dict[str, list[str]]] = defaultdict(dict)
    for file in files:
        for line in file.read_text(encoding="utf-8").splitlines():
            entry = json.loads(line)
            lists[entry["source"]][file.name] = sorted({_without_message(outcome) for outcome in entry["outcomes"]})
    compared, differing = 0, []
    for source, by_file in lists.items():
        done = {name: outcomes for name, outcomes in by_file.items() if outcomes != TOO_LARGE}
        if len(by_file) < len(files):
            differing.append(f"{sorted(by_file)} alone have\n{source}")
        elif len(done) > 1:
            compared += 1
            if len({tuple(outcomes) for outcomes in done.values()}) > 1:
                shown = "\n".join(f"{name}: {outcomes}" for name, outcomes in done.items())
                differing.append(f"{source}\n{shown}")
    return compared, differing


def _without_message(outcome: str) -> str:
    """Versions word the messages of exceptions differently."""
    return re.sub(r"^(raised (?:in thread )?\w+): .*", r"\1", outcome, flags=re.DOTALL)


def main(arguments: list[str]) -> int:
    """See the module."""
    match arguments:
        case ["compare", first, second, *more]:
            compared, differing = differences([Path(name) for name in (first, second, *more)])
            print("\n\n".join([*differing, f"{compared} programs compared, {len(differing)} differ"]))
            return 1 if differing else 0
        case [first, last]:
            for number in range(int(first), int(last)):
                for source, outcomes in outcome_sets(number):
                    print(json.dumps({"batch": number, "source": source, "outcomes": outcomes}), flush=True)
            return 0
    print(__doc__)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
