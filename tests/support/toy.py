"""A toy engine: small programs over shared variables, explored through the real protocol.

It implements `Engine` without processes or memory images, and refuses everything that the
real engine would not survive: commands from states that were released, double releases,
alternatives that do not exist.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

from pytest_statespace.runtime.wire import pack
from pytest_statespace.sandbox.protocol import (
    Alternative,
    Command,
    End,
    NewState,
    PathResult,
    Point,
    RunFlag,
)
from pytest_statespace.types import EngineStatistics

# An operation: ("add", variable, amount), ("copy", register, variable), ("put", variable,
# register), ("lock", variable), ("unlock", variable), ("spin", variable), ("assert", variable,
# value), ("choose", register, alternatives).
Operation = tuple[object, ...]
Program = tuple[tuple[Operation, ...], ...]


@dataclass(frozen=True)
class World:
    """One state: where every thread is, the variables, and the threads' registers."""

    at: tuple[int, ...]
    variables: tuple[tuple[str, int], ...]

    def get(self, name: object) -> int:
        return dict(self.variables).get(str(name), 0)

    def set(self, name: object, value: int) -> World:
        variables = dict(self.variables)
        variables[str(name)] = value
        return World(self.at, tuple(sorted(variables.items())))


def start(program: Program) -> World:
    return World((0,) * len(program), ())


def enabled(program: Program, world: World) -> list[int]:
    threads = []
    for thread, code in enumerate(program):
        at = world.at[thread]
        if at < len(code) and not (code[at][0] == "lock" and world.get(code[at][1])):
            threads.append(thread)
    return threads


def alternatives_of(program: Program, world: World, thread: int) -> int:
    """How many outcomes the thread's next operation has: more than one for a choose."""
    operation = program[thread][world.at[thread]]
    return int(str(operation[2])) if operation[0] == "choose" else 1


def step(program: Program, world: World, thread: int, value: int = 0) -> World | None:
    """The world after the thread's next operation; None: its assertion failed."""
    operation = program[thread][world.at[thread]]
    moved = list(world.at)
    moved[thread] += 1
    after = World(tuple(moved), world.variables)
    name = operation[1]
    register = f"r{thread}.{name}"
    match operation[0]:
        case "add":
            return after.set(name, world.get(name) + int(str(operation[2])))
        case "copy":
            return after.set(f"r{thread}.{operation[1]}", world.get(operation[2]))
        case "put":
            return after.set(name, world.get(f"r{thread}.{operation[2]}") + 1)
        case "lock":
            return after.set(name, 1)
        case "unlock":
            return after.set(name, 0)
        case "spin":
            return after if world.get(name) else world
        case "choose":
            return after.set(register, value)
        case "assert":
            return after if world.get(name) == operation[2] else None
        case other:
            raise ValueError(other)


def finished(program: Program, world: World) -> bool:
    return all(at == len(code) for at, code in zip(world.at, program, strict=True))


def terminals(program: Program) -> set[tuple[str, World]]:
    """Every way the program can end, by plain reachability: the oracle."""
    seen = {start(program)}
    todo = list(seen)
    ends: set[tuple[str, World]] = set()
    while todo:
        world = todo.pop()
        threads = enabled(program, world)
        if finished(program, world):
            ends.add(("finished", world))
        elif not threads:
            ends.add(("deadlock", world))
        for thread in threads:
            for value in range(alternatives_of(program, world, thread)):
                after = step(program, world, thread, value)
                if after is None:
                    ends.add(("failed", world))
                elif after not in seen:
                    seen.add(after)
                    todo.append(after)
    return ends


def terminals_within(program: Program, bound: int) -> set[tuple[str, World]]:
    """Every end that needs at most so many preemptions, without any visited set of states alone."""
    ends: set[tuple[str, World]] = set()
    seen: set[tuple[World, int, int]] = set()
    todo = [(start(program), 0, 0)]
    while todo:
        world, current, used = todo.pop()
        if (world, current, used) in seen:
            continue
        seen.add((world, current, used))
        threads = enabled(program, world)
        if not threads:
            ends.add(("finished" if finished(program, world) else "deadlock", world))
        for thread in threads:
            cost = used + (current in threads and thread != current)
            for value in range(alternatives_of(program, world, thread)):
                after = step(program, world, thread, value)
                if cost <= bound and after is not None:
                    todo.append((after, thread, cost))
    return ends


