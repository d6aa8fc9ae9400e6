"""Set-up of an exploration: from the fork to the base snapshot, by size of the process.

Each size is a process of its own that explores the same small program several times; medians over the
explorations without the first. Wall time on a busy machine says little: CPU time of the child is given beside it.

    python benchmarks/bench_setup.py [--tests 8] [--write]

`--write` adds a file to `benchmarks/results`.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from written import machine, publish_text

HERE = Path(__file__).resolve().parent
GOALS = {"pytest": 50.0, "pytest, 1 GiB resident": 120.0}
OBJECTS_GOAL = 1.3
RESIDENT_GOAL = 1.2

PROBE = '''
import json
from pathlib import Path

import pytest_statespace.sandbox.session as session
from pytest_statespace._native import _bridge

await_base, close = session.Sandbox._await_base, session.Sandbox.close


def measured_base(self, started):
    await_base(self, started)
    text = Path(f"/proc/{self._child.pid}/status").read_text()
    resident = next(int(line.split()[1]) for line in text.splitlines() if line.startswith("VmRSS"))
    cpu = int(Path(f"/proc/{self._child.pid}/schedstat").read_text().split()[0])
    phases = {name: ns / 1e6 for name, ns in _bridge.setup_times().items()}
    self.measured = {"wall": self._setup_ms, "cpu": cpu / 1e6, "resident": resident / 1024, "phases": phases}


def measured_close(self):
    if hasattr(self, "measured"):
        native = self._arena._statistics()
        self.measured |= {
            "fingerprint": native.ns_fingerprint / max(native.checkpoints, 1) / 1e3,
            "checkpoint": native.ns_checkpoint / max(native.checkpoints, 1) / 1e3,
            "fetched": native.base_pages_fetched,
        }
        with open(OUTPUT, "a") as file:
            file.write(json.dumps(self.measured) + "\\n")
        del self.measured
    close(self)


session.Sandbox._await_base, session.Sandbox.close = measured_base, measured_close
'''

BODY = '''
import threading

def program():
    lock, total = threading.Lock(), [0]

    def add():
        for _ in range(2):
            with lock:
                total[0] += 1

    threads = [threading.Thread(target=add) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert total[0] == 4
'''

TEST = BODY + '''
import pytest

@pytest.mark.statespace
@pytest.mark.parametrize("number", range(TESTS))
def test_program(number):
    program()
'''

LEAN = BODY + '''
from support.search import explore

for _ in range(TESTS):
    explore(program, granularity="access")
'''


@dataclass(frozen=True, slots=True)
class Size:
    """One kind of process. `ballast` is run before the first exploration."""

    name: str
    ballast: str = ""
    pytest: bool = True


SIZES = (
    Size("lean", pytest=False),
    Size("pytest"),
    Size("pytest, hypothesis", "import hypothesis, hypothesis.strategies"),
    Size("pytest, 1 GiB resident", "import random\nkept = [random.Random(i).randbytes(1 << 20) for i in range(980)]"),
    Size("pytest, 100 000 objects more", "kept = [{'n': [i]} for i in range(50_000)]"),
    Size("pytest, 1 000 000 objects more", "kept = [{'n': [i]} for i in range(500_000)]"),
)


def run(size: Size, tests: int) -> list[dict[str, object]]:
    """What each exploration but the first measured."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        output = folder / "measured"
        prepare = f"{size.ballast}\nOUTPUT = {str(output)!r}\nTESTS = {tests + 1}\n{PROBE}"
        environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(HERE.parent), str(HERE.parent / "tests")])}
        if size.pytest:
            (folder / "conftest.py").write_text(prepare, encoding="utf-8")
            (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
            (folder / "test_program.py").write_text(TEST.replace("TESTS", str(tests + 1)), encoding="utf-8")
            options = ["-m", "pytest", "-q", "-p", "pytest_statespace.plugin", "-p", "no:cacheprovider"]
            options += ["--statespace", "--statespace-strategy=dfs"]  # one child a test; a further one takes less
        else:
            (folder / "lean.py").write_text(prepare + LEAN, encoding="utf-8")
            options = ["lean.py"]
        done = subprocess.run(
            [sys.executable, *options], cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SystemExit(f"{size.name}: {done.stdout}{done.stderr}")
        return [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()][1:]


def _median(found: list[dict[str, object]], value: Callable[[dict[str, object]], object]) -> float:
    return statistics.median(float(str(value(one))) for one in found)


def report(results: dict[str, list[dict[str, object]]], tests: int) -> str:
    """The results as Markdown."""
    lines = ["# Set-up", "", *machine(), f"- medians of {tests} explorations in one process", ""]
    lines += [
        "| process | resident MiB | wall ms | CPU ms of the child | base pages | fingerprint µs | checkpoint µs |",
        "|---|---|---|---|---|---|---|",
    ]
    columns = ("resident", "wall", "cpu", "fetched", "fingerprint", "checkpoint")
    for name, found in results.items():
        values = [_median(found, lambda one, key=key: one[key]) for key in columns]  # type: ignore[misc]
        lines.append(f"| {name} | " + " | ".join(f"{value:.0f}" for value in values) + " |")
    names = list(next(iter(results.values()))[0]["phases"])  # type: ignore[call-overload]
    lines += ["", "## Phases inside the child, wall ms", "", "| process | " + " | ".join(names) + " |"]
    lines.append("|---" * (len(names) + 1) + "|")
    for name, found in results.items():
        values = [
            _median(found, lambda one, phase=phase: one["phases"][phase])  # type: ignore[misc,index]
            for phase in names
        ]
        lines.append(f"| {name} | " + " | ".join(f"{value:.1f}" for value in values) + " |")
    rest = "The rest of the wall time: forking, tables of the code under test, arming the tracker, the frozen copy."
    lines += ["", rest, ""]
    return "\n".join([*lines, "## Goals", "", *_goals(results)]) + "\n"


def _goals(results: dict[str, list[dict[str, object]]]) -> list[str]:
    lines = []
    for name, goal in GOALS.items():
        wall, cpu = (_median(results[name], lambda one, key=key: one[key]) for key in ("wall", "cpu"))  # type: ignore[misc]
        met = "met" if wall <= goal else "MISSED"
        lines.append(f"- {name}: at most {goal:.0f} ms: {met}, {wall:.0f} ({cpu:.0f} CPU)")
    few, many = (
        _median(results[f"pytest, {n} objects more"], lambda one: one["fingerprint"]) for n in ("100 000", "1 000 000")
    )
    met = "met" if many <= OBJECTS_GOAL * few else "MISSED"
    goal_text = f"a fingerprint costs at most {OBJECTS_GOAL} times as much with many more objects"
    lines.append(f"- {goal_text}: {met}, {many / few:.2f}")
    small, large = (_median(results[name], lambda one: one["checkpoint"]) for name in GOALS)
    met = "met" if large <= RESIDENT_GOAL * small else "MISSED"
    lines.append(f"- a checkpoint costs at most {RESIDENT_GOAL} times as much at 1 GiB: {met}, {large / small:.2f}")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--tests", type=int, default=8)
    parser.add_argument("--write", action="store_true", help="keep the result in benchmarks/results")
    options = parser.parse_args()
    text = report({size.name: run(size, options.tests) for size in SIZES}, options.tests)
    publish_text("setup", text, write=options.write)


if __name__ == "__main__":
    main()
