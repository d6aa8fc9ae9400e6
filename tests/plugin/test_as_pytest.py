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
        assert pool.used == 2

    @pytest.fixture
    def finally_asserting(safe):
        pool = Pool(safe)
        try: yield pool
        finally: assert pool.used == 2

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


def test_teardowns_that_call(pytester: pytest.Pytester, results: Any, run: Run) -> None:
    """All of a fixture's teardown belongs to each execution, not only what it asserts itself."""
    pytester.makepyfile(
        """
    import contextlib, threading
    import pytest

    explored = pytest.mark.statespace

    class Pool:
        def __init__(self, safe): self.used, self.lock, self.safe = 0, threading.Lock(), safe
        def work(self):
            if self.safe: self.lock.acquire()
            self.used += 1
            if self.safe: self.lock.release()
        def check(self): self.compare(2)
        def compare(self, wanted): assert self.used == wanted
        def close(self):
            if self.used != 2: raise RuntimeError("in use")
        def wait(self):
            while self.used == 1: threading.Event().wait()

    def both(pool):
        threads = [threading.Thread(target=pool.work) for _ in range(2)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()

    @contextlib.contextmanager
    def checked(pool):
        yield pool
        pool.check()

    def quietly(pool):
        getattr(pool, "ch" + "eck")()

    @pytest.fixture(params=[True, False], ids=["safe", "unsafe"])
    def safe(request): return request.param

    @pytest.fixture
    def calling(safe):
        pool = Pool(safe)
        yield pool
        pool.check()

    @pytest.fixture
    def closing(safe):
        pool = Pool(safe)
        yield pool
        pool.close()

    @pytest.fixture
    def hiding(safe):
        pool = Pool(safe)
        yield pool
        quietly(pool)

    @pytest.fixture
    def waiting(safe):
        pool = Pool(safe)
        yield pool
        pool.wait()

    @pytest.fixture
    def raising(safe):
        pool, errors = Pool(safe), []
        yield pool
        if pool.used != 2: errors.append(ValueError(pool.used))
        if errors: raise errors[0]

    @pytest.fixture
    def managed(safe):
        with checked(Pool(safe)) as pool: yield pool

    @pytest.fixture
    def registering(request, safe):
        pool = Pool(safe)
        request.addfinalizer(pool.check)
        return pool

    @explored
    def test_calling(calling): both(calling)
    @explored
    def test_closing(closing): both(closing)
    @explored
    def test_hiding(hiding): both(hiding)
    @explored
    def test_waiting(waiting): both(waiting)
    @explored
    def test_raising(raising): both(raising)
    @explored
    def test_managed(managed): both(managed)
    @explored
    def test_registering(registering): both(registering)

    @explored
    def test_undone(closing, monkeypatch):
        monkeypatch.setattr(Pool, "close", lambda self: 1 / 0)
        both(closing)
    """
    )
    tests = results()
    for name in "calling", "closing", "hiding", "waiting", "raising", "managed", "registering", "undone":
        assert tests[f"test_{name}[safe]"]["verdict"] == "verified", name
        assert tests[f"test_{name}[unsafe]"]["verdict"] == "failed", name
    assert tests["test_waiting[unsafe]"]["failures"][0]["kind"] == "deadlock"
    assert tests["test_undone[unsafe]"]["failures"][0]["message"] == "RuntimeError: in use"
    # The parent's own fixtures, which no test has used, are torn down as well; that is no error.
    run("--statespace", "-k", "calling or closing or raising").assert_outcomes(passed=3, failed=3)


def test_a_skipped_test_is_torn_down_as_ever(pytester: pytest.Pytester, run: Run) -> None:
    """No execution came to the teardown, so what it raises in the parent is an error."""
    pytester.makepyfile(
        """
    import pytest

    @pytest.fixture
    def broken():
        yield
        raise ValueError("not given back")

    @pytest.mark.statespace
    def test_it(broken): pytest.skip("not today")
    """
    )
    for arguments in ("--statespace",), ():
        run(*arguments).assert_outcomes(skipped=1, errors=1)


def test_teardowns_that_cannot_be_explored(pytester: pytest.Pytester, results: Any, run: Run) -> None:
    """Nothing is lost but what they could have asserted, and then the test is not verified."""
    pytester.makeconftest(
        """
    import pytest

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(item, call):
        report = yield
        setattr(item, "rep_" + report.when, report)
        return report
    """
    )
    pytester.makepyfile(
        """
    import pathlib, queue, threading
    import pytest

    explored = pytest.mark.statespace

    class Server:
        def __init__(self): self.used = 0
        def stop(self): self.check()
        def check(self): assert self.used < 3

    def twice(server):
        def use(): server.used += 1
        threads = [threading.Thread(target=use) for _ in range(2)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        assert server.used in (1, 2)

    @pytest.fixture
    def file(tmp_path):
        path = tmp_path / "made"
        path.write_text("")
        server = Server()
        yield server
        path.unlink()

    @pytest.fixture
    def asserting_file(tmp_path):
        path = tmp_path / "made"
        path.write_text("")
        server = Server()
        yield server
        path.unlink()
        server.stop()

    @pytest.fixture
    def in_a_thread():
        asked, answered = queue.Queue(), queue.Queue()
        thread = threading.Thread(target=lambda: answered.put(asked.get()))
        thread.start()
        yield Server()
        asked.put(1)
        answered.get()

    @pytest.fixture
    def reporting(request):
        yield Server()
        if request.node.rep_call.failed: print("failed")

    @pytest.fixture
    def asserting_report(request):
        yield Server()
        assert not request.node.rep_call.failed

    @pytest.fixture(scope="module")
    def of_module():
        server = Server()
        yield server
        server.stop()

    @pytest.fixture(scope="module")
    def quiet_of_module():
        server = Server()
        yield server
        server.used = 0

    @explored
    def test_file(file): twice(file)
    @explored
    def test_asserting_file(asserting_file): twice(asserting_file)
    @explored
    def test_in_a_thread(in_a_thread): twice(in_a_thread)
    @explored
    def test_reporting(reporting): twice(reporting)
    @explored
    def test_asserting_report(asserting_report): twice(asserting_report)
    @explored
    def test_module(of_module): twice(of_module)
    @explored
    def test_quiet_module(quiet_of_module): twice(quiet_of_module)
    """
    )
    tests = results()
    for name in "test_file", "test_in_a_thread", "test_reporting", "test_quiet_module":
        assert tests[name]["verdict"] == "verified", name
    for name, fixture in (
        ("test_asserting_file", "asserting_file"),
        ("test_asserting_report", "asserting_report"),
        ("test_module", "of_module"),
    ):
        assert tests[name]["verdict"] == "incomplete"
        assert f"what {fixture} asserts after the test is not explored" in tests[name]["reason"]
    result = run("--statespace")
    result.assert_outcomes(passed=4)
    assert "the teardown of file can be taken back" in " ".join(result.stdout.str().split())