def fewest_preemptions(program: Program) -> int | None:
    """Fewest preemptions with which the program can fail or deadlock; None: it can't."""
    layer = {(start(program), 0)}
    seen: set[tuple[World, int]] = set()
    preemptions = 0
    while layer:
        todo = list(layer)
        layer = set()
        while todo:
            world, current = todo.pop()
            if (world, current) in seen:
                continue
            seen.add((world, current))
            threads = enabled(program, world)
            if not threads and not finished(program, world):
                return preemptions
            for thread in threads:
                target = layer if current in threads and thread != current else None
                for value in range(alternatives_of(program, world, thread)):
                    after = step(program, world, thread, value)
                    if after is None:
                        if target is None:
                            return preemptions
                        target.add((world, thread))
                    elif target is None:
                        todo.append((after, thread))
                    else:
                        target.add((after, thread))
                        # a failing step after a preemption is found in the next layer
        preemptions += 1
    return None


@dataclass
class _Kept:
    world: World
    current: int
    kind: int
    threads: tuple[int, ...]
    count: int
    preemptions: int
    pending: int  # thread whose choose() is being decided, for data choices


class _Full(Exception):
    """No room for another snapshot."""


class ToyEngine:
    """Runs paths of a program. ``ended`` collects (end, world) of every path that ended.

    ``memory``: how many snapshots there is room for, that of the base state included.
    """

    def __init__(self, program: Program, *, limit: int = 40, memory: int | None = None) -> None:
        self.memory = memory
        self.program = program
        self.kept: dict[int, _Kept] = {
            0: _Kept(start(program), 0, 0, (), 1, 0, -1)
        }
        self.numbers = count(1)
        self.visited: dict[object, int] = {}
        self.distinct: set[World] = set()
        self.ended: list[tuple[str, World]] = []
        self.limit = limit
        self.most_kept = 0
        self.released = 0
        self.commands = 0
        self.unkept: set[int] = set()  # recorded without a snapshot
        self.visits: dict[object, int] = {}  # places of states in the visited set
        self._choose: Callable[[Point], int | None] = lambda point: 0

    def clear_visited(self) -> None:
        self.visited.clear()

    def state_count(self) -> int:
        return len(self.distinct)

    def statistics(self) -> EngineStatistics:
        return EngineStatistics(tracker="toy")

    def release(self, state: int) -> None:
        assert state != 0, "the base state was released"
        if state in self.unkept:
            self.unkept.remove(state)
            return
        del self.kept[state]
        self.released += 1

    def sample(
        self, choose: Callable[[Point], int | None], *, deadline: float, flags: RunFlag = RunFlag.NONE
    ) -> PathResult:
        self._choose = choose
        return self.run(Command(0, 0, RunFlag.ASK | flags), deadline=deadline)

    def run(self, command: Command, *, deadline: float) -> PathResult:
        self.commands += 1
        result = self._path(command)
        transitions = result.transitions
        for runs, (state, alternative) in enumerate(command.following, start=2):
            if result.end is not End.VISITED or not all(state.visited for state in result.states):
                break
            self.unkept -= {known.number for known in result.states}  # nobody is told of them
            result = self._path(command._replace(state=state, alternative=alternative, forced=()))
            transitions += result.transitions
            result = result._replace(runs=runs, transitions=transitions)
        return result

    def _path(self, command: Command) -> PathResult:
        kept = self.kept[command.state]
        assert command.alternative < kept.count, "no such alternative"
        new: list[NewState] = []
        forced = list(command.forced)
        self.executed = 0
        try:
            return self._run(command, kept, new, forced)
        except _Full:
            # The step to the choice point that could not be kept counts, as in the real engine.
            return PathResult(End.MEMORY, tuple(new), self.executed, b"", "full")

    def _run(
        self, command: Command, kept: _Kept, new: list[NewState], forced: list[int]
    ) -> PathResult:
        transitions = 0
        world, current, preemptions = kept.world, kept.current, kept.preemptions
        kind, threads, pending = kept.kind, kept.threads, kept.pending
        taken = command.alternative
        while True:
            value = 0
            if kind == 1:
                preemptions += taken != 0 and threads[0] == current
                thread = threads[taken]
            elif kind == 2:
                thread, value = pending, taken
            else:
                options = self._order(world, current)
                if not options:
                    return self._end(world, new, transitions)
                thread = -1 if len(options) > 1 else options[0]
            if thread >= 0:
                current = thread
                many = alternatives_of(self.program, world, thread)
                if many > 1 and kind != 2:
                    kind, threads, pending = 2, (), thread
                    picked = self._record(
                        command, new, forced, world, current, 2, (), many, preemptions, thread
                    )
                    if picked is None:
                        return PathResult(End.VISITED, tuple(new), transitions, b"", "")
                    taken = picked
                    continue
                after = step(self.program, world, thread, value)
                transitions += 1
                self.executed = transitions
                if after is None:
                    self.ended.append(("failed", world))
                    payload = pack({"kind": "assertion", "type": "AssertionError", "message": "no"})
                    return PathResult(End.FAILED, tuple(new), transitions, payload, "")
                world = after
                if transitions > self.limit:
                    return PathResult(End.LIMIT, tuple(new), transitions, b"", "")
            options = self._order(world, current)
            if len(options) > 1 or (options and command.flags & RunFlag.EXTRA):
                picked = self._record(
                    command,
                    new,
                    forced,
                    world,
                    current,
                    1,
                    tuple(options),
                    len(options),
                    preemptions,
                    -1,
                )
                if picked is None:
                    return PathResult(End.VISITED, tuple(new), transitions, b"", "")
                kind, threads, taken = 1, tuple(options), picked
            else:
                kind, threads, taken = 0, (), 0
                if not options:
                    return self._end(world, new, transitions)

    def _order(self, world: World, current: int) -> list[int]:
        threads = enabled(self.program, world)
        if current in threads:
            threads.remove(current)
            threads.insert(0, current)
        return threads

    def _record(
        self,
        command: Command,
        new: list[NewState],
        forced: list[int],
        world: World,
        current: int,
        kind: int,
        threads: tuple[int, ...],
        many: int,
        preemptions: int,
        pending: int,
    ) -> int | None:
        key: object = (world, kind, pending)
        flags = command.flags
        if flags & RunFlag.ONCE:
            flags &= ~RunFlag.SNAPSHOT
        if flags & RunFlag.REBUILD and len(forced) > 1:
            flags &= ~(RunFlag.SNAPSHOT | RunFlag.FINGERPRINT | RunFlag.PRUNE)
        if flags & RunFlag.SNAPSHOT and self.memory is not None and len(self.kept) >= self.memory:
            raise _Full
        if flags & RunFlag.KEY_LAST_THREAD:
            key = (key, current)
        label = hash((world, kind)) & 0xFFFF
        if command.labels and forced:
            assert command.labels[-len(forced)] == label, "another choice point than the first time"
        if flags & RunFlag.PRUNE:
            known = self.visited.get(key)
            bounded = bool(flags & RunFlag.KEY_LAST_THREAD)
            if known is not None and (not bounded or known <= preemptions):
                if not forced:
                    number = next(self.numbers)
                    self.unkept.add(number)
                    shape = (number, kind, current, many, threads, label, preemptions)
                    visit = self._visit((world, kind, pending))
                    new.append(NewState(*shape, kept=False, visited=True, visit=visit))
                    return None
            else:
                assert not (forced and flags & RunFlag.REBUILD), "another state than the first time"
                self.visited[key] = preemptions
        if flags & RunFlag.FINGERPRINT:
            self.distinct.add(world)
        number = next(self.numbers)
        if flags & RunFlag.SNAPSHOT:
            self.kept[number] = _Kept(world, current, kind, threads, many, preemptions, pending)
            self.most_kept = max(self.most_kept, len(self.kept))
        else:
            self.unkept.add(number)
        taken = forced.pop(0) if forced else 0
        if command.flags & RunFlag.ASK:
            depth = len(new) + 1
            answer = self._choose(Point(kind, current, many, depth, self._pending(world, threads)))
            if answer is None:
                return None
            assert 0 <= answer < many
            taken = answer
        new.append(
            NewState(
                number=number,
                kind=kind,
                current=current,
                count=many,
                threads=threads,
                label=label,
                preemptions=preemptions,
                taken=taken,
                kept=bool(flags & RunFlag.SNAPSHOT),
                visit=self._visit((world, kind, pending)) if flags & RunFlag.FINGERPRINT else -1,
                extra=many == 1,
            )
        )
        return taken

    def _visit(self, key: object) -> int:
        return self.visits.setdefault(key, len(self.visits))

    def _pending(self, world: World, threads: tuple[int, ...]) -> tuple[Alternative, ...]:
        found = []
        for thread in threads:
            operation = self.program[thread][world.at[thread]]
            name = str(operation[2] if operation[0] == "copy" else operation[1])
            access = {"copy": 1, "spin": 1, "choose": 0, "assert": 1}.get(str(operation[0]), 3)
            found.append(Alternative(thread, 0, access, 0, ord(name[0])))
        return tuple(found)

    def _end(self, world: World, new: list[NewState], transitions: int) -> PathResult:
        if finished(self.program, world):
            self.ended.append(("finished", world))
            payload = pack({"kind": "finished", "outcomes": [repr(world.variables)]})
            return PathResult(End.FINISHED, tuple(new), transitions, payload, "")
        self.ended.append(("deadlock", world))
        return PathResult(End.DEADLOCK, tuple(new), transitions, b"", "everybody waits")
