"""POS: Yuan, Yang, Gu, "Partial order aware concurrency sampling", CAV 2018.

Every pending operation gets a random priority, the enabled operation with the highest one is
performed, and the priorities of all pending operations that conflict with it are drawn anew.
Interleavings that differ only in the order of independent operations are thereby drawn less
often than by a random walk, and different partial orders more evenly.

Deviation: operations on objects that are not known count as conflicting with all others; and an
execution ends fairly (see `sampling`).
"""

from __future__ import annotations

from collections.abc import Sequence

from pytest_statespace.explore.strategies.sampling import Seeded, pick_of_thread
from pytest_statespace.sandbox.protocol import Alternative

__all__ = ["Pos"]


class Pos(Seeded):
    """Random priorities of operations."""

    name = "pos"

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self._priorities: dict[int, float] = {}  # by thread: of its pending operation

    def start(self) -> None:
        self._priorities = {}

    def decide(self, depth: int, alternatives: Sequence[Alternative]) -> int:
        for alternative in alternatives:
            if alternative.thread not in self._priorities:
                self._priorities[alternative.thread] = self.random.random()
        first = max((a.thread for a in alternatives), key=self._priorities.__getitem__)
        taken = pick_of_thread(self.random, alternatives, first)
        for alternative in alternatives:
            if alternative.thread == first or alternative.conflicts(alternatives[taken]):
                self._priorities.pop(alternative.thread, None)
        return taken
