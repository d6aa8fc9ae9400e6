"""Threads that still run when the test function returns: named, joined, or a failure."""

from __future__ import annotations

from typing import Any

import pytest
from support.running import Run

TESTS = """
    import threading, time
    from concurrent.futures import ThreadPoolExecutor
    import pytest
    from pytest_statespace import choose

    done = []

    def work(seconds):
        time.sleep(seconds)
        done.append(seconds)

    @pytest.mark.statespace
    def test_left():
        threading.Thread(target=work, args=(5,), name="worker").start()

    @pytest.mark.statespace
    def test_daemon():
        threading.Thread(target=work, args=(5,), daemon=True).start()

    @pytest.mark.statespace
    def test_failing_later():
        def failing():
            time.sleep(5)
            assert not done
        done.clear()
        threading.Thread(target=work, args=(1,)).start()
        threading.Thread(target=failing).start()

    @pytest.mark.statespace
    def test_waits_for_ever():
        threading.Thread(target=threading.Event().wait, name="sleeper").start()

    @pytest.mark.statespace
    def test_executor():
        ThreadPoolExecutor(1).submit(work, 0).result()
"""


def verdicts(tests: dict[str, dict[str, Any]]) -> dict[str, str]:
    return {name.removeprefix("test_"): test["verdict"] for name, test in tests.items()}


def test_reported(pytester: pytest.Pytester, results: Any, run: Run) -> None:
    pytester.makepyfile(TESTS)
    assert set(verdicts(results()).values()) == {"verified"}
    output = run("--statespace", "-k", "test_left").stdout.str()
    assert "1 of 1 executions (worker); what they would do" in " ".join(output.split())


def test_joined(pytester: pytest.Pytester, results: Any) -> None:
    pytester.makepyfile(TESTS)
    tests = results("--statespace-left-running=join")
    assert verdicts(tests) == {
        "left": "verified",
        "daemon": "verified",
        "failing_later": "failed",
        "waits_for_ever": "failed",
        "executor": "verified",
    }
    assert tests["test_waits_for_ever"]["failures"][0]["kind"] == "deadlock"


def test_failed(pytester: pytest.Pytester, results: Any) -> None:
    pytester.makepyfile(TESTS)
    tests = results("--statespace-left-running=fail")
    assert {name for name, verdict in verdicts(tests).items() if verdict == "verified"} == {"daemon"}
    message = tests["test_left"]["failures"][0]["message"]
    assert "threads left running when the test ended: worker" in message
