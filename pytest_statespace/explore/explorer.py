"""The search loop: runs what the strategy asks for and keeps account of what came of it.

The explorer knows nothing of Python threads or memory. It drives an `Engine` (a forked child
with its arena, or a toy graph in the tests) and answers with a `Search`: how the search ended
and everything that the verdict needs. It draws no conclusion itself: `verdict.conclude` does,
in one place, because a wrong ``verified`` is the worst bug this package can have.

Whatever is not explored is counted: a path that was cut adds to ``cuts`` and no later success
takes that back.
"""

from __future__ import annotations

import dataclasses
import enum
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pytest_statespace.errors import InternalError
from pytest_statespace.explore.budget import Budget
from pytest_statespace.explore.snapshots import DROPPED, RELEASED, Snapshots
from pytest_statespace.explore.state_graph import GraphRecorder
from pytest_statespace.explore.strategies.base import (
    Arrival,
    Job,
    Learner,
    Node,
    Round,
    Sampler,
    Strategy,
    schedule_of,
)
from pytest_statespace.runtime.wire import unpack
from pytest_statespace.sandbox.protocol import (
    End,
    Engine,
    NewState,
    PathResult,
    Point,
    RunFlag,
)
from pytest_statespace.types import (
    ChoiceKind,
    DataRace,
    EngineStatistics,
    FailureKind,
    PassingTwin,
    ProgressSnapshot,
    Schedule,
    StateGraph,
)

__all__ = ["Explorer", "Found", "Search", "SearchEnd"]

_COMPARING = RunFlag.FINGERPRINT | RunFlag.PRUNE | RunFlag.KEY_LAST_THREAD
_MOST_FOLLOWING = 16  # jobs at a time: to name more costs more than it saves
_REPORT_SECONDS = 0.1  # between two reports of progress: each costs as much as some paths
_PASSED_KINDS = frozenset({"finished", "skip", "xfail", "rejected"})


class SearchEnd(enum.Enum):
    """Why the search loop stopped."""

    EXHAUSTED = "exhausted"  # the strategy has nothing left to run
    SAMPLED = "sampled"  # the strategy samples executions and has run as many as it was to
    FAILED = "failed"
    BUDGET = "budget"
    MEMORY = "memory"
    UNSUPPORTED = "unsupported"
    RESTART = "restart"  # an assumption was broken: search again without it
    SKIPPED = "skipped"  # the first execution skipped or xfailed the test
    STOPPED = "stopped"  # pytest.exit() or KeyboardInterrupt inside the test
    ERROR = "error"  # the engine contradicts itself


@dataclass(frozen=True, slots=True)
class Found:
    """The failure that ended the search."""

    kind: FailureKind
    message: str
    exception_type: str
    schedule: Schedule
    executions: int
    transitions: int
    seconds: float
    length: int


