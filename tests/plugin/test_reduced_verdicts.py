"""Strategy dpor as users meet it: what the verdict says, what is refused, and counterexamples that replay."""

from __future__ import annotations

from typing import Any

import pytest
from support.running import Run

from pytest_statespace._native import _bridge

pytestmark = pytest.mark.skipif(not _bridge.supported()[0], reason=_bridge.supported()[1])

TESTS = """
    import threading

    import pytest
    from pytest_statespace import always, observe

    pytestmark = pytest.mark.statespace(strategy="dpor")

    class Box:
        def __init__(self):
            self.x = self.y = 0

    def run(*functions):
        threads = [threading.Thread(target=function) for function in functions]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def test_independent():
        boxes = [Box() for _ in range(4)]
        def work(box):
            box.x = 1
            box.y = 2
            box.x = 3
            box.y = 4
        run(*(lambda box=box: work(box) for box in boxes))
        observe([box.x for box in boxes])

    def test_race():
        box = Box()
        def add():
            box.x += 1
        run(add, add)
        assert box.x == 2

    def test_invariant():
        box = Box()
        always(lambda: box.x == 0 or box.y == 1)
        def one():
            box.x = 1
        def other():
            box.y = 1
        run(one, other)

    def test_philosophers():
        forks = [threading.Lock() for _ in range(5)]
        def dine(seat):
            first, second = sorted((seat, (seat + 1) % 5))
            with forks[first], forks[second]:
                pass
        run(*(lambda seat=seat: dine(seat) for seat in range(5)))

    def test_one_order_of_1680():
        log = []
        def work(name):
            for _ in range(3):
                log.append(name)
        run(*(lambda name=name: work(name) for name in "abc"))
        assert "".join(log) != "abccbabac"

    def test_livelock():
        box = Box()
        def spin():
            while not box.x:
                pass
        run(spin)
"""


def test_the_report_says_so(pytester: pytest.Pytester, run: Run, results: Any) -> None:
    pytester.makepyfile(test_it=TESTS)
    tests = results("test_it.py")
    independent = tests["test_independent"]
    assert (independent["verdict"], independent["reductions"]) == ("verified", ["dpor"])
    assert independent["reason"] == "no interleaving fails (reduced by dpor)"
    assert independent["executions"] <= 20
    assert [outcome for outcome, _ in independent["outcomes"]] == ["[3, 3, 3, 3]"]
    assert tests["test_philosophers"]["executions"] < 400  # of more than 60 000
    assert {name: test["verdict"] for name, test in tests.items() if test is not independent} == {
        "test_philosophers": "verified",
        "test_one_order_of_1680": "failed",
        "test_race": "failed",
        "test_invariant": "failed",
        "test_livelock": "failed",
    }
    assert tests["test_livelock"]["failures"][0]["kind"] == "livelock"
    token = tests["test_race"]["failures"][0]["token"]
    replayed = run("test_it.py::test_race", f"--statespace-replay={token}")
    replayed.stdout.fnmatch_lines(["*assertion with 1 preemption; replayed in*"])


def test_a_failure_is_minimised_and_replayed(pytester: pytest.Pytester, run: Run, results: Any) -> None:
    pytester.makepyfile(test_it=TESTS)
    (failure,) = results("test_it.py::test_one_order_of_1680")["test_one_order_of_1680"]["failures"]
    assert failure["preemptions"] == 5
    replayed = run("test_it.py::test_one_order_of_1680", f"--statespace-replay={failure['token']}")
    replayed.stdout.fnmatch_lines(["*abccbabac*", "*assertion with 5 preemptions; replayed in*"])


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ("--statespace-granularity=sync", "must know what every step touches"),
        ("--statespace-preemptions=1", "would lose interleavings"),
    ],
)
def test_what_it_can_not_do_is_refused(pytester: pytest.Pytester, run: Run, option: str, told: str) -> None:
    pytester.makepyfile(test_it=TESTS)
    result = run("--statespace", "test_it.py::test_race", option)
    assert result.ret != 0
    result.stdout.fnmatch_lines([f"*{told}*"])
