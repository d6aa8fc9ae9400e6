"""The search that leaves out orders finds every end, every data race and whether there is a livelock.

On small programs of which it is known what each step touches (`support.toy_threads`), so that any loss is
the search's fault. `STATESPACE_SEEDS=first:last pytest -m campaign tests/unit/test_reduction.py` takes others,
10 000 by default. What the search does for soundness is taken away, one thing at a time: then something is lost.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import pytest
from support.toy_threads import NotingEngine, Program, random_program, reachable

from pytest_statespace.explore.budget import Budget
from pytest_statespace.explore.dependence import Event
from pytest_statespace.explore.explorer import Explorer, SearchEnd
from pytest_statespace.explore.notes import Note
from pytest_statespace.explore.strategies import dpor
from pytest_statespace.explore.strategies.base import Node
from pytest_statespace.explore.strategies.dpor import PartialOrderReduction
from pytest_statespace.explore.touches import ACQUIRE, EVERYTHING, FREE, Touch
from pytest_statespace.explore.trace import Entry, Trace
from pytest_statespace.types import ChoiceKind

MOST = 1500
"""Executions of the search without visited set."""


def reduced(program: Program) -> NotingEngine:
    engine = NotingEngine(program)
    budget = Budget(time.monotonic, time.monotonic(), 600.0)
    assert Explorer(engine, PartialOrderReduction(), budget).run().end is SearchEnd.EXHAUSTED
    return engine


def is_complete(program: Program) -> bool:
    engine, everything = reduced(program), reachable(program)
    assert engine.ended <= everything.ends
    return (engine.ended, engine.races, engine.has_livelock()) == everything[1:]


def is_complete_stateless(program: Program) -> bool | None:
    """None: it has loops, or too many executions without a visited set."""
    if any(operation[0] == "spin" for thread in program for step in thread for operation in step):
        return None
    engine, everything = NotingEngine(program), reachable(program)
    budget = Budget(time.monotonic, time.monotonic(), 600.0, max_executions=MOST)
    found = Explorer(engine, PartialOrderReduction(compares=False), budget).run()
    if found.end is SearchEnd.BUDGET:
        return None
    assert engine.ended <= everything.ends
    return (engine.ended, engine.races) == (everything.ends, everything.races)


@pytest.mark.parametrize("seed", range(0, 60, 20))
def test_nothing_is_lost(seed: int) -> None:
    for number in range(seed, seed + 20):
        assert is_complete(random_program(number)), number


@pytest.mark.parametrize("seed", range(0, 60, 20))
def test_nothing_is_lost_without_visited_set(seed: int) -> None:
    answers = {number: is_complete_stateless(random_program(number)) for number in range(seed, seed + 20)}
    assert False not in answers.values(), answers
    assert list(answers.values()).count(True) > 10


@pytest.mark.campaign
@pytest.mark.parametrize("check", [is_complete, is_complete_stateless])
def test_campaign(check: Callable[[Program], bool | None], capsys: pytest.CaptureFixture[str]) -> None:
    first, _, last = os.environ.get("STATESPACE_SEEDS", "0:10000").partition(":")
    lost, compared = [], 0
    for seed in range(int(first), int(last)):
        complete = check(random_program(seed))
        compared += complete is not None
        if complete is False:
            lost.append(seed)
        if seed % 500 == 499:
            with capsys.disabled():
                print(f"{seed + 1 - int(first)} programs, {compared} compared, lost something in {lost}", flush=True)
    assert compared
    assert not lost


def workers(*bodies: tuple[str, ...]) -> Program:
    """Threads that main starts and joins; a step a string, what it does on the way behind semicolons."""

    def step(text: str) -> tuple[tuple[str, ...], ...]:
        return tuple(tuple(operation.split()) for operation in text.split(";"))

    threads = [tuple(map(step, ("begin", *body, "end"))) for body in bodies]
    numbers = range(1, len(bodies) + 1)
    return (tuple(step(f"{what} {number}") for what in ("start", "join") for number in numbers), *threads)


def test_independent_threads_take_one_execution() -> None:
    engine = reduced(workers(*[tuple(f"add {name}" for _ in range(4)) for name in "abcd"]))
    assert len(engine.ended) == 1
    assert engine.transitions == 4 * 6 + 8


def test_independent_threads_take_one_execution_without_visited_set() -> None:
    engine = NotingEngine(workers(*[tuple(f"add {name}" for _ in range(4)) for name in "abcd"]))
    budget = Budget(time.monotonic, time.monotonic(), 600.0)
    search = Explorer(engine, PartialOrderReduction(compares=False), budget).run()
    assert (search.end, search.executions, search.reductions) == (SearchEnd.EXHAUSTED, 1, ("source-dpor",))
    assert not engine.visited


def test_order_of_acquires_makes_philosophers_few() -> None:
    forks = [sorted((seat, (seat + 1) % 5)) for seat in range(5)]
    table = workers(*[(f"lock {a}", f"lock {b}", f"unlock {b}", f"unlock {a}") for a, b in forks])
    engine = reduced(table)
    assert len(engine.visited) * 10 < reachable(table).worlds


def test_nobody_is_known_to_hold_a_lock_behind_what_is_not_known() -> None:
    """It may have released it. No program was found that loses anything by it, so this looks at the trace itself."""
    node = Node(state=1, parent=None, arrived_by=0, kind=1, current=0, count=2, threads=(0, 1), label=0, preemptions=0)
    trace, lock = Trace(), 7
    for touch in (Touch(0, lock, operation=ACQUIRE), EVERYTHING(0)):
        trace.push(node, Note(b""), -1)
        trace.execute(Event(0, [touch]))
    assert trace._last_use(lock, 1) == 0
    assert trace._last_use(lock, 2) is None


def test_a_lock_that_was_freed_is_not_the_next_one_at_its_address() -> None:
    lock, thing = 7, 9
    later = Touch(1, thing, under=frozenset({(lock, True)}))
    ends = Event(0, [Touch(0, lock, operation=FREE, new=True)])
    assert [touch.under for touch in ends.order([later])] == [frozenset()]
    assert [touch.under for touch in Event(0, [EVERYTHING(0)]).order([later])] == [frozenset()]
    again = Event(1, [Touch(1, lock, operation=ACQUIRE, new=True), Touch(1, lock, operation=FREE, new=True)])
    assert [touch.under for touch in again.order([Touch(1, thing)])] == [frozenset({(lock, True)})]


def test_what_comes_after_the_beginning_of_a_transition_comes_after_it() -> None:
    """Up to a data choice. Not even where another thread goes first can it be the first of all."""
    where: dict[str, Any] = {"state": 1, "parent": None, "arrived_by": 0, "current": 0, "label": 0, "preemptions": 0}
    trace = Trace(sleeping=True)
    x, y = 16, 32
    for kind, threads, event in (
        (ChoiceKind.THREAD, (0, 1, 2), Event(0, [Touch(0, x)])),
        (ChoiceKind.DATA, (), Event(0, [Touch(0, y)])),
        (ChoiceKind.THREAD, (1, 2), Event(1, [Touch(1, x, writes=False)])),
        (ChoiceKind.THREAD, (2,), Event(2, [Touch(2, y)])),
    ):
        trace.push(Node(kind=kind, threads=threads, count=max(2, len(threads)), **where), Note(b""), -1)
        trace.execute(event)
        trace._entries[0].todo.add(1)
    assert trace._entries[0].todo == {0, 1, 2}


# -- breaking it ----------------------------------------------------------------------------------------------

Patch = pytest.MonkeyPatch


def set_on(owner: object, name: str, value: object) -> Callable[[Patch], None]:
    return lambda patch: patch.setattr(owner, name, value)


def _also_of_others(self: Event, later: list[Touch]) -> list[Touch]:
    return [touch.ordered(touch.after | 1 << self.thread, touch.under) for touch in later]


def _only_if_possible(self: Trace, index: int, thread: int, before: object) -> None:
    entry = self._entries[self._entries[index].chooser]
    entry.todo.update(entry.enabled.get(thread, ()))


def _forgetting_choices(patch: Patch) -> None:
    real = Note.__init__

    def init(self: Note, data: bytes) -> None:
        real(self, data)
        self.pending = {thread: touch for thread, touch in self.pending.items() if touch.object or touch.everything}

    patch.setattr(Note, "__init__", init)


def _without_numbers_nothing_exists(patch: Patch) -> None:
    real = Note.__init__

    def init(self: Note, data: bytes) -> None:
        real(self, data)
        self.numbered = True

    patch.setattr(Note, "__init__", init)


def _dropping_what_has_no_numbers(patch: Patch) -> None:
    real = Trace.pop

    def pop(self: Trace) -> Entry:
        entry = real(self)
        if not entry.note.numbered:
            entry.summary = {touch for touch in entry.summary if not touch.new}
        return entry

    patch.setattr(Trace, "pop", pop)


RELEASED_BY_ANOTHER = workers(
    ("lock m", "write x", "write y", "unlock m"), ("lock m", "read y", "write y", "unlock m"), ("read x", "unlock m")
)
BREAKS = {
    "what made it wait is hidden by what woke it": (
        set_on(Event, "may_wait_for", lambda self, earlier: False),
        random_program(75),
    ),
    "nothing may come first": (set_on(Event, "may_precede", lambda self, earlier: False), random_program(0)),
    "everything is covered": (set_on(Entry, "covers", lambda self, thread: True), random_program(0)),
    "a thread that can't go on is left out": (set_on(Trace, "_let_go_first", _only_if_possible), random_program(2)),
    "everybody comes after everybody": (set_on(Event, "order", _also_of_others), random_program(2)),
    "nobody else releases": (set_on(Trace, "_keeps", lambda self, *_: True), RELEASED_BY_ANOTHER),
    "who can't do anything does not count at the end": (_forgetting_choices, random_program(1229)),
    "what has no numbers does not exist": (_without_numbers_nothing_exists, random_program(303)),
    "what has no numbers left nothing to be known": (_dropping_what_has_no_numbers, random_program(303)),
}


def _nobody_wakes(self: Trace, entry: Entry) -> dict[int, Event]:
    top = self.top
    assert top.event is not None
    return {thread: event for thread, event in (top.asleep | top.explored).items() if thread != top.event.thread}


def _not_at_a_turn(patch: Patch) -> None:
    real = Trace.end
    patch.setattr(Trace, "end", lambda self, pending: real(self, pending if self.top.event else ()))


def _whoever_has_to(self: Trace, index: int, thread: int, before: object) -> list[int]:
    return self._firsts(self._entries[index].chooser, self._clock_of(thread))


def _not_if_it_goes_already(patch: Patch) -> None:
    real = Trace._let_go_first

    def let_go_first(self: Trace, index: int, thread: int, before: dict[int, int]) -> None:
        if not self._entries[self._entries[index].chooser].covers(thread):
            real(self, index, thread, before)

    patch.setattr(Trace, "_let_go_first", let_go_first)


STATELESS_BREAKS = {
    "who sleeps sleeps on": (set_on(Trace, "_still_asleep", _nobody_wakes), random_program(2)),
    "what is known of the last transition hides others": (set_on(dpor, "UNKNOWN", 0), random_program(2927)),
    "who has to go first is enough": (set_on(Trace, "_initials", _whoever_has_to), random_program(311)),
    "who goes first already has to be no initial": (_not_if_it_goes_already, random_program(7394)),
    "who waits does not count where others sleep": (_not_at_a_turn, random_program(617)),
}


@pytest.mark.parametrize("name", STATELESS_BREAKS)
def test_what_is_taken_away_is_missed_without_visited_set(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    take_away, program = STATELESS_BREAKS[name]
    assert is_complete_stateless(program)
    take_away(monkeypatch)
    assert is_complete_stateless(program) is False


@pytest.mark.parametrize("name", BREAKS)
def test_what_is_taken_away_is_missed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    take_away, program = BREAKS[name]
    assert is_complete(program)
    take_away(monkeypatch)
    assert not is_complete(program)
