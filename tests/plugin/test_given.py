"""Tests with Hypothesis's @given: which examples are explored, what the verdict says, and that failing ones replay."""

from __future__ import annotations

import re
from typing import Any

import pytest
from support.running import Run

HEAD = """
    import asyncio, threading
    import pytest
    from hypothesis import assume, example, given, settings, strategies as st
    from pytest_statespace import observe

    explored = pytest.mark.statespace
    few = settings(max_examples=12, derandomize=True, database=None)

    def together(*functions):
        threads = [threading.Thread(target=function) for function in functions]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
"""
ADDING = """
    @explored
    @few
    @given(st.integers(0, 1000))
    def test_add(n):
        total = [0]
        def add():
            seen = total[0]
            total[0] = seen + n
        together(add, add)
        assert total[0] == 2 * n
"""


def test_verdicts(pytester: pytest.Pytester, results: Any) -> None:
    pytester.makepyfile(
        HEAD
        + ADDING
        + """
    @explored
    @few
    @given(st.integers(0, 3), st.booleans())
    def test_locked(n, twice):
        total, lock = [0], threading.Lock()
        def add():
            with lock: total[0] += n
        together(add, add)
        observe((n, total[0]))
        assert total[0] == 2 * n

    @explored
    @few
    @given(st.integers(0, 5))
    def test_assumed(n):
        assume(n > 3)
        observe(n)

    @explored
    @few
    @given(st.integers(0, 5))
    def test_assumed_in_one_order(n):
        order = []
        together(lambda: order.append(1), lambda: order.append(2))
        assume(order == [1, 2])
        observe(n > 9)

    class TestMethods:
        @pytest.fixture(scope="class")
        def limit(self): return 500

        @explored
        @few
        @given(n=st.integers(0, 1000))
        def test_method(self, limit, n):
            assert n < limit

        @explored
        @few
        @given(n=st.integers(0, 1000))
        async def test_coroutine(self, n):
            total = [0]
            async def add():
                seen = total[0]
                await asyncio.sleep(0)
                total[0] = seen + n
            await asyncio.gather(add(), add())
            assert total[0] == 2 * n

    @explored
    @few
    @example(7)
    @example(400)
    @given(st.integers(0, 5))
    def test_explicit(n): assert n != 7

    @explored
    @few
    @given(st.integers(0, 5))
    def test_refused(n):
        with open("there", "w"): pass

    @explored(timeout=0.0001)
    @few
    @given(st.integers(0, 5))
    def test_no_time(n): together(*[lambda: None] * 3)
    """
    )
    tests = results()
    # Found and shrunk: with 0 nothing is lost.
    assert tests["test_add"]["verdict"] == "failed"
    assert "assert 1 == (2 * 1)" in tests["test_add"]["reason"]
    locked = tests["test_locked"]
    assert locked["verdict"] == "incomplete"  # other inputs were not explored
    count = re.match(r"(\d+) examples drawn by Hypothesis, (\d+) explored in full$", locked["reason"])
    assert count is not None
    assert 5 <= int(count[1]) == int(count[2]) <= 8  # there are 8
    assert locked["executions"] > int(count[1])
    assert {text for text, _ in locked["outcomes"]} == {str((n, 2 * n)) for n in range(4)}
    assert {text for text, _ in tests["test_assumed"]["outcomes"]} == {"4", "5"}
    assert tests["test_assumed"]["reason"].startswith("2 examples")
    assert tests["test_assumed_in_one_order"]["verdict"] == "incomplete"  # the executions of the other one are skipped
    assert {text for text, _ in tests["test_assumed_in_one_order"]["outcomes"]} == {"False"}
    assert "assert 500 < 500" in tests["test_method"]["reason"]
    assert "assert 1 == (2 * 1)" in tests["test_coroutine"]["reason"]
    assert "assert 7 != 7" in tests["test_explicit"]["reason"]
    assert tests["test_refused"]["verdict"] == "unsupported"
    assert "open" in tests["test_refused"]["reason"]
    assert tests["test_no_time"]["verdict"] == "incomplete"
    assert "left out for want of time" in tests["test_no_time"]["reason"]


