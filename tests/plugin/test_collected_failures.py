"""Failures that are collected while a test goes on count in the child, which is the only process that sees them.

Small modules play pytest-check and pytest-assume, by their names and structure; the campaign takes the real ones.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.running import PACKAGES

HEAD = """
    import threading
    import pytest

    explored = pytest.mark.statespace

    def increments(locked=False):
        total, lock = [0], threading.Lock()
        def add():
            if locked: lock.acquire()
            total[0] += 1
            if locked: lock.release()
        threads = [threading.Thread(target=add) for _ in range(2)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        return total[0]
"""
SUBTESTS = """
    @explored
    @pytest.mark.parametrize("locked", [True, False])
    def test_sub(subtests, locked):
        with subtests.test("skipped", number=1):
            pytest.skip("this one only")
        with subtests.test("increments", number=2):
            assert increments(locked) == 2
"""
CHECKS = """
    from pytest_check import check

    @explored
    @pytest.mark.parametrize("locked", [True, False])
    def test_call(locked):
        check.equal(increments(locked), 2, "sum")

    @explored
    @pytest.mark.parametrize("locked", [True, False])
    def test_block(locked):
        with check: assert increments(locked) == 2

    @explored
    @pytest.mark.parametrize("locked", [True, False])
    def test_assumed(locked):
        pytest.assume(increments(locked) == 2)

    @explored
    @pytest.mark.parametrize("locked", [True, False])
    def test_assumed_block(locked):
        with pytest.assume: assert increments(locked) == 2
"""


@pytest.mark.parametrize("capture", ["fd", "sys", "no"])
@pytest.mark.skipif(pytest.version_tuple < (9,), reason="subtests are part of pytest from 9 on")
def test_subtests(pytester: pytest.Pytester, results: Any, capture: str) -> None:
    pytester.makepyfile(HEAD + SUBTESTS)
    tests = results(f"--capture={capture}")
    assert tests["test_sub[True]"]["verdict"] == "verified"
    assert tests["test_sub[False]"]["verdict"] == "failed"
    assert "assert 1 == 2" in tests["test_sub[False]"]["reason"]


def test_checks_and_assumptions(pytester: pytest.Pytester, results: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in "pytest_check", "pytest_assume":
        pytester.mkdir(package)
    modules = {
        "pytest_check/check_log": """
            _stop_on_fail = False
            failures = []
            def log_failure(msg="", check_str="", tb=None, xfail=None):
                failures.append(msg)
        """,
        "pytest_check/__init__": """
            from .check_log import log_failure
            _stop_on_fail = False
            class Check:
                def __enter__(self): return self
                def __exit__(self, kind, error, traceback):
                    if error is None or _stop_on_fail: return None
                    log_failure(error)
                    return True
                def equal(self, a, b, msg=""):
                    if a != b: log_failure(f"check {a} == {b}", msg)
            check = Check()
        """,
        "pytest_assume/__init__": "",
        "pytest_assume/plugin": """
            import pytest
            class AssumeContextManager:
                def __enter__(self): return self
                def __exit__(self, kind, error, traceback): return True
                def __call__(self, condition):
                    with self: assert condition
            pytest.assume = AssumeContextManager()
        """,
    }
    pytester.makepyfile(**modules)
    pytester.makeconftest("import pytest_check, pytest_assume.plugin")
    pytester.makepyfile(HEAD + CHECKS)
    monkeypatch.setenv("PYTHONPATH", f"{PACKAGES}:{pytester.path}")
    check(results())


def check(tests: dict[str, Any]) -> None:
    names = "test_call", "test_block", "test_assumed", "test_assumed_block"
    for name in names:
        assert tests[f"{name}[False]"]["verdict"] == "failed", name
        assert tests[f"{name}[True]"]["verdict"] == "verified", name
    assert "check 1 == 2: sum" in tests["test_call[False]"]["reason"]


@pytest.mark.campaign
def test_the_packages_themselves(
    pytester: pytest.Pytester, results: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "packages"
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(store)]
    subprocess.run([*pip, "pytest-check==3.0.3", "pytest-assume==2.4.3", "six"], check=True)
    monkeypatch.setenv("PYTHONPATH", f"{PACKAGES}:{store}")
    pytester.makepyfile(HEAD + CHECKS)
    tests = results()
    check(tests)
    without = results("-p", "no:check", "-k", "assumed and True")["test_assumed[True]"]
    assert tests["test_assumed[True]"]["states"] == without["states"]  # wrapping threads costs nothing
