"""The default: preemption bounds 0, 1, 2 in order, then everything.

Most bugs need one or two preemptions, so a bug is found early and with the fewest preemptions
it needs. The bounded rounds decide only the *order*: `verified` rests on the last round, a
plain depth-first search without a bound, or on a bounded round that never had to refuse an
alternative, which is the same thing.

A space that is still not exhausted after a hundred executions may be so wide that even the
first bound is out of reach (a hundred threads). Depth-first search then stays for ever among
the last choices it made. So from there on whole executions drawn by a `Sampler` come in
between: after every path 150 times, then after every twentieth. They only look for a failure; what is verified
rests on the rounds alone.

No sleep sets and no partial-order reduction while bounded: both lose outcomes in most
programs under a bound.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pytest_statespace.explore.strategies.base import DepthFirst, Job, Node, Round, Sampler
from pytest_statespace.explore.strategies.dfs import flags_for
from pytest_statespace.explore.strategies.sampling import Seeded

__all__ = ["Exhaust"]

_LAST_BOUND = 2
_PATIENCE = 100  # executions before the first interlude
_SOON = 150  # interludes, one after every job; then one after every 20th


class Exhaust:
    """Rounds with bounds 0, 1, 2 and then without; ``preemptions`` ends it after that bound.

    ``sampler`` decides the executions in between, if there are to be any.
    """

    def __init__(self, preemptions: int | None, sampler: Seeded | None = None) -> None:
        self._limit = preemptions
        self._sampler = sampler
        self._drawn = 0
        self._jobs = 0
        self._longest = 0  # choice points of one path
        self._round: Round | None = None
        self._stack: DepthFirst | None = None

    def next_round(self) -> Round | None:
        bound = self._next_bound()
        if bound == -1:
            return None
        self._round = Round(bound, flags_for(bound))
        return self._round

    def begin(self, base: Node, release: Callable[[Node], None]) -> None:
        assert self._round is not None
        self._stack = DepthFirst(base, self._round.bound, release)

    def next_job(self) -> Job | None:
        self._jobs += 1
        return self._stack.pop() if self._stack is not None else None

    def following(self, most: int) -> Sequence[tuple[int, int]]:
        if self._stack is None:
            return ()
        if self._sampler is not None:
            executions = self._jobs + self._drawn  # by now, the one about to run included
            most = min(most, max(_PATIENCE - executions, -self._jobs % self._period()))
        return self._stack.following(most)

    def add(self, nodes: Sequence[Node]) -> None:
        self._longest = max(self._longest, len(nodes))
        if self._stack is not None:
            self._stack.push(nodes)

    def pending(self) -> int:
        return len(self._stack) if self._stack is not None else 0

    def remaining(self) -> float | None:
        return self._stack.remaining() if self._stack is not None else None

    def refused(self) -> int:
        return self._stack.refused if self._stack is not None else 0

    def interlude(self, executions: int) -> Sampler | None:
        if executions < _PATIENCE or self._jobs % self._period():
            return None
        self._drawn += 1
        if self._sampler is not None:  # who waits in a loop need not do so for long
            self._sampler.fair_after = 2 * self._longest + 50
            self._sampler.longest = 4 * self._sampler.fair_after  # who waits for what never comes waits for ever
        return self._sampler

    def _period(self) -> int:
        return 1 if self._drawn < _SOON else 20

    def _next_bound(self) -> int | None:
        """The next bound, None for the round without one, -1 when all is done."""
        if self._round is None:
            return 0
        done = self._round.bound
        if done is None or not self.refused():
            return -1
        if self._limit is not None:
            return done + 1 if done < self._limit else -1
        return done + 1 if done < _LAST_BOUND else None