def test_what_is_refused(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        HEAD
        + """
    import unittest
    from hypothesis.stateful import RuleBasedStateMachine, rule

    @explored
    @given(st.data())
    def test_data(data): data.draw(st.integers())

    @explored
    class TestUnit(unittest.TestCase):
        @given(st.integers())
        def test_it(self, n): pass

    class Machine(RuleBasedStateMachine):
        @rule()
        def step(self): pass

    TestMachine = explored(Machine.TestCase)

    @explored
    @few
    @given(st.integers())
    def test_skipped(n): pytest.skip("not today")

    @explored
    @few
    @given(st.integers())
    def test_never(n): assume(False)
    """
    )
    result = run("--statespace")
    result.assert_outcomes(failed=4, skipped=1)
    result.stdout.fnmatch_lines(
        [
            "*UnsupportedOperation: st.data()*",
            "*remedy: draw all values in @given*",
            "*UnsupportedOperation: @given on a method of unittest, or a stateful test*",
            "*remedy: write a test function with @given*",
        ]
    )
    run().assert_outcomes(passed=3, skipped=1, failed=1)


@pytest.mark.parametrize("name", ["test_add", "test_explicit"])
@pytest.mark.parametrize("seed", ["0", "1"])
def test_replays(pytester: pytest.Pytester, run: Run, monkeypatch: pytest.MonkeyPatch, name: str, seed: str) -> None:
    """From file and token, also in a process in which Hypothesis would have drawn something else."""
    test = """
    @explored
    @settings(max_examples=12, database=None)
    @example(400)
    @example(7)
    @example(3)
    @given(st.integers(0, 1))
    def test_explicit(n):
        order = []
        together(lambda: order.append(1), lambda: order.append(2))
        assert n != 7 or order == [1, 2]
    """
    path = pytester.makepyfile(HEAD + (ADDING.replace("derandomize=True, ", "") if name == "test_add" else test))
    monkeypatch.setenv("PYTHONHASHSEED", "0")
    output = run("--statespace").stdout.str()
    note = {"test_add": "test_add(n=1)", "test_explicit": "test_explicit(n=7)"}[name]
    assert note in output
    told = re.search(r"--statespace-replay (\S+)", output)
    token = re.search(r'@reproduce\("(.*)"\)', output)
    assert told is not None
    assert token is not None
    monkeypatch.setenv("PYTHONHASHSEED", seed)
    message = re.search(r"^E +(assert.*)$", output, re.MULTILINE)
    assert message is not None
    for source in told[1], token[1]:
        again = run("--statespace-replay", source)
        again.assert_outcomes(failed=1)
        assert message[0] in again.stdout.str()
    # What the schedule was for is no longer there.
    text = path.read_text().replace("@given(st.integers(0, 1000))", "@given(st.text())")
    path.write_text(re.sub(r"@example\(.*\)", "", text))
    gone = run("--statespace-replay", told[1])
    gone.assert_outcomes(failed=1)
    gone.stdout.fnmatch_lines(["*example*no longer*"])


def test_smallest_example_is_what_the_report_shows(pytester: pytest.Pytester, run: Run) -> None:
    """Hypothesis tries many; only the last one is reported, saved and counted."""
    pytester.makepyfile(
        HEAD
        + """
    @explored
    @settings(max_examples=40, derandomize=True, database=None)
    @given(st.lists(st.integers(0, 9), max_size=5))
    def test_orders(values):
        out = []
        def put():
            for value in values: out.append(value)
        together(put, put)
        assert out == values * 2
    """
    )
    result = run("--statespace")
    result.stdout.fnmatch_lines(["*note*test_orders(values=[[]0, 1[]])*", "*1 failed*"])
    saved = list((pytester.path / ".pytest_cache" / "d" / "statespace").glob("*.ssp"))
    assert len(saved) == 1
