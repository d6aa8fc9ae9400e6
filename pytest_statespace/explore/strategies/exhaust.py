"""The default: preemption bounds 0, 1, 2 in order, then everything.

Most bugs need one or two preemptions, so a bug is found early and with the fewest preemptions
it needs. The bounded rounds decide only the *order*: `verified` rests on the last round, a
plain depth-first search without a bound, or on a bounded round that never had to refuse an
alternative, which is the same thing.

Depth-first search changes the last choices first, and a space may be so wide that even the first bound is out of
reach (a hundred threads): it then stays for ever among the last choices it made. So whole executions come in
between. An opening, after the first path: conflicts of that path the other way round (`Reversals`), and some executions
that a `Sampler` draws. If the space is not exhausted after a hundred executions, more of these: after every path 150
times, then after every twentieth. They only look for a failure; what is verified rests on the rounds alone.

No sleep sets and no partial-order reduction while bounded: both lose outcomes in most
programs under a bound.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from pytest_statespace.explore.strategies.base import DepthFirst, Job, Node, Round, Sampler
from pytest_statespace.explore.strategies.dfs import flags_for
from pytest_statespace.explore.strategies.reversals import Reversals
from pytest_statespace.explore.strategies.sampling import Seeded
from pytest_statespace.types import ChoiceKind

__all__ = ["LAST_BOUND", "Exhaust"]

S = TypeVar("S", bound=Sampler)

LAST_BOUND = 2
_REVERSALS = 6  # of the opening; the first of them learns what the first path does
_SAMPLES = 12  # of the opening
_PATIENCE = 100  # executions before further interludes
_SOON = 150  # of these, one after every job; then one after every 20th


class Exhaust:
    """Rounds with bounds 0, 1, 2 and then without; ``preemptions`` ends it after that bound.

    ``sampler`` decides the executions in between, if there are to be any.
    """

    def __init__(self, preemptions: int | None, sampler: Seeded | None = None) -> None:
        self._limit = preemptions
        self._sampler = sampler
        self._opening: Iterator[Sampler] = self._open() if sampler is not None else iter(())
        self._opened = 0
        self._drawn = 0
        self._drawn_at = 0  # jobs
        self._jobs = 0
        self._longest = 0  # choice points of one path
        self._switches = 0  # those of the first path at which another thread could have run
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
            executions = self._jobs + self._opened + self._drawn  # by now, the one about to run included
            most = min(most, max(_PATIENCE - executions, -self._jobs % self._period()))
        return self._stack.following(most)

    def add(self, nodes: Sequence[Node]) -> None:
        self._longest = max(self._longest, len(nodes))
        if self._jobs == 1:
            self._switches = sum(node.kind != ChoiceKind.DATA for node in nodes)
        if self._stack is not None:
            self._stack.push(nodes)

    def pending(self) -> int:
        return len(self._stack) if self._stack is not None else 0

    def remaining(self) -> float | None:
        return self._stack.remaining() if self._stack is not None else None

    def refused(self) -> int:
        return self._stack.refused if self._stack is not None else 0

    def interlude(self, executions: int) -> Sampler | None:
        opening = next(self._opening, None)
        if opening is not None:
            self._opened += 1
        if opening is not None or self._sampler is None:
            return opening
        if executions < _PATIENCE or self._jobs % self._period() or self._drawn_at == self._jobs:
            return None
        self._drawn += 1
        self._drawn_at = self._jobs
        return self._hurried(self._sampler)

    def _open(self) -> Iterator[Sampler]:
        """What comes after the first path, if another thread could have run anywhere."""
        assert self._sampler is not None
        reversals = Reversals()
        if self._switches:
            yield self._hurried(reversals)
        for _ in range(_REVERSALS - 1):
            if reversals.has_more:
                yield self._hurried(reversals)
        for _ in range(min(_SAMPLES, self._switches)):  # a short path is one of few
            yield self._hurried(self._sampler)

    def _hurried(self, sampler: S) -> S:
        """Who waits in a loop need not do so for long, and who waits for what never comes waits for ever."""
        fair_after = 2 * self._longest + 50
        if isinstance(sampler, Seeded):
            sampler.fair_after = fair_after
        sampler.longest = 4 * fair_after
        return sampler

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
        return done + 1 if done < LAST_BOUND else None
