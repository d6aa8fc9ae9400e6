"""One test from its first execution to its result: search, restarts, and the recorded replay.

The search may find that one of its assumptions does not hold (a global that was taken for
constant is rebound after all). It is then done again from the start in a fresh child without
that assumption; the numbers that are reported are those of the last search.

A failure is run once more in recording mode, in another child, to make its report. If that
replay goes another way, the failure stands (it was seen), and the result says loudly that it
could not be reproduced. Then it is decided whether this interpreter could have run into it
(`reachability`), by one more search if need be. A test without a failure pays for none of this.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

import pytest

from pytest_statespace.errors import InternalError, StatespaceError, UnsupportedOperation
from pytest_statespace.explore.budget import Budget
from pytest_statespace.explore.explaining import compare_states
from pytest_statespace.explore.explorer import Explorer, Found, Search, SearchEnd
from pytest_statespace.explore.livelock import look_for_livelock
from pytest_statespace.explore.minimise import minimise
from pytest_statespace.explore.races import name_races
from pytest_statespace.explore.reachability import SECONDS, Reachability, decide
from pytest_statespace.explore.state_graph import GraphRecorder
from pytest_statespace.explore.strategies import StrategyRegistry
from pytest_statespace.explore.strategies.base import Learner
from pytest_statespace.explore.twin import find_twin
from pytest_statespace.explore.verdict import conclude
from pytest_statespace.runtime import child as child_side
from pytest_statespace.runtime import context
from pytest_statespace.sandbox.arena import bridge_module
from pytest_statespace.sandbox.pinning import pinned
from pytest_statespace.sandbox.recording import Recorded, record
from pytest_statespace.sandbox.session import Sandbox
from pytest_statespace.settings import Settings
from pytest_statespace.types import (
    ExplorationResult,
    Failure,
    FailureKind,
    ProgressSnapshot,
    Schedule,
)

__all__ = ["Exploration", "explore", "replay"]

_MOST_RESTARTS = 200
_MUTE = (FailureKind.CRASH, FailureKind.HANG, FailureKind.LIVELOCK)
_REPLAY_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Exploration:
    """A test's result, and the settings it ended up with (``promoted`` may have grown).

    ``result`` is None if the test skipped itself or stopped pytest; ``search.payload`` tells.
    """

    search: Search
    settings: Settings
    result: ExplorationResult | None


def explore(
    item: pytest.Function,
    settings: Settings,
    *,
    registry: StrategyRegistry,
    slot: int | None = None,
    progress: Callable[[ProgressSnapshot], None] | None = None,
    note_graph: bool = False,
) -> Exploration:
    """Explore one test whose fixtures are set up. ``note_graph``: `Search.graph` is wanted.

    Raises StatespaceError if the exploration can't be set up.
    """
    refuse_nesting()
    supported, reason = bridge_module().supported()
    notes: list[str] = []
    if not supported:
        notes.append(f"states can't be compared on this interpreter ({reason}): none are merged")
    unknown = sorted(name for name, known in bridge_module().layouts().items() if not known)
    if unknown:
        notes.append(
            f"compared by raw memory, because this interpreter lays them out unlike others: {', '.join(unknown)}"
        )
        item.warn(pytest.PytestWarning(f"{notes[-1]}; fewer states are recognised as equal"))
    with pinned(slot):
        search, now = _until_assumptions_hold(
            item, settings, registry, supported, progress, note_graph=note_graph
        )
        given_up = now.promoted[len(settings.promoted) :]
        if given_up:
            notes.append(
                "searched again without these assumptions, which did not hold: "
                + ", ".join(_assumption(detail) for detail in given_up)
            )
        if search.end in (SearchEnd.SKIPPED, SearchEnd.STOPPED):
            return Exploration(search, now, None)
        failures: list[Failure] = []
        if search.found is not None:
            if search.died_later:
                notes.append(
                    f"the child ended ({search.died_later}) while other executions were compared with the failing one: "
                    "one of them crashes, or it was killed from outside"
                )
            failure = _failure(item, now, registry, search.found, notes)
            failures.append(dataclasses.replace(failure, twin=search.twin))
    result = conclude(
        search, nodeid=item.nodeid, settings=now, failures=failures, notes=tuple(notes)
    )
    if settings.explain_state:
        alike, differences = compare_states(search.noted)
        result = dataclasses.replace(result, alike=alike, differences=differences)
    return Exploration(search, now, result)


def replay(
    item: pytest.Function,
    settings: Settings,
    schedule: Schedule,
    *,
    interactive: bool = False,
    watched: bool = True,
    stop: bool = False,
) -> Recorded:
    """Run one schedule in recording mode. ``watched`` false: a debugger may take its time.

    ``stop``: nothing is run behind the schedule, as that of a livelock would never end.
    """
    refuse_nesting()
    task = child_side.with_tables(_task(item, settings, fingerprint=False))
    bridge = bridge_module()

    def main(pipe: int, crash_file: int) -> NoReturn:
        child_side.run(
            dataclasses.replace(
                task, recording=True, interactive=interactive, crash_file=crash_file
            ),
            bridge,
            pipe,
        )

    return record(
        schedule,
        main,
        hang_seconds=settings.hang_seconds if watched else None,
        deadline=time.monotonic() + _REPLAY_SECONDS if watched else None,
        stop=stop,
    )


def _assumption(detail: str) -> str:
    """What a restart's detail says was assumed: "global LIMIT", "observe addresses"."""
    looked_at = detail.removeprefix("observe ")
    return f"{detail} is never rebound" if looked_at == detail else f"{looked_at} are not looked at"


