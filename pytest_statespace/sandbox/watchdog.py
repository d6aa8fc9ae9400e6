"""Waiting for a path to end while watching that the child is alive and gets on."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from pytest_statespace.sandbox.process import ChildProcess, ExitStatus

__all__ = ["Waited", "Watched", "wait_for_turn"]

SLICE_MS = 50  # Ctrl-C and a dead child are noticed within this time


class Watched(Protocol):
    """The part of an arena that waiting needs."""

    def wait(self, milliseconds: int) -> bool:
        """Has the explorer's turn come?"""
        ...

    def progress(self) -> int:
        """Grows while the child gets on."""
        ...


@dataclass(frozen=True, slots=True)
class Waited:
    """What ended the wait: our turn, the child's death, a hang, or the deadline."""

    turn: bool = False
    died: ExitStatus | None = None
    hung: bool = False
    late: bool = False


def wait_for_turn(
    arena: Watched,
    child: ChildProcess,
    *,
    hang_seconds: float | None,
    deadline: float | None,
    clock: Callable[[], float] = time.monotonic,
    between: Callable[[], None] | None = None,
) -> Waited:
    """Wait in short slices; ``between`` is called after each (to drain a pipe).

    ``hang_seconds`` without a new choice point is a hang; None: wait for ever. A child that
    died is asked for a result once more, because it may have handed the turn over before.
    """
    seen = -1
    since = clock()
    while True:
        turn = arena.wait(SLICE_MS if between is None else 5)
        if between is not None:
            between()
        if turn:
            return Waited(turn=True)
        status = child.poll()
        if status is not None:
            return Waited(turn=True) if arena.wait(0) else Waited(died=status)
        now = clock()
        progress = arena.progress()
        if progress != seen:
            seen, since = progress, now
        elif hang_seconds is not None and now - since >= hang_seconds:
            return Waited(hung=True)
        if deadline is not None and now >= deadline:
            return Waited(late=True)
