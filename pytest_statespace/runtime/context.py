"""What the runtime knows about the execution that is going on in this process.

The context is made once, in the child, before the base snapshot. It is ordinary memory: a
restore rolls it back together with the program, so that at the end of an execution it holds
exactly what this execution observed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import NoReturn

__all__ = ["Context", "current", "in_child", "install"]


class Context:
    """Outcomes, reached labels and invariants of the running execution."""

    __slots__ = ("bridge", "fail", "invariants", "outcomes", "sometimes", "warnings")

    def __init__(self, bridge: ModuleType, fail: Callable[[BaseException], NoReturn]) -> None:
        self.bridge = bridge
        self.fail = fail  # ends the execution as failed
        self.invariants: list[Callable[[], object]] = []
        self.outcomes: list[str] = []
        self.sometimes: dict[str, bool] = {}
        self.warnings: list[tuple[str, str, str, int]] = []

    @contextmanager
    def paused(self) -> Iterator[None]:
        """No choice points inside the block: for the plugin's own Python code."""
        self.bridge.pause()
        try:
            yield
        finally:
            self.bridge.resume()


_context: Context | None = None


def install(context: Context | None) -> None:
    """Make this the process's context (the child calls it once)."""
    global _context
    _context = context


def current() -> Context | None:
    """The context if the calling thread belongs to an exploration, else None."""
    if _context is None or not _context.bridge.in_exploration():
        return None
    return _context


def in_child() -> bool:
    """True in a process that was forked to explore, on whichever thread."""
    return _context is not None
