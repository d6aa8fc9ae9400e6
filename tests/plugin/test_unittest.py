"""Methods of unittest.TestCase are explored unchanged: set-up, method, tear-down and clean-ups are one execution."""

from __future__ import annotations

from typing import Any

import pytest
from support.running import Run

CASES = """
    import asyncio, threading, unittest
    import pytest
    from pytest_statespace import observe

    def together(*functions):
        threads = [threading.Thread(target=function) for function in functions]
        for thread in threads: thread.start()
        for thread in threads: thread.join()

    @pytest.mark.statespace
    class TestCounter(unittest.TestCase):
        @classmethod
        def setUpClass(cls):
            cls.start = 40

        def setUp(self):
            self.lock = threading.Lock()
            self.n = self.start
            self.addCleanup(lambda: observe("cleaned"))

        def tearDown(self):
            observe(f"torn down at {self.n}")

        def safe(self):
            with self.lock: self.n += 1

        def unsafe(self):
            self.n += 1

        def test_locked(self):
            together(self.safe, self.safe)
            for part in (1, 2):
                with self.subTest(part=part):
                    if part == 1: self.skipTest("this part only")
                    self.assertEqual(self.n, 42)

        def test_racing(self):
            together(self.unsafe, self.unsafe)
            self.assertEqual(self.n, 42)

        def test_part(self):
            with self.subTest("a part"):
                together(self.unsafe, self.unsafe)
                self.assertEqual(self.n, 42)

        def test_skipped(self): self.skipTest("not today")

        @unittest.skip("never")
        def test_never(self): pass

        @unittest.expectedFailure
        def test_expected(self): self.assertEqual(self.n, 0)

        @unittest.expectedFailure
        def test_unexpected(self): pass

    class TestUnmarked(unittest.TestCase):
        def test_plain(self): self.assertIsNot(threading.Thread.start, None)

    @pytest.mark.statespace
    class TestAsync(unittest.IsolatedAsyncioTestCase):
        async def asyncSetUp(self): self.event = asyncio.Event()

        async def test_waits(self): await self.event.wait()

        async def test_woken(self):
            asyncio.get_running_loop().call_later(3600, self.event.set)
            await self.event.wait()
"""


def test_verdicts(pytester: pytest.Pytester, results: Any, run: Run) -> None:
    pytester.makepyfile(CASES)
    explored = results()
    assert {name: test["verdict"] for name, test in explored.items()} == {
        "test_locked": "verified",
        "test_racing": "failed",
        "test_part": "failed",
        "test_unexpected": "failed",
        "test_waits": "failed",
        "test_woken": "verified",
    }
    assert {text for text, _ in explored["test_locked"]["outcomes"]} == {"'torn down at 42'", "'cleaned'"}
    messages = {name: test["failures"][0]["message"] for name, test in explored.items() if test["failures"]}
    assert "41 != 42" in messages["test_racing"]
    assert "41 != 42" in messages["test_part"]
    assert "Unexpected success" in messages["test_unexpected"]
    assert explored["test_waits"]["failures"][0]["kind"] == "deadlock"
    assert "'torn down at 41'" not in str(explored["test_racing"]["outcomes"]), "the execution ends where it fails"
    outcome = run("--statespace", "--statespace-incomplete=fail").parseoutcomes()
    assert outcome == {"failed": 4, "passed": 3, "skipped": 2, "xfailed": 1}


def test_replay(pytester: pytest.Pytester, results: Any, run: Run) -> None:
    pytester.makepyfile(CASES)
    explored = results("-k", "racing")
    file = explored["test_racing"]["failures"][0]["file"]
    result = run("--statespace-replay", file)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E * AssertionError: 41 != 42"])


def test_every_test_function(pytester: pytest.Pytester, results: Any) -> None:
    pytester.makepyfile(CASES)
    assert results("--statespace=all", "-k", "plain")["test_plain"]["verdict"] == "verified"
