"""A toy engine that notes what transitions touch: for searches that leave out orders of independent ones.

Small programs of threads that main starts and joins, with locks (anybody may release them), variables, queues, data
choices and loops. States are tuples, so millions of transitions are checked in the time that a real child needs for
thousands. What a *real* step touches is tested elsewhere; here it is known, and the search is on trial. As in a real
child, where one thread is alone states are not compared, and what exists there has no numbers.

A thread is a tuple of steps, a step a tuple of operations: the first is visible and has a choice point before it, the
others happen on the way to the next one. ``unknown`` in a step makes it one of which nothing is known.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeVar

from pytest_statespace.runtime.wire import pack
from pytest_statespace.sandbox.protocol import Command, End, NewState, PathResult, Point, RunFlag
from pytest_statespace.types import ChoiceKind, EngineStatistics

T = TypeVar("T")
Operation = tuple[str, *tuple[object, ...]]
Step = tuple[Operation, ...]
Program = tuple[tuple[Step, ...], ...]

_READ, _WRITE, _BOTH, _ALL, _HELD, _NEW = 1, 2, 3, 4, 8, 16
_MOST_ALONE = 6  # steps of a thread that is alone until a state is compared after all: it may be in a loop
_THREAD = 1 << 63
_CODES = {
    "begin": 1, "start": 2, "end": 3, "join": 4, "lock": 5, "try": 6, "unlock": 7, "put": 9, "get": 10, "choose": 13,
    "read": 14, "write": 14, "add": 14, "spin": 14,
}  # fmt: skip
_ACCESS = {"read": _READ, "spin": _READ, "write": _WRITE, "choose": 0}


class World(NamedTuple):
    """Where every thread stands (-1: not started), and what variables, locks, queues and registers hold."""

    at: tuple[int, ...]
    values: tuple[tuple[str, object], ...]


def begin(program: Program) -> World:
    return World((0,) + (-1,) * (len(program) - 1), ())


def over(program: Program, world: World) -> bool:
    """The test ends when main does, whatever the others are at."""
    return world.at[0] == len(program[0])


def enabled(program: Program, world: World) -> list[int]:
    if over(program, world):
        return []
    values = dict(world.values)
    found = []
    for thread, at in enumerate(world.at):
        if not 0 <= at < len(program[thread]):
            continue
        name, *arguments = program[thread][at][0]
        if name == "lock" and values.get(str(arguments[0])):
            continue
        if name == "get" and not values.get(str(arguments[0])):
            continue
        if name == "join" and world.at[int(str(arguments[0]))] < len(program[int(str(arguments[0]))]):
            continue
        found.append(thread)
    return found


def choices(program: Program, world: World, thread: int) -> int:
    """More than one for a step that begins with a data choice."""
    name, *arguments = program[thread][world.at[thread]][0]
    return int(str(arguments[0])) if name == "choose" else 1


def after(program: Program, world: World, thread: int, value: int = 0) -> World:
    at, values = list(world.at), dict(world.values)
    register = f"r{thread}"
    at[thread] += 1
    for name, *arguments in program[thread][world.at[thread]]:
        what = str(arguments[0]) if arguments else ""
        here = values.get(what, 0)
        match name:
            case "start":
                at[int(what)] = 0
            case "lock":
                values[what] = 1
            case "unlock":
                values.pop(what, None)
            case "try":
                values[register] = (values.get(register, 0), "busy" if here else "free")
                values[what] = 1
            case "put":
                values[what] = (*(values.get(what) or ()), values.get(register, thread))
            case "get":
                values[register] = here[0]
                values[what] = here[1:]
            case "choose":
                values[register] = value
            case "read":
                values[register] = here
            case "write":
                values[what] = (thread, values.get(register, 0))
            case "add":
                values[what] = ((here if isinstance(here, int) else 7) * 2 + thread) % 64  # also in a loop
            case "spin":
                if not here:
                    at[thread] -= 1
    return World(tuple(at), tuple(sorted((key, held) for key, held in values.items() if held)))


class Everything(NamedTuple):
    """What a program can do."""

    worlds: int
    ends: set[World]
    races: set[tuple[int, int, int, int]]
    has_livelock: bool


def reachable(program: Program) -> Everything:
    """By plain search: the oracle."""
    start = begin(program)
    before: dict[World, set[World]] = {start: set()}
    ends: set[World] = set()
    found: set[tuple[int, int, int, int]] = set()
    todo = [start]
    while todo:
        world = todo.pop()
        threads = enabled(program, world)
        found |= races(program, world, threads)
        if not threads:
            ends.add(world)
        for thread in threads:
            for value in range(choices(program, world, thread)):
                following = after(program, world, thread, value)
                if following not in before:
                    before[following] = set()
                    todo.append(following)
                before[following].add(world)
    return Everything(len(before), ends, found, len(_closure(ends, before)) < len(before))


def _closure(found: set[T], ways: dict[T, set[T]]) -> set[T]:
    seen, todo = set(found), list(found)
    while todo:
        for other in ways.get(todo.pop(), ()):
            if other not in seen:
                seen.add(other)
                todo.append(other)
    return seen


def races(program: Program, world: World, threads: list[int]) -> set[tuple[int, int, int, int]]:
    """Pairs of accesses to one variable that two threads can make next, one of them a write: threads and steps."""
    next_accesses = []
    for thread in threads:
        name, *arguments = program[thread][world.at[thread]][0]
        if name in ("read", "write", "add", "spin"):
            next_accesses.append((thread, arguments[0], name))
    return {
        (one, world.at[one], other, world.at[other])
        for one, what, how in next_accesses
        for other, whose, also in next_accesses
        if one < other and what == whose and not {how, also} <= {"read", "spin"}
    }


class _Kept(NamedTuple):
    world: World
    current: int
    choosing: int  # thread whose data choice it is, or -1
    threads: tuple[int, ...]


class NotingEngine:
    """Runs paths of a program, with a choice point and a note before every step."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.kept: list[_Kept] = [_Kept(begin(program), 0, -1, ())]
        self.visited: dict[tuple[World, int], int] = {}
        self.ended: set[World] = set()
        self.races: set[tuple[int, int, int, int]] = set()
        self.transitions = 0
        self._objects = sorted({_object(what[0]) for _, *what in _operations(program) if what})
        self._ways: dict[tuple[World, int] | None, set[tuple[World, int] | None]] = {}  # None: the start, and an end

    def has_livelock(self) -> bool:
        """Is there a state from which no end was reached?"""
        before: dict[tuple[World, int] | None, set[tuple[World, int] | None]] = {}
        for state, ways in self._ways.items():
            for other in ways:
                before.setdefault(other, set()).add(state)
        return len(_closure({None}, before)) < len(self._ways)

    def clear_visited(self) -> None:
        self.visited.clear()

    def state_count(self) -> int:
        return len(self.visited)

    def statistics(self) -> EngineStatistics:
        return EngineStatistics(tracker="toy")

    def release(self, state: int) -> None:
        assert state > 0

    def sample(
        self, choose: Callable[[Point], int | None], *, deadline: float, flags: RunFlag = RunFlag.NONE
    ) -> PathResult:
        raise AssertionError("the strategy that is tested here takes no samples")

    def run(self, command: Command, *, deadline: float) -> PathResult:
        world, current, choosing, threads = self.kept[command.state]
        arrivals: list[NewState] = []
        at = (world, choosing) if command.state != 0 else None
        taken, steps, alone = command.alternative, 0, 0
        touched: list[tuple[int, int, int]] = []
        unknown = False
        if command.state != 0:
            if choosing < 0:
                current = threads[taken]
            if choosing < 0 and choices(self.program, world, current) > 1:
                choosing = current
            else:
                touched, unknown = self._on_the_way(world, current)
                world = after(self.program, world, current, taken if choosing >= 0 else 0)
                choosing = -1
                steps += 1
        while True:
            options = enabled(self.program, world)
            if not options:
                self._ways.setdefault(at, set()).add(None)
                self.ended.add(world)
                self.transitions += steps
                payload = pack({"kind": "finished", "outcomes": [repr(world)]})
                return PathResult(End.FINISHED, tuple(arrivals), steps, payload, "")
            if current in options:
                options.remove(current)
                options.insert(0, current)
            self.races |= races(self.program, world, options)
            known = (world, choosing)
            self._ways.setdefault(at, set()).add(known)
            self._ways.setdefault(known, set())
            at = known
            many = choices(self.program, world, choosing) if choosing >= 0 else len(options)
            alone = alone + 1 if many == 1 else 0
            is_compared = RunFlag.PRUNE in command.flags and (many > 1 or alone > _MOST_ALONE)
            alone = 0 if is_compared else alone
            arrivals.append(
                NewState(
                    number=len(self.kept),
                    kind=ChoiceKind.DATA if choosing >= 0 else ChoiceKind.THREAD,
                    current=current,
                    count=many,
                    threads=() if choosing >= 0 else tuple(options),
                    label=0,
                    preemptions=0,
                    visited=is_compared and known in self.visited,
                    extra=many == 1 and not is_compared,
                    visit=self.visited.setdefault(known, len(self.visited)) if is_compared else -1,
                    note=self._note(world, touched, unknown, is_compared),
                )
            )
            self.kept.append(_Kept(world, current, choosing, tuple(options)))
            if arrivals[-1].visited:
                self.transitions += steps
                return PathResult(End.VISITED, tuple(arrivals), steps, b"", "")
            if choosing < 0:
                current = options[0]
                if choices(self.program, world, current) > 1:
                    choosing, touched, unknown = current, [], False
                    continue
            touched, unknown = self._on_the_way(world, current)
            world, choosing = after(self.program, world, current), -1
            steps += 1

    def _on_the_way(self, world: World, thread: int) -> tuple[list[tuple[int, int, int]], bool]:
        step = self.program[thread][world.at[thread]]
        touched = [
            (_object(what[0]), 0, _ACCESS.get(name, _BOTH) | _NEW) for name, *what in step[1:] if name != "unknown"
        ]
        return touched, ("unknown",) in step

    def _note(self, world: World, touched: list[tuple[int, int, int]], unknown: bool, is_numbered: bool) -> bytes:
        pending = b""
        count = 0
        values = dict(world.values)
        for thread, at in enumerate(world.at):
            if not 0 <= at < len(self.program[thread]):
                continue
            step = self.program[thread][at]
            name, *arguments = step[0]
            access = _ACCESS.get(name, _BOTH)
            if name in ("begin", "end"):
                target = _THREAD | thread
            elif name in ("start", "join"):
                target = _THREAD | int(str(arguments[0]))
            else:
                target = _object(arguments[0])
                access |= _NEW
            if ("unknown",) in step:
                access |= _ALL
            if name == "unlock" and values.get(str(arguments[0])):
                access |= _HELD
            pending += struct.pack("=HBBIQ", thread, _CODES[name], access, 0, target)
            count += 1
        objects = self._objects if is_numbered else []
        header = struct.pack("=6I", unknown, is_numbered, count, len(touched), len(objects), 0)
        numbers = b"".join(struct.pack("=QII", address, 0, number) for number, address in enumerate(objects))
        return header + pending + b"".join(struct.pack("=QII", *touch) for touch in touched) + numbers


