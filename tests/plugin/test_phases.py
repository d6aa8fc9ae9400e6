"""The default search in phases: what is large is searched without orders that make no difference."""

from __future__ import annotations

from typing import Any

import pytest
from support.running import Run

from pytest_statespace._native import _bridge

pytestmark = pytest.mark.skipif(not _bridge.supported()[0], reason=_bridge.supported()[1])

OPENING = 19
SOON = 250  # the most for the first attempt with the reduction
TESTS = """
    import threading
    from concurrent.futures import ThreadPoolExecutor

    import pytest
    from pytest_statespace import always, observe

    pytestmark = pytest.mark.statespace
    watched = False

    class Table:
        def __init__(self, n):
            self.n = 0
            self.forks = [threading.Lock() for _ in range(n)]

    def run(*functions):
        if watched:
            always(lambda: True)
        threads = [threading.Thread(target=function) for function in functions]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def test_increments():
        table = Table(1)
        def add():
            for _ in range(3):
                with table.forks[0]:
                    table.n += 1
        run(add, add, add)
        observe(table.n)

    def test_independent():
        def work(table):
            for step in range(4):
                table.n = step
        run(*(lambda table=Table(1): work(table) for _ in range(4)))

    def test_philosophers():
        table = Table(4)
        def dine(seat):
            first, second = sorted((seat, (seat + 1) % 4))
            with table.forks[first], table.forks[second]:
                pass
        run(*(lambda seat=seat: dine(seat) for seat in range(4)))

    def test_one_order_of_1680():
        log = []
        def work(name):
            for _ in range(3):
                log.append(name)
        run(*(lambda name=name: work(name) for name in "abc"))
        assert "".join(log) != "abccbabac"

    def test_livelock():
        table = Table(1)
        def add():
            for _ in range(2):
                with table.forks[0]:
                    table.n += 1
        def spin():
            while table.n != 5:
                pass
        run(add, add, spin)

    def test_appends():
        log = []
        def work(name):
            for _ in range(5):
                log.append(name)
        run(*(lambda name=name: work(name) for name in "ab"))
        observe(len(log))

    def test_long():
        def work(table):
            for step in range(60):
                table.n = step
        run(*(lambda table=Table(1): work(table) for _ in range(2)))

    def test_pool():
        with ThreadPoolExecutor(2) as pool:
            observe(sum(future.result() for future in [pool.submit(int, 1), pool.submit(int, 2)]))
"""
WATCHED = TESTS.replace("watched = False", "watched = True")
"""What is shown to `always` depends on every step."""


def test_what_is_large_is_reduced(pytester: pytest.Pytester, run: Run, results: Any) -> None:
    pytester.makepyfile(test_it=TESTS)
    tests = results("test_it.py", "-k", "increments or philosophers")
    for test in tests.values():
        assert (test["verdict"], test["reductions"]) == ("verified", ["dpor"])
        assert OPENING < test["executions"] < SOON
    assert [outcome for outcome, _ in tests["test_increments"]["outcomes"]] == ["9"]


def test_what_is_independent_is_one_execution_after_the_opening(
    pytester: pytest.Pytester, run: Run, results: Any
) -> None:
    pytester.makepyfile(test_it=TESTS)
    test = results("test_it.py::test_independent")["test_independent"]
    assert (test["verdict"], test["reductions"], test["executions"]) == ("verified", ["dpor"], OPENING + 1)


@pytest.mark.parametrize(("source", "reductions"), [(TESTS, ["dpor"]), (WATCHED, [])], ids=["reduced", "swept"])
def test_what_only_the_later_phase_finds_is_minimised_and_replayed(
    pytester: pytest.Pytester, run: Run, results: Any, source: str, reductions: list[str]
) -> None:
    pytester.makepyfile(test_it=source)
    failed = results("test_it.py::test_one_order_of_1680")["test_one_order_of_1680"]
    assert (failed["verdict"], failed["reductions"]) == ("failed", reductions)
    (failure,) = failed["failures"]
    assert failed["executions"] > OPENING + SOON
    replayed = run("test_it.py::test_one_order_of_1680", f"--statespace-replay={failure['token']}")
    replayed.stdout.fnmatch_lines(["*abccbabac*", "*assertion with * preemptions; replayed in*"])