@dataclass(slots=True)
class Search:
    """Everything a search found out; filled by the explorer as it goes."""

    end: SearchEnd = SearchEnd.ERROR
    detail: str = ""
    found: Found | None = None
    found_between: bool = False  # the execution that failed was an interlude
    found_by: str = ""  # who drew it, if it was drawn at random
    minimised_from: int | None = None  # preemptions of the failing execution that was found first
    twin: PassingTwin | None = None  # of the failing execution
    trials: int = 0  # executions run to need fewer of them
    died_later: str = ""  # how the child ended after the failure was found, if it did
    interludes: int = 0  # executions drawn at random in between
    payload: dict[str, Any] = field(default_factory=dict)  # of the path that ended the search
    executions: int = 0
    transitions: int = 0
    states: int = 0  # distinct states, of all rounds together
    finished: int = 0  # executions that reached the end of the test
    skipped: int = 0  # executions that ended in pytest.skip(), pytest.xfail() or assume()
    left_running: int = 0  # executions whose test ended while other threads still ran
    left_names: dict[str, None] = field(default_factory=dict)  # of those threads
    cuts: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    sometimes: dict[str, bool] = field(default_factory=dict)
    schedules: set[int] = field(default_factory=set)  # hashes of those that were sampled
    warnings: dict[tuple[str, str, str, int], None] = field(default_factory=dict)
    bound: int | None = None  # of the present round
    covered_bound: int | None = None  # the highest bound whose round was completed
    longest: int = 0  # choice points that one path came to
    refused: int = 0  # alternatives the last round's bound did not allow
    unbounded: bool = False  # the last round had no bound
    unending: str = ""  # why executions that repeat themselves for ever are no failure
    seconds: float = 0.0
    noted: Sequence[Any] = ()  # states as --statespace-explain-state notes them
    graph: StateGraph | None = None  # if it was to be noted
    races: tuple[DataRace, ...] = ()
    more_races: bool = False  # than could be noted
    dropped: int = 0  # snapshots that were given up for want of memory
    rebuilt: int = 0  # those that were needed again
    repeated: int = 0  # transitions that were run again to rebuild them
    last_length: int = 0  # choice points of an execution of which nothing was to be explored again
    last_compared: int = 0  # at how many of these states were compared
    unguarded: str = ""  # the first call of the only execution that can't be rewound, where such calls were let through
    weakened: tuple[str, ...] = ()  # declarations that left something out of a state
    uncompared: int = 0  # choice points at which the state could not be compared with others
    why_uncompared: str = ""  # at the first of them
    reductions: tuple[str, ...] = ()  # what the strategy leaves out, by name
    left_out: float = 0.0  # the share of alternatives that it left out (`Learner.left_out`)
    threads: int = 0  # most threads in one execution, the main thread included
    engine: EngineStatistics = field(default_factory=EngineStatistics)