def refuse_nesting() -> None:
    """Raise UnsupportedOperation inside a process that is being explored itself."""
    if context.in_child():
        raise UnsupportedOperation(
            "an exploration inside an explored test",
            remedy="leave the outer test out of --statespace, or run pytest in a subprocess "
            "from a test that is not explored",
        )


def _until_assumptions_hold(
    item: pytest.Function,
    settings: Settings,
    registry: StrategyRegistry,
    fingerprint: bool,
    progress: Callable[[ProgressSnapshot], None] | None = None,
    wanted: Callable[[Found], bool] | None = None,
    note_graph: bool = False,
) -> tuple[Search, Settings]:
    """The last of the searches, and its settings: ``promoted`` may have grown."""
    started = time.monotonic()
    promoted = list(settings.promoted)
    for _ in range(_MOST_RESTARTS):
        now = dataclasses.replace(settings, promoted=tuple(promoted))
        search = _search(item, now, registry, started, fingerprint, progress, wanted, note_graph)
        if search.end is not SearchEnd.RESTART:
            return search, now
        if not search.detail or search.detail in promoted:
            raise InternalError(f"the search restarts for ever because of {search.detail!r}")
        promoted.append(search.detail)
    raise InternalError(f"more than {_MOST_RESTARTS} restarts of one search")


