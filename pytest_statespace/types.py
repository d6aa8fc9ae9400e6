"""Plain values that the layers exchange: schedules, steps, failures and results.

Everything here is a frozen dataclass or an enum of plain types, so that it can be
written to JSON and msgpack and sent over a pipe without further thought.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

__all__ = [
    "Choice",
    "ChoiceKind",
    "DataRace",
    "EngineStatistics",
    "ExplorationResult",
    "Failure",
    "FailureKind",
    "PassingTwin",
    "ProgressSnapshot",
    "Report",
    "Schedule",
    "StateDifference",
    "StateEdge",
    "StateGraph",
    "Step",
    "Verdict",
    "WaitingThread",
]


class Verdict(enum.StrEnum):
    """What an exploration says about a test (DESIGN: never ``verified`` when it is not so)."""

    FAILED = "failed"
    VERIFIED = "verified"
    INCOMPLETE = "incomplete"
    UNSUPPORTED = "unsupported"


class FailureKind(enum.StrEnum):
    """How an execution went wrong."""

    ASSERTION = "assertion"
    EXCEPTION = "exception"
    DEADLOCK = "deadlock"
    CRASH = "crash"
    HANG = "hang"
    LIVELOCK = "livelock"


class ChoiceKind(enum.IntEnum):
    """Why there was a choice; the numbers are those of the engine's ``ss_choice_kind``."""

    BEGIN = 0
    THREAD = 1
    DATA = 2
    TIMEOUT = 3


@dataclass(frozen=True, slots=True)
class Choice:
    """One choice of a schedule.

    ``index`` is the alternative taken out of ``alternatives`` many, ``label`` a 64-bit hash of
    thread, operation and source position with which a replay detects divergence (0: unknown),
    ``thread`` the ordinal of the thread that ran next (-1 for a data choice).
    """

    kind: ChoiceKind
    index: int
    alternatives: int
    thread: int
    label: int


@dataclass(frozen=True, slots=True)
class Schedule:
    """The choices of one execution in order: enough to run it again."""

    choices: tuple[Choice, ...] = ()
    preemptions: int = 0

    def __len__(self) -> int:
        return len(self.choices)


@dataclass(frozen=True, slots=True)
class Step:
    """One visible step of a recorded execution: a row of the timeline.

    ``thread`` is the thread's ordinal, ``operation`` a name such as ``acquire`` or ``access``,
    ``target`` what it acts on as the user would write it (``Counter.value``, ``lock``),
    ``source`` the stripped source line, ``value`` the short repr of what was read or written,
    ``switch`` true when another thread ran before this step, ``preemption`` when that thread
    could have gone on.
    """

    thread: int
    operation: str
    target: str
    access: str  # "", "read", "write", "read-write"
    file: str
    line: int
    function: str
    source: str
    value: str = ""
    outcome: str = "done"  # done, blocked, timed out
    switch: bool = False
    preemption: bool = False


@dataclass(frozen=True, slots=True)
class WaitingThread:
    """A thread that can't go on, for deadlock reports. ``holder`` is a thread's ordinal or -1."""

    thread: int
    name: str
    operation: str
    target: str
    file: str
    line: int
    function: str
    source: str
    holder: int = -1


@dataclass(frozen=True, slots=True)
class Report:
    """What a recorded replay of one schedule brought home (made in the child, sent over a pipe).

    ``longrepr`` is pytest's rendering of the original traceback with rewritten assertions,
    ``sections`` pairs of title and captured text of that execution alone, ``threads`` the names
    by ordinal.
    """

    kind: FailureKind | None  # None: this schedule passes
    message: str
    exception_type: str
    longrepr: str
    sections: tuple[tuple[str, str], ...]
    threads: tuple[str, ...]
    steps: tuple[Step, ...]
    waiting: tuple[WaitingThread, ...] = ()
    schedule: Schedule = field(default_factory=Schedule)
    choice_steps: tuple[int, ...] = ()  # for each choice of the schedule: how many steps came before it
    diverged: str = ""  # where and how the replay left the schedule, "" if it did not


@dataclass(frozen=True, slots=True)
class PassingTwin:
    """An execution that passes and is the same as a failing one up to one choice.

    ``choice`` is the position of that choice in the failing schedule, ``thread`` the ordinal of
    the thread that runs there instead.
    """

    choice: int
    thread: int


