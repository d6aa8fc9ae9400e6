"""Standard output and error of one execution.

While exploring, `sys.stdout` and `sys.stderr` are small text streams that append to a buffer
in ordinary memory of the child: a restore rolls the output back with everything else, so that
each execution has its own output from the first byte on. They hold no state themselves (no
partial line, no encoder), which keeps them out of state equality.
"""

from __future__ import annotations

import contextlib
import io
import logging
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, TextIO, cast

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = ["CapturedStream", "flush", "make_live", "redirect"]

_OWN_CAPTURE = frozenset({"capsys", "capsysbinary", "capteesys"})


class _CapturedBytes(io.RawIOBase):
    def __init__(self, bridge: object, number: int) -> None:
        super().__init__()
        self._write = bridge.capture_write  # type: ignore[attr-defined]
        self._number = number

    def writable(self) -> bool:
        return True

    def write(self, data: Buffer, /) -> int:
        raw = bytes(data)
        self._write(self._number, raw)
        return len(raw)


class CapturedStream(io.TextIOBase):
    """A text stream whose writes go to the execution's output buffer ``number`` (1 or 2)."""

    def __init__(self, bridge: object, number: int, name: str) -> None:
        super().__init__()
        self._write = bridge.capture_write  # type: ignore[attr-defined]
        self._number = number
        self.name = name
        self.mode = "w"
        self.buffer = _CapturedBytes(bridge, number)

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return "utf-8"

    @property
    def errors(self) -> str:  # type: ignore[override]
        return "backslashreplace"

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return False

    def fileno(self) -> int:
        raise io.UnsupportedOperation("the output of an explored test has no file descriptor")

    def reconfigure(self, **_: object) -> None:
        """Accepted, to no effect: whatever is written is there at once."""

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        self._write(self._number, text.encode("utf-8", "backslashreplace"))
        return len(text)


def redirect(bridge: object, fixtures: Iterable[str]) -> None:
    """Send the standard streams of this process to the execution's buffers.

    Streams that the test captures itself (``capsys``) are left: they are memory already.
    Log handlers that hold one of the replaced streams follow; pytest's own handlers that
    write to files are taken off, because a write to a file can't be rewound.
    """
    if _OWN_CAPTURE.isdisjoint(fixtures):
        old = {id(stream) for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__)}
        out = cast(TextIO, CapturedStream(bridge, 1, "<stdout>"))
        err = cast(TextIO, CapturedStream(bridge, 2, "<stderr>"))
        for handler in _handlers():
            if isinstance(handler, logging.StreamHandler) and id(handler.stream) in old:
                handler.stream = err
        sys.stdout = out
        sys.stderr = err
    root = logging.getLogger()
    root.handlers[:] = [handler for handler in root.handlers if not _writes_to_pytest(handler)]


def make_live() -> None:
    """In a child that keeps its standard streams: a line is seen when it is written, in a pipe too."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True)


def flush() -> None:
    """Before a fork, or nothing would keep the child from writing the same once more; and before a child ends."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # closed
            stream.flush()


def _handlers() -> list[logging.Handler]:
    known = list(logging.getLogger().handlers)
    for logger in list(logging.Logger.manager.loggerDict.values()):
        if isinstance(logger, logging.Logger):
            known.extend(logger.handlers)
    return known


def _writes_to_pytest(handler: logging.Handler) -> bool:
    kind = type(handler)
    return kind.__module__ == "_pytest.logging" and kind.__name__ != "LogCaptureHandler"
