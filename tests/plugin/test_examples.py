"""The examples: each gets its verdict, and each counterexample replays in a fresh process."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
HASH_SEEDS = (None, "0", "1", "random")


@dataclass(frozen=True)
class Explored:
    """A copy of the examples that has been explored once: its folder and the tests of the JSON report by name."""

    folder: Path
    tests: dict[str, dict[str, Any]]

    def failed(self) -> list[str]:
        return sorted(name for name, test in self.tests.items() if test["verdict"] == "failed")


def run_pytest(folder: Path, *arguments: str, hash_seed: str | None = None) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONHASHSEED"}
    environment["COLUMNS"] = "300"  # messages are not cut
    if hash_seed is not None:
        environment["PYTHONHASHSEED"] = hash_seed
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def explore(folder: Path, *arguments: str, hash_seed: str | None = None) -> Explored:
    shutil.copytree(EXAMPLES, folder, ignore=shutil.ignore_patterns("__pycache__", ".pytest_cache"))
    (folder / "pytest.ini").write_text("[pytest]\n")
    report = folder / "report.json"
    finished = run_pytest(folder, "--statespace", f"--statespace-json={report}", *arguments, hash_seed=hash_seed)
    assert finished.returncode == 1, finished.stdout + finished.stderr
    tests = json.loads(report.read_text())["tests"]
    return Explored(folder, {test["nodeid"]: test for test in tests})


@pytest.fixture(scope="module")
def explored(tmp_path_factory: pytest.TempPathFactory) -> Explored:
    # Without comparing states spin loops do not end: no need to wait for the default minute.
    patience = () if states_are_compared() else ("--statespace-timeout=10",)
    return explore(tmp_path_factory.mktemp("explored") / "examples", *patience)


def expected_verdicts() -> dict[str, str]:
    return dict(json.loads((EXAMPLES / "expected.json").read_text()))


def states_are_compared() -> bool:
    from pytest_statespace._native import _bridge

    return bool(_bridge.supported()[0])


def acceptable(expected: str) -> set[str]:
    """Where states can't be compared on this interpreter a search may end ``incomplete``, never otherwise wrong."""
    return {expected} if states_are_compared() else {expected, "incomplete"}


def test_every_example_gets_its_verdict(explored: Explored) -> None:
    expected = expected_verdicts()
    assert explored.tests.keys() == expected.keys()
    wrong = {
        name: (test["verdict"], test["reason"])
        for name, test in explored.tests.items()
        if test["verdict"] not in acceptable(expected[name])
    }
    assert not wrong


def assert_same_search(explored: Explored, again: Explored) -> None:
    counts = ("verdict", "executions", "transitions", "states", "outcomes")
    for name, test in again.tests.items():
        if test["verdict"] == "incomplete" and "cut by timeout" in test["reason"]:  # where is chance
            continue
        assert {key: explored.tests[name][key] for key in counts} == {key: test[key] for key in counts}, name


def test_counts_do_not_depend_on_the_hash_seed(explored: Explored, tmp_path: Path) -> None:
    for hash_seed in HASH_SEEDS[1:]:
        assert_same_search(explored, explore(tmp_path / f"seed-{hash_seed}", hash_seed=hash_seed))


def test_both_trackers_make_the_same_search(explored: Explored, tmp_path: Path) -> None:
    files = ("test_lost_update.py", "test_locked_counter.py", "test_lock_order.py", "test_sqlite.py", "test_choices.py")
    again = explore(tmp_path / "compare", "--statespace-tracker=compare", *files)
    assert {test["engine"]["tracker"] for test in again.tests.values()} == {"compare"}
    assert_same_search(explored, again)


def replay(explored: Explored, name: str, *, times: int) -> None:
    failure = explored.tests[name]["failures"][0]
    for attempt in range(times):
        for schedule in (failure["file"], failure["token"]):
            finished = run_pytest(
                explored.folder,
                name,
                f"--statespace-replay={schedule}",
                hash_seed=HASH_SEEDS[attempt % len(HASH_SEEDS)],
            )
            first_line = failure["message"].splitlines()[0]
            assert finished.returncode == 1, finished.stdout + finished.stderr
            assert first_line in finished.stdout, finished.stdout


def test_every_failure_replays_from_file_and_token(explored: Explored) -> None:
    for name in explored.failed():
        replay(explored, name, times=2)


@pytest.mark.campaign
def test_every_failure_replays_twenty_times_of_twenty(explored: Explored) -> None:
    for name in explored.failed():
        replay(explored, name, times=20)
