"""What pytest makes of a test that runs plainly is made of one that is explored: filters for warnings, xfail."""

from __future__ import annotations

from typing import Any

import pytest
from support.running import Run

TEARDOWNS = """
    import threading
    import pytest
    from unittest import mock

    explored = pytest.mark.statespace

    class Pool:
        def __init__(self, safe): self.used, self.lock, self.safe = 0, threading.Lock(), safe
        def work(self):
            if self.safe: self.lock.acquire()
            self.used += 1
            if self.safe: self.lock.release()

    def both(pool):
        threads = [threading.Thread(target=pool.work) for _ in range(2)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()

    @pytest.fixture(params=[True, False], ids=["safe", "unsafe"])
    def safe(request): return request.param

    @pytest.fixture
    def asserting(safe):
        pool = Pool(safe)
        yield pool
        assert pool.used in (0, 2)

    @pytest.fixture
    def finally_asserting(safe):
        pool = Pool(safe)
        try: yield pool
        finally: assert pool.used in (0, 2)

    @pytest.fixture
    def mocking(safe):
        pool = Pool(safe)
        pool.seen = mock.Mock()
        yield pool
        if pool.used == 1: pool.seen.assert_called_once()

    @pytest.fixture
    def depending(asserting):
        yield asserting
        asserting.used += 5
        assert asserting.used in (5, 6, 7)
        asserting.used -= 5

    class TestReplaced:
        @pytest.fixture
        def asserting(self, asserting): return asserting
        @explored
        def test_replaced(self, asserting): both(asserting)

    @pytest.fixture
    def by_name(request): return request.getfixturevalue("asserting")

    @explored
    def test_by_name(safe, by_name): both(by_name)

    @pytest.fixture(scope="module")
    def of_module():
        pool = Pool(True)
        yield pool
        assert pool.used in (0, 2)

    @pytest.fixture
    def asserting_before():
        pool = Pool(True)
        assert pool.used == 0
        yield pool
        pool.used = 7

    @explored
    def test_asserting(asserting): both(asserting)

    @explored
    def test_finally(finally_asserting): both(finally_asserting)

    @explored
    def test_mocking(mocking): both(mocking)

    @explored
    def test_depending(depending): both(depending)

    @explored
    def test_module(of_module): both(of_module)

    @explored
    def test_before(asserting_before): both(asserting_before)

    @explored
    def test_plain(safe, monkeypatch, tmp_path, capsys, caplog): both(Pool(safe))

    class TestMethods:
        def setup_method(self): self.pools = [Pool(True), Pool(False)]
        def teardown_method(self): assert all(pool.used in (0, 2) for pool in self.pools)
        @explored
        @pytest.mark.parametrize("number", [0, 1], ids=["safe", "unsafe"])
        def test_method(self, number): both(self.pools[number])
"""


def test_filters_and_expectations(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        """
    import threading, warnings
    import pytest

    explored = pytest.mark.statespace
    strict = pytest.mark.filterwarnings("error")

    class Closing:
        def __del__(self): raise ValueError("not closed")

    class Refusal(Exception):
        def __init__(self, code, reason): super().__init__(f"{code}: {reason}")

    @explored
    @strict
    def test_warning(): warnings.warn("old", DeprecationWarning)

    @explored
    @strict
    def test_finalizer(): Closing()

    @explored
    @strict
    def test_finalizer_in_thread():
        thread = threading.Thread(target=Closing)
        thread.start()
        thread.join()

    @explored
    @strict
    def test_never_awaited():
        async def forgotten(): pass
        forgotten()

    @explored
    def test_finalizer_warns(): Closing()

    @explored
    @pytest.mark.xfail(raises=AssertionError, strict=True)
    def test_expected(): assert False

    @explored
    @pytest.mark.xfail(raises=(KeyError, Refusal), strict=True)
    def test_expected_own(): raise Refusal(7, "closed")

    class Final(Exception):
        def __init_subclass__(cls): raise TypeError("final")

    @explored
    @pytest.mark.xfail(raises=KeyError)
    def test_final(): raise Final("no")

    @explored
    @pytest.mark.xfail(raises=KeyError)
    def test_not_expected(): raise Refusal(7, "closed")

    @explored
    @pytest.mark.xfail(raises=OSError)
    def test_expected_of_a_kind(): raise FileNotFoundError(2, "gone")

    @explored
    @pytest.mark.xfail(raises=pytest.fail.Exception)
    def test_expected_failure(): pytest.fail("so it is")
    """
    )
    for arguments in ("--statespace",), ():
        result = run(*arguments)
        result.assert_outcomes(failed=6, xfailed=4, passed=1, warnings=1)
        for name in "warning", "finalizer", "finalizer_in_thread", "never_awaited", "not_expected", "final":
            result.stdout.fnmatch_lines([f"FAILED *::test_{name} - *"])
        result.stdout.fnmatch_lines(["*PytestUnraisableExceptionWarning*Closing.__del__*"])


def test_assertions_after_the_test(pytester: pytest.Pytester, results: Any) -> None:
    """Those of a fixture of this test belong to each execution. Others see only the parent: it is not verified."""
    pytester.makepyfile(TEARDOWNS)
    tests = results()
    in_fixtures = ("test_asserting", "test_finally", "test_mocking", "test_depending", "test_replaced", "test_by_name")
    for name in (*in_fixtures, "test_method"):
        assert tests[f"{name}[safe]"]["verdict"] == "verified", name
        assert tests[f"{name}[unsafe]"]["verdict"] == "failed", name
        assert tests[f"{name}[unsafe]"]["failures"][0]["kind"] == "assertion"
    assert tests["test_module"]["verdict"] == "incomplete"
    assert "what of_module asserts after the test is not explored" in tests["test_module"]["reason"]
    for name in "test_before", "test_plain[safe]", "test_plain[unsafe]":
        assert tests[name]["verdict"] == "verified", name


def test_finalizers_of_the_test(pytester: pytest.Pytester, results: Any) -> None:
    """What a test registers itself, and the teardown of fixtures that it asks for by name, belong to its executions."""
    pytester.makepyfile(
        """
    import threading
    import pytest
    from pytest_statespace import observe

    explored = pytest.mark.statespace

    def count_twice(counts):
        def count(): counts["n"] += 1
        threads = [threading.Thread(target=count) for _ in range(2)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()

    @pytest.fixture
    def counts():
        made = {"n": 0}
        yield made
        assert made["n"] == 2

    @explored
    def test_registered(request):
        counts = {"n": 0}
        def check(): assert counts["n"] == 2
        request.addfinalizer(check)
        count_twice(counts)

    @explored
    def test_asked_for(request): count_twice(request.getfixturevalue("counts"))

    @explored
    def test_order(request):
        order = []
        request.addfinalizer(lambda: observe("".join(order)))
        for name in "abc": request.addfinalizer(lambda name=name: order.append(name))
    """
    )
    tests = results()
    assert tests["test_registered"]["verdict"] == "failed"
    assert tests["test_asked_for"]["verdict"] == "failed"
    assert tests["test_order"]["outcomes"] == [["'cba'", 1]]
