"""Strategies that sample, on real threads and through pytest."""

from __future__ import annotations

from typing import Any

import pytest
from litmus.programs import unlocked_attribute
from support.search import explore_with

PROGRAM = """
import threading
import pytest

class Counter:
    value = 0

def run(add):
    threads = [threading.Thread(target=add) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

@pytest.mark.statespace
def test_lost_update():
    counter = Counter()

    def add():
        counter.value += 1

    run(add)
    assert counter.value == 2

@pytest.mark.statespace(max_executions=60)
def test_locked():
    lock = threading.Lock()
    counter = Counter()

    def add():
        with lock:
            counter.value += 1

    run(add)
    assert counter.value == 2

@pytest.mark.statespace
def test_one_thread():
    pass
"""


def test_a_bug_is_found_reported_and_replayed(pytester: pytest.Pytester, run: Any, results: Any) -> None:
    pytester.makepyfile(PROGRAM)
    explored = results("--statespace-strategy=pct")
    lost, locked, one = (explored[f"test_{name}"] for name in ("lost_update", "locked", "one_thread"))
    assert (lost["verdict"], lost["strategy"]) == ("failed", "pct")
    assert (locked["verdict"], locked["executions"]) == ("incomplete", 60)
    assert "sampled 60 executions with pct (depth 3, seed 0)" in locked["reason"]
    assert (one["verdict"], one["executions"]) == ("incomplete", 1)
    again = run("--statespace-replay", lost["failures"][0]["token"])
    again.assert_outcomes(failed=1)
    again.stdout.fnmatch_lines(["*assert 1 == 2*"])


def test_the_same_seed_runs_the_same_schedules(pytester: pytest.Pytester, results: Any) -> None:
    pytester.makepyfile(PROGRAM)

    def found() -> object:
        test = results("--statespace-strategy=surw", "--statespace-seed=5", "-k", "lost")["test_lost_update"]
        return test["failures"][0]["token"], test["executions"]

    assert found() == found()


WIDE = """
import threading
import pytest

@pytest.mark.statespace
def test_flicker():
    state = {"level": 0}

    def flicker():
        state["level"] += 1
        state["level"] -= 1

    def look():
        assert state["level"] == 0

    threads = [threading.Thread(target=target) for target in [flicker] * 6 + [look]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
"""


def test_a_drawn_failure_is_minimised_and_replayed(pytester: pytest.Pytester, run: Any, results: Any) -> None:
    """Drawn at random it has a preemption at every second step; one thread in the middle of its work is enough."""
    pytester.makepyfile(WIDE)
    (failure,) = results("--statespace-strategy=random")["test_flicker"]["failures"]
    assert failure["preemptions"] <= 3
    again = run("--statespace-replay", failure["token"])
    again.assert_outcomes(failed=1)
    again.stdout.fnmatch_lines(["*assert [1-9] == 0*"])


def test_a_preemption_bound_is_refused(pytester: pytest.Pytester, run: Any) -> None:
    pytester.makepyfile(PROGRAM)
    result = run("--statespace", "--statespace-strategy=pos", "--statespace-preemptions=2", "-k", "lost")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*preemptions=2*knows no bound*"])


@pytest.mark.parametrize("sampler", ["random", "pct", "pos", "surw"])
def test_only_outcomes_of_the_whole_space_are_drawn(sampler: str) -> None:
    def use(subject: Any) -> tuple[Any, Any]:
        return subject.search("dfs"), subject.search(sampler, max_executions=100)

    everything, sampled = explore_with(unlocked_attribute(2, 1), use, granularity="access")
    assert len(sampled.results) > 1
    assert sampled.results <= everything.results
    assert not sampled.complete
