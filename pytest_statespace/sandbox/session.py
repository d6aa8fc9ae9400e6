"""A sandbox: one arena with one forked child in it, which runs paths on command.

This is the real `Engine` of the explorer. Its life: `open` makes the arena, attaches the
bridge, forks, and waits until the child has taken its base snapshot; `run` executes paths;
`close` leaves neither process nor memory behind, whatever happened. A child that died or was
killed stays readable: everything it recorded lies in the arena.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any, NoReturn

from pytest_statespace.errors import InternalError, StatespaceError
from pytest_statespace.runtime.wire import MessageReader
from pytest_statespace.sandbox.arena import Arena, bridge_module
from pytest_statespace.sandbox.process import ChildProcess
from pytest_statespace.sandbox.protocol import GONE, Command, End, NewState, PathResult, Point, RunFlag, Without
from pytest_statespace.sandbox.watchdog import Waited, wait_for_turn
from pytest_statespace.types import EngineStatistics, Schedule

__all__ = ["ChildMain", "Sandbox"]

ChildMain = Callable[[int], NoReturn]  # gets the write end of the message pipe
SETUP_SECONDS = 60.0


class Sandbox:
    """Arena plus child. A context manager."""

    def __init__(
        self,
        arena: Arena,
        child: ChildProcess,
        pipe: int,
        hang_seconds: float | None,
        messages: bool,
    ) -> None:
        self._arena = arena
        self._between = self.drain if messages else None
        self._child = child
        self._pipe = pipe
        self._reader = MessageReader()
        self._hang_seconds = hang_seconds
        self._dead = False
        self._setup_ms = 0.0
        self.died = ""
        """How the child ended if it ended by itself, or was killed by others; else empty."""
        self.messages: list[dict[str, object]] = []

    @classmethod
    def open(
        cls,
        main: ChildMain,
        *,
        mebibytes: int,
        hang_seconds: float | None,
        messages: bool = False,
        started: float | None = None,
        without: Without = Without.NOTHING,
    ) -> Sandbox:
        """Fork a child that runs ``main`` and wait for its base snapshot.

        ``messages``: the child sends messages while paths run (recording mode).
        ``started``: when the set-up began (`time.monotonic`), if something was prepared before.
        Raises StatespaceError with the child's own words if its set-up failed.
        """
        started = monotonic() if started is None else started
        bridge = bridge_module()
        arena = Arena(mebibytes, without)
        try:
            bridge.attach(arena.table_address(), arena.address)
            read_end, write_end = os.pipe()
            pid = bridge.fork()
            if pid == 0:
                with contextlib.suppress(BaseException):
                    os.close(read_end)
                    main(write_end)
                os._exit(70)
        except BaseException:
            arena.destroy()
            raise
        os.close(write_end)
        os.set_blocking(read_end, False)
        sandbox = cls(arena, ChildProcess(pid), read_end, hang_seconds, messages)
        try:
            sandbox._await_base(started)
        except BaseException:
            sandbox.close()
            raise
        return sandbox

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def run(self, command: Command, *, deadline: float | None) -> PathResult:
        """Run one path. After CRASHED, HUNG or TIMEOUT the child is gone."""
        return self._run(command, deadline, None)

    def sample(
        self,
        choose: Callable[[Point], int | None],
        *,
        deadline: float | None,
        flags: RunFlag = RunFlag.NONE,
    ) -> PathResult:
        """Run one execution from the base state, asking ``choose`` at each choice point; None ends it.

        ``flags``: ONCE, EXTRA.
        """
        return self._run(Command(0, 0, RunFlag.ASK | flags), deadline, choose)

    def walk(
        self, schedule: Schedule, choose: Callable[[Point], int | None], *, deadline: float | None
    ) -> PathResult:
        """Run a schedule, and behind it what ``choose`` decides, until that is None; with fingerprints."""
        forced = tuple(choice.index for choice in schedule.choices)
        labels = tuple(choice.label for choice in schedule.choices)
        command = Command(0, 0, RunFlag.ASK | RunFlag.FINGERPRINT, forced, labels)
        return self._run(command, deadline, choose)

    def _run(
        self,
        command: Command,
        deadline: float | None,
        choose: Callable[[Point], int | None] | None,
    ) -> PathResult:
        if self._dead:
            raise InternalError("the child of this sandbox is gone")
        self._arena.send(command)
        passed: list[NewState] = []
        result = self._to_its_end(deadline, choose, passed)
        return result._replace(states=(*passed, *result.states)) if passed else result

    def _to_its_end(
        self, deadline: float | None, choose: Callable[[Point], int | None] | None, passed: list[NewState]
    ) -> PathResult:
        """Wait for it, answering on the way; what was in the record when that was full goes to ``passed``."""
        while (waited := self._wait(deadline)).turn:
            point = self._arena.asked() if choose is not None else None
            if choose is None or point is None:
                result = self._arena.result()
                if result.end is End.FULL:
                    for state in result.states:
                        self._arena.release(state.number)
                        passed.append(state._replace(number=GONE))
                    self._arena.go_on()
                    continue
                if result.end is End.LOST:
                    self.died = result.detail
                    self._end_child()
                return result
            if deadline is not None and monotonic() >= deadline:
                break
            self._arena.answer(choose(point))
        if waited.died is not None:
            self._dead = True
            self.died = waited.died.describe()
            return self._arena.result(End.CRASHED, self.died)
        self._end_child()
        if waited.hung:
            return self._arena.result(
                End.HUNG, f"no choice point for {self._hang_seconds:g} seconds"
            )
        return self._arena.result(End.TIMEOUT, "the time was up")

    def memory(self, state: int, address: int, size: int) -> bytes:
        """Memory of the child as it was in a state, also when the child is gone. Nothing is restored for that."""
        return self._arena.memory(state, address, size)

    def release(self, state: int) -> None:
        """Give a state back."""
        if state != GONE:
            self._arena.release(state)

    def clear_visited(self) -> None:
        """Forget which states were seen."""
        self._arena.clear_visited()

    def endless(self) -> tuple[int, int] | None:
        """States from which no end can be reached, and how many of them time may lead out of; None: unknown."""
        return self._arena.endless()

    @property
    def is_alive(self) -> bool:
        """Can it still run paths?"""
        return not self._dead

    def state_count(self) -> int:
        """Distinct states of the whole search; clearing the visited set does not forget them."""
        return self._arena.distinct_states()

    def statistics(self) -> EngineStatistics:
        """Numbers of the engine, of the set-up, and the greatest memory use so far."""
        return dataclasses.replace(
            self._arena.statistics(),
            setup_ms=self._setup_ms,
            peak_rss_kib=self._peak_rss(),
        )

    def weakened(self) -> tuple[str, ...]:
        """What the test left out of state equality, as reports name it; sorted."""
        return tuple(sorted(bridge_module().weakened()))

    def uncompared(self) -> tuple[int, str]:
        """At how many choice points the state could not be compared with others, and why at the first."""
        return self._arena.uncompared(), bridge_module().uncompared()

    def races(self) -> tuple[list[Any], bool]:
        """The data races found so far, as the bridge notes them, and whether there were more."""
        races: tuple[list[Any], bool] = bridge_module().races()
        return races

    def explained(self) -> list[Any]:
        """The states that were noted, as the bridge notes them."""
        states: list[Any] = bridge_module().explained()
        return states

    def drain(self) -> None:
        """Read the messages that the child has sent so far into `messages`."""
        while True:
            try:
                data = os.read(self._pipe, 1 << 16)
            except BlockingIOError:
                return
            if not data:
                return
            self.messages.extend(self._reader.feed(data))

    def close(self) -> None:
        """End and reap the child, close the pipe, unmap the arena. Twice is fine."""
        self._end_child()
        if self._pipe >= 0:
            os.close(self._pipe)
            self._pipe = -1
        self._arena.destroy()

    def _wait(self, deadline: float | None) -> Waited:
        return wait_for_turn(
            self._arena,
            self._child,
            hang_seconds=self._hang_seconds,
            deadline=deadline,
            between=self._between,
        )

    def _await_base(self, started: float) -> None:
        waited = wait_for_turn(
            self._arena,
            self._child,
            hang_seconds=None,
            deadline=monotonic() + SETUP_SECONDS,
            between=self.drain,
        )
        if waited.turn:
            self._setup_ms = (monotonic() - started) * 1000
            bridge_module().keep_calibration()
            return
        self.drain()
        self._dead = waited.died is not None
        for message in self.messages:
            if "setup_failed" in message:
                why = self._arena.last_error()
                raise StatespaceError(
                    f"the exploration could not be set up: {message['setup_failed']}"
                    + (f" ({why})" if why else "")
                )
        if waited.died is not None:
            raise StatespaceError(
                f"the exploration could not be set up: the child ended with "
                f"{waited.died.describe()}"
            )
        raise StatespaceError(
            f"the exploration could not be set up within {SETUP_SECONDS:g} seconds"
        )

    def _end_child(self) -> None:
        self._dead = True
        self._child.kill()

    def _peak_rss(self) -> int:
        try:
            status = Path(f"/proc/{self._child.pid}/status").read_text(encoding="ascii")
        except (OSError, ValueError):
            return 0
        found = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
        return int(found[1]) if found else 0
