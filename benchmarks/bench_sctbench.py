"""SCTBench: executions until the bug is found, by the default search and by SURW.

    python benchmarks/bench_sctbench.py [--write] [--seeds 20] [--seconds 60] [--only NAME ...] [--safestack]

The default search once, with the seed that users have who set none. SURW with as many seeds as asked for,
their mean. A run that has not found it within `--seconds` or 1 000 executions counts with what it has run, so that such
a mean is too low and is marked. Published means are those of the paper, of the originals in C. SafeStack takes minutes,
and is searched by `dfs`.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "tests"), str(HERE)]

from sctbench.hunting import Hunted, hunt  # noqa: E402
from sctbench.programs import PORTS, Port  # noqa: E402
from sctbench.safestack import safe_stack  # noqa: E402
from written import publish  # noqa: E402

PUBLISHED = {
    "account": 6, "bluetooth_driver": 70, "lazy01": 2, "token_ring": 8, "stack": 5, "twostage": 8, "twostage_100": 454,
    "reorder_3": 7, "reorder_5": 10, "reorder_10": 17, "reorder_100": 194, "wronglock": 7, "StringBuffer": 8,
    "WorkStealQueue": 6,
}  # fmt: skip
"""Zhao and others, "Selectively uniform concurrency testing", ASPLOS 2025."""


def find(port: Port, strategy: str, seed: int, seconds: float) -> Hunted:
    most = None if strategy == "exhaust" else 1000
    return hunt(
        port.bad, strategy, seed=seed, max_threads=max(8, port.threads + 1), seconds=seconds, max_executions=most
    )


def row(port: Port, seeds: int, seconds: float) -> tuple[str, bool]:
    """A line of the table, and whether the default search needs no more than SURW."""
    default = find(port, "exhaust", 0, 300)
    drawn = [find(port, "surw", seed, seconds) for seed in range(seeds)]
    missed = sum(not one.kind for one in drawn)
    mean = statistics.mean(one.executions for one in drawn)
    published = PUBLISHED.get(port.name)
    compared = mean if published is None else published
    met = bool(default.kind) and default.executions <= compared
    cells = [
        port.name,
        default.kind or "**none**",
        str(default.executions),
        str(default.preemptions),
        f"{mean:.1f}" + (f" ({missed} of {seeds} not found)" if missed else ""),
        str(published or ""),
        "yes" if met else "no",
    ]
    return "| " + " | ".join(cells) + " |", met


def safestack() -> str:
    """What the hardest program takes, in a sentence."""
    found = hunt(safe_stack(right=False), "dfs", seconds=1800)
    numbers = f"{found.executions:,} executions and {found.states:,} states".replace(",", " ")
    return (
        f"SafeStack, by `dfs`: {found.kind or 'nothing'} after {numbers}, {found.seconds:.0f} s; "
        "SURW, published: 368 921 executions."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--only", nargs="*", default=[port.name for port in PORTS])
    parser.add_argument("--safestack", action="store_true", help="search SafeStack too, by dfs, for minutes")
    arguments: Any = parser.parse_args()
    lines = [
        "| program | found | default search | preemptions left | SURW here, mean | SURW, published | no more |",
        "|---|---|---|---|---|---|---|",
    ]
    met = 0
    for port in PORTS:
        if port.name in arguments.only:
            line, is_met = row(port, arguments.seeds, arguments.seconds)
            met += is_met
            lines.append(line)
            print(line, flush=True)
    if arguments.safestack:
        lines += ["", safestack()]
        print(lines[-1], flush=True)
    facts = [
        "executions until the bug was found, the one that found it included; granularity access, default options",
        f"SURW: {arguments.seeds} seeds, at most 1 000 executions and {arguments.seconds:g} s each",
        f"*no more*: the default search needs no more than the published mean, else than the mean here: {met}",
    ]
    publish("sctbench", "SCTBench", facts, lines, write=arguments.write)


if __name__ == "__main__":
    main()
