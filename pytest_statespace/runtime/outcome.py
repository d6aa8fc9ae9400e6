"""How an execution ended, in words: kind, exception type and message for the parent."""

from __future__ import annotations

import unittest
import zlib
from typing import Any

import pytest

from pytest_statespace.runtime.context import Context
from pytest_statespace.runtime.wire import pack

__all__ = ["describe", "finished", "payload"]

_LONGEST_MESSAGE = 8 << 10
_LONGEST_NAME = 100
_MOST_NAMES = 5
_LONGEST_OUTCOME = 4 << 10
_MOST_BYTES = 200 << 10  # of a payload; the engine's outbox holds 256 KiB


def describe(error: BaseException) -> dict[str, Any]:
    """Kind, type and message of an exception that ended an execution.

    Kinds are those of `FailureKind`; ``skip``, ``xfail``, ``exit`` and ``interrupt`` for
    what pytest uses exceptions for without anything having failed; and ``rejected`` by Hypothesis's ``assume``.
    """
    kind = _kind(error)
    described: dict[str, Any] = {"kind": kind, "type": _type_name(error), "message": _text(error)}
    if kind == "exit":
        described["returncode"] = getattr(error, "returncode", None)
    return described


def finished() -> dict[str, Any]:
    """The test function returned."""
    return {"kind": "finished", "type": "", "message": ""}


def payload(
    described: dict[str, Any], context: Context, *, threads: int, left_running: int, left_names: list[str]
) -> bytes:
    """What goes to the parent at the end of an execution: the end and what was observed."""
    message = {**described, "threads": threads}
    if context.outcomes:
        message["outcomes"] = [_shorten(text, _LONGEST_OUTCOME) for text in context.outcomes]
    if context.sometimes:
        message["sometimes"] = dict(context.sometimes)
    if context.warnings:
        message["warnings"] = [list(warning) for warning in context.warnings]
    if left_running:
        message["left_running"] = left_running
        message["left_names"] = [_shorten(name, _LONGEST_NAME) for name in left_names[:_MOST_NAMES]]
    data = pack(message)
    if len(data) > _MOST_BYTES:
        message["outcomes"] = [
            f"<{len(context.outcomes)} outcomes, crc {zlib.crc32(data):08x}: too large to report>"
        ]
        message.pop("warnings", None)
        data = pack(message)
    return data


def _kind(error: BaseException) -> str:
    match error:
        case pytest.skip.Exception() | unittest.SkipTest():
            return "skip"
        case _ if _type_name(error) == "hypothesis.errors.UnsatisfiedAssumption":
            return "rejected"
        case pytest.xfail.Exception():
            return "xfail"
        case pytest.exit.Exception():
            return "exit"
        case KeyboardInterrupt():
            return "interrupt"
        case AssertionError() | pytest.fail.Exception():
            return "assertion"
        case _:
            return "exception"


def _type_name(error: BaseException) -> str:
    cls = type(error)
    if cls.__module__ in ("builtins", "_pytest.outcomes"):
        return cls.__qualname__
    return f"{cls.__module__}.{cls.__qualname__}"


def _text(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception as broken:
        text = f"<its str() raised {type(broken).__name__}>"
    if not isinstance(error, AssertionError | pytest.fail.Exception):
        text = f"{_type_name(error)}: {text}" if text else _type_name(error)
    return _shorten(text or _type_name(error), _LONGEST_MESSAGE)


def _shorten(text: str, longest: int) -> str:
    if len(text) <= longest:
        return text
    checksum = zlib.crc32(text.encode("utf-8", "replace"))
    return f"{text[: longest - 40]}... ({len(text)} characters, crc {checksum:08x})"
