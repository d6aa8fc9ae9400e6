"""Many small programs in one child: each is searched twice, with the visited set and without.

Setting a child up costs as much as hundreds of paths of a small program. So the body that is explored
chooses its program first; that choice point is kept, and every program is an independent search that
starts from one of its alternatives, with an empty visited set. The search is a loop of its own and
shares nothing with `pytest_statespace.explore`.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

from support.search import run_child

from pytest_statespace.explore.assumptions import broken_assumptions
from pytest_statespace.runtime.wire import send
from pytest_statespace.sandbox.arena import bridge_module
from pytest_statespace.sandbox.pinning import pinned
from pytest_statespace.sandbox.protocol import End
from pytest_statespace.sandbox.session import Sandbox
from pytest_statespace.sandbox.watchdog import wait_for_turn

Program = Callable[[], object]

_SNAPSHOT, _FINGERPRINT, _PRUNE = 1, 2, 4
_VISITED = 2  # SS_STATE_VISITED
_HANG_SECONDS = 20.0


@dataclass(slots=True)
class Half:
    """One search of one program: every outcome, and whether that is all of them."""

    outcomes: set[str] = field(default_factory=set)
    executions: int = 0
    states: int = 0
    complete: bool = False


@dataclass(slots=True)
class Compared:
    """What became of one program. `strange`: an end that no search can go on from, in words."""

    merged: Half = field(default_factory=Half)
    exact: Half = field(default_factory=Half)
    strange: str = ""
    promoted: frozenset[str] = frozenset()
    searched: bool = False

    @property
    def lost(self) -> set[str]:
        """Outcomes that some interleaving has and the search with the visited set did not find."""
        return self.exact.outcomes - self.merged.outcomes if self.merged.complete else set()

    @property
    def invented(self) -> set[str]:
        return self.merged.outcomes - self.exact.outcomes if self.exact.complete else set()

    @property
    def was_compared(self) -> bool:
        return self.merged.complete and self.exact.complete and not self.strange


class Ended(Exception):
    """A path from which the search can't go on."""


class _Restart(Exception):
    """The program looked at something that states leave out."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Executions after which a search is given up."""

    merged: int = 300
    exact: int = 300


_LIMITS = Limits()


def compare(
    load: Sequence[Callable[[], Program]],
    *,
    granularity: str = "sync",
    timeouts_any: bool = False,
    limits: Limits = _LIMITS,
    known: Sequence[frozenset[str]] | None = None,
    enough: Callable[[Compared], bool] = lambda one: False,
) -> list[Compared]:
    """Search every program both ways. `load` is called in the child, before the base snapshot.

    If the outcomes without the visited set are `known`, programs are searched with it only. After a
    program that is `enough`, the others are not searched.

    Programs that look at addresses and the like are searched again together, in a child in which
    states contain what they looked at.
    """
    found = [Compared() for _ in load]
    task = _Task(load, granularity, timeouts_any, limits, known, enough)
    waiting = list(range(len(load)))
    promoted: frozenset[str] = frozenset()
    for _ in range(20):
        again: dict[int, str] = {}
        while waiting:
            waiting = _one_child(task, waiting, found, again, promoted)
        if not again:
            return found
        waiting = sorted(again)
        promoted |= {assumption for detail in again.values() for assumption in broken_assumptions(detail)}
    for number in waiting:
        found[number].strange = f"restarted again and again: {sorted(promoted)}"
    return found


@dataclass(frozen=True, slots=True)
class _Task:
    """What `compare` was asked for."""

    load: Sequence[Callable[[], Program]]
    granularity: str
    timeouts_any: bool
    limits: Limits
    known: Sequence[frozenset[str]] | None
    enough: Callable[[Compared], bool]


