"""Executions that never end, found in the complete graph of states.

A state from which no end can be reached is a livelock: whatever runs next, and however fair, the
test goes on for ever (there is no deadlock in a graph without a failure). The engine knows these
states when everything has been explored. Nothing is said of loops that some schedule leaves: a spin
loop is left as soon as the other thread runs.

Two things look alike and are none. While a thread spins the clock stands still, so another thread
that sleeps is never woken; real time would pass. And with a part of states left out on purpose, a
loop that counts there seems to repeat itself.

The counterexample is a schedule into such a state, with the fewest preemptions that the strategy
finds it with, and from there a loop: the thread that ran least recently goes first, until a state
comes again. A thread that could always go on has run in that loop.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pytest_statespace.explore.budget import Budget
from pytest_statespace.explore.explorer import Explorer, Found, Search, SearchEnd
from pytest_statespace.explore.snapshots import RELEASED
from pytest_statespace.explore.strategies.base import Job, Node, Sampler, Strategy, schedule_of, schedule_through
from pytest_statespace.sandbox.protocol import End, NewState, PathResult, Point
from pytest_statespace.sandbox.session import Sandbox
from pytest_statespace.types import FailureKind, Schedule

__all__ = ["look_for_livelock"]

_LONGEST_LOOP = 20_000  # choice points

_TIME = (
    "some executions repeat themselves for ever unless time passes, and the clock stands still while a thread "
    "can run: wait with an Event or a Condition instead of spinning, or let timeouts end at any time with "
    "--statespace-timeouts=any"
)
_TABLE = "the table of steps between states is full: whether every execution ends is not known"


def look_for_livelock(
    search: Search, sandbox: Sandbox, strategy: Callable[[], Strategy | Sampler], budget: Budget
) -> None:
    """Ask whether a search that found nothing has livelocks; note them as what it found."""
    if search.end is not SearchEnd.EXHAUSTED or search.cuts or search.refused:
        return
    endless = sandbox.endless()
    if endless is None:
        search.unending = _TABLE
        return
    states, timed = endless
    if not states:
        return
    if states == timed:
        search.unending = _TIME
        return
    if search.weakened:
        search.unending = (
            "some executions repeat themselves for ever, as far as states are compared: with equality weakened by "
            f"{', '.join(search.weakened)} that may be no livelock"
        )
        return
    schedule, steps = _counterexample(sandbox, strategy(), budget)
    loop = f"a loop of {steps} step{'s' if steps > 1 else ''}" if steps else "not run to its first repetition"
    search.end = SearchEnd.FAILED
    search.found = Found(
        kind=FailureKind.LIVELOCK,
        message=f"livelock: whatever runs next, the test never ends ({loop})",
        exception_type="",
        schedule=schedule,
        executions=search.executions,
        transitions=search.transitions,
        seconds=budget.elapsed(),
        length=len(schedule),
    )


def _counterexample(sandbox: Sandbox, strategy: Strategy | Sampler, budget: Budget) -> tuple[Schedule, int]:
    """A schedule into a livelock and once around it, and the length of the loop. Empty: no time was left."""
    hunt = _Hunt(sandbox, strategy, budget)
    hunt.run()
    if hunt.schedule is None or not sandbox.is_alive:
        return Schedule(), 0
    walk = _FairWalk(len(hunt.schedule))
    result = sandbox.walk(hunt.schedule, walk.choose, deadline=budget.deadline)
    if result.end is not End.STOPPED:
        return hunt.schedule, 0
    # What the loop takes from threads that could go on counts for nothing: it is only one way round.
    return Schedule(schedule_through(result.states[:-1]).choices, hunt.schedule.preemptions), walk.loop


class _Hunt(Explorer):
    """The same search again, up to the first state from which no end can be reached."""

    schedule: Schedule | None = None

    def _nodes(
        self, job: Job, states: Sequence[NewState], *, keep: bool = True, unkept: int = RELEASED
    ) -> list[Node]:
        nodes = super()._nodes(job, states, keep=keep, unkept=unkept)
        for number, state in enumerate(states):
            if state.endless and self.schedule is None:
                self.schedule = schedule_of(job.node, job.alternative, nodes[:number], extra=True)
        return nodes

    def _account(self, job: Job, nodes: Sequence[Node], result: PathResult) -> SearchEnd | None:
        return SearchEnd.STOPPED if self.schedule is not None else super()._account(job, nodes, result)


class _FairWalk:
    """Lets the thread go on that ran least recently, until state and order of threads come again."""

    def __init__(self, start: int) -> None:
        self.loop = 0
        self._steps = start
        self._last: dict[int, int] = {}
        self._seen: dict[object, int] = {}

    def choose(self, point: Point) -> int | None:
        order = tuple(sorted(self._last, key=lambda thread: self._last[thread]))
        key = (point.kind, point.fingerprint, order)
        if point.fingerprint and key in self._seen:
            self.loop = self._steps - self._seen[key]
            return None
        if len(self._seen) == _LONGEST_LOOP:
            return None
        self._seen[key] = self._steps
        self._steps += 1
        if not point.alternatives:
            return 0
        index, entry = min(
            enumerate(point.alternatives), key=lambda item: (self._last.get(item[1].thread, -1), item[0])
        )
        self._last[entry.thread] = self._steps
        return index
