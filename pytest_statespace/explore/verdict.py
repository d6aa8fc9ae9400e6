"""From a finished search to a verdict: the one place that may say ``verified``.

`verified` needs all of: the strategy ran out of things to run, nothing was cut, no bound
refused an alternative, and at least one execution reached the end of the test (a test in
which every execution loops for ever has no end to be right about). Everything else that is
not a failure is incomplete, with the reason.
"""

from __future__ import annotations

from collections.abc import Sequence

from pytest_statespace.errors import InternalError
from pytest_statespace.explore.assumptions import OBSERVE_ORDERS
from pytest_statespace.explore.explorer import Search, SearchEnd
from pytest_statespace.settings import Settings
from pytest_statespace.types import ExplorationResult, Failure, FailureKind, Schedule, Verdict

__all__ = ["conclude"]

_MOST_NAMES = 5
_MOST_COMPARED = 1024  # choice points of an execution that is not come back to: see the engine's SS_RUN_ONCE


def conclude(
    search: Search,
    *,
    nodeid: str,
    settings: Settings,
    failures: Sequence[Failure] = (),
    notes: Sequence[str] = (),
) -> ExplorationResult:
    """The result of a search that ended in any way but a restart or a stop.

    ``failures`` describes ``search.found`` (with its report, token and file). Raises
    `InternalError` if the engine reported one.
    """
    all_failures = tuple(failures)
    missing = tuple(label for label, held in search.sometimes.items() if not held)
    if search.end is SearchEnd.FAILED:
        verdict = Verdict.FAILED
        found = search.found
        if found is None:
            raise InternalError("a search failed without a failure")
        reason = f"{found.kind}: {_first_line(found.message)}"
    elif search.end is SearchEnd.UNSUPPORTED:
        verdict, reason = Verdict.UNSUPPORTED, search.detail
    elif search.end is SearchEnd.EXHAUSTED:
        verdict, reason = _exhausted(search, settings, missing)
        if verdict is Verdict.VERIFIED and search.reductions:
            reason += f" (reduced by {', '.join(search.reductions)})"
        if verdict is Verdict.VERIFIED and search.weakened:
            reason += f", with equality weakened by {', '.join(search.weakened)}"
        if verdict is Verdict.FAILED:
            all_failures = (*all_failures, *(_never_held(search, label) for label in missing))
    elif search.end is SearchEnd.SAMPLED:
        verdict, reason = Verdict.INCOMPLETE, _sampled(search)
    elif search.end in (SearchEnd.BUDGET, SearchEnd.MEMORY):
        verdict = Verdict.INCOMPLETE
        cut = search.detail if search.end is SearchEnd.BUDGET else _memory(search, settings)
        reason = f"cut by {cut}{_covered(search)}"
    else:
        raise InternalError(f"{nodeid}: {search.detail or search.end.value}")
    return ExplorationResult(
        nodeid=nodeid,
        verdict=verdict,
        reason=reason,
        granularity=settings.granularity,
        strategy=settings.strategy,
        preemption_bound=search.covered_bound if verdict is Verdict.INCOMPLETE else None,
        timeouts=settings.timeouts,
        executions=search.executions,
        transitions=search.transitions,
        states=search.states,
        seconds=search.seconds,
        outcomes=tuple(sorted(search.outcomes.items(), key=lambda item: (-item[1], item[0]))),
        races=search.races,
        failures=all_failures,
        notes=(*notes, *_notes(search)),
        weakened=search.weakened,
        reductions=search.reductions,
        engine=search.engine,
    )


def _exhausted(search: Search, settings: Settings, missing: Sequence[str]) -> tuple[Verdict, str]:
    if search.unguarded:
        return Verdict.INCOMPLETE, "an execution that does what can't be rewound says nothing of others (see the note)"
    if search.cuts:
        cuts = ", ".join(f"{what} ({count} times)" for what, count in search.cuts.items())
        return Verdict.INCOMPLETE, f"cut by {cuts}{_covered(search)}"
    if search.refused:
        return (
            Verdict.INCOMPLETE,
            f"stopped after preemption bound {search.bound}: "
            f"{search.refused} alternatives beyond it were not run",
        )
    if search.unending:
        return Verdict.INCOMPLETE, search.unending
    if not search.finished:
        why = "all of them repeat a state"
        if search.skipped:
            why = "all of them are skipped or repeat a state"
        return Verdict.INCOMPLETE, f"no execution reached the end of the test: {why}"
    if OBSERVE_ORDERS in settings.promoted:
        return (
            Verdict.INCOMPLETE,
            "a set of objects (or a context of new variables) was walked in the order of their addresses, and only "
            "orders that came up in this process were tried; walk a list instead, or a set of at most four objects "
            "made by the test",
        )
    if missing:
        labels = ", ".join(repr(label) for label in missing)
        return Verdict.FAILED, f"sometimes({labels}) held in no execution"
    return Verdict.VERIFIED, "no interleaving fails"


