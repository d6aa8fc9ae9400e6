"""What surrounds a test must not decide about its verdict: where it lies, what is replaced, which order comes first."""

from __future__ import annotations

from typing import Any

import pytest
from support.running import Run

LOST_UPDATE = """
    import threading
    import pytest

    @pytest.mark.statespace
    def test_lost_update():
        total = [0]
        def add(): total[0] += 1
        threads = [threading.Thread(target=add) for _ in range(2)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        assert total[0] == 2
"""


def test_a_skip_in_one_order_hides_no_other(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        """
    import threading
    import pytest

    explored = pytest.mark.statespace

    def order():
        out = []
        threads = [threading.Thread(target=out.append, args=(i,)) for i in range(2)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        return out

    @explored
    def test_skip():
        if order() == [0, 1]: pytest.skip("the usual order")
        assert False

    @explored
    def test_xfail():
        if order() == [0, 1]: pytest.xfail("the usual order")
        assert False

    @explored
    def test_other():
        if order() == [1, 0]: pytest.skip("the other order")
        assert False

    @explored
    def test_always():
        order()
        pytest.skip("in any order")

    @explored
    def test_expected():
        order()
        pytest.xfail("in any order")
    """
    )
    result = run("--statespace", "-rA")
    result.assert_outcomes(failed=3, skipped=1, xfailed=1)
    result.stdout.fnmatch_lines(["SKIPPED*in any order"])


def test_a_test_outside_of_the_root_directory_is_under_test(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(test_there=LOST_UPDATE)
    pytester.mkdir("conf").joinpath("pytest.ini").write_text("[pytest]\n")
    pytester.mkdir("empty")
    for arguments in ("-c", "conf/pytest.ini"), ("--rootdir=empty",):
        run("--statespace", *arguments, "test_there.py").assert_outcomes(failed=1)


def test_an_installed_test_is_not_verified(pytester: pytest.Pytester, results: Any) -> None:
    installed = pytester.mkdir("site-packages")
    path = pytester.makepyfile(test_installed=LOST_UPDATE)
    path.rename(installed / path.name)
    tests = results()
    assert tests["test_lost_update"]["verdict"] == "incomplete"
    assert "is not code under test" in tests["test_lost_update"]["reason"]
    assert results("--statespace-trace=test_installed")["test_lost_update"]["verdict"] == "failed"


def test_a_dump_that_is_to_come_later(pytester: pytest.Pytester, run: Run) -> None:
    """Its thread is not there in the child; to take it back would wait for that for ever."""
    pytester.makepyfile(LOST_UPDATE)
    pytester.makeini("[pytest]\nfaulthandler_timeout = 300\n")
    result = run("--statespace")
    result.assert_outcomes(failed=1)
    result.stdout.no_fnmatch_line("*StatespaceError*")


def test_threads_that_a_test_has_not_started_are_noted(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        """
    import threading
    import pytest

    @pytest.fixture
    def beside():
        stop = threading.Event()
        thread = threading.Thread(target=stop.wait, name="beside")
        thread.start()
        yield
        stop.set()
        thread.join()

    @pytest.mark.statespace
    def test_it(beside): pass
    """
    )
    result = run("--statespace")
    result.assert_outcomes(passed=1)
    assert "not explored, for the test has not started them: beside" in " ".join(result.stdout.str().split())


def test_functions_of_the_system_that_fixtures_replace(pytester: pytest.Pytester, results: Any) -> None:
    pytester.makepyfile(
        """
    import os, sys, time
    import pytest

    explored = pytest.mark.statespace

    @pytest.fixture(params=["os.kill", "os.getpid", "os.waitid", "time.monotonic", "sys.platform"])
    def replaced(request, monkeypatch):
        module, name = request.param.split(".")
        answer = "win32" if name == "platform" else lambda *_: 42
        monkeypatch.setattr(sys.modules[module], name, answer)
        return answer if name == "platform" else answer()

    @explored
    def test_passes(replaced): assert replaced in (42, "win32")

    @explored
    def test_fails(replaced): assert replaced not in (42, "win32")

    @explored
    def test_replaces(monkeypatch):
        monkeypatch.setattr(os, "getpid", lambda: 42)
        assert os.getpid() == 42
    """
    )
    tests = results()
    for name, test in tests.items():
        assert test["verdict"] == ("failed" if name.startswith("test_fails") else "verified"), name
        for failure in test.get("failures", ()):
            assert failure["kind"] == "assertion"
