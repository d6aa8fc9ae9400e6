"""What is read off a teardown's source."""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Callable, Iterator
from types import CodeType, FunctionType
from typing import Any
from unittest import mock

import pytest

from pytest_statespace.runtime.asserting import asserts, mentions_after_yield


class Pool:
    """Its methods assert something, or don't."""

    used = 0

    def check(self) -> None:
        self._compare(0)

    def _compare(self, wanted: int) -> None:
        assert self.used == wanted

    def close(self) -> None:
        if self.used:
            raise RuntimeError("in use")

    @staticmethod
    def plain() -> None: ...

    @classmethod
    def of_class(cls) -> None:
        cls().check()


class Checked:
    def __exit__(self, *_: object) -> None:
        self.fail("so it is")

    def __enter__(self) -> None: ...

    def fail(self, text: str) -> None: ...


@contextlib.contextmanager
def checked() -> Iterator[None]:
    yield
    assert sys


@contextlib.contextmanager
def unchecked() -> Iterator[None]:
    assert sys
    yield


def recursive(n: int) -> None:
    if n:
        recursive(n - 1)


POOL = Pool()


def after_itself() -> Iterator[None]:
    yield
    assert POOL


def before_only() -> Iterator[None]:
    assert POOL
    POOL.check()
    yield
    POOL.close()
    POOL.plain()
    recursive(3)
    POOL.unknown.check()  # type: ignore[attr-defined]


def raising() -> Iterator[None]:
    yield
    raise ValueError


def raising_again() -> Iterator[None]:
    try:
        yield
    except ValueError:
        raise


def calling() -> Iterator[None]:
    yield
    POOL.check()


def calling_class_method() -> Iterator[None]:
    yield
    Pool.of_class()


def calling_made() -> Iterator[None]:
    yield
    Pool().check()


def managed() -> Iterator[None]:
    with checked():
        yield


def managed_by_class() -> Iterator[None]:
    with Checked():
        yield


def managed_before() -> Iterator[None]:
    with unchecked():
        pass
    yield


def mocking() -> Iterator[None]:
    seen = mock.Mock()
    yield
    seen.assert_called_once()


def local() -> Iterator[None]:
    pool: Any = POOL
    yield
    pool.check()


def everywhere(code: CodeType) -> bool:
    return code.co_filename == __file__


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (after_itself, True),
        (before_only, False),
        (raising, True),
        (raising_again, False),
        (calling, True),
        (calling_class_method, True),
        (calling_made, True),
        (managed, True),
        (managed_by_class, True),
        (managed_before, False),
        (mocking, True),
        (local, False),  # its value is known to those who have the generator
    ],
)
def test_behind_the_yield(function: FunctionType, expected: bool) -> None:
    assert asserts(function, everywhere, {}, after_yield=True) is expected


def test_values_of_locals() -> None:
    assert asserts(local, everywhere, {"pool": POOL}, after_yield=True)
    assert not asserts(local, everywhere, {"pool": object()}, after_yield=True)


def test_closures() -> None:
    def made(pool: object) -> Callable[[], object]:
        return lambda: pool.check()  # type: ignore[attr-defined]

    assert asserts(made(POOL), everywhere, {}, after_yield=False)
    assert not asserts(made(object()), everywhere, {}, after_yield=False)


def test_other_code_is_not_read() -> None:
    assert not asserts(calling, lambda code: code is calling.__code__, {}, after_yield=True)


def test_without_source() -> None:
    """It may assert anything."""
    names: dict[str, Any] = {}
    exec("def made():\n    yield", names)
    assert asserts(names["made"], lambda code: True, {}, after_yield=True)


def test_mentions() -> None:
    def reporting(request: Any) -> Iterator[None]:
        yield
        print(request.node.rep_call)

    assert mentions_after_yield(reporting, frozenset({"rep_call"}))
    assert not mentions_after_yield(reporting, frozenset({"rep_setup"}))
    assert not mentions_after_yield(functools.partial(before_only).func, frozenset({"rep_call"}))