def _sampled(search: Search) -> str:
    """Executions drawn at random prove nothing about those that were not drawn."""
    different = len(search.schedules)
    schedules = "1 schedule" if different == 1 else f"{different} different schedules"
    text = f"{search.detail}: {schedules}, no failure; sampling can't verify"
    if search.cuts:
        text += "; cut: " + ", ".join(f"{what} ({n} times)" for what, n in search.cuts.items())
    return text


def _covered(search: Search) -> str:
    """What was explored, unless the result's ``preemption_bound`` says it better."""
    if search.covered_bound is not None:
        return ""
    count = search.executions
    return " after 1 execution" if count == 1 else f" after {count} executions"


def _memory(search: Search, settings: Settings) -> str:
    detail = f": {search.detail}" if search.detail else ""
    return f"memory (--statespace-max-memory {settings.max_memory}{detail})"


def _never_held(search: Search, label: str) -> Failure:
    return Failure(
        kind=FailureKind.ASSERTION,
        message=f"sometimes({label!r}) held in none of {search.executions} executions",
        schedule=Schedule(),
        report=None,
        executions=search.executions,
        transitions=search.transitions,
        seconds=search.seconds,
        length=0,
    )


def _notes(search: Search) -> tuple[str, ...]:
    notes: list[str] = []
    notes += _how_found(search)
    if search.dropped:
        notes.append(
            f"memory was short: {search.dropped} snapshots were dropped and {search.rebuilt} rebuilt "
            f"({search.repeated} transitions were run again); raise --statespace-max-memory"
        )
    if search.last_length > _MOST_COMPARED:
        notes.append(
            f"the last execution was run without snapshots, and states were compared at {search.last_compared} of its "
            f"{search.last_length} choice points: under --statespace-max-executions nothing was to follow"
        )
    if search.unguarded:
        notes.append(
            "calls that can't be rewound were let through, for no execution follows (--statespace-max-executions=1), "
            f"and states were not compared; the first: {search.unguarded}"
        )
    if search.uncompared:
        notes.append(
            f"at {search.uncompared} choice points the state could not be compared with others, and what follows was "
            f"explored each time: {search.why_uncompared}"
        )
    if search.left_running:
        names = list(search.left_names)[:_MOST_NAMES]
        who = f" ({', '.join(names)}{', ...' if len(search.left_names) > len(names) else ''})" if names else ""
        notes.append(
            f"threads left running when the test ended: {search.left_running} of "
            f"{search.finished} executions{who}; what they would do was not explored: join them, or "
            "--statespace-left-running=join"
        )
    if search.more_races:
        notes.append(f"more data races were found than the {len(search.races)} that are listed")
    if search.skipped:
        notes.append(f"executions ended by pytest.skip(), pytest.xfail() or assume(): {search.skipped}")
    if search.end is not SearchEnd.EXHAUSTED or search.cuts or search.refused:
        unheld = [repr(label) for label, held in search.sometimes.items() if not held]
        if unheld:
            notes.append("not seen to hold so far: sometimes(" + ", ".join(unheld) + ")")
    return tuple(notes)


def _how_found(search: Search) -> list[str]:
    """Where the failing execution comes from, if not straight from the order of the search."""
    drawn = f"the failing execution was drawn by {search.found_by}" if search.found_by else ""
    if search.found is None or search.minimised_from is None:
        return [drawn] if drawn else []
    left = search.found.schedule.preemptions
    if left == search.minimised_from and not drawn:
        return []
    fewer = left if left < search.minimised_from else "no fewer"
    origin = drawn or "the failing execution was minimised"
    return [f"{origin}; preemptions: {search.minimised_from} at first, {fewer} after {search.trials} executions more"]


def _first_line(text: str) -> str:
    return text.strip().split("\n", 1)[0]
