"""One test from its first execution to its result: search, and the recorded replay.

A failure is run once more in recording mode, in another child, to make its report. If that
replay goes another way, the failure stands (it was seen), and the result says loudly that it
could not be reproduced. Then it is decided whether this interpreter could have run into it
(`reachability`), by one more search if need be. A test without a failure pays for none of this.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import NoReturn

import pytest

from pytest_statespace.errors import StatespaceError, UnsupportedOperation
from pytest_statespace.explore.assumptions import told
from pytest_statespace.explore.explaining import compare_states
from pytest_statespace.explore.explorer import Found, Search, SearchEnd
from pytest_statespace.explore.reachability import EXECUTIONS, SECONDS, Reachability, decide
from pytest_statespace.explore.searching import MUTE, Searching, task_of
from pytest_statespace.explore.strategies import StrategyRegistry
from pytest_statespace.explore.verdict import conclude
from pytest_statespace.runtime import capture, context
from pytest_statespace.runtime import child as child_side
from pytest_statespace.runtime.access import UnderTest
from pytest_statespace.runtime.roots import roots_of
from pytest_statespace.runtime.teardowns import other_threads, unexplored_teardowns
from pytest_statespace.sandbox.arena import bridge_module
from pytest_statespace.sandbox.pinning import pinned
from pytest_statespace.sandbox.recording import Recorded, record
from pytest_statespace.settings import Settings
from pytest_statespace.types import (
    ExplorationResult,
    Failure,
    FailureKind,
    ProgressSnapshot,
    Schedule,
    Verdict,
)

__all__ = ["Exploration", "explore", "replay"]

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
    brief: bool = False,
) -> Exploration:
    """Explore one test whose fixtures are set up. ``note_graph``: `Search.graph` is wanted. ``brief``: a failure needs
    no report.

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
    if names := other_threads():
        notes.append(f"threads that are not explored, for the test has not started them: {', '.join(names)}")
    with pinned(slot):
        searching = Searching(item, settings, registry, supported, progress, note_graph=note_graph, brief=brief)
        search = searching.run()
        now = searching.settings
        given_up = now.promoted[len(settings.promoted) :]
        if given_up:
            here = f"{item.config.rootpath}/"
            looked_at = {what: where.removeprefix(here) for what, where in searching.looked_at.items()}
            notes.append(
                "searched again without these assumptions, which did not hold: "
                + ", ".join(told(given_up, looked_at))
            )
        if search.end in (SearchEnd.SKIPPED, SearchEnd.STOPPED) or _always_skips(search):
            return Exploration(search, now, None)
        failures: list[Failure] = []
        if search.found is not None and brief:
            failures.append(_bare(search.found))
        elif search.found is not None:
            failure = _failure(item, now, registry, search.found, notes)
            fewest = search.covered_bound is not None and failure.schedule.preemptions <= search.covered_bound + 1
            failures.append(dataclasses.replace(failure, twin=search.twin, fewest=fewest))
            if search.died_later:
                notes.append(
                    f"the child ended ({search.died_later}) while other executions were compared with the failing one: "
                    "one of them crashes, or it was killed from outside"
                )
    result = conclude(
        search, nodeid=item.nodeid, settings=now, failures=failures, notes=tuple(notes)
    )
    unchecked = unexplored_teardowns(item, now) if result.verdict is Verdict.VERIFIED else []
    if unchecked:
        what = f"what {' and '.join(unchecked)} asserts after the test is not explored: assert it in the test"
        result = dataclasses.replace(result, verdict=Verdict.INCOMPLETE, reason=what)
    if result.verdict is Verdict.VERIFIED and settings.granularity != "sync" and not _is_under_test(item, now):
        what = f"{item.path} is not code under test: name it with --statespace-trace, or run pytest where it lies"
        result = dataclasses.replace(result, verdict=Verdict.INCOMPLETE, reason=what)
    if settings.explain_state:
        alike, differences = compare_states(search.noted)
        result = dataclasses.replace(result, alike=alike, differences=differences)
    return Exploration(search, now, result)


def _always_skips(search: Search) -> bool:
    """Did every execution skip or xfail the test, or repeat a state?"""
    if search.end is not SearchEnd.EXHAUSTED or search.cuts or search.finished or not search.skipped:
        return False
    return search.payload.get("kind") in ("skip", "xfail")


def _is_under_test(item: pytest.Function, settings: Settings) -> bool:
    under_test = UnderTest.of(roots_of(item), settings.trace)
    return under_test.has_file(str(item.path)) or under_test.has_module(getattr(item.module, "__name__", None))


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
    guarded = settings.max_executions != 1  # see Searching: as it was when the only execution failed
    task = child_side.with_tables(task_of(item, settings, fingerprint=False, guarded=guarded))
    bridge = bridge_module()
    if interactive:
        capture.flush()

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
        deadline=monotonic() + _REPLAY_SECONDS if watched else None,
        stop=stop,
    )


def refuse_nesting() -> None:
    """Raise UnsupportedOperation inside a process that is being explored itself."""
    if context.in_child():
        raise UnsupportedOperation(
            "an exploration inside an explored test",
            remedy="leave the outer test out of --statespace, or run pytest in a subprocess "
            "from a test that is not explored",
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
            max_executions=EXECUTIONS,
            explain_state=False,
            races="off",
        )
        return Searching(item, under_gil, registry, supported, wanted=wanted).run()

    try:
        return decide(
            found,
            granularity=settings.granularity,
            switches_possible=switches_possible,
            search=search,
        )
    except StatespaceError as error:
        return Reachability(None, f"the search at granularity gil failed: {error}")


def _bare(found: Found) -> Failure:
    """The failure as the search met it, without a report."""
    return Failure(
        kind=found.kind,
        message=found.message,
        schedule=found.schedule,
        report=None,
        executions=found.executions,
        transitions=found.transitions,
        seconds=found.seconds,
        length=found.length,
    )


def _failure(
    item: pytest.Function,
    settings: Settings,
    registry: StrategyRegistry,
    found: Found,
    notes: list[str],
) -> Failure:
    failure = _bare(found)
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
    told = report.kind is found.kind and found.kind not in MUTE
    message = report.message if told and report.message else found.message
    if not told:  # a crash, hang or livelock can't speak for itself: the parent knows more
        report = dataclasses.replace(report, message=message)
    return dataclasses.replace(failure, report=report, message=message)
