"""A tiny explicit-state model checker for programs written down step by step.

It shares nothing with the engine: no snapshots, no fingerprints, no Python threads. A model lists
for every thread the operations before which the engine promises a choice point (`Step.visible`) and
what happens between them. The states that are counted are those with at least two ways to go on,
which is where the engine takes its snapshots.

With a visited set every alternative of every such state is executed once, whatever the order. So the
model also says how many transitions and executions a depth-first search takes: see `Census`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field

MAIN = 0
KEEPS_LOCKS = sys.version_info < (3, 13)
"""`threading` has a set of the locks of unjoined threads; one of an ended thread stays in it until the
next start or join. That is part of the program's state, although nothing but the exit reads it."""
DEADLOCK = "deadlock"

Shared = dict[str, Hashable]


@dataclass(slots=True)
class Thread:
    """Where a thread is (`at`: the step it will take next) and the values it holds."""

    created: bool = False
    at: int = 0
    done: bool = False
    locked: bool = False
    """Its lock is in the set of unjoined threads, see `KEEPS_LOCKS`."""
    registers: Shared = field(default_factory=dict)

    def copy(self) -> Thread:
        return Thread(self.created, self.at, self.done, self.locked, dict(self.registers))


@dataclass(slots=True)
class World:
    """All of a state, mutable while a transition runs."""

    shared: Shared
    threads: list[Thread]

    def copy(self) -> World:
        return World(dict(self.shared), [thread.copy() for thread in self.threads])

    def key(self) -> Hashable:
        return (
            tuple(sorted(self.shared.items(), key=lambda item: item[0])),
            tuple(
                (thread.created, thread.at, thread.done, thread.locked, tuple(sorted(thread.registers.items())))
                for thread in self.threads
            ),
        )


@dataclass(frozen=True, slots=True)
class Step:
    """One operation. `act` may return the label of the step to go on with instead of the next."""

    act: Callable[[World, Thread], str | None]
    visible: bool = True
    ready: Callable[[World], bool] | None = None
    label: str = ""


@dataclass(frozen=True, slots=True)
class Model:
    """Threads as lists of steps, ordinal 0 the main one, and what main's result is."""

    threads: Sequence[Sequence[Step]]
    shared: Shared
    result: Callable[[World], Hashable]


@dataclass(frozen=True, slots=True)
class Census:
    """What there is to find in a model's state space.

    `transitions` and `executions` are those of a depth-first search with a visited set: one path
    leads to the first choice point, and each further alternative of a state begins a path.
    """

    states: int
    outcomes: frozenset[str]
    transitions: int
    executions: int


def census(model: Model) -> Census:
    """Walk through the whole state space."""
    outcomes: set[str] = set()
    seen: set[Hashable] = set()
    alternatives = 0
    todo: list[World] = []

    def arrive(reached: World) -> None:
        nonlocal alternatives
        able, outcome = _settle(model, reached)
        if outcome is not None:
            outcomes.add(outcome)
        elif (key := reached.key()) not in seen:
            seen.add(key)
            alternatives += len(able)
            todo.append(reached)

    arrive(_base(model))
    while todo:
        state = todo.pop()
        for ordinal in _able(model, state):
            successor = state.copy()
            _transition(model, successor, ordinal)
            arrive(successor)
    return Census(
        states=len(seen),
        outcomes=frozenset(outcomes),
        transitions=1 + alternatives,
        executions=1 + alternatives - len(seen),
    )


def follow(model: Model, schedule: Sequence[int]) -> Hashable:
    """The state to which a schedule (thread ordinals) leads. ValueError if it does not fit."""
    world = _base(model)
    for position, ordinal in enumerate(schedule):
        able, _ = _settle(model, world)
        if ordinal not in able:
            raise ValueError(f"choice {position} of {list(schedule)}: thread {ordinal} is not among {able}")
        _transition(model, world, ordinal)
    able, outcome = _settle(model, world)
    if outcome is not None:
        raise ValueError(f"{list(schedule)} leads to the end {outcome}, not to a choice")
    return world.key()


