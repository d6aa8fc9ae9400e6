"""The plugin's lines in pytest's header and in its terminal summary."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_statespace.reporting.text import (
    Line,
    Span,
    clean,
    cut,
    from_here,
    line,
    pad,
    plural,
    width_of,
    wrap,
    write,
)
from pytest_statespace.settings import Settings
from pytest_statespace.types import DataRace, ExplorationResult, Verdict

if TYPE_CHECKING:
    from _pytest._io import TerminalWriter
    from _pytest.terminal import TerminalReporter

__all__ = ["TITLE", "header_line", "race_text", "result_text", "summary_lines", "write_summary"]

TITLE = "state-space exploration"
_INDENT = 4
_MAX_OUTCOMES = 8
_MAX_DIFFERENCES = 10
_MAX_RACES = 10
_STYLES = {
    Verdict.FAILED: "failure",
    Verdict.VERIFIED: "passed",
    Verdict.INCOMPLETE: "switch",
    Verdict.UNSUPPORTED: "failure",
}


def header_line(settings: Settings, *, tracker: str = "", tracker_reason: str = "") -> str:
    """One line for pytest's header: the model, the order, the budget, and how pages are tracked.

    ``tracker_reason`` says why a slower tracker had to be taken, "" if the best one works.
    """
    parts = [
        f"granularity {settings.granularity}",
        f"strategy {settings.strategy}",
        f"timeouts {settings.timeouts}",
        _budget(settings),
    ]
    if settings.trace:
        parts.append("trace " + " ".join(settings.trace))
    if tracker:
        parts.append(f"tracker {tracker}" + (f" ({tracker_reason})" if tracker_reason else ""))
    return "statespace: " + ", ".join(clean(part) for part in parts)


def write_summary(
    reporter: TerminalReporter, results: Sequence[ExplorationResult], *, folder: Path | None = None
) -> None:
    """The section with one line a test; nothing if nothing was explored.

    ``folder`` is that of ``--statespace-report``.
    """
    if not results:
        return
    reporter.section(TITLE)
    writer: TerminalWriter = reporter._tw
    write(writer, summary_lines(results, writer.fullwidth))
    if folder is not None:
        write(writer, [line(f"timelines and state graphs are below {clean(from_here(str(folder)))}")])


def summary_lines(results: Sequence[ExplorationResult], width: int) -> list[Line]:
    """One line a test, what is to be known below it, and the counts of the verdicts."""
    indent = max(len(result.verdict.value) for result in results) + 2
    names = [clean(result.nodeid) for result in results]
    rooms = [width - indent - 2 - width_of(result_text(result)) for result in results]
    fitting = [(width_of(name), room) for name, room in zip(names, rooms, strict=True) if width_of(name) <= room]
    column = min((max(fitting)[0], *(room for _, room in fitting))) if fitting else 0
    lines: list[Line] = []
    for result, name, room in zip(results, names, rooms, strict=True):
        head = Span(pad(result.verdict.value, indent), _STYLES[result.verdict])
        if width_of(name) <= room:
            lines.append((head, Span(pad(name, column) + "  " + result_text(result))))
        else:
            lines.append((head, Span(cut(name, width - indent, left=True))))
            lines += _indented(result_text(result), width)
        for text in _below(result):
            lines += _indented(text, width)
    lines.append(_counts(results))
    return lines


def result_text(result: ExplorationResult) -> str:
    """What the search did, in one phrase: ``301 states, 431 executions, 0.80 s``."""
    numbers = [
        plural(result.states, "state"),
        plural(result.executions, "execution"),
        f"{result.seconds:.2f} s" if result.seconds < 10 else f"{result.seconds:.0f} s",
    ]
    text = f"replayed in {numbers[-1]}" if result.strategy == "replay" else ", ".join(numbers)
    if result.failures:
        failure = result.failures[0]
        preemptions = failure.schedule.preemptions
        needed = plural(preemptions, "preemption") if preemptions else "no preemption"
        text = f"{failure.kind.value} with {needed}; {text}"
    return text


def race_text(race: DataRace) -> str:
    """One line: ``data race on Counter.value: bank.py:12 read, bank.py:12 write``."""
    return f"data race on {clean(race.location)}: {', '.join(map(clean, race.accesses))}"


def _below(result: ExplorationResult) -> Iterable[str]:
    if result.verdict in (Verdict.INCOMPLETE, Verdict.UNSUPPORTED):
        yield from result.reason.splitlines()
    if result.weakened:
        yield f"{result.verdict.value}, with equality weakened by {clean(', '.join(result.weakened))}"
    if result.outcomes:
        shown = [f"{clean(value)} x{count}" for value, count in result.outcomes[:_MAX_OUTCOMES]]
        more = len(result.outcomes) - len(shown)
        yield "outcomes: " + ", ".join(shown) + (f", and {more} more" if more else "")
    if result.alike:
        yield f"what differs in {plural(result.alike, 'pair')} of states with every thread at the same place:"
        for difference in result.differences[:_MAX_DIFFERENCES]:
            first, second = clean(difference.first), clean(difference.second)
            example = f", such as {first} and {second}" if first and second else ""
            yield f"  {clean(difference.path)}: in {plural(difference.pairs, 'pair')}{example}"
    for race in result.races[:_MAX_RACES]:
        yield race_text(race)
    if len(result.races) > _MAX_RACES:
        yield f"and {plural(len(result.races) - _MAX_RACES, 'more data race')}: --statespace-json lists all"
    for note in result.notes:
        yield f"note: {clean(note)}"


def _indented(text: str, width: int) -> list[Line]:
    return [line(" " * _INDENT + piece) for piece in wrap(clean(text), width - _INDENT)]


def _counts(results: Sequence[ExplorationResult]) -> Line:
    spans: list[Span] = []
    for verdict in Verdict:
        count = sum(result.verdict is verdict for result in results)
        if count:
            spans += [Span(", ")] if spans else []
            spans.append(Span(f"{count} {verdict.value}", _STYLES[verdict]))
            weakened = sum(result.verdict is verdict and bool(result.weakened) for result in results)
            if weakened and verdict is Verdict.VERIFIED:
                spans.append(Span(f" ({weakened} with equality weakened)", "switch"))
    seconds = sum(result.seconds for result in results)
    states = sum(result.states for result in results)
    spans.append(Span(f": {plural(states, 'state')} in {seconds:.2f} s"))
    return tuple(spans)


def _budget(settings: Settings) -> str:
    parts = [f"{settings.timeout:g} s"]
    if settings.max_states is not None:
        parts.append(plural(settings.max_states, "state"))
    if settings.max_executions is not None:
        parts.append(plural(settings.max_executions, "execution"))
    if settings.preemptions is not None:
        parts.append(plural(settings.preemptions, "preemption"))
    parts.append(f"{settings.max_memory} MiB")
    return "at most " + ", ".join(parts) + " a test"
