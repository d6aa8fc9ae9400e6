"""PCT: Burckhardt, Kothari, Musuvathi, Nagarakatte, "A randomized scheduler with probabilistic
guarantees of finding bugs", ASPLOS 2010.

Every thread gets a random priority; the enabled thread with the highest one runs. At depth - 1
random steps the running thread falls below all others. A bug that needs ``depth`` ordering
constraints is found with a chance of at least 1 / (n * k ** (depth - 1)) in one execution, for
n threads and k steps.

Deviations: k is not given but the length of the longest execution so far, so the first one has
no change of priority to speak of; a choice point with one alternative is no step here; and an
execution ends fairly (see `sampling`).
"""

from __future__ import annotations

from collections.abc import Sequence

from pytest_statespace.explore.strategies.sampling import Seeded, pick_of_thread
from pytest_statespace.sandbox.protocol import Alternative

__all__ = ["Pct"]


class Pct(Seeded):
    """Random priorities with ``depth`` - 1 changes."""

    name = "pct"

    def __init__(self, seed: int, *, depth: int = 3) -> None:
        super().__init__(seed)
        self._depth = depth
        self._longest = 1
        self._priorities: dict[int, float] = {}
        self._changes: list[int] = []

    def parameters(self) -> str:
        return f"depth {self._depth}, "

    def start(self) -> None:
        self._priorities = {}
        steps = range(1, max(self._longest, self._depth) + 1)
        self._changes = self.random.sample(steps, self._depth - 1)

    def decide(self, depth: int, alternatives: Sequence[Alternative]) -> int:
        self._longest = max(self._longest, min(depth, self.fair_after))
        for alternative in alternatives:
            if alternative.thread not in self._priorities:
                self._priorities[alternative.thread] = 1 + self.random.random()
        first = self._first(alternatives)
        if depth in self._changes:  # the i-th change gets the i-th of the lowest priorities
            self._priorities[first] = self._changes.index(depth) / self._depth
            first = self._first(alternatives)
        return pick_of_thread(self.random, alternatives, first)

    def _first(self, alternatives: Sequence[Alternative]) -> int:
        return max((a.thread for a in alternatives), key=self._priorities.__getitem__)
