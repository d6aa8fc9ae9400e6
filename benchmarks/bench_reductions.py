"""What leaving out orders of steps saves: whole searches with and without the reduction.

    python benchmarks/bench_reductions.py [--write] [--seconds 60]

For each program one search by strategy `dfs` (every interleaving, states merged) and one by `dpor`, in pytest
processes of their own, to their end or `--seconds`. `--write` adds a file to `benchmarks/results`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

from written import publish

HERE = Path(__file__).resolve().parent

PRELUDE = """
import threading

import pytest

pytestmark = pytest.mark.statespace

def run(*functions):
    threads = [threading.Thread(target=function) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

def locked(threads, times):
    lock, total = threading.Lock(), [0]
    def add():
        for _ in range(times):
            with lock:
                total[0] += 1
    run(*[add] * threads)
    assert total[0] == threads * times

def philosophers(seats):
    forks = [threading.Lock() for _ in range(seats)]
    def dine(seat):
        first, second = sorted((seat, (seat + 1) % seats))
        with forks[first], forks[second]:
            pass
    run(*(lambda seat=seat: dine(seat) for seat in range(seats)))

def toggles(threads, times):
    flag = [False]
    def toggle():
        for _ in range(times):
            flag[0] = not flag[0]
    run(*[toggle] * threads)

def independent(threads, steps):
    class Box:
        value = 0
    def work(box):
        for step in range(steps):
            box.value = step
    run(*(lambda box=box: work(box) for box in [Box() for _ in range(threads)]))

"""
PROGRAMS = {
    "four threads, four steps each, independent": "independent(4, 4)",
    "three threads, locked, 3 increments each": "locked(3, 3)",
    "four threads, locked, 2 increments each": "locked(4, 2)",
    "three philosophers, ordered forks": "philosophers(3)",
    "five philosophers, ordered forks": "philosophers(5)",
    "three threads, 2 unlocked toggles each": "toggles(3, 2)",
    "four threads, 2 unlocked toggles each": "toggles(4, 2)",
}


def measure(call: str, *options: str) -> tuple[dict[str, object], float]:
    """The test's entry in the JSON report, and seconds of the pytest process."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "test_it.py").write_text(PRELUDE + f"def test_it():\n    {call}\n")
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "pytest_statespace.plugin"]
        environment = os.environ | {"PYTHONPATH": str(HERE.parent), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        started = time.monotonic()
        done = subprocess.run(
            [*command, "--statespace", "--statespace-json=results.json", *options],
            cwd=folder, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        seconds = time.monotonic() - started
        if not (folder / "results.json").exists():
            raise RuntimeError(done.stdout + done.stderr)
        return json.loads((folder / "results.json").read_text())["tests"][0], seconds


def cells(test: dict[str, object]) -> list[str]:
    numbers = [f"{test['executions']:,}", f"{test['states']:,}", f"{test['seconds']:.2f}"]
    return [number.replace(",", " ") + ("" if test["verdict"] == "verified" else " (cut)") for number in numbers]


def main() -> None:
    parser = argparse.ArgumentParser(description=textwrap.dedent(__doc__ or ""))
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--seconds", type=int, default=60)
    arguments = parser.parse_args()
    limit = f"--statespace-timeout={arguments.seconds}"
    lines = [
        "| program | dfs: executions | states | s | pytest, start to exit, s | dpor: executions | states | s "
        "| pytest, start to exit, s |",
        "|" + "---|" * 9,
    ]
    for title, call in PROGRAMS.items():
        plain, plain_whole = measure(call, "--statespace-strategy=dfs", limit)
        reduced, whole = measure(call, "--statespace-strategy=dpor", limit)
        row = [title, *cells(plain), f"{plain_whole:.2f}", *cells(reduced), f"{whole:.2f}"]
        lines.append("| " + " | ".join(row) + " |")
        print(lines[-1], flush=True)
    facts = [f"granularity access; each search at most {arguments.seconds} s (*cut*: it was not done then)"]
    publish("reductions", "Searches with and without reduction", facts, lines, write=arguments.write)


if __name__ == "__main__":
    main()