def _search(
    item: pytest.Function,
    settings: Settings,
    registry: StrategyRegistry,
    started: float,
    fingerprint: bool,
    progress: Callable[[ProgressSnapshot], None] | None,
    wanted: Callable[[Found], bool] | None,
    note_graph: bool,
) -> Search:
    before = time.monotonic()
    strategy = registry.create(settings)
    reduces = isinstance(strategy, Learner)
    task = child_side.with_tables(_task(item, settings, fingerprint=fingerprint, footprints=reduces))
    bridge = bridge_module()

    def main(pipe: int) -> NoReturn:
        child_side.run(task, bridge, pipe)

    graph = GraphRecorder() if note_graph else None
    budget = Budget(
        clock=time.monotonic,
        started=started,
        timeout=settings.timeout,
        max_states=settings.max_states,
        max_executions=settings.max_executions,
    )
    with Sandbox.open(
        main, mebibytes=settings.max_memory, hang_seconds=settings.hang_seconds, started=before
    ) as sandbox:
        explorer = Explorer(
            sandbox,
            strategy,
            budget,
            nodeid=item.nodeid,
            compare_states=fingerprint,
            progress=progress,
            wanted=wanted,
            graph=graph,
        )
        search = explorer.run()
        search.weakened = sandbox.weakened()
        if wanted is None:
            look_for_livelock(search, sandbox, lambda: registry.create(settings), budget)
        raced, search.more_races = sandbox.races()
        search.races = name_races(raced, str(item.config.rootpath))
        if settings.explain_state:
            search.noted = sandbox.explained()
        if search.end is SearchEnd.FAILED and wanted is None and not reduces:  # its points are not those of schedules
            # Last, so that these executions count nowhere.
            minimise(search, sandbox, budget.deadline)
            if search.found is not None and search.found.kind not in _MUTE and sandbox.is_alive:
                search.twin = find_twin(search.found.schedule, sandbox, budget.deadline)
        if graph is not None:
            found = search.found
            late = found is not None and bool(search.found_by or search.minimised_from is not None)
            if found is not None and late and sandbox.is_alive and not reduces:
                graph.run(found.schedule, sandbox, budget.deadline)
            search.graph = graph.finish(found.kind, found.schedule) if found is not None else graph.finish()
        if search.found is not None and search.found.kind is not FailureKind.CRASH:
            search.died_later = sandbox.died
        return search


def _task(
    item: pytest.Function, settings: Settings, *, fingerprint: bool, footprints: bool = False
) -> child_side.Task:
    return child_side.Task(
        item=item,
        settings=settings,
        roots=(str(item.config.rootpath),),
        fingerprint=fingerprint,
        footprints=footprints,
    )


def _reachability(
    item: pytest.Function,
    settings: Settings,
    registry: StrategyRegistry,
    found: Found,
    switches_possible: bool | None,
) -> Reachability:
    supported, _ = bridge_module().supported()

    def search(wanted: Callable[[Found], bool]) -> Search:
        under_gil = dataclasses.replace(
            settings,
            granularity="gil",
            strategy="dfs",  # one pass: most of these searches end without a failure
            preemptions=None,
            timeout=SECONDS,
            max_states=None,
            max_executions=None,
            explain_state=False,
            races="off",
        )
        return _until_assumptions_hold(item, under_gil, registry, supported, wanted=wanted)[0]

    try:
        return decide(
            found,
            granularity=settings.granularity,
            switches_possible=switches_possible,
            search=search,
        )
    except StatespaceError as error:
        return Reachability(None, f"the search at granularity gil failed: {error}")


def _failure(
    item: pytest.Function,
    settings: Settings,
    registry: StrategyRegistry,
    found: Found,
    notes: list[str],
) -> Failure:
    failure = Failure(
        kind=found.kind,
        message=found.message,
        schedule=found.schedule,
        report=None,
        executions=found.executions,
        transitions=found.transitions,
        seconds=found.seconds,
        length=found.length,
    )
    if found.kind is FailureKind.LIVELOCK and not found.schedule.choices:
        return failure
    try:
        recorded = replay(item, settings, found.schedule, stop=found.kind is FailureKind.LIVELOCK)
    except StatespaceError as error:
        notes.append(f"the schedule could not be reproduced: {error}")
        return failure
    report = recorded.report
    reproduced = not report.diverged and report.kind is found.kind
    known = reproduced and settings.granularity == "access"
    reachability = _reachability(
        item, settings, registry, found, recorded.switches_possible if known else None
    )
    failure = dataclasses.replace(
        failure, gil_reachable=reachability.reachable, gil_reason=reachability.reason
    )
    if not reproduced:
        what = report.diverged or (
            f"{report.kind.value}: {report.message}" if report.kind else "the replay passed"
        )
        notes.append(f"the schedule could not be reproduced: {what}")
        report = dataclasses.replace(report, diverged=what)
    told = report.kind is found.kind and found.kind not in _MUTE
    message = report.message if told and report.message else found.message
    if not told:  # a crash, hang or livelock can't speak for itself: the parent knows more
        report = dataclasses.replace(report, message=message)
    return dataclasses.replace(failure, report=report, message=message)
