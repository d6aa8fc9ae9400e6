"""Stateful dynamic partial-order reduction with subtree summaries.

Two transitions that commute lead to the same state in either order, so one order is enough. Which transitions
commute is seen while executions run: a choice point is left with one alternative, and another is added
when a later transition of another thread turns out to race with the one that was taken (Flanagan and
Godefroid, POPL 2005; which one: after Abdulla, Aronis, Jonsson, Sagonas, "Source sets", JACM 2017; `trace`). A visited
set cuts executions short, and what lies behind the cut is not seen again; so
each state keeps a *summary* of what was touched below it, and a path that ends there compares that with its
whole stack (Yang, Chen, Gopalakrishnan, Kirby, "Efficient stateful dynamic partial order reduction", SPIN 2008).

What makes it conservative:

* A state on the stack that is met again (a loop): every choice point of the stack is explored in full, and so is
  that of every path that comes to a state from which the loop can be reached.
* The last transition of an execution ends all threads: it depends on everything.
* Threads that can't go on, or that were not asked any more, count with their pending operations.
* Data choices are always explored in full. They are part of the transition in which they are made.

Without a state's note (see `notes`) everything depends on everything, and the search is depth-first search.

Deviations from the papers: summaries are sets kept with closed states instead of a graph, so what belongs to
objects that did not exist yet is dropped, and objects are named by the numbers of state equality.
No sleep sets: kept with states they save transitions, not states, and were not needed here.

The same without visited set, for programs whose states are never the same twice: nothing is compared, there are no
summaries, and explored threads sleep (`Trace`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

from pytest_statespace.explore.dependence import Event
from pytest_statespace.explore.notes import Note
from pytest_statespace.explore.strategies.base import Arrival, Job, Learner, Node, Round, Sampler
from pytest_statespace.explore.strategies.dfs import flags_for
from pytest_statespace.explore.touches import EVERYTHING, NOBODY, UNKNOWN, Touch
from pytest_statespace.explore.trace import Trace
from pytest_statespace.sandbox.protocol import NewState, RunFlag
from pytest_statespace.types import ChoiceKind

__all__ = ["PartialOrderReduction"]


_MOST_EVENTS = 1 << 14
_FEW = 100  # alternatives, which say nothing yet
_DEEPEST = 4000  # choice points of an execution in which no state is recognised: it may well be a loop


class _Summary:
    """What was touched below a state."""

    __slots__ = ("_numbers", "_touches")

    def __init__(self, touches: Iterable[Touch], note: Note) -> None:
        self._touches = frozenset(touches)
        addresses = frozenset[int]().union(*(touch.named for touch in self._touches))
        self._numbers = [(address, note.number_of(address)) for address in addresses]

    def touches(self, note: Note) -> Iterable[Touch]:
        """The same in another execution that came to this state."""
        if all(number is not None and note.number_of(address) == number for address, number in self._numbers):
            return self._touches
        there = {address: None if number is None else note.address_of(number) for address, number in self._numbers}
        return [touch.moved(there) for touch in self._touches]


class PartialOrderReduction(Learner):
    """One round over everything, without a bound. ``compares``: with a visited set."""

    def __init__(self, *, compares: bool = True) -> None:
        self.reductions = ("dpor",) if compares else ("source-dpor",)
        self._flags = flags_for(None) | RunFlag.EAGER
        self._compares = compares
        if not compares:
            self._flags &= ~(RunFlag.FINGERPRINT | RunFlag.PRUNE)
        self._base: Node | None = None
        self._release: Callable[[Node], None] = lambda node: None
        self._begun = False
        self._trace = Trace(sleeping=not compares)
        self._closed: dict[int, _Summary] = {}  # by place in the visited set
        self._events: dict[tuple[int, frozenset[Touch], int], Event] = {}
        self._alternatives = self._taken = 0  # at choice points below which all was explored

    # -- what the explorer asks --------------------------------------------------------

    def next_round(self) -> Round | None:
        if self._begun:
            return None
        self._begun = True
        return Round(None, self._flags, 0 if self._compares else _DEEPEST)

    def begin(self, base: Node, release: Callable[[Node], None]) -> None:
        self._base = base
        self._release = release

    def next_job(self) -> Job | None:
        if self._base is not None:
            base, self._base = self._base, None
            return Job(base, 0, last=False)
        while len(self._trace):
            entry = self._trace.top
            if left := entry.left():
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
        return self._trace.todo()

    def remaining(self) -> float | None:
        return None  # what is left depends on what will be found

    def refused(self) -> int:
        return 0

    def interlude(self, executions: int) -> Sampler | None:
        return None

    @property
    def left_out(self) -> float:
        return 1.0 if self._alternatives < _FEW else 1 - self._taken / self._alternatives

    # -- what a path has shown ------------------------------------------------------------

    def learn(self, job: Job, arrivals: Sequence[Arrival]) -> None:
        taken = job.alternative
        for number, (state, node) in enumerate(arrivals):
            note = Note(state.note)
            if len(self._trace):  # else the main thread was alone, before there was any choice
                self._executed(taken, note.arrived_by(self._mover(taken)), note)
            if state.visited or node is None:
                self._met_again(state, note)
                return
            self._trace.push(node, note, state.visit)
            if self._trace.turn_back():
                # Who is asleep was explored, but who waits may only be able to go on if others had gone first.
                self._trace.end(touch for thread, touch in note.pending.items() if thread not in node.threads)
                for _, later in arrivals[number + 1 :]:
                    if later is not None:
                        self._release(later)
                return
            taken = node.taken
        if len(self._trace):
            # Who sleeps must know all races with it, also those that are hidden by what it may not depend on.
            last_of_all = EVERYTHING(self._mover(taken), 0 if self._compares else UNKNOWN)
            self._executed(taken, [last_of_all], None)
            last = self._trace.top
            assert last.event is not None
            self._trace.end(touch for thread, touch in last.note.pending.items() if thread != last.event.thread)

    def _mover(self, taken: int) -> int:
        """The thread whose transition it is, from the top of the trace."""
        node = self._trace.top.node
        return node.current if node.kind == ChoiceKind.DATA else node.threads[taken]

    def _executed(self, taken: int, on_the_way: Iterable[Touch], after: Note | None) -> None:
        """The transition from the top of the trace, to the state that ``after`` is about."""
        entry = self._trace.top
        node, note, thread = entry.node, entry.note, self._mover(taken)
        touches = set(on_the_way)
        if after is not None and after.numbered and note.numbered:  # neither there before nor afterwards
            touches = {touch for touch in touches if not touch.new or _is_there(touch, note) or _is_there(touch, after)}
        starts = NOBODY
        if node.kind != ChoiceKind.DATA:
            starts = note.starts.get(thread, NOBODY)
            if thread in note.pending:
                touches.add(note.pending[thread])
            elif not note.pending and not note.numbered:
                touches.add(EVERYTHING(thread))
        self._trace.execute(self._event(thread, frozenset(touches), starts))

    def _event(self, thread: int, touches: frozenset[Touch], starts: int) -> Event:
        """The same transition is the same event each time: it knows already what it depends on."""
        if len(self._events) >= _MOST_EVENTS:
            self._events.clear()
        key = thread, touches, starts
        if key not in self._events:
            self._events[key] = Event(thread, touches, starts)
        return self._events[key]

    def _met_again(self, state: NewState, note: Note) -> None:
        """The path ends in a known state: what lies below it comes after the transitions of the trace."""
        if not len(self._trace):
            return
        summary = self._closed.get(state.visit)
        if summary is None:  # it lies on the trace, or a loop goes from it to there
            self._trace.expand_all()
            self._trace.top.add_below([EVERYTHING(NOBODY)])
            return
        self._trace.below([*note.pending.values(), *summary.touches(note)])

    def _close(self) -> None:
        """Everything below the top of the trace has been explored."""
        entry = self._trace.pop()
        self._release(entry.node)
        self._alternatives += entry.node.count
        self._taken += len(entry.done)
        below = _of_what_is_there(entry.summary, entry.note) if entry.note.numbered else entry.summary
        if entry.visit >= 0:
            self._closed[entry.visit] = _Summary(below, entry.note)
        if len(self._trace):
            self._trace.top.add_below(below)


def _of_what_is_there(touches: Collection[Touch], note: Note) -> Collection[Touch]:
    """What was created below a state is nothing that others could have touched before, and no lock that they hold."""
    named = frozenset[int]().union(*(touch.named for touch in touches))
    gone = {address for address in named if note.number_of(address) is None}
    if not gone:
        return touches
    return [
        touch.ordered(touch.after, frozenset((lock, new) for lock, new in touch.under if not new or lock not in gone))
        for touch in touches
        if not touch.new or touch.object not in gone
    ]


def _is_there(touch: Touch, note: Note) -> bool:
    """Does the object exist in the state that the note is about?"""
    return note.number_of(touch.object) is not None