@dataclass(frozen=True, slots=True)
class Failure:
    """A counterexample: the schedule, what it does, and where the search met it."""

    kind: FailureKind
    message: str
    schedule: Schedule
    report: Report | None
    executions: int  # when it was first met
    transitions: int
    seconds: float
    length: int  # transitions of the failing execution itself
    fewest: bool = False  # were all schedules with fewer preemptions searched?
    gil_reachable: bool | None = None  # by this interpreter with its GIL; None: not determined
    twin: PassingTwin | None = None  # None: none was found, or not looked for
    gil_reason: str = ""  # why it was not determined, or "over another schedule"
    token: str = ""
    file: str = ""
    example: str = ""  # the inputs that Hypothesis drew, as `given` names them; "": the test has none


@dataclass(frozen=True, slots=True)
class DataRace:
    """Two accesses to one place, at least one a write, that nothing orders.

    ``location`` is named as in `Step.target`, ``accesses`` are texts such as
    ``bank.py:12 write``.
    """

    location: str
    accesses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StateDifference:
    """Something in which states differ whose threads stand at the same places.

    ``path`` says where it is (``thread 1, work(): counter.hits``), ``pairs`` in how many pairs of
    such states it differs, ``first`` and ``second`` show the two values in one pair.
    """

    path: str
    pairs: int
    first: str
    second: str


@dataclass(frozen=True, slots=True)
class StateEdge:
    """What was chosen in the state ``source`` (``thread 1``), and where that led: to a state, or below 0 to an end."""

    source: int
    target: int
    choice: str


@dataclass(frozen=True, slots=True)
class StateGraph:
    """The states that a search met, numbered from 0 (before the first choice) in the order in which it met them.

    ``ends`` are the ways to end: ``ends[0]`` is the target -1 of edges, ``ends[1]`` -2. ``path`` is the failing
    execution: positions in ``edges``, and the position of the schedule's choice made there (-1: there was none).
    ``unrecognised`` states were reached anew each time. ``complete``: nothing was left out when it was noted.
    """

    states: int
    edges: tuple[StateEdge, ...]
    ends: tuple[str, ...]
    path: tuple[tuple[int, int], ...] = ()
    unrecognised: frozenset[int] = frozenset()
    complete: bool = True


@dataclass(frozen=True, slots=True)
class EngineStatistics:
    """Numbers of the snapshot engine for one test; times in microseconds per operation."""

    tracker: str = ""
    tracker_reason: str = ""
    threads: int = 0
    tracked_pages: int = 0
    snapshots: int = 0
    restores: int = 0
    dirty_pages: int = 0
    stored_pages: int = 0
    stored_bytes: int = 0
    packed_pages: int = 0  # so often one was packed for want of memory
    naive_bytes: int = 0
    peak_rss_kib: int = 0
    setup_ms: float = 0.0
    us_checkpoint: float = 0.0
    us_fingerprint: float = 0.0
    us_restore: float = 0.0


@dataclass(frozen=True, slots=True)
class ExplorationResult:
    """Everything an exploration of one test found out; the source of report and JSON."""

    nodeid: str
    verdict: Verdict
    reason: str
    granularity: str
    strategy: str
    preemption_bound: int | None  # the bound up to which the space was covered; None: no bound
    timeouts: str
    executions: int
    transitions: int
    states: int
    seconds: float
    outcomes: tuple[tuple[str, int], ...] = ()
    races: tuple[DataRace, ...] = ()
    failures: tuple[Failure, ...] = ()
    notes: tuple[str, ...] = ()
    differences: tuple[StateDifference, ...] = ()  # of --statespace-explain-state, most frequent first
    alike: int = 0  # pairs of states that were compared for it
    weakened: tuple[str, ...] = ()  # what was left out of state equality: "ignore(Counter.hits)"
    reductions: tuple[str, ...] = ()  # by which the strategy left out executions that make no difference: "dpor"
    engine: EngineStatistics = field(default_factory=EngineStatistics)


@dataclass(frozen=True, slots=True)
class ProgressSnapshot:
    """Where a running search is: what the progress line on a terminal shows."""

    nodeid: str
    bound: int | None  # preemption bound of the present round; None: no bound
    executions: int
    transitions: int
    states: int
    pending: int  # choice points with alternatives that were not run yet
    seconds: float
    depth: int = 0  # choice points of the present path
    remaining: float | None = None  # estimated share of the present round that is still to be run; None: unknown
