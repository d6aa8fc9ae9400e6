"""What leaving out orders of steps saves: whole searches with and without the reduction.

    python benchmarks/bench_reductions.py [--write] [--seconds 60]

Each program is searched by each contender, in pytest processes of their own, to the end or for `--seconds`: every
interleaving with states merged, at choice points before locks only and before accesses too; without the orders that
make no difference, with and without visited set; the default. `--write` adds a file to `benchmarks/results`.
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
from concurrent.futures import ThreadPoolExecutor

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

def pool(workers, tasks):
    lock, total = threading.Lock(), [0]
    def add(_):
        with lock:
            total[0] += 1
    with ThreadPoolExecutor(workers) as executor:
        list(executor.map(add, range(tasks)))
    assert total[0] == tasks

"""
PROGRAMS = {
    "four threads, four steps each, independent": "independent(4, 4)",
    "three threads, locked, 3 increments each": "locked(3, 3)",
    "four threads, locked, 2 increments each": "locked(4, 2)",
    "three philosophers, ordered forks": "philosophers(3)",
    "five philosophers, ordered forks": "philosophers(5)",
    "three threads, 2 unlocked toggles each": "toggles(3, 2)",
    "four threads, 2 unlocked toggles each": "toggles(4, 2)",
    "pool of two threads, three locked tasks": "pool(2, 3)",
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


CONTENDERS = {
    "`dfs` at `sync`": ("--statespace-strategy=dfs", "--statespace-granularity=sync"),
    "`dfs`": ("--statespace-strategy=dfs",),
    "`source-dpor`": ("--statespace-strategy=source-dpor",),
    "`dpor`": ("--statespace-strategy=dpor",),
    "default": (),
}


def cell(test: dict[str, object], whole: float) -> str:
    cut = "" if test["verdict"] == "verified" else " (cut)"
    text = f"{test['executions']:,} / {test['states']:,} / {test['seconds']:.2f}{cut}"
    return text.replace(",", " ") + ("" if cut else f" ({whole:.2f})")


def main() -> None:
    parser = argparse.ArgumentParser(description=textwrap.dedent(__doc__ or ""))
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--seconds", type=int, default=60)
    arguments = parser.parse_args()
    limit = f"--statespace-timeout={arguments.seconds}"
    lines = ["| program | " + " | ".join(CONTENDERS) + " |", "|" + "---|" * (1 + len(CONTENDERS))]
    for title, call in PROGRAMS.items():
        row = [title, *(cell(*measure(call, limit, *options)) for options in CONTENDERS.values())]
        lines.append("| " + " | ".join(row) + " |")
        print(lines[-1], flush=True)
    facts = [
        f"executions / states / seconds of the search, of pytest from start to exit in parentheses; at most "
        f"{arguments.seconds} s (*cut*: it was not done then)",
        "granularity `access`, but for the first; `sync` has no choice points at accesses without locks",
    ]
    publish("reductions", "Searches with and without reduction", facts, lines, write=arguments.write)


if __name__ == "__main__":
    main()
