"""A pytest plugin for runs of CPython's tests: one line of JSON for each test into ``CPYTHON_TESTS_RESULTS``.

A search that stops after one execution is ``incomplete`` either way. So every execution of a test method tells
that it came to its end: only that says that nothing cut it, and that tear-down and clean-ups were passed too.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import unittest
from pathlib import Path
from typing import Any

import pytest

from pytest_statespace import observe

ENDED = "came to its end"

_call = unittest.TestCase.__call__


def _call_and_tell(self: unittest.TestCase, *arguments: Any, **options: Any) -> Any:
    result = _call(self, *arguments, **options)
    observe(ENDED)
    return result


unittest.TestCase.__call__ = _call_and_tell  # type: ignore[method-assign]

# Tests that are not installed with this interpreter may be those of another one.
if os.environ.get("CPYTHON_TESTS_FROM"):
    importlib.import_module("test").__path__.append(os.environ["CPYTHON_TESTS_FROM"])
    support = vars(importlib.import_module("test.support"))
    support.setdefault("Py_GIL_DISABLED", False)  # those of 3.13 ask earlier versions too
    support.setdefault("requires_gil_enabled", lambda reason: lambda test: test)

# C extensions that the tests import when they run. That is too late in an exploration.
for _name in ("_testcapi", "_testinternalcapi", "_testlimitedcapi", "_queue", "_posixsubprocess", "subprocess"):
    with contextlib.suppress(ImportError):
        importlib.import_module(_name)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """What became of a test, or why a fixture of it failed."""
    if report.when != "call" and report.passed:
        return
    result = getattr(report, "statespace", None) or {}
    entry = {
        "name": report.nodeid.rpartition("::")[0].rpartition("::")[2] + "." + report.nodeid.rpartition("::")[2],
        "outcome": report.outcome,
        "verdict": result.get("verdict", ""),
        "reason": result.get("reason", "") or _last_line(report),
        "ended": any(ENDED in text for text, _ in result.get("outcomes", ())),
    }
    with Path(os.environ["CPYTHON_TESTS_RESULTS"]).open("a", encoding="utf-8") as file:
        file.write(json.dumps(entry) + "\n")


def _last_line(report: pytest.TestReport) -> str:
    if not report.failed:
        return ""
    crash = getattr(report.longrepr, "reprcrash", None)
    text = crash.message if crash is not None else report.longreprtext
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[0].strip() if lines else ""
