"""The execution that is being explored: what happened before what, and which orders are left to run.

An `Entry` is a choice point with the transition that was taken there. Two transitions of different threads *race*
if they depend on each other, nothing in between puts one before the other, and the later one could have come first.
Then the earlier one's choice point gets an alternative: the later one's thread, or one that has to go before it.

Why one such thread is enough. Let a choice point be complete as soon as every execution from there can be reordered,
without changing the order of dependent transitions, into one that begins with an alternative that is run. Suppose it
is not, for an execution w, and let p, of all alternatives that are run, be the one that commutes with the fewest
transitions at the beginning of w. The first transition of w that p does not commute with races with p in
some execution below p. Was its thread added, then that thread's next transition commutes with fewer; was a thread
added that has to go before it, then w can be reordered to begin with that. Both contradict what was supposed.
Which is why it must be known who *has* to go before: what only happened to go before, such as the release that
gave a lock away, does not count (`before`).

For transitions below a state that is met again only a summary is known: who touched what. It is compared with the
whole execution. A touch comes with threads and locks that it can't come before in any order (`Touch.after`,
`Touch.under`); all others are taken to race.

Where no state is ever met again, threads can sleep as well (Godefroid, "Partial-Order Methods for the Verification
of Concurrent Systems", 1996): what a thread did at a choice point, and all that followed, is explored already; until
something happens that this depends on, doing it later leads to the same.
"""

from __future__ import annotations

from collections.abc import Iterable

from pytest_statespace.explore.dependence import Event
from pytest_statespace.explore.notes import Note
from pytest_statespace.explore.strategies.base import Node
from pytest_statespace.explore.touches import ACQUIRE, FREE, RELEASE, Touch
from pytest_statespace.types import ChoiceKind

__all__ = ["Entry", "Trace"]

_MOST_GROUPS = 1 << 12

Clock = dict[int, int]
"""By thread: the index of its last transition that happened before."""


class Entry:
    """A choice point of the execution."""

    __slots__ = (
        "asleep",
        "chooser",
        "clock",
        "done",
        "enabled",
        "event",
        "explored",
        "is_whole",
        "node",
        "note",
        "summary",
        "todo",
        "visit",
    )

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
        self.event: Event | None = None  # the transition that is being explored
        self.is_whole = True  # and not the beginning of one, up to a data choice
        self.clock: Clock = {}  # what happened before it; itself included
        self.summary: set[Touch] = set()  # of all that was explored from here
        self.asleep: dict[int, Event] = {}  # threads, with what they would do here and were explored doing before
        self.explored: dict[int, Event] = {}  # the same of alternatives that were explored here

    def left(self) -> set[int]:
        """Alternatives that are still to be run."""
        left = self.todo - self.done
        for thread in self.asleep:
            left.difference_update(self.enabled.get(thread, ()))
        return left

    def covers(self, thread: int) -> bool:
        """Is all that this thread can do here run, or going to be?"""
        alternatives = self.enabled.get(thread)
        return alternatives is not None and self.todo.issuperset(alternatives)

    def add_below(self, touches: Iterable[Touch]) -> None:
        """These come after its transition."""
        assert self.event is not None
        self.summary.update(self.event.order(touches))


