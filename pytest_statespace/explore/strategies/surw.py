"""SURW: Zhao, Wolff, Mathur, Roychoudhury, "Selectively uniform concurrency testing",
ASPLOS 2025.

A random walk favours threads that have little left to do. If each choice is weighted by how many
events the threads still have, all interleavings of these events get the same chance. Doing that
for all events of a program is of little use, because few of them matter: so each execution is
uniform in the *interesting* events only, those on one shared object that is drawn anew for
each execution, and a random walk in the rest.

The thread whose turn it is to perform the next interesting event is drawn first, weighted by the
interesting events that threads have left; others wait when they come to one of theirs.

Deviations: event counts are the highest seen so far. The first two executions are the profile: all
threads are started first, then they run one after another, in the order of their creation and in
the opposite order (a choice point with one alternative is not seen, so the last one's events
would not be counted in one of them alone). A thread that was not started yet keeps its
weight to itself, where the paper lends it to its parent; if only threads that must wait are
left, another turn is drawn among them; and an execution ends fairly (see `sampling`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from pytest_statespace.explore.strategies.sampling import Seeded
from pytest_statespace.sandbox.protocol import Alternative

__all__ = ["Surw"]

_START = 2  # SSB_OP_START
_THREAD = 1 << 63  # the object is a thread: its start and end matter to the one that joins it only


class Surw(Seeded):
    """Uniform in the order of the accesses to one object, at random in the rest."""

    name = "surw"

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        # Events by object and part, and thread: the most seen so far, and those of this execution.
        # Insertion order is that of first meeting, so no choice depends on a number of an object.
        self._known: dict[tuple[int, int], Counter[int]] = {}
        self._met: dict[tuple[int, int], Counter[int]] = {}
        self._written: set[tuple[int, int]] = set()
        self._left: Counter[int] = Counter()
        self._profile = 0
        self._chosen: tuple[int, int] | None = None
        self._turn = -1

    def start(self) -> None:
        self._profile += 1
        for place, threads in self._met.items():
            self._known[place] = self._known.get(place, Counter()) | threads
        self._met = {}
        shared = [place for place, threads in self._known.items() if len(threads) > 1 and place in self._written]
        self._chosen = self.random.choice(shared) if shared else None
        self._left = Counter(self._known[self._chosen]) if self._chosen else Counter()
        self._draw_turn(list(self._left))

    def decide(self, depth: int, alternatives: Sequence[Alternative]) -> int:
        if self._profile <= 2:
            return self._met_one(alternatives, self._in_order(alternatives))
        for alternative in alternatives:
            if self._interesting(alternative) and self._left[alternative.thread] <= 0:
                self._left[alternative.thread] = 1  # one more than ever seen before
                self._draw_turn(list(self._left))
        waiting = [a.thread for a in alternatives if self._interesting(a) and a.thread != self._turn]
        free = [i for i, a in enumerate(alternatives) if a.thread not in waiting]
        if not free:
            self._draw_turn(waiting)
            free = [i for i, a in enumerate(alternatives) if a.thread == self._turn]
        taken = self._met_one(alternatives, self.random.choice(free))
        if self._interesting(alternatives[taken]):
            self._left[alternatives[taken].thread] -= 1
            self._draw_turn(list(self._left))
        return taken

    def _in_order(self, alternatives: Sequence[Alternative]) -> int:
        """The profile: starters of threads first, then by ordinal, up or down."""
        sign = 1 if self._profile == 1 else -1
        keys = [(a.operation != _START, sign * a.thread, i) for i, a in enumerate(alternatives)]
        return min(keys)[2]

    def _met_one(self, alternatives: Sequence[Alternative], taken: int) -> int:
        alternative = alternatives[taken]
        if alternative.access and not alternative.object & _THREAD:
            place = (alternative.object, alternative.part)
            self._met.setdefault(place, Counter())[alternative.thread] += 1
            if alternative.access & 2:
                self._written.add(place)
        return taken

    def _interesting(self, alternative: Alternative) -> bool:
        return bool(alternative.access) and (alternative.object, alternative.part) == self._chosen

    def _draw_turn(self, threads: Sequence[int]) -> None:
        """Whose interesting event is next?"""
        weights = [max(self._left[thread], 0) for thread in threads]
        if not threads:
            self._turn = -1
        elif not any(weights):
            self._turn = self.random.choice(threads)
        else:
            self._turn = self.random.choices(threads, weights)[0]