class Explorer:
    """Runs one search. Use once."""

    def __init__(
        self,
        engine: Engine,
        strategy: Strategy | Sampler,
        budget: Budget,
        *,
        nodeid: str = "",
        compare_states: bool = True,
        progress: Callable[[ProgressSnapshot], None] | None = None,
        wanted: Callable[[Found], bool] | None = None,
        graph: GraphRecorder | None = None,
    ) -> None:
        """``wanted``: go on after a failure for which it returns false. ``graph`` is told of every path."""
        self._wanted = wanted
        self._graph = graph
        self._engine = engine
        self._strategy = strategy
        self._learner = strategy if isinstance(strategy, Learner) else None  # asked for every path
        self._budget = budget
        self._nodeid = nodeid
        self._never = RunFlag.NONE if compare_states else _COMPARING
        self._flags = RunFlag.NONE  # how paths of the present round are run
        self._deepest = 0  # choice points of an execution of this round
        self._progress = progress
        self._next_report = 0.0
        self._search = Search()
        self._snapshots = Snapshots(engine)
        self._round_outcomes: Counter[str] = Counter()

    def run(self) -> Search:
        """Search until the space ends, a failure is found, or a budget is used up."""
        search = self._search
        strategy = self._strategy
        if isinstance(strategy, Sampler):
            search.end = self._sample(strategy)
        else:
            search.end = self._rounds(strategy)
        search.outcomes |= self._round_outcomes
        search.seconds = self._budget.elapsed()
        search.dropped, search.rebuilt = self._snapshots.dropped, self._snapshots.rebuilt
        search.repeated = self._snapshots.repeated
        search.engine = dataclasses.replace(self._engine.statistics(), threads=search.threads)
        return search

    def _sample(self, sampler: Sampler) -> SearchEnd:
        search = self._search
        job = Job(_base(), 0, last=False)
        wanted = self._budget.max_executions or sampler.executions
        while True:
            sampler.begin(search.executions)
            last = search.executions + 1 >= wanted
            flags = sampler.flags | RunFlag.ONCE * last
            result = self._engine.sample(sampler.choose, deadline=self._budget.deadline, flags=flags)
            search.executions += 1
            search.transitions += result.transitions
            nodes = self._nodes(job, result.states, keep=False)
            if self._graph is not None:
                self._graph.path(job.node, 0, result.states, nodes, result.end)
            ended = self._account(job, nodes, result)
            if ended is not None:
                return ended
            search.schedules.add(hash(tuple(node.taken for node in nodes)))
            self._report(nodes[-1] if nodes else job.node)
            search.detail = f"sampled {search.executions} executions with {sampler.describe()}"
            if not nodes or search.executions >= wanted:
                return SearchEnd.SAMPLED
            if self._budget.exceeded(executions=0, states=0):
                return SearchEnd.SAMPLED

    def _rounds(self, strategy: Strategy) -> SearchEnd:
        search = self._search
        base = _base()
        if isinstance(strategy, Learner):
            search.reductions = strategy.reductions
        while (round_ := strategy.next_round()) is not None:
            search.bound = round_.bound
            search.unbounded = round_.bound is None
            self._flags = round_.flags & ~self._never
            self._deepest = round_.deepest
            self._engine.clear_visited()
            # The executions of an earlier round are run again in a later one: the counts of
            # rounds are not added up, the greatest is kept.
            search.outcomes |= self._round_outcomes
            self._round_outcomes = Counter()
            strategy.begin(base, self._release)
            while (job := strategy.next_job()) is not None:
                ended = self._run_job(strategy, job, round_)
                while ended is None and (sampler := strategy.interlude(search.executions)) is not None:
                    ended = self._interlude(sampler, base) or self._used_up(strategy, round_)
                if ended is not None:
                    return ended
            search.refused = strategy.refused()
            if round_.bound is not None:
                search.covered_bound = round_.bound
        return SearchEnd.EXHAUSTED

    def _interlude(self, sampler: Sampler, base: Node) -> SearchEnd | None:
        """One whole execution. Where it is cut nothing is lost: the rounds cover its states."""
        search = self._search
        sampler.begin(search.interludes)
        longest = sampler.longest

        def choose(point: Point) -> int | None:
            return None if longest is not None and point.depth >= longest else sampler.choose(point)

        result = self._engine.sample(choose, deadline=self._budget.deadline, flags=sampler.flags)
        search.interludes += 1
        search.executions += 1
        search.transitions += result.transitions
        job = Job(base, 0, last=False)
        nodes = self._nodes(job, result.states, keep=False)
        search.longest = max(search.longest, len(nodes))
        if result.end in (End.LIMIT, End.MEMORY, End.STOPPED):
            return None
        ended = self._account(job, nodes, result)
        if ended is SearchEnd.FAILED:
            search.found_between = True
            search.found_by = sampler.describe() if sampler.at_random else ""
        return ended

    def _run_job(self, strategy: Strategy, job: Job, round_: Round) -> SearchEnd | None:
        search = self._search
        job, result, nodes, arrivals = self._run_path(strategy, job)
        search.executions += 1
        search.longest = max(search.longest, len(nodes))
        search.states = self._engine.state_count()
        ended = self._account(job, nodes, result)
        if ended is not None:
            return ended
        if job.last and job.node.parent is not None:
            self._release(job.node)
        if self._learner is not None:
            self._learner.learn(job, arrivals)
            search.left_out = self._learner.left_out
        strategy.add([node for node in nodes if node.state != RELEASED])
        self._report(nodes[-1] if nodes else job.node, strategy)
        return self._used_up(strategy, round_)

    def _used_up(self, strategy: Strategy, round_: Round) -> SearchEnd | None:
        """Is there a budget that does not allow what is left?"""
        search = self._search
        used_up = self._budget.exceeded(
            executions=search.executions, states=search.states, longest=search.longest
        )
        # A further round may follow one that refused something.
        if used_up and (strategy.pending() or (round_.bound is not None and strategy.refused())):
            search.detail = used_up
            return SearchEnd.BUDGET
        return None

    def _run_path(self, strategy: Strategy, job: Job) -> tuple[Job, PathResult, list[Node], list[Arrival]]:
        """One path to its end, and before it those that came to nothing new; the job of the last of them.

        Where memory runs out snapshots are dropped, and it goes on from there.
        """
        nodes: list[Node] = []
        arrivals: list[Arrival] = []
        once = self._is_the_last(strategy, job)
        flags = self._flags | RunFlag.ONCE if once else self._flags
        following = strategy.following(self._most_following())
        at = job
        while True:
            result = self._snapshots.run(
                at.node, at.alternative, flags, following, deadline=self._budget.deadline, deepest=self._deepest
            )
            for start in following[: result.runs - 1]:
                at = job = self._leave(strategy, job, start)
            following = ()
            fresh = self._nodes(at, result.states, unkept=DROPPED if once else RELEASED)
            nodes += fresh
            if self._graph is not None:
                self._graph.path(at.node, at.alternative, result.states, fresh, result.end)
            if once and flags & RunFlag.FINGERPRINT:
                self._search.last_length += len(result.states)
                self._search.last_compared += sum(state.visit >= 0 for state in result.states)
            known = iter(fresh)
            arrivals += [(state, None if state.visited else next(known)) for state in result.states]
            self._search.executions += result.runs - 1
            self._search.transitions += result.transitions
            if fresh:
                at = Job(fresh[-1], fresh[-1].taken, last=False)
            if result.end is not End.MEMORY or not self._snapshots.drop(at.node):
                return job, result, nodes, arrivals
            self._search.transitions -= 1  # the one whose end could not be kept is run again
            self._snapshots.repeated += 1

    def _is_the_last(self, strategy: Strategy, job: Job) -> bool:
        """Will no path start from a state of this one, because no further execution is allowed?

        It is run without snapshots then. Not for one that has to be told of every state, or whose own start has
        to be rebuilt.
        """
        most = self._budget.executions_left
        if most is None or self._search.executions + 1 < most:
            return False
        return self._graph is None and self._learner is None and job.node.state >= 0

    def _most_following(self) -> int:
        if self._graph is not None:  # which has to see where each of them leads
            return 0
        most = self._budget.executions_left
        if most is None:
            return _MOST_FOLLOWING
        left = most - self._search.executions - 2  # the last one is run otherwise
        return max(0, min(left, _MOST_FOLLOWING))

    def _leave(self, strategy: Strategy, job: Job, start: tuple[int, int]) -> Job:
        """The job that was run without asking after this one, which came to nothing new."""
        if job.last and job.node.parent is not None:
            self._release(job.node)
        next_job = strategy.next_job()
        if next_job is None or (next_job.node.state, next_job.alternative) != start:
            raise InternalError(f"the strategy announced {start} as its next job and changed its mind")
        return next_job

    def _nodes(
        self, job: Job, states: Sequence[NewState], *, keep: bool = True, unkept: int = RELEASED
    ) -> list[Node]:
        """The new choice points of a path as a chain of nodes; ``unkept``: what one without a snapshot has for it."""
        nodes: list[Node] = []
        parent, arrived_by = job.node, job.alternative
        for state in states:
            if state.visited or not state.kept:
                self._engine.release(state.number)
            if state.visited:
                continue
            if keep and not state.kept and state.count > 1 and unkept == RELEASED:
                self._search.cuts["a choice point that could not be kept"] += 1
            node = Node(
                state=state.number if state.kept else DROPPED if state.extra else unkept,
                parent=parent,
                arrived_by=arrived_by,
                kind=state.kind,
                current=state.current,
                count=state.count,
                threads=state.threads,
                label=state.label,
                preemptions=state.preemptions,
                taken=state.taken,
                extra=state.extra,
            )
            nodes.append(node)
            if state.kept:
                self._snapshots.keep(node)
            parent, arrived_by = node, state.taken
        return nodes

    def _release(self, node: Node) -> None:
        self._snapshots.release(node)

    def _account(
        self, job: Job, nodes: Sequence[Node], result: PathResult
    ) -> SearchEnd | None:
        """Note how one path ended; an end of the whole search is returned."""
        search = self._search
        match result.end:
            case End.FINISHED:
                return self._finished(result)
            case End.VISITED:
                return None
            case End.FAILED | End.DEADLOCK | End.CRASHED | End.HUNG:
                return self._failed(job, nodes, result)
            case End.UNSUPPORTED:
                search.detail = result.detail
                return SearchEnd.UNSUPPORTED
            case End.RESTART:
                search.detail = result.detail
                return SearchEnd.RESTART
            case End.LIMIT:
                most = f"more than {self._deepest}" if self._deepest else "too many"
                search.cuts[f"an execution with {most} choice points"] += 1
                return None
            case End.MEMORY:
                search.cuts["memory"] += 1
                search.detail = result.detail
                return SearchEnd.MEMORY
            case End.DIVERGED if self._snapshots.dropped:
                search.cuts[result.detail] += 1
                return None
            case End.LOST:
                search.cuts["a process killed from outside"] += 1
                search.detail = result.detail
                return SearchEnd.BUDGET
            case End.TIMEOUT:
                search.cuts["an execution still running when the time was up"] += 1
                search.detail = f"timeout ({self._budget.timeout:g} s)"
                return SearchEnd.BUDGET
            case _:
                search.detail = f"{result.end.name}: {result.detail}"
                return SearchEnd.ERROR

    def _finished(self, result: PathResult) -> SearchEnd | None:
        search = self._search
        payload = _payload(result)
        kind = payload.get("kind")
        if kind not in _PASSED_KINDS:
            search.payload = payload
            if kind in ("exit", "interrupt"):
                return SearchEnd.STOPPED
            search.detail = "an execution ended without saying how"
            return SearchEnd.ERROR
        if kind != "finished":
            if search.executions == 1 and kind != "rejected":
                search.payload = payload
                if not result.states:  # in another order it might not
                    return SearchEnd.SKIPPED
            search.skipped += 1
        else:
            search.finished += 1
        self._note(payload)
        return None

    def _failed(self, job: Job, nodes: Sequence[Node], result: PathResult) -> SearchEnd | None:
        search = self._search
        payload = _payload(result)
        self._note(payload)
        search.payload = payload
        kind = {
            End.DEADLOCK: FailureKind.DEADLOCK,
            End.CRASHED: FailureKind.CRASH,
            End.HUNG: FailureKind.HANG,
        }.get(result.end)
        message = result.detail
        if result.end == End.FAILED:
            if payload:
                kind = FailureKind(payload["kind"])
                message = payload["message"]
            else:  # ended by the system-call guard: "crash: os._exit(3)"
                kind = FailureKind.CRASH
                message = result.detail.removeprefix("crash: ")
        assert kind is not None
        found = Found(
            kind=kind,
            message=message,
            exception_type=str(payload.get("type", "")),
            schedule=schedule_of(job.node, job.alternative, nodes),
            executions=search.executions,
            transitions=search.transitions,
            seconds=self._budget.elapsed(),
            length=len(schedule_of(job.node, job.alternative, nodes)),
        )
        if self._wanted is not None and not self._wanted(found):
            if result.end in (End.CRASHED, End.HUNG):  # the child is gone
                search.detail = f"another failure ended the process ({found.kind.value}: {found.message})"
                return SearchEnd.ERROR
            return None
        search.found = found
        return SearchEnd.FAILED

    def _note(self, payload: dict[str, Any]) -> None:
        search = self._search
        self._round_outcomes.update(payload.get("outcomes", ()))
        for label, held in payload.get("sometimes", {}).items():
            search.sometimes[label] = search.sometimes.get(label, False) or held
        for category, message, file, line in payload.get("warnings", ()):
            search.warnings[(category, message, file, line)] = None
        search.threads = max(search.threads, payload.get("threads", 0))
        if payload.get("left_running"):
            search.left_running += 1
            search.left_names.update(dict.fromkeys(payload.get("left_names", ())))

    def _report(self, at: Node, strategy: Strategy | None = None) -> None:
        seconds = self._budget.elapsed()
        if self._progress is None or seconds < self._next_report:
            return
        self._next_report = seconds + _REPORT_SECONDS
        search = self._search
        self._progress(
            ProgressSnapshot(
                nodeid=self._nodeid,
                bound=search.bound,
                executions=self._budget.executions_before + search.executions,
                transitions=search.transitions,
                states=search.states,
                pending=strategy.pending() if strategy is not None else 0,
                seconds=seconds,
                depth=len(schedule_of(at, 0)),
                remaining=strategy.remaining() if strategy is not None else None,
            )
        )


def _base() -> Node:
    return Node(
        state=0,
        parent=None,
        arrived_by=0,
        kind=ChoiceKind.BEGIN,
        current=0,
        count=1,
        threads=(),
        label=0,
        preemptions=0,
    )


def _payload(result: PathResult) -> dict[str, Any]:
    """What the execution itself said about its end; empty if it could not say anything."""
    if not result.payload:
        return {}
    payload: dict[str, Any] = unpack(result.payload)
    return payload