def _one_child(
    task: _Task,
    numbers: Sequence[int],
    found: list[Compared],
    again: dict[int, str],
    promoted: frozenset[str],
) -> list[int]:
    """Search the programs `numbers` in one child. Those that are left when it dies are returned."""

    def main(pipe: int) -> NoReturn:
        try:
            programs = [task.load[number]() for number in numbers]
            choose = bridge_module().choose

            def chosen() -> object:
                return programs[choose(max(2, len(programs)))]()

            run_child(chosen, task.granularity, task.timeouts_any, promoted)
        except BaseException as error:
            send(pipe, {"setup_failed": f"{type(error).__name__}: {error}"})
        os._exit(71)

    sys.stdout.flush()
    sys.stderr.flush()
    with pinned(), Sandbox.open(main, mebibytes=512, hang_seconds=_HANG_SECONDS) as sandbox:
        paths = Paths(sandbox)
        first, *rest = paths.run(0, 0, _SNAPSHOT)
        for state in rest:
            paths.release(state)
        for position, number in enumerate(numbers):
            one = found[number] = Compared(promoted=promoted, searched=True)
            try:
                one.merged = _search(paths, first, position, _SNAPSHOT | _FINGERPRINT | _PRUNE, task.limits.merged)
                if task.known is not None:
                    one.exact = Half(outcomes=set(task.known[number]))
                else:
                    one.exact = _search(paths, first, position, _SNAPSHOT, task.limits.exact)
            except _Restart as restart:
                again[number] = str(restart)
            except Ended as ended:
                one.strange = str(ended)
            if task.enough(one):
                again.clear()
                return []
            if paths.dead:
                return list(numbers[position + 1 :])
    return []


class Paths:
    """Runs single paths of a sandbox, with as little Python in between as possible."""

    def __init__(self, sandbox: Sandbox) -> None:
        arena: Any = sandbox._arena
        self._sandbox = sandbox
        self._arena = arena
        self.lib, self.native = arena._lib, arena._arena
        self._command, self._result = arena._command, arena._result
        self.end = End.NONE
        self.text = ""
        self.dead = False

    def run(self, state: int, alternative: int, flags: int) -> list[int]:
        """New choice points of the path; `end` and `text` say how it ended."""
        command, result = self._command, self._result
        command.state, command.alternative, command.flags, command.n_forced = state, alternative, flags, 0
        assert self.lib.ss_send(self.native, command) == 0
        if self.lib.ss_wait_result(self.native, 1000) != 0:
            waited = wait_for_turn(
                self._arena, self._sandbox._child, hang_seconds=_HANG_SECONDS, deadline=time.monotonic() + 60
            )
            if not waited.turn:
                self.dead = True
                raise Ended(f"the child {waited.died.describe() if waited.died else 'hangs'}")
        assert self.lib.ss_get_result(self.native, result) == 0
        self.end = End(result.end)
        ffi = self._arena._ffi
        self.text = bytes(ffi.buffer(result.outbox, result.outbox_bytes)).decode() if result.outbox_bytes else ""
        if self.end is End.DEADLOCK:
            self.text = "deadlock"
        elif self.end not in (End.FINISHED, End.FAILED, End.VISITED):
            self.text = ffi.string(result.detail).decode("utf-8", "replace")
        return [result.states[i] for i in range(result.n_states)]

    def release(self, state: int) -> None:
        self.lib.ss_state_release(self.native, state)


def _search(paths: Paths, first: int, alternative: int, flags: int, most: int) -> Half:
    """Depth-first search of what lies behind one alternative of the choice point `first`."""
    half = Half()
    lib, native = paths.lib, paths.native
    lib.ss_visited_clear(native)
    stack: list[list[int]] = []  # state, next alternative, number of alternatives
    state = first
    try:
        while True:
            new = paths.run(state, alternative, flags)
            half.executions += 1
            for number in new:
                info = lib.ss_get_state(native, number)
                if info.flags & _VISITED:
                    paths.release(number)
                else:
                    half.states += 1
                    stack.append([number, 1, info.n])
            if paths.end in (End.FINISHED, End.FAILED, End.DEADLOCK):
                half.outcomes.add(paths.text)
            elif paths.end is End.RESTART:
                raise _Restart(paths.text)
            elif paths.end is not End.VISITED:
                raise Ended(f"{paths.end.name.lower()}: {paths.text}")
            while stack and stack[-1][1] >= stack[-1][2]:
                paths.release(stack.pop()[0])
            if not stack:
                half.complete = True
                return half
            if half.executions >= most:
                return half
            state, alternative, _ = stack[-1]
            stack[-1][1] += 1
    finally:
        while stack and not paths.dead:
            paths.release(stack.pop()[0])