def _operations(program: Program) -> Iterator[Operation]:
    for thread in program:
        for step in thread:
            yield from step


def _object(name: object) -> int:
    return 16 * (1 + sum(ord(letter) << 8 * i for i, letter in enumerate(str(name))))


def random_program(seed: int) -> Program:
    """Two or three threads beside main, of up to four steps each, that meet at few objects."""
    rng = random.Random(seed)
    workers = rng.choice((2, 2, 3))
    variables, locks, queues = rng.sample("xyz", 2), rng.sample("lm", rng.choice((1, 2))), ["q"]

    def access() -> Operation:
        return (rng.choice(("read", "write", "add")), rng.choice(variables))

    def step() -> Step:
        first: Operation = rng.choices(
            (
                access(),
                ("lock", rng.choice(locks)),
                ("unlock", rng.choice(locks)),
                ("try", rng.choice(locks)),
                ("put", queues[0]),
                ("get", queues[0]),
                ("choose", 2),
                ("spin", rng.choice(variables)),
            ),
            (12, 2, 1, 1, 2, 2, 1, 0.4),
        )[0]
        return (first, *rest())

    def rest() -> list[Operation]:
        drawn = rng.random()
        if drawn < 0.06:
            return [("unknown",)]
        return [access()] if drawn < 0.2 else []

    def body(most: int) -> list[Step]:
        steps: list[Step] = []
        while len(steps) < most:
            if rng.random() < 0.3:
                lock = rng.choice(locks)
                inner = body(min(2, most - len(steps)))[:2]
                steps += [(("lock", lock), *rest()), *inner, (("unlock", lock), *rest())]
            else:
                steps.append(step())
        return steps

    threads = [[(("begin",),), *body(rng.randint(1, 3 if workers == 3 else 4)), (("end",),)] for _ in range(workers)]
    main: list[Step] = []
    order = list(range(1, workers + 1))
    for worker in order:
        main.append((("start", worker),))
        if rng.random() < 0.15:
            main += body(1)
    if workers == 3 and rng.random() < 0.3:  # a thread that starts another
        main.remove((("start", 3),))
        threads[0].insert(rng.randint(1, len(threads[0]) - 1), (("start", 3),))
    joined = [worker for worker in order if rng.random() < 0.85]
    rng.shuffle(joined)
    for worker in joined:
        main.append((("join", worker), *rest()))
        if rng.random() < 0.15:
            main += body(1)
    main.append((("read", variables[0]),))
    return (tuple(main), *(tuple(thread) for thread in threads))
