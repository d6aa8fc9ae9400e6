"""Stateful dynamic partial-order reduction with subtree summaries.

Two transitions that commute lead to the same state in either order, so one order is enough. Which transitions
commute is seen while executions run: a choice point is left with one alternative, and another is added
when a later transition of another thread turns out to depend on the one that was taken (Flanagan and
Godefroid, POPL 2005). A visited set cuts executions short, and what lies behind the cut is not seen again; so
each state keeps a *summary* of what was touched below it, and a path that ends there compares that with its
whole stack (Yang, Chen, Gopalakrishnan, Kirby, "Efficient stateful dynamic partial order reduction", SPIN 2008).

What makes it conservative:

* Alternatives are added at *every* earlier transition that the later one depends on and that did not happen
  before it in the sense of Lamport, not only at the last; if the thread can't go on there, all are added.
* A state on the stack that is met again (a loop): every choice point of the stack is explored in full, and so is
  that of every path that comes to a state from which the loop can be reached.
* The last transition of an execution ends all threads: it depends on everything.
* Threads that can't go on, or that were not asked any more, count with their pending operations.
* Data choices are always explored in full. They are part of the transition in which they are made.

Without a state's note (see `dependence`) everything depends on everything, and the search is depth-first search.

Deviations from the paper: summaries are sets kept with closed states instead of a graph, so what belongs to
objects that did not exist yet is dropped, and objects are named by the numbers of state equality.
No sleep sets: kept with states they save transitions, not states, and were not needed here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from pytest_statespace.explore.dependence import EVERYTHING, NOBODY, Event, Note, Touch
from pytest_statespace.explore.strategies.base import Arrival, Job, Learner, Node, Round, Sampler
from pytest_statespace.explore.strategies.dfs import flags_for
from pytest_statespace.sandbox.protocol import NewState
from pytest_statespace.types import ChoiceKind

__all__ = ["PartialOrderReduction"]


class _Entry:
    """A choice point of the present execution."""

    __slots__ = ("chooser", "clock", "done", "enabled", "event", "node", "note", "summary", "todo", "visit")

    def __init__(self, node: Node, note: Note, visit: int, chooser: int) -> None:
        self.node = node
        self.note = note
        self.visit = visit  # the state, as the visited set knows it; -1: not at all
        self.chooser = chooser  # index of the entry at which the thread of its transition was chosen; -1: no such
        self.enabled: dict[int, list[int]] = {}  # alternatives by thread
        for alternative, thread in enumerate(node.threads):
            self.enabled.setdefault(thread, []).append(alternative)
        is_data = node.kind == ChoiceKind.DATA
        self.done = {node.taken}
        self.todo = set(range(node.count)) if is_data else {node.taken}
        self.event: Event | None = None
        self.clock: dict[int, int] = {}  # by thread: index of its last event that happened before this, or is this
        self.summary: set[Touch] = set()


class PartialOrderReduction(Learner):
    """One round over everything, without a bound."""

    reductions = ("dpor",)

    def __init__(self) -> None:
        self._base: Node | None = None
        self._release: Callable[[Node], None] = lambda node: None
        self._begun = False
        self._stack: list[_Entry] = []
        self._on_stack: dict[int, int] = {}
        self._closed: dict[int, frozenset[Touch]] = {}  # objects by number

    # -- what the explorer asks --------------------------------------------------------

    def next_round(self) -> Round | None:
        if self._begun:
            return None
        self._begun = True
        return Round(None, flags_for(None))

    def begin(self, base: Node, release: Callable[[Node], None]) -> None:
        self._base = base
        self._release = release

    def next_job(self) -> Job | None:
        if self._base is not None:
            base, self._base = self._base, None
            return Job(base, 0, last=False)
        while self._stack:
            entry = self._stack[-1]
            left = entry.todo - entry.done
            if left:
                alternative = min(left)
                entry.done.add(alternative)
                return Job(entry.node, alternative, last=False)
            self._close()
        return None

    def following(self, most: int) -> Sequence[tuple[int, int]]:
        return ()  # what comes next follows from what is found

    def add(self, nodes: Sequence[Node]) -> None:
        pass  # `learn` has seen them

    def pending(self) -> int:
        return sum(entry.todo > entry.done for entry in self._stack)

    def remaining(self) -> float | None:
        return None  # what is left depends on what will be found

    def refused(self) -> int:
        return 0

    def interlude(self, executions: int) -> Sampler | None:
        return None

    # -- what a path has shown ------------------------------------------------------------

    def learn(self, job: Job, arrivals: Sequence[Arrival]) -> None:
        taken = job.alternative
        for state, node in arrivals:
            note = Note(state.note)
            self._executed(taken, note.arrived_by)
            if state.visited or node is None:
                self._met_again(state, note)
                return
            self._push(node, note, state)
            taken = node.taken
        if self._stack:
            self._executed(taken, (EVERYTHING(NOBODY),))
            last = self._stack[-1]
            assert last.event is not None
            self._below(touch for thread, touch in last.note.pending.items() if thread != last.event.thread)

    def _push(self, node: Node, note: Note, state: NewState) -> None:
        index = len(self._stack)
        chooser = index
        if node.kind == ChoiceKind.DATA:
            chooser = self._stack[-1].chooser if self._stack else -1
        entry = _Entry(node, note, state.visit, chooser)
        self._stack.append(entry)
        if entry.visit >= 0:
            self._on_stack[entry.visit] = index

    def _executed(self, taken: int, on_the_way: Iterable[Touch]) -> None:
        """The transition from the top of the stack: where would another order of it make a difference?"""
        if not self._stack:
            return  # the main thread alone, before there was any choice
        index = len(self._stack) - 1
        entry = self._stack[index]
        node = entry.node
        touches = {touch._replace(thread=0) for touch in on_the_way}
        if node.kind == ChoiceKind.DATA:
            thread, starts = node.current, NOBODY
        else:
            thread = node.threads[taken]
            starts = entry.note.starts.get(thread, NOBODY)
            if not entry.note.numbered and not entry.note.pending:
                touches.add(EVERYTHING(thread))
            elif thread in entry.note.pending:
                touches.add(entry.note.pending[thread])
        event = Event(thread, [touch._replace(thread=thread) for touch in touches], starts)
        before = self._last_clock(thread, index)
        clock = dict(before)
        for i in range(index):
            other = self._stack[i]
            assert other.event is not None
            if other.event.thread == thread:
                continue
            if not (event.everything or any(other.event.depends(touch) for touch in event.touches)):
                continue
            if i > before.get(other.event.thread, -1) and (
                event.everything or any(other.event.reversible(touch) for touch in event.touches)
            ):
                self._also(i, thread)
            for who, when in other.clock.items():
                if when > clock.get(who, -1):
                    clock[who] = when
        clock[thread] = index
        entry.event = event
        entry.clock = clock
        entry.summary.update(event.touches)

    def _last_clock(self, thread: int, end: int) -> dict[int, int]:
        """What happened before the thread's next transition: the clock of its last one, or of its start."""
        for i in range(end - 1, -1, -1):
            event = self._stack[i].event
            if event is not None and (event.thread == thread or event.starts == thread):
                return self._stack[i].clock
        return {}

    def _met_again(self, state: NewState, note: Note) -> None:
        """The path ends in a known state: what lies below it comes after the transitions of the stack."""
        if not self._stack:
            return
        if state.visit in self._on_stack or state.visit not in self._closed:
            for entry in self._stack:
                entry.todo.update(range(entry.node.count))
            self._stack[-1].summary.add(EVERYTHING(NOBODY))
            return
        below: list[Touch] = list(note.pending.values())
        for touch in self._closed[state.visit]:
            if not touch.new:
                below.append(touch)
            elif touch.object in note.addresses:
                below.append(touch._replace(object=note.addresses[touch.object]))
            else:
                below.append(EVERYTHING(touch.thread))
        self._below(below)

    def _below(self, touches: Iterable[Touch]) -> None:
        """These are touched by transitions that come after all of the stack."""
        found = set(touches)
        clocks: dict[int, dict[int, int]] = {}
        unknown: list[int] = []
        by_object: dict[int, list[int]] = {}
        for i, entry in enumerate(self._stack):
            assert entry.event is not None
            if entry.event.everything:
                unknown.append(i)
            for touched in entry.event.by_object:
                by_object.setdefault(touched, []).append(i)
        for touch in found:
            thread = touch.thread
            if thread not in clocks:
                clocks[thread] = self._last_clock(thread, len(self._stack))
            before = clocks[thread]
            for i in range(len(self._stack)) if touch.everything else (*unknown, *by_object.get(touch.object, ())):
                event = self._stack[i].event
                assert event is not None
                if event.thread != thread and i > before.get(event.thread, -1) and event.reversible(touch):
                    self._also(i, thread)
        self._stack[-1].summary |= found

    def _also(self, index: int, thread: int) -> None:
        """At this entry the thread should go first as well."""
        chooser = self._stack[index].chooser
        if chooser < 0:
            return
        entry = self._stack[chooser]
        alternatives = entry.enabled.get(thread)
        entry.todo.update(range(entry.node.count) if alternatives is None else alternatives)

    def _close(self) -> None:
        """Everything below the top of the stack has been explored."""
        entry = self._stack.pop()
        self._release(entry.node)
        if self._on_stack.get(entry.visit) == len(self._stack):
            del self._on_stack[entry.visit]
        note = entry.note
        existing = entry.summary
        if note.numbered:
            numbers = note.numbers
            existing = {touch for touch in existing if not touch.new or touch.object in numbers}
            named = (touch._replace(object=numbers[touch.object]) if touch.new else touch for touch in existing)
        else:
            named = (EVERYTHING(touch.thread) if touch.new else touch for touch in existing)
        if entry.visit >= 0:
            self._closed[entry.visit] = frozenset(named)
        if self._stack:
            self._stack[-1].summary |= existing