class Trace:
    """A stack of entries."""

    def __init__(self, *, sleeping: bool = False) -> None:
        """``sleeping``: no state is ever met again, and what was explored is left out until something changes."""
        self._sleeping = sleeping
        self._entries: list[Entry] = []
        self._groups: dict[frozenset[Touch], dict[int, frozenset[Touch]]] = {}  # of `below`, by thread
        self._uses: dict[int, list[int]] = {}  # by object: entries whose transition touches it
        self._unknown: list[int] = []  # entries whose transition may touch everything
        self._steps: dict[int, list[int]] = {}  # by thread: entries whose transition it makes, or that starts it

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def top(self) -> Entry:
        return self._entries[-1]

    def todo(self) -> int:
        """Entries with alternatives that are still to be run."""
        return sum(bool(entry.left()) for entry in self._entries)

    def push(self, node: Node, note: Note, visit: int) -> None:
        chooser = len(self._entries)
        if node.kind == ChoiceKind.DATA:  # goes on with the transition in which it is
            chooser = self.top.chooser if self._entries else -1
        entry = Entry(node, note, visit, chooser)
        if self._sleeping and self._entries:
            entry.asleep = self._still_asleep(entry)
        self._entries.append(entry)

    def turn_back(self) -> bool:
        """Did the path go on from the top with a thread that is asleep? Then not from there, but with another."""
        entry = self.top
        if all(entry.node.taken not in entry.enabled.get(thread, ()) for thread in entry.asleep):
            return False
        awake = [i for i, thread in enumerate(entry.node.threads) if thread not in entry.asleep]
        entry.done, entry.todo = set(), set(awake[:1])
        return True

    def pop(self) -> Entry:
        self._withdraw()
        return self._entries.pop()

    def expand_all(self) -> None:
        """Every alternative of every entry is to be run."""
        for entry in self._entries:
            entry.todo.update(range(entry.node.count))

    def execute(self, event: Event) -> None:
        """The transition that is taken at the top."""
        self._withdraw()
        index = len(self._entries) - 1
        clock = self._reverse_races(event)
        clock[event.thread] = index
        entry = self._entries[index]
        entry.event, entry.clock, entry.is_whole = event, clock, True
        entry.summary.update(event.touches)
        for touched in event.by_object:
            self._uses.setdefault(touched, []).append(index)
        if event.everything:
            self._unknown.append(index)
        for thread in event.moves:
            self._steps.setdefault(thread, []).append(index)

    def _reverse_races(self, event: Event) -> Clock:
        """Let others go first where that may come before something. What happened before it."""
        before = dict(self._clock_of(event.thread))
        for joined in event.joins:  # a joined thread has ended before, in any order
            for i in self._uses.get(joined, ()):
                earlier = self._entries[i]
                if earlier.event is not None and earlier.event.ends(joined):
                    _merge(before, earlier.clock)
        clock = dict(before)
        races: list[int] = []
        for i in self._candidates(event):
            entry = self._entries[i]
            other = entry.event
            assert other is not None
            if i <= before.get(other.thread, -1):
                continue
            depends, may_wait, may_precede = event.relation(other)
            if not depends:
                continue
            if may_precede and (may_wait or i > clock.get(other.thread, -1)):  # else what lies between hides it
                races.append(i)
            _merge(clock, entry.clock)
        for i in races:
            self._let_go_first(i, event.thread, clock if self._sleeping else before)
        return clock

    def end(self, pending: Iterable[Touch]) -> None:
        """The last transition was executed; these would have been next."""
        if self._sleeping:
            for touch in pending:
                self._reverse_races(Event(touch.thread, [touch]))
        else:
            self.below(pending)

    def below(self, touches: Iterable[Touch]) -> None:
        """These are touched by transitions that come after all of the trace."""
        found = frozenset(touches)
        unfinished = self._unfinished()
        racing = [
            (i, thread)
            for thread, later in (self._by_thread(found).items() if unfinished else ())
            for i, event in self._open_to(thread, unfinished)
            if any(not self._is_locked_out(i, touch, found) for touch in event.reversible(later))
        ]
        for i, thread in sorted(racing):
            self._let_go_first(i, thread, self._clock_of(thread))
        self.top.add_below(found)

    def _by_thread(self, touches: frozenset[Touch]) -> dict[int, frozenset[Touch]]:
        if touches not in self._groups:
            if len(self._groups) >= _MOST_GROUPS:
                self._groups.clear()
            threads = {touch.thread for touch in touches}
            self._groups[touches] = {
                thread: frozenset(touch for touch in touches if touch.thread == thread) for thread in sorted(threads)
            }
        return self._groups[touches]

    def _unfinished(self) -> list[tuple[int, Event, Entry]]:
        """Entries with the one where their thread was chosen, if not all alternatives of that are to be run anyway."""
        found: list[tuple[int, Event, Entry]] = []
        for i, entry in enumerate(self._entries):
            if entry.chooser < 0:
                continue
            chooser = self._entries[entry.chooser]
            if len(chooser.todo) < chooser.node.count:
                assert entry.event is not None
                found.append((i, entry.event, chooser))
        return found

    def _open_to(self, thread: int, unfinished: Iterable[tuple[int, Event, Entry]]) -> list[tuple[int, Event]]:
        """Of these, entries of other threads that did not happen before this thread's next transition in any order, and
        where it is not settled that this thread goes first as well.
        """
        before = self._clock_of(thread)
        return [
            (i, event)
            for i, event, chooser in unfinished
            if event.thread != thread and i > before.get(event.thread, -1) and not chooser.covers(thread)
        ]

    def _still_asleep(self, entry: Entry) -> dict[int, Event]:
        """Who is so at this entry, behind the transition of the top? A data choice is in the middle of that."""
        top = self.top
        assert top.event is not None
        if entry.node.kind == ChoiceKind.DATA:
            top.is_whole = False
        return {
            thread: event
            for thread, event in (top.asleep | top.explored).items()
            if thread != top.event.thread
            and not event.relation(top.event)[0]
            and len(entry.enabled.get(thread, ())) <= 1  # else one of them may be new
        }

    # -- order ----------------------------------------------------------------------------

    def _withdraw(self) -> None:
        """The transition of the top has been explored."""
        top = self.top
        event = top.event
        if event is None:
            return
        if self._sleeping and top.is_whole and len(top.enabled.get(event.thread, ())) == 1:
            top.explored[event.thread] = event
        top.event = None
        for touched in event.by_object:
            self._uses[touched].pop()
        if event.everything:
            self._unknown.pop()
        for thread in event.moves:
            self._steps[thread].pop()

    def _clock_of(self, thread: int) -> Clock:
        """What happened before the thread's next transition: the clock of its last one, or of its start."""
        steps = self._steps.get(thread)
        return self._entries[steps[-1]].clock if steps else {}

    def _touching(self, touched: int) -> list[int]:
        return [*self._unknown, *self._uses.get(touched, ())]

    def _candidates(self, event: Event) -> Iterable[int]:
        """Entries of other threads whose transition may touch what the event touches, the latest first."""
        if event.everything:
            found: Iterable[int] = (i for i, entry in enumerate(self._entries) if entry.event is not None)
        else:
            found = set(self._unknown).union(*(self._uses.get(touched, ()) for touched in event.by_object))
        own = set(self._steps.get(event.thread, ()))
        return sorted((i for i in found if i not in own), reverse=True)

    def _let_go_first(self, index: int, thread: int, before: Clock) -> None:
        """At this entry the thread should go first as well, or who has to go before it (`before`: what happened)."""
        chooser = self._entries[index].chooser
        if chooser < 0:
            return
        entry = self._entries[chooser]
        if self._sleeping:
            firsts = self._initials(index, thread, before)
        elif entry.covers(thread):
            return
        else:
            firsts = self._firsts(chooser, before)
        if any(entry.covers(first) or first in entry.asleep for first in firsts):
            return
        first = thread if thread in firsts or not firsts else firsts[0]
        entry.todo.update(entry.enabled.get(first, range(entry.node.count)))

    def _firsts(self, index: int, before: Clock) -> list[int]:
        """Of the transitions from this entry on that `before` knows: threads of those that none of these precedes."""
        needed: list[tuple[int, Entry, int]] = []
        for i in range(index + 1, len(self._entries)):
            entry = self._entries[i]
            if entry.event is not None and i <= before.get(entry.event.thread, -1):
                needed.append((i, entry, entry.event.thread))
        return [
            thread
            for i, entry, thread in needed
            if not any(j < i and j <= entry.clock.get(other, -1) for j, _, other in needed)
        ]

    def _initials(self, index: int, thread: int, before: Clock) -> list[int]:
        """Threads that can go first of all that did not happen after this entry's transition, and then this thread,
        which `before` happened before. Only these will do instead where others sleep (Abdulla et al.).
        """
        earlier, began = self._entries[index].event, self._entries[index].chooser
        assert earlier is not None
        others = [
            (i, entry.clock, entry.event.thread)
            for i, entry in enumerate(self._entries)
            if i > index and entry.event is not None and entry.clock.get(earlier.thread, -1) < began
        ]
        return [
            later
            for i, clock, later in [*others, (len(self._entries), before, thread)]
            if not any(j < i and j <= clock.get(other, -1) for j, _, other in others)
        ]

    # -- locks ----------------------------------------------------------------------------

    def _is_locked_out(self, index: int, touch: Touch, found: frozenset[Touch]) -> bool:
        """Must the touch wait for a lock that this entry's thread holds, and that nobody else releases?"""
        event = self._entries[index].event
        assert event is not None
        return any(
            self._last_use(lock, index) == event.thread and self._keeps(lock, event.thread, index, found)
            for lock, _ in touch.under
        )

    def _last_use(self, lock: int, end: int) -> int | None:
        """The thread that holds the lock at this entry, if that can be told."""
        for i in sorted(self._touching(lock), reverse=True):
            if i >= end:
                continue
            event = self._entries[i].event
            assert event is not None
            if event.everything:  # it may have released the lock
                return None
            uses = event.by_object[lock]
            if any(_releases(touch) for touch in uses):
                return None
            if any(touch.operation == ACQUIRE for touch in uses):
                return event.thread
        return None

    def _keeps(self, lock: int, holder: int, index: int, found: frozenset[Touch]) -> bool:
        """From this entry on, does nobody but the holder release the lock who has not acquired it?"""
        acquired: set[int] = set()
        for i in sorted(self._touching(lock)):
            event = self._entries[i].event
            assert event is not None
            if i <= index or event.thread == holder:
                continue
            if event.everything:
                return False
            for touch in event.by_object[lock]:
                if touch.operation == ACQUIRE:
                    acquired.add(event.thread)
                elif _releases(touch) and event.thread not in acquired:
                    return False
        return not any(
            (touch.everything or (touch.object == lock and _releases(touch)))
            and touch.thread != holder
            and not touch.after >> holder & 1
            and all(other != lock for other, _ in touch.under)
            for touch in found
        )


def _releases(touch: Touch) -> bool:
    """Or may it?"""
    return touch.operation in (RELEASE, FREE) or (touch.writes and not touch.operation)


def _merge(clock: Clock, other: Clock) -> None:
    for who, when in other.items():
        if when > clock.get(who, -1):
            clock[who] = when
