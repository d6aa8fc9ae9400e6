"""``--statespace-report``: what lies in the folder after real searches, and which folders are refused."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from support.running import Run

RACE = """
    import threading
    import pytest

    class Counter:
        value = 0
        def add(self):
            self.value += 1

    @pytest.mark.statespace
    @pytest.mark.parametrize("locked", [False, True])
    def test_race(locked):
        counter, lock = Counter(), threading.Lock()

        def work():
            if locked:
                with lock:
                    counter.add()
            else:
                counter.add()

        threads = [threading.Thread(target=work) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert counter.value == 2
"""


def files(folder: Path) -> dict[str, list[str]]:
    """The names of the files by test, without the hash of the node id."""
    return {
        path.name.rpartition("-")[0]: sorted(file.name for file in path.iterdir()) for path in sorted(folder.iterdir())
    }


def text_of(folder: Path, name: str, file: str) -> str:
    (path,) = folder.glob(f"{name}-*")
    return (path / file).read_text(encoding="utf-8")


BOTH = {"test_race_False": ["states.dot", "timeline.html"], "test_race_True": ["states.dot"]}


def test_files_of_every_explored_test(pytester: pytest.Pytester, run: Run, results: Any) -> None:
    pytester.makepyfile(RACE)
    plain = results()
    result = run("--statespace", "--statespace-report=out", "--statespace-json=results.json")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["timelines and state graphs are below out"])
    out = pytester.path / "out"
    assert files(out) == BOTH
    tests: Any = json.loads((pytester.path / "results.json").read_text())["tests"]
    for test in tests:
        other = plain[test["nodeid"].rpartition("::")[2]]  # a search of which a graph is wanted leaves nothing out
        for number in ("executions", "transitions", "states")[: 0 if other["reductions"] else 3]:
            assert test[number] == other[number]
        assert test["verdict"] == other["verdict"]
        assert {text for text, _ in test["outcomes"]} == {text for text, _ in other["outcomes"]}
        name = "test_race_" + test["nodeid"].rpartition("[")[2].rstrip("]")
        graph = text_of(out, name, "states.dot")
        noted = len(re.findall(r"^  s\d+ \[", graph, re.MULTILINE))
        # The failing execution is one of the opening: the search itself may not have come to its states.
        assert noted == test["states"] + 1 or (test["verdict"] == "failed" and noted > test["states"])
        assert "-> end" in graph
        assert "CUT" not in graph
        assert ("penwidth" in graph) == (test["verdict"] == "failed")
    page = text_of(out, "test_race_False", "timeline.html")
    assert "self.value += 1" in page
    assert "preempted" in page
    assert page.count("<abbr") == len(set(choices(page)))
    assert str(pytester.path) not in page
    assert str(Path.home()) not in page
    # Every choice of the failing schedule is an edge of the graph, named by what ran next.
    failing = [line for line in text_of(out, "test_race_False", "states.dot").splitlines() if "->" in line]
    assert sum("penwidth" in line for line in failing) == len(choices(page)) + 1


def choices(page: str) -> list[str]:
    return re.findall(r'title="choice (\d+) of', page)


def test_a_timeline_goes_when_the_test_passes(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(RACE)
    pytester.makeini("[pytest]\nstatespace = true\nstatespace_report = reports/new\n")
    run("-kFalse").assert_outcomes(failed=1)
    assert files(pytester.path / "reports" / "new") == {"test_race_False": BOTH["test_race_False"]}
    pytester.makepyfile(RACE.replace("if locked", "if True"))
    run("-kFalse").assert_outcomes(passed=1)
    assert files(pytester.path / "reports" / "new") == {"test_race_False": ["states.dot"]}


def test_workers_of_xdist_write_beside_each_other(pytester: pytest.Pytester, run: Run) -> None:
    pytest.importorskip("xdist")
    pytester.makepyfile(RACE)
    result = run("-p", "xdist", "-n2", "--statespace", "--statespace-report=out")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["timelines and state graphs are below out"])
    assert files(pytester.path / "out") == BOTH


def test_a_replay_has_a_timeline(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(RACE)
    run("--statespace", "-kFalse")
    (saved,) = (pytester.path / ".pytest_cache" / "d" / "statespace").glob("*.ssp")
    run(f"--statespace-replay={saved}", "--statespace-report=out").assert_outcomes(failed=1)
    assert files(pytester.path / "out") == {"test_race_False": ["timeline.html"]}


def test_a_failing_execution_that_was_drawn_at_random(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(RACE)
    run("--statespace", "--statespace-strategy=surw", "--statespace-report=out", "-kFalse").assert_outcomes(failed=1)
    graph = text_of(pytester.path / "out", "test_race_False", "states.dot")
    assert re.search(r'-> end\d+ \[label=".*", color=', graph)


def test_where_nothing_is_explored_nothing_is_written(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile("def test_it(): pass")
    run("--statespace", "--statespace-report=out").assert_outcomes(passed=1)
    assert not (pytester.path / "out").exists()


def test_what_can_not_be_written_is_noted(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(RACE)
    result = run("--statespace", "--statespace-report=/proc/self/out", "-kTrue")
    if result.ret == pytest.ExitCode.USAGE_ERROR:  # not root: refused before anything is run
        result.stderr.fnmatch_lines(["*--statespace-report='/proc/self/out'*not writable*"])
        return
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*note: timeline and state graph could not be written:*"])
