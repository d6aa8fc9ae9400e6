"""What every strategy is: an order in which the alternatives of choice points are run.

The explorer executes; a strategy decides. It is told of every new choice point (`add`) and
asked for the next alternative to run (`next_job`), round by round: the visited set is cleared
between rounds. A path that was started runs on along alternative 0 of each new choice point,
so a strategy only deals with the others.

Choice points are `Node` objects with a link to their predecessor. Their snapshots are given
back as early as possible; the chain of nodes stays as long as a descendant needs it, because
it is the schedule.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from pytest_statespace.sandbox.protocol import NewState, Point, RunFlag
from pytest_statespace.types import Choice, ChoiceKind, Schedule

__all__ = [
    "Arrival",
    "DepthFirst",
    "Job",
    "Learner",
    "Node",
    "Round",
    "Sampler",
    "Strategy",
    "schedule_of",
    "schedule_through",
]


class Node:
    """A choice point from which paths can be started."""

    __slots__ = (
        "arrived_by",
        "count",
        "current",
        "extra",
        "kind",
        "label",
        "next",
        "parent",
        "preemptions",
        "state",
        "taken",
        "threads",
    )

    def __init__(
        self,
        *,
        state: int,
        parent: Node | None,
        arrived_by: int,
        kind: int,
        current: int,
        count: int,
        threads: tuple[int, ...],
        label: int,
        preemptions: int,
        taken: int = 0,
        extra: bool = False,
    ) -> None:
        self.state = state
        self.parent = parent
        self.arrived_by = arrived_by  # alternative of the parent that led here
        self.kind = kind
        self.current = current
        self.count = count
        self.threads = threads
        self.label = label
        self.preemptions = preemptions  # used from the start up to here
        self.taken = taken  # alternative with which its own path went on
        self.extra = extra  # there is nothing to choose: no part of a schedule
        self.next = 1  # first alternative that has not been run

    def preempts(self, alternative: int) -> bool:
        """Does this alternative take the processor from a thread that could go on?

        Alternative 0 of a thread choice is the current thread if that can go on. The engine
        counts by the same rule: the two must agree, or the bounded visited set is wrong.
        """
        return (
            alternative != 0
            and self.kind == ChoiceKind.THREAD
            and bool(self.threads)
            and self.threads[0] == self.current
        )

    def choice(self, alternative: int) -> Choice:
        """The entry of a schedule for taking this alternative here."""
        thread = self.threads[alternative] if alternative < len(self.threads) else -1
        return Choice(
            kind=ChoiceKind(self.kind),
            index=alternative,
            alternatives=self.count,
            thread=thread,
            label=self.label,
        )


@dataclass(frozen=True, slots=True)
class Job:
    """Run this alternative of this choice point; ``last``: its snapshot is not needed again."""

    node: Node
    alternative: int
    last: bool


@dataclass(frozen=True, slots=True)
class Round:
    """One pass over the space: the preemption bound (None: none) and how paths are run.

    ``deepest``: choice points of an execution, more are not looked at; 0: no such limit.
    """

    bound: int | None
    flags: RunFlag
    deepest: int = 0


class Strategy(Protocol):
    """Decides what is run next. One instance serves one search."""

    def next_round(self) -> Round | None:
        """The next pass over the space; None when there is nothing more to do."""
        ...

    def begin(self, base: Node, release: Callable[[Node], None]) -> None:
        """Start the round at the base state; call ``release`` for nodes no job will name."""
        ...

    def next_job(self) -> Job | None:
        """The next alternative to run in this round, None when the round is over."""
        ...

    def following(self, most: int) -> Sequence[tuple[int, int]]:
        """State and alternative of the next jobs if nothing is added meanwhile, at most so many.

        What `next_job` will return then, and what no interlude comes between: the engine runs
        them without asking for as long as nothing new is found. Empty is always right.
        """
        ...

    def add(self, nodes: Sequence[Node]) -> None:
        """New choice points of the path just run, in order; each went on with alternative 0."""
        ...

    def pending(self) -> int:
        """How many choice points still have alternatives to run (for the progress line)."""
        ...

    def remaining(self) -> float | None:
        """Estimated share of this round that is still to be run, None if unknown (for the progress line)."""
        ...

    def refused(self) -> int:
        """Alternatives of this round that the bound did not allow."""
        ...

    def interlude(self, executions: int) -> Sampler | None:
        """Who decides a whole execution to be run before the next job; None: no such execution.

        ``executions`` were run so far. An interlude can find a failure earlier; what it
        comes across otherwise counts for nothing, and is no part of what is covered.
        """
        ...


Arrival = tuple[NewState, Node | None]
"""A choice point that a path came to, and its node; None if the path ended there because the state was known."""


class Learner(ABC, Strategy):
    """A strategy that leaves out what it learns to be no different: it is told what every path came to.

    The child notes then what transitions touch (`explore.dependence`), and stops also where there is nothing to
    choose.
    """

    reductions: tuple[str, ...] = ()
    """What is applied, for the verdict."""

    @property
    @abstractmethod
    def left_out(self) -> float:
        """The share of alternatives left out where all below was explored; 1 if there are too few to tell."""

    @abstractmethod
    def learn(self, job: Job, arrivals: Sequence[Arrival]) -> None:
        """The choice points that the path of this job came to, in order. Called before `add`."""


class Sampler(ABC):
    """A strategy of whole executions: every choice of each is made by `choose`.

    Nothing is remembered about states and nothing is pruned: starting in the middle of an
    execution would void what is known about the chance to find a bug. What was sampled is
    reported, and never ``verified``.
    """

    executions: int = 1000
    """How many executions are run unless ``max_executions`` says otherwise."""

    at_random: bool = True
    """Do its executions depend on a seed?"""

    flags: RunFlag = RunFlag.NONE
    """EXTRA: it is asked at points with nothing to choose as well. What is done there may matter to it."""

    longest: int | None = None
    """Choice points after which an execution is given up as one that may never end; None: there is no limit."""

    @abstractmethod
    def describe(self) -> str:
        """Name and parameters, for the verdict: ``pct (depth 3, seed 0)``."""

    @abstractmethod
    def begin(self, execution: int) -> None:
        """A new execution starts, the first is 0. Same seed and number: the same choices."""

    @abstractmethod
    def choose(self, point: Point) -> int:
        """The alternative to take, below ``point.count``."""


class DepthFirst:
    """A stack of choice points, deepest first, optionally under a preemption bound."""

    def __init__(self, base: Node, bound: int | None, release: Callable[[Node], None]) -> None:
        self._bound = bound
        self._release = release
        self._base: Node | None = base
        self._stack: list[Node] = []
        self.refused = 0

    def __len__(self) -> int:
        return len(self._stack)

    def push(self, nodes: Sequence[Node]) -> None:
        """Add new choice points, shallowest first."""
        for node in nodes:
            if self._settle(node):
                self._stack.append(node)
            else:
                self._release(node)

    def pop(self) -> Job | None:
        """The next alternative of the deepest choice point."""
        if self._base is not None:
            base, self._base = self._base, None
            return Job(base, 0, last=False)
        if not self._stack:
            return None
        node = self._stack[-1]
        alternative = node.next
        node.next += 1
        more = self._settle(node)
        if not more:
            self._stack.pop()
        return Job(node, alternative, last=not more)

    def following(self, most: int) -> list[tuple[int, int]]:
        """The next so many jobs, as `pop` will return them if nothing is pushed before."""
        found: list[tuple[int, int]] = []
        for node in reversed(self._stack):
            if node.state < 0:  # its snapshot has to be taken again first
                return found
            for alternative in range(node.next, node.count):
                if len(found) >= most:
                    return found
                if self._allows(node, alternative):
                    found.append((node.state, alternative))
        return found

    def remaining(self) -> float:
        """What is left of the round, if all alternatives of a choice point lead to equally much (Knuth, "Estimating
        the efficiency of backtrack programs", 1975). States that turn out to be known make it end sooner.
        """
        if self._base is not None:
            return 1.0
        if not self._stack:
            return 0.0
        chain: list[Node] = []
        at: Node | None = self._stack[-1]
        while at is not None:
            chain.append(at)
            at = at.parent
        left, share = 0.0, 1.0
        for node in reversed(chain):
            allowed = sum(self._allows(node, alternative) for alternative in range(node.next, node.count))
            left += share * allowed / node.count
            share /= node.count
        return left

    def _allows(self, node: Node, alternative: int) -> bool:
        return self._bound is None or node.preemptions + node.preempts(alternative) <= self._bound

    def _settle(self, node: Node) -> bool:
        """Skip alternatives beyond the bound; is one left to run?"""
        if self._bound is None:
            return node.next < node.count
        while node.next < node.count:
            if self._allows(node, node.next):
                return True
            self.refused += 1
            node.next += 1
        return False


def schedule_of(node: Node, alternative: int, tail: Sequence[Node] = (), *, extra: bool = False) -> Schedule:
    """The schedule from the base to ``alternative`` at ``node``, then as the nodes of ``tail`` went on.

    ``extra``: with the choice points at which there is nothing to choose, as the same child would run it.
    """
    choices: list[Choice] = []
    preemptions = 0
    at: Node | None = node
    taken = alternative
    while at is not None and at.parent is not None:
        if extra or not at.extra:
            choices.append(at.choice(taken))
        preemptions += at.preempts(taken)
        taken = at.arrived_by
        at = at.parent
    choices.reverse()
    for late in tail:
        if extra or not late.extra:
            choices.append(late.choice(late.taken))
        preemptions += late.preempts(late.taken)
    return Schedule(tuple(choices), preemptions)


def schedule_through(states: Sequence[NewState]) -> Schedule:
    """The schedule of a path from the base, by the choice points that it recorded."""
    choices: list[Choice] = []
    preemptions = 0
    for state in states:
        if state.extra:
            continue
        thread = state.threads[state.taken] if state.taken < len(state.threads) else -1
        kind = ChoiceKind(state.kind)
        choices.append(Choice(kind, state.taken, state.count, thread, state.label))
        preemptions += state.taken != 0 and kind is ChoiceKind.THREAD and state.threads[0] == state.current
    return Schedule(tuple(choices), preemptions)
