"""Plain depth-first search with the visited set: what every other strategy is tested against."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pytest_statespace.explore.strategies.base import DepthFirst, Job, Node, Round, Sampler
from pytest_statespace.sandbox.protocol import RunFlag

__all__ = ["DepthFirstSearch"]


class DepthFirstSearch:
    """One round over everything; with a preemption bound, one bounded round.

    Under a bound a state may be worth another visit with fewer preemptions used, and a thread
    that runs on costs nothing where another one would: the visited set is keyed by state and
    last thread then (`RunFlag.KEY_LAST_THREAD`). Keyed by state alone the bounded search loses
    outcomes.
    """

    def __init__(self, preemptions: int | None) -> None:
        self._bound = preemptions
        self._stack: DepthFirst | None = None
        self._begun = False

    def next_round(self) -> Round | None:
        if self._begun:
            return None
        self._begun = True
        return Round(self._bound, flags_for(self._bound))

    def begin(self, base: Node, release: Callable[[Node], None]) -> None:
        self._stack = DepthFirst(base, self._bound, release)

    def next_job(self) -> Job | None:
        return self._stack.pop() if self._stack is not None else None

    def following(self, most: int) -> Sequence[tuple[int, int]]:
        return self._stack.following(most) if self._stack is not None else ()

    def add(self, nodes: Sequence[Node]) -> None:
        if self._stack is not None:
            self._stack.push(nodes)

    def pending(self) -> int:
        return len(self._stack) if self._stack is not None else 0

    def remaining(self) -> float | None:
        return self._stack.remaining() if self._stack is not None else None

    def refused(self) -> int:
        return self._stack.refused if self._stack is not None else 0

    def interlude(self, executions: int) -> Sampler | None:
        return None


def flags_for(bound: int | None) -> RunFlag:
    """Flags of a depth-first round with or without a preemption bound."""
    flags = RunFlag.SNAPSHOT | RunFlag.FINGERPRINT | RunFlag.PRUNE
    if bound is not None:
        flags |= RunFlag.KEY_LAST_THREAD
    return flags
