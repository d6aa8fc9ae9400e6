"""What the explorer and the child say to each other, as plain values.

The numbers are those of ``native/engine/engine.h``; ends from 100 on are made by the parent.
Commands, results and states are made for every path and are therefore named tuples: a frozen
dataclass takes five times as long to make.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from pytest_statespace.types import EngineStatistics

__all__ = [
    "GONE",
    "STATE_NONE",
    "Alternative",
    "Command",
    "End",
    "Engine",
    "NewState",
    "PathResult",
    "Point",
    "RunFlag",
    "Without",
]

STATE_NONE = 0xFFFFFFFF
GONE = -1
"""Number of a state that was released when the record of its path was full."""


class RunFlag(enum.IntFlag):
    """How a path is run (``enum ss_run_flags``)."""

    NONE = 0
    SNAPSHOT = 1
    FINGERPRINT = 2
    PRUNE = 4
    KEY_LAST_THREAD = 8
    ASK = 16
    REBUILD = 32
    STOP = 64
    ONCE = 128
    EXTRA = 256
    EAGER = 512


class Without(enum.IntFlag):
    """What checkpoints and restores do without, to measure what it is worth (``enum ss_without``)."""

    NOTHING = 0
    MERGING = 1
    COMPARISON = 2
    PREDICTION = 4


class End(enum.IntEnum):
    """How a path ended (``enum ss_end``, and what only the parent can see)."""

    NONE = 0
    FINISHED = 1
    FAILED = 2
    DEADLOCK = 3
    VISITED = 4
    UNSUPPORTED = 5
    MEMORY = 6
    DIVERGED = 7
    RESTART = 8
    LIMIT = 9
    ERROR = 10
    ASKING = 11  # not an end: the path waits for an answer
    LOST = 12  # a process that the child needs was killed from outside; detail says which
    STOPPED = 13  # as it was told to
    FULL = 14  # not an end: the path waits until its record was read
    CRASHED = 100  # the child died; detail names the signal or exit status
    HUNG = 101  # no choice point for too long; the child was killed
    TIMEOUT = 102  # the budget of the search ran out during the path; the child was killed


class Command(NamedTuple):
    """Restore ``state``, take ``alternative``, then ``forced`` choices, then the defaults.

    ``following`` are further (state, alternative) pairs to run in that order for as long as a
    path comes to a visited state at its first choice point: nothing is to be decided then.
    ``deepest``: an execution with more choice points ends as LIMIT; 0: as many as the record holds.
    """

    state: int
    alternative: int
    flags: RunFlag
    forced: tuple[int, ...] = ()
    labels: tuple[int, ...] = ()
    following: Sequence[tuple[int, int]] = ()
    deepest: int = 0


class NewState(NamedTuple):
    """A choice point that a path recorded.

    ``threads`` are the ordinals of its alternatives (empty for data choices), ``taken`` the
    alternative with which its path went on, ``kept`` tells whether there is a snapshot to
    come back to, ``visited`` that the path ended here because the state was known, ``endless`` that
    no end can be reached from it (known once the whole space is), ``extra`` that there is nothing to choose and
    only a search that reduces stops there. ``visit`` is its place in the visited set, -1 if it can't be recognised;
    ``note`` is for `explore.dependence`.
    """

    number: int
    kind: int
    current: int
    count: int  # type: ignore[assignment]  # hides tuple.count, which nobody wants here
    threads: tuple[int, ...]
    label: int
    preemptions: int
    taken: int = 0
    kept: bool = True
    visited: bool = False
    endless: bool = False
    extra: bool = False
    visit: int = -1
    note: bytes = b""


class Alternative(NamedTuple):
    """A thread that may run next, and its pending operation.

    ``access`` is 0 (none), 1 (read), 2 (write) or 3 (both); ``object`` 0 means unknown; it is a
    number to compare and nothing else. ``part`` 0 is the whole object.
    """

    thread: int
    operation: int
    access: int
    part: int
    object: int

    def conflicts(self, other: Alternative) -> bool:
        """May the order of the two matter? Unknown objects conflict with every access."""
        if not (self.access and other.access) or not (self.access | other.access) & 2:
            return False
        if self.object and other.object and self.object != other.object:
            return False
        return not (self.object and self.part and other.part) or self.part == other.part


class Point(NamedTuple):
    """A choice point at which the explorer is asked; ``alternatives`` is empty for data.

    ``fingerprint`` is empty unless the path computes it.
    """

    kind: int
    current: int
    count: int  # type: ignore[assignment]  # of alternatives; hides tuple.count
    depth: int
    alternatives: tuple[Alternative, ...]
    fingerprint: tuple[int, ...] = ()


class PathResult(NamedTuple):
    """What came of a command: its path, or the last of the ``runs`` paths that it led to.

    The others came to a visited state and to nothing else. ``transitions`` are those of all.
    """

    end: End
    states: tuple[NewState, ...]
    transitions: int
    payload: bytes
    detail: str
    runs: int = 1


class Engine(Protocol):
    """What the explorer needs of a sandbox; tests give it a toy graph instead."""

    def run(self, command: Command, *, deadline: float) -> PathResult:
        """Run one path to its end. ``deadline`` is on the monotonic clock."""
        ...

    def sample(
        self,
        choose: Callable[[Point], int | None],
        *,
        deadline: float,
        flags: RunFlag = RunFlag.NONE,
    ) -> PathResult:
        """Run one execution from the base state; ``choose`` decides at every choice point, None ends it.

        ``flags``: ONCE if no other one is to follow, and it may be long; EXTRA to be asked where there is nothing to
        choose as well.
        """
        ...

    def release(self, state: int) -> None:
        """Give a state back: no path starts from it any more."""
        ...

    def clear_visited(self) -> None:
        """Forget which states were seen."""
        ...

    def state_count(self) -> int:
        """Distinct fingerprints of the whole search."""
        ...

    def statistics(self) -> EngineStatistics:
        """Numbers for the report."""
        ...
