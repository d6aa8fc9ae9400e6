"""An independent model of the choice points: counts executions and choice points of small programs.

A program is a list of threads, a thread a list of operations; thread 0 is the main thread and
the execution ends with its last operation. Operations: ("start", thread), ("begin",), ("end",),
("acquire", lock), ("release", lock), ("join", thread). Nothing here knows how the bridge works,
only the rule: a choice point lies before every operation at which more than one thread could go on.
"""

from __future__ import annotations

from dataclasses import dataclass

Operation = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Count:
    """Complete executions, deadlocks among them, and choice points on all of them together."""

    executions: int
    deadlocks: int
    choice_points: int


def raw_threads(*bodies: list[Operation]) -> list[list[Operation]]:
    """`_thread.start_new_thread` for each body; main then acquires the lock "done N" of each."""
    starts: list[Operation] = [("start", n) for n in range(1, len(bodies) + 1)]
    waits: list[Operation] = [("acquire", f"done {n}") for n in range(1, len(bodies) + 1)]
    threads = [[("begin",), *body, ("release", f"done {n}"), ("end",)] for n, body in enumerate(bodies, 1)]
    return [starts + waits, *threads]


def joined_threads(*bodies: list[Operation]) -> list[list[Operation]]:
    """`threading.Thread` for each body, all started, then all joined."""
    numbers = range(1, len(bodies) + 1)
    main: list[Operation] = [*(("start", n) for n in numbers), *(("join", n) for n in numbers)]
    return [main, *([("begin",), *body, ("end",)] for body in bodies)]


def count(program: list[list[Operation]], held: frozenset[str] = frozenset()) -> Count:
    """Run every interleaving. `held`: locks that are locked at the start."""
    executions = deadlocks = choice_points = 0
    start = ((0,) + (-1,) * (len(program) - 1), held)  # -1: not started
    todo = [start]
    while todo:
        at, locked = todo.pop()
        if at[0] == len(program[0]):
            executions += 1
            continue
        enabled = [n for n, position in enumerate(at) if _can_go_on(program, at, locked, n, position)]
        if not enabled:
            executions += 1
            deadlocks += 1
            continue
        choice_points += len(enabled) > 1
        todo.extend(_step(program, at, locked, n) for n in enabled)
    return Count(executions, deadlocks, choice_points)


def _can_go_on(
    program: list[list[Operation]], at: tuple[int, ...], locked: frozenset[str], thread: int, position: int
) -> bool:
    if position < 0 or position == len(program[thread]):
        return False
    kind, *argument = program[thread][position]
    if kind == "acquire":
        return argument[0] not in locked
    if kind == "join":
        joined = argument[0]
        assert isinstance(joined, int)
        return at[joined] == len(program[joined])
    return True


def _step(
    program: list[list[Operation]], at: tuple[int, ...], locked: frozenset[str], thread: int
) -> tuple[tuple[int, ...], frozenset[str]]:
    kind, *argument = program[thread][at[thread]]
    positions = list(at)
    positions[thread] += 1
    if kind == "start":
        started = argument[0]
        assert isinstance(started, int)
        positions[started] = 0
    elif kind == "acquire":
        locked |= {str(argument[0])}
    elif kind == "release":
        locked -= {str(argument[0])}
    return tuple(positions), locked