@pytest.mark.parametrize("soon", [True, False])
def test_where_equality_is_weakened_nothing_is_left_out(
    pytester: pytest.Pytester, run: Run, results: Any, soon: bool
) -> None:
    """Known after the opening, or only when the reduced search has come to the declaration."""
    pytester.makepyfile(
        test_it=TESTS
        + f"""
    from pytest_statespace import ignore

    def test_ignored():
        table = Table(1)
        if {soon}:
            ignore(table, "log")
        table.log = ()
        def add(name):
            for _ in range(3):
                with table.forks[0]:
                    table.log += (name,)
                    table.n += 1
                    if table.log == tuple("bbaaba"):
                        ignore(table, "log")
                        table.log = ()
        run(lambda: add("a"), lambda: add("b"))
        observe(table.n)
    """
    )
    test = results("test_it.py::test_ignored")["test_ignored"]
    assert (test["verdict"], test["reductions"]) == ("verified", [])
    assert test["weakened"] == ["ignore(Table.log)"]


@pytest.mark.parametrize("name", ["test_appends", "test_long", "test_pool"])
def test_where_nothing_can_be_left_out_nobody_tries_for_long(
    pytester: pytest.Pytester, run: Run, results: Any, name: str
) -> None:
    pytester.makepyfile(test_it=WATCHED)
    test = results(f"test_it.py::{name}")[name]
    assert (test["verdict"], test["reductions"]) == ("verified", [])
    plain = results(f"test_it.py::{name}", "--statespace-strategy=dfs")[name]
    assert test["states"] == plain["states"]
    assert test["outcomes"] == plain["outcomes"]
    assert plain["executions"] > OPENING + SOON  # else the first attempt would have settled it


def test_a_livelock_is_left_to_the_plain_search(pytester: pytest.Pytester, run: Run, results: Any) -> None:
    pytester.makepyfile(test_it=TESTS)
    failed = results("test_it.py::test_livelock")["test_livelock"]
    (failure,) = failed["failures"]
    assert (failed["verdict"], failed["reductions"], failure["kind"]) == ("failed", [], "livelock")
    assert failure["token"]


def test_where_states_are_not_compared_nothing_is_left_out(pytester: pytest.Pytester, run: Run, results: Any) -> None:
    """There it would go unnoticed that a test looks at addresses, which depend on the order of any two steps."""
    pytester.makepyfile(test_it=TESTS)
    pytester.makeconftest(
        "from pytest_statespace._native import _bridge\n_bridge.supported = lambda: (False, 'for this test')\n"
    )
    most = f"--statespace-max-executions={2 * SOON}"
    test = results("test_it.py::test_philosophers", most)["test_philosophers"]
    assert (test["verdict"], test["reductions"], test["executions"]) == ("incomplete", [], 2 * SOON)
    for strategy in ("dpor", "source-dpor"):
        refused = run("test_it.py::test_philosophers", "--statespace", f"--statespace-strategy={strategy}")
        refused.stdout.fnmatch_lines([f"*strategy*{strategy}*states can be compared*use exhaust or dfs*"])
        refused.assert_outcomes(failed=1)


@pytest.mark.parametrize("source", [TESTS, WATCHED], ids=["reduced", "swept"])
@pytest.mark.parametrize("most", [OPENING - 4, OPENING + 30, OPENING + SOON + 30, OPENING + SOON + 130])
def test_budgets_are_of_all_phases(pytester: pytest.Pytester, run: Run, results: Any, most: int, source: str) -> None:
    """They end in the opening, the first attempt, the plain search, and the second attempt."""
    pytester.makepyfile(test_it=source)
    tests = results("test_it.py", "-k", "one_order", f"--statespace-max-executions={most}")
    test = tests["test_one_order_of_1680"]
    assert test["verdict"] == "incomplete"
    assert test["executions"] == most
    assert f"max-executions ({most})" in test["reason"]