def _base(model: Model) -> World:
    world = World(dict(model.shared), [Thread() for _ in model.threads])
    world.threads[MAIN].created = True
    _run_on(model, world, MAIN)
    return world


def _settle(model: Model, world: World) -> tuple[list[int], str | None]:
    """Go on while there is one way only. Who may run next, or the outcome if this is the end."""
    while True:
        if world.threads[MAIN].done:
            return [], repr(model.result(world))
        able = _able(model, world)
        if not able:
            return [], DEADLOCK
        if len(able) > 1:
            return able, None
        _transition(model, world, able[0])


def _able(model: Model, world: World) -> list[int]:
    able = []
    for ordinal, thread in enumerate(world.threads):
        if thread.created and not thread.done:
            ready = model.threads[ordinal][thread.at].ready
            if ready is None or ready(world):
                able.append(ordinal)
    return able


def _transition(model: Model, world: World, ordinal: int) -> None:
    """The pending operation, and everything up to the next visible one."""
    _take(model, world, ordinal)
    _run_on(model, world, ordinal)


def _run_on(model: Model, world: World, ordinal: int) -> None:
    thread = world.threads[ordinal]
    while not thread.done and not model.threads[ordinal][thread.at].visible:
        _take(model, world, ordinal)


def _take(model: Model, world: World, ordinal: int) -> None:
    thread = world.threads[ordinal]
    steps = model.threads[ordinal]
    target = steps[thread.at].act(world, thread)
    if target is None:
        thread.at += 1
    else:
        thread.at = next(i for i, step in enumerate(steps) if step.label == target)


# -- steps ---------------------------------------------------------------------------------------


def _nothing(world: World, thread: Thread) -> None:
    pass


def begin() -> Step:
    """The first step of a thread."""
    return Step(_nothing)


def end() -> Step:
    """The end of a thread: what joiners wait for. Its values are gone."""

    def act(world: World, thread: Thread) -> None:
        thread.done = True
        thread.registers.clear()

    return Step(act)


def finish() -> Step:
    """The end of the main thread, and with it of the execution."""

    def act(world: World, thread: Thread) -> None:
        thread.done = True

    return Step(act, visible=False)


def start_raw(ordinal: int) -> Step:
    """`_thread.start_new_thread`."""

    def act(world: World, thread: Thread) -> None:
        world.threads[ordinal].created = True

    return Step(act)


def start(ordinal: int) -> Step:
    """`threading.Thread.start`."""

    def act(world: World, thread: Thread) -> None:
        world.threads[ordinal].created = True
        _forget_ended(world)
        if KEEPS_LOCKS:
            world.threads[ordinal].locked = True

    return Step(act)


def join(ordinal: int) -> Step:
    def act(world: World, thread: Thread) -> None:
        _forget_ended(world)

    return Step(act, ready=lambda world: world.threads[ordinal].done)


def _forget_ended(world: World) -> None:
    for thread in world.threads:
        thread.locked = thread.locked and not thread.done


def acquire(lock: str, act: Callable[[World, Thread], str | None] = _nothing, label: str = "") -> Step:
    """Take a lock (`shared[lock]`: is it taken?), then whatever happens up to the next visible step."""

    def take(world: World, thread: Thread) -> str | None:
        world.shared[lock] = True
        return act(world, thread)

    return Step(take, ready=lambda world: not world.shared[lock], label=label)


def release(lock: str, act: Callable[[World, Thread], str | None] = _nothing, label: str = "") -> Step:
    def give(world: World, thread: Thread) -> str | None:
        world.shared[lock] = False
        return act(world, thread)

    return Step(give, label=label)



def access_of_a_result(*, visible: bool) -> Step:
    """Main reads what it is going to return."""
    return Step(_nothing, visible=visible)


def increment(variable: str, *, visible: bool) -> list[Step]:
    """`variable += 1`: a read and a write, each visible or both part of the transition before."""

    def read(world: World, thread: Thread) -> None:
        thread.registers["sum"] = int(str(world.shared[variable])) + 1

    def write(world: World, thread: Thread) -> None:
        world.shared[variable] = thread.registers.pop("sum")

    return [Step(read, visible=visible), Step(write, visible=visible)]
