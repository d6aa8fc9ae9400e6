"""Coroutine functions beside other plugins that run them, each in its way: explored all the same, in our loop.

What pytest-asyncio and anyio do to items is done here by a conftest.py, in the three ways that their releases know; the
campaign does it with the plugins themselves.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.running import PACKAGES, Run

TESTS = """
    import asyncio
    import pytest

    class Account:
        def __init__(self): self.balance = 0
        async def deposit(self):
            seen = self.balance
            await asyncio.sleep(0)
            self.balance = seen + 1

    @pytest.mark.statespace
    @pytest.mark.anyio
    @pytest.mark.asyncio
    async def test_lost():
        account = Account()
        await asyncio.gather(account.deposit(), account.deposit())
        assert account.balance == 2

    @pytest.mark.statespace
    @pytest.mark.anyio
    @pytest.mark.asyncio
    async def test_orders():
        done = []
        async def work(name):
            await asyncio.sleep(1)
            done.append(name)
            await asyncio.sleep(0)
            done.append(name.upper())
        await asyncio.gather(work("a"), work("b"))
        assert done in (list("abAB"), list("aAbB"))

    class TestMethods:
        @pytest.mark.statespace
        @pytest.mark.anyio
        @pytest.mark.asyncio
        async def test_method(self):
            await asyncio.sleep(0)
"""
LOST, ORDERS, METHOD = "test_lost", "test_orders", "test_method"

IN_RUNTEST = """
    import asyncio, functools, pytest

    class AsyncItem(pytest.Function):
        def runtest(self):
            original = self.obj
            with asyncio.Runner() as runner, pytest.MonkeyPatch.context() as patch:
                patch.setattr(self, "obj", functools.wraps(original)(lambda **names: runner.run(original(**names))))
                super().runtest()

    def pytest_pycollect_makeitem(collector, name, obj):
        if name.startswith("test_"):
            return [AsyncItem.from_parent(collector, name=name)]
"""
IN_WRAPPER = """
    import asyncio, functools, pytest

    @pytest.hookimpl(tryfirst=True, hookwrapper=True)
    def pytest_pyfunc_call(pyfuncitem):
        original = pyfuncitem.obj
        pyfuncitem.obj = functools.wraps(original)(lambda **names: asyncio.run(original(**names)))
        yield
"""
INSTEAD = """
    import asyncio, pytest

    @pytest.hookimpl(tryfirst=True)
    def pytest_pyfunc_call(pyfuncitem):
        asyncio.run(pyfuncitem.obj())
        return True
"""
MARKERS = "[pytest]\nmarkers =\n    anyio\n    asyncio\n"


@pytest.mark.parametrize("way", [IN_RUNTEST, IN_WRAPPER, INSTEAD], ids=["runtest", "wrapper", "instead"])
def test_ways_to_run_coroutines(pytester: pytest.Pytester, results: Any, run: Run, way: str) -> None:
    pytester.makeconftest(way)
    pytester.makepyfile(TESTS)
    pytester.makeini(MARKERS)
    check(results())
    plain = run()  # and without --statespace the other plugin goes on with its work
    plain.assert_outcomes(passed=2, failed=1)


def check(tests: dict[str, Any]) -> None:
    assert {name: test["verdict"] for name, test in tests.items()} == {
        LOST: "failed",
        ORDERS: "verified",
        METHOD: "verified",
    }
    assert tests[LOST]["failures"][0]["kind"] == "assertion"
    assert tests[ORDERS]["executions"] > 1


def test_futures_of_fixtures(pytester: pytest.Pytester, results: Any) -> None:
    """What belongs to a fixture's loop can't be waited for, which is no failure of the test. Anything else works."""
    pytester.makeconftest(
        """
    import asyncio, functools, inspect, pytest

    @pytest.hookimpl(tryfirst=True)
    def pytest_fixture_setup(fixturedef, request):
        if inspect.iscoroutinefunction(fixturedef.func):
            original, loop = fixturedef.func, asyncio.new_event_loop()
            request.addfinalizer(loop.close)
            fixturedef.func = functools.wraps(original)(lambda: loop.run_until_complete(original()))
    """
    )
    pytester.makepyfile(
        """
    import asyncio
    import pytest

    @pytest.fixture
    async def future(): return asyncio.get_running_loop().create_future()

    @pytest.fixture
    async def queue(): return asyncio.Queue()

    @pytest.mark.statespace
    async def test_future(future):
        asyncio.get_running_loop().call_soon(future.set_result, 1)
        assert await future == 1

    @pytest.mark.statespace
    async def test_queue(queue):
        asyncio.get_running_loop().call_soon(queue.put_nowait, 1)
        assert await queue.get() == 1

    @pytest.mark.statespace
    async def test_own_mistake():
        future = asyncio.new_event_loop().create_future()
        await future
    """
    )
    tests = results()
    assert tests["test_future"]["verdict"] == "unsupported"
    assert "asynchronous fixture" in tests["test_future"]["reason"]
    assert tests["test_queue"]["verdict"] == "verified"
    assert tests["test_own_mistake"]["verdict"] == "failed"
    assert "different loop" in tests["test_own_mistake"]["reason"]


@pytest.mark.campaign
@pytest.mark.parametrize("requirement", ["pytest-asyncio==1.5.0", "anyio==4.16.0"])
def test_the_plugins_themselves(
    pytester: pytest.Pytester, run: Run, results: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, requirement: str
) -> None:
    store = tmp_path / "packages"
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(store)]
    subprocess.run([*pip, requirement, "idna", "typing_extensions", "backports.asyncio.runner"], check=True)
    monkeypatch.setenv("PYTHONPATH", f"{PACKAGES}:{store}")
    pytester.makeconftest("import pytest\n\n@pytest.fixture\ndef anyio_backend(): return 'asyncio'\n")
    pytester.makepyfile(TESTS)
    pytester.makeini(MARKERS)
    check(results())
