"""The graph of states that a search walks through, noted for `--statespace-report`.

A node is a state, an edge is what was chosen there. States are told apart by their entries in the visited set,
which stay the same over the rounds of a search: the graph is that of all rounds together. A state that can't be
recognised has a node for each way to it, so executions drawn at random form a tree.

A search that notes its graph hears of every path, also of those that come to nothing new: it lets none run without
asking. A search that does not pays nothing.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence

from pytest_statespace.explore.strategies.base import Node
from pytest_statespace.sandbox.protocol import Command, End, Engine, NewState, RunFlag
from pytest_statespace.types import Choice, ChoiceKind, FailureKind, Schedule, StateEdge, StateGraph

__all__ = ["MOST_EDGES", "GraphRecorder"]

MOST_EDGES = 100_000
_START = 0
_FAILED, _DEADLOCK = "failed", "deadlock"
_ENDS = {
    End.FINISHED: "the test ends",
    End.FAILED: _FAILED,
    End.CRASHED: _FAILED,
    End.HUNG: _FAILED,
    End.DEADLOCK: _DEADLOCK,
    End.UNSUPPORTED: "unsupported",
}
_FAILURES = {FailureKind.DEADLOCK: _DEADLOCK, FailureKind.LIVELOCK: "livelock"}
_NO_ENDS = (End.VISITED, End.MEMORY, End.STOPPED)  # the path goes on elsewhere

_Way = tuple[int, int]
"""An alternative, so that it can be compared: twice the thread, one more if its wait times out; or -1 and an index."""
_Edge = tuple[int, _Way, int]  # from, by, to


class GraphRecorder:
    """Notes the paths of one search. ``most``: edges that are kept; the graph tells if there were more."""

    def __init__(self, most: int = MOST_EDGES) -> None:
        self._most = most
        self._complete = True
        self._states: dict[Hashable, int] = {"start": _START}
        self._of: dict[Node, int] = {}
        self._edges: dict[_Edge, int] = {}
        self._targets: dict[tuple[int, _Way], int] = {}
        self._orders: dict[int, set[tuple[int, ...]]] = {}  # of threads, as alternatives of a state
        self._counts: dict[int, int] = {}  # alternatives, where data is chosen
        self._passed: dict[int, _Way] = {}  # where there is nothing to choose: the way on
        self._unrecognised: set[int] = set()
        self._ends: dict[str, int] = {}

    def path(self, node: Node, alternative: int, states: Sequence[NewState], fresh: Iterable[Node], end: End) -> None:
        """What came of running an alternative. ``fresh``: the nodes of those states that were not known."""
        start = self._of.get(node) if node.parent is not None else _START
        if start is None:
            return  # it was left out
        self._note(start, _way(node.kind, node.threads, alternative), states, iter(fresh), end)

    def run(self, schedule: Schedule, engine: Engine, deadline: float) -> None:
        """Run an execution that was met outside the search, or after it, so that its states are recognised."""
        if not schedule.choices:
            return
        forced = tuple(choice.index for choice in schedule.choices)
        labels = tuple(choice.label for choice in schedule.choices)
        result = engine.run(Command(0, 0, RunFlag.FINGERPRINT, forced, labels), deadline=deadline)
        for state in result.states:
            engine.release(state.number)
        if result.end is not End.DIVERGED:
            self._note(_START, _way(ChoiceKind.BEGIN, (), 0), result.states, iter(()), result.end)

    def _note(self, at: int, way: _Way, states: Sequence[NewState], nodes: Iterator[Node], end: End) -> None:
        for state in states:
            key: Hashable = state.visit if state.visit >= 0 else (at, way)
            if len(self._edges) >= self._most and (at, way) not in self._targets:
                self._complete = False
                return
            target = self._state(key, recognised=state.visit >= 0)
            self._edge(at, way, target)
            self._orders.setdefault(target, set()).add(state.threads)
            self._counts[target] = state.count
            node = None if state.visited else next(nodes, None)
            if node is not None:
                self._of[node] = target
            at, way = target, _way(state.kind, state.threads, state.taken)
            if state.extra:
                self._passed[at] = way
        if end not in _NO_ENDS:
            self._edge(at, way, self._end(_ENDS.get(end, "cut")))

    def finish(self, failure: FailureKind | None = None, schedule: Schedule | None = None) -> StateGraph:
        """The graph, with the path of the failing schedule if there is one."""
        path: list[tuple[int, int]] = []
        if failure is not None and schedule is not None and schedule.choices:
            path = self._follow(schedule.choices, self._end(_FAILURES.get(failure, _FAILED)))
        return StateGraph(
            states=len(self._states),
            edges=tuple(StateEdge(source, target, self._label(source, way)) for source, way, target in self._edges),
            ends=tuple(self._ends),
            path=tuple(path),
            unrecognised=frozenset(self._unrecognised),
            complete=self._complete,
        )

    def _state(self, key: Hashable, *, recognised: bool) -> int:
        number = self._states.setdefault(key, len(self._states))
        if not recognised:
            self._unrecognised.add(number)
        return number

    def _end(self, name: str) -> int:
        return self._ends.setdefault(name, -1 - len(self._ends))

    def _edge(self, source: int, way: _Way, target: int) -> int:
        self._targets.setdefault((source, way), target)
        return self._edges.setdefault((source, way, target), len(self._edges))

    def _follow(self, choices: Sequence[Choice], end: int) -> list[tuple[int, int]]:
        """The edges of a schedule, each with the position of its choice (-1: there was none).

        Those of an execution that was run after the search, or in between, may be missing and are added.
        """
        path: list[tuple[int, int]] = []
        at, way, position = _START, _way(ChoiceKind.BEGIN, (), 0), -1
        for number, choice in enumerate(choices):
            at = self._step(path, at, way, position)
            known: set[int] = set()
            while at in self._passed and at not in known:
                known.add(at)
                at = self._step(path, at, self._passed[at], -1)
            way, position = self._way_of(choice, at), number
        path.append((self._edge(at, way, end), position))
        return path

    def _step(self, path: list[tuple[int, int]], at: int, way: _Way, position: int) -> int:
        target = self._targets.get((at, way), -1)
        if target < 0:  # not run by the search, or it ended here
            target = self._state((at, way), recognised=False)
        path.append((self._edge(at, way, target), position))
        return target

    def _way_of(self, choice: Choice, at: int) -> _Way:
        """A choice of a schedule, which does not say what the other alternatives are."""
        self._counts.setdefault(at, choice.alternatives)
        for threads in sorted(self._orders.get(at, ())):
            if len(threads) == choice.alternatives and threads[choice.index] == choice.thread:
                return _way(choice.kind, threads, choice.index)
        return (2 * choice.thread, 0) if choice.thread >= 0 else (-1, choice.index)

    def _label(self, source: int, way: _Way) -> str:
        code, index = way
        if source == _START:
            return ""
        if code < 0:
            return f"alternative {index + 1} of {self._counts[source]}"
        return f"thread {code // 2}" + (" times out" if code % 2 else "")


def _way(kind: int, threads: Sequence[int], index: int) -> _Way:
    """Threads are named by their number: which alternative they are depends on who ran last."""
    if kind == ChoiceKind.BEGIN or index >= len(threads):
        return (-1, index)
    return (2 * threads[index] + (index > 0 and threads[index - 1] == threads[index]), 0)
