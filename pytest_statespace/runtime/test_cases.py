"""Methods of `unittest.TestCase`: one execution is set-up, method, tear-down and clean-ups.

`unittest` runs them itself, sub-tests, skips and `IsolatedAsyncioTestCase` included. What is ours is the
result object, which ends the execution at the first failure, as an exception that leaves a test function
does: what tear-down would do after it is not explored, and can't hide what was found.
"""

from __future__ import annotations

import unittest
from collections.abc import Callable
from types import TracebackType
from typing import NoReturn

import pytest

__all__ = ["run"]

_ExcInfo = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]


def run(test_case: unittest.TestCase, fail: Callable[[BaseException], NoReturn]) -> None:
    """Run the test case's method. Returns if it passes, else calls ``fail`` where it does not."""
    test_case(_Result(fail))


class _Result(unittest.TestResult):
    def __init__(self, fail: Callable[[BaseException], NoReturn]) -> None:
        super().__init__()
        self._end = fail

    def addError(self, test: unittest.TestCase, err: _ExcInfo) -> None:
        if err[1] is not None:
            self._end(err[1])

    def addFailure(self, test: unittest.TestCase, err: _ExcInfo) -> None:
        self.addError(test, err)

    def addSubTest(self, test: unittest.TestCase, subtest: unittest.TestCase, err: _ExcInfo | None) -> None:
        if err is not None:
            self.addError(subtest, err)

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:
        if not hasattr(test, "test_case"):  # a sub-test that is skipped leaves the rest to run
            self._end(pytest.skip.Exception(reason))

    def addExpectedFailure(self, test: unittest.TestCase, err: _ExcInfo) -> None:
        self._end(pytest.xfail.Exception("expected failure"))

    def addUnexpectedSuccess(self, test: unittest.TestCase) -> None:
        self._end(pytest.fail.Exception("Unexpected success", pytrace=False))
