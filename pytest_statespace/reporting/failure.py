"""The failure report: traceback, schedule, conflict, numbers, and how to run it again.

The sections come in the order of their use: what went wrong, how the threads got there,
which accesses decide, what the search did, and one line to copy.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from _pytest._code.code import ReprFileLocation, TerminalRepr

from pytest_statespace.reporting.conflict import conflicts, decisive, find_cycle, held_targets
from pytest_statespace.reporting.rows import place, short_names, short_thread, thread_name
from pytest_statespace.reporting.text import (
    Line,
    Span,
    clean,
    cut,
    from_here,
    line,
    pad,
    plain,
    plural,
    rule,
    width_of,
    wrap,
    write,
)
from pytest_statespace.reporting.timeline import timeline
from pytest_statespace.types import ExplorationResult, Failure, FailureKind, Report

if TYPE_CHECKING:
    from _pytest._io import TerminalWriter

__all__ = ["FailureRepr", "Section", "render", "render_lines", "sections"]

_MIN_WIDTH = 60
_DEFAULT_WIDTH = 100
_GIL = {
    True: "reachable on this interpreter",
    False: "not reachable on this interpreter, only without a GIL",
    None: "not determined whether this interpreter can switch threads there",
}


class FailureRepr(TerminalRepr):
    """The report for ``TestReport.longrepr``: it fits the terminal's width and has its colours."""

    def __init__(self, result: ExplorationResult, failure: Failure) -> None:
        self.result = result
        self.failure = failure

    @property
    def reprcrash(self) -> ReprFileLocation:
        """The one-line message of pytest's short summary and of JUnit files."""
        failure = self.failure
        steps = failure.report.steps if failure.report else ()
        path, number = (steps[-1].file, steps[-1].line) if steps else ("", 0)
        message = clean(failure.message.strip().partition("\n")[0])
        if failure.kind not in (FailureKind.ASSERTION, FailureKind.EXCEPTION):
            told = message.startswith(failure.kind.value)
            message = message if told else f"{failure.kind.value}: {message}".rstrip(": ")
        needed = plural(failure.schedule.preemptions, "preemption")
        return ReprFileLocation(path, number, f"{message} ({needed})")

    def __str__(self) -> str:
        return render(self.result, self.failure)

    def toterminal(self, tw: TerminalWriter) -> None:
        """Write the report."""
        write(tw, render_lines(self.result, self.failure, tw.fullwidth))


def render(result: ExplorationResult, failure: Failure, *, width: int = _DEFAULT_WIDTH) -> str:
    """The whole report as plain text for a terminal of ``width`` cells."""
    return plain(render_lines(result, failure, width))


def render_lines(result: ExplorationResult, failure: Failure, width: int) -> list[Line]:
    """The whole report as styled lines."""
    width = max(width, _MIN_WIDTH)
    lines: list[Line] = []
    for section in sections(result, failure, width):
        if section.title:
            lines.append(line(rule(section.title, width), "title"))
        lines += section.lines
    return lines


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the report, with or without a title."""

    title: str
    lines: list[Line]
    is_schedule: bool = False


def sections(result: ExplorationResult, failure: Failure, width: int) -> list[Section]:
    """The parts of the report in their order; none of them is empty."""
    found: list[Section] = []
    report = failure.report
    if report is None and not failure.schedule.choices:
        found.append(Section("", [line(piece) for piece in (failure.message.strip() or failure.kind).splitlines()]))
    elif report is None or report.diverged or report.kind is None:
        found.append(Section("", _not_reproduced(failure, width)))
    if report is not None:
        found += [
            Section("", _traceback(report, width)),
            _schedule(failure, report, width),
            _waiting(report, width),
            Section("conflict", _conflict(failure, report, width)),
        ]
    title = "replayed schedule" if result.strategy == "replay" else "search"
    found += [Section(title, _numbers(result, failure, width)), Section("replay", _replay(result, failure))]
    return [section for section in found if section.lines]


def _not_reproduced(failure: Failure, width: int) -> list[Line]:
    message = clean(failure.message.strip().partition("\n")[0])
    where = clean(failure.report.diverged) if failure.report else ""
    met = f"The search met this {failure.kind.value}{f': {message}' if message else ''}."
    left = f" (it left {where})" if where else ""
    text = (
        f"{met} Running its schedule again for this report did not get there{left}, so what follows may be incomplete."
    )
    return [*(line(piece, "failure") for piece in wrap(text, width)), line()]


def _traceback(report: Report, width: int) -> list[Line]:
    text = report.longrepr.strip("\n") or report.message.strip("\n")
    styles = {"E": "failure", ">": "title"}  # the lines that pytest marks so
    lines = [line(piece, styles.get(piece[:2].strip(), "")) for piece in text.splitlines()]
    for title, content in report.sections:
        lines.append(line(rule(title, width)))
        lines += [line(piece) for piece in content.rstrip("\n").splitlines()]
    return lines


def _schedule(failure: Failure, report: Report, width: int) -> Section:
    preemptions = failure.schedule.preemptions
    title = f"schedule: {plural(preemptions, 'preemption')}" if preemptions else ("schedule: no preemption needed")
    return Section(title, timeline(report, width), is_schedule=True)


def _waiting(report: Report, width: int) -> Section:
    """Who holds what and who waits for what; the ring of threads if there is one."""
    names = short_names([entry.file for entry in report.waiting if entry.file])
    tasks = any(entry.operation == "await" for entry in report.waiting)
    who = "task or thread" if tasks else "thread"
    table: list[tuple[str, ...]] = [(who, "holds", "waits for", "held by", "at")]
    for entry in report.waiting:
        location = place(entry.file, entry.line, names)
        table.append(
            (
                entry.name if entry.operation == "await" else thread_name(report, entry.thread),
                ", ".join(held_targets(report, entry.thread)) or "-",
                _awaited(report, entry.operation, entry.target),
                _holder(report, entry.operation, entry.target, entry.holder),
                f"{location}  {clean(entry.source)}".strip(),
            )
        )
    title = "deadlock" if report.kind is FailureKind.DEADLOCK else "waiting threads"
    lines = _table(table, width) if report.waiting else []
    cycle = find_cycle(report.waiting)
    if len(cycle) > 1:
        ring = " → ".join(f"{thread_name(report, entry.thread)} → {clean(entry.target)}" for entry in cycle)
        closed = f"cycle: {ring} → {thread_name(report, cycle[0].thread)}"
        lines.append(line())
        lines += [line(piece, "failure") for piece in wrap(closed, width)]
    return Section(title, lines)


def _awaited(report: Report, operation: str, target: str) -> str:
    what = clean(target)
    if operation == "join":
        what = short_thread(what)
        return f"the end of {what}" if what else "the end of a thread"
    return what or operation.replace("_", " ")


def _holder(report: Report, operation: str, target: str, holder: int) -> str:
    if holder < 0 or operation == "join":
        return "-"
    return thread_name(report, holder)


def _table(table: list[tuple[str, ...]], width: int) -> list[Line]:
    columns = list(zip(*table, strict=True))
    widths = [min(max(map(width_of, column)), 28) for column in columns[:-1]]
    widths.append(max(width - sum(widths) - 2 * len(widths), 20))
    lines: list[Line] = []
    for number, cells in enumerate(table):
        text = "  ".join(pad(cut(cell, room), room) for cell, room in zip(cells, widths, strict=True))
        lines.append(line(text, "name" if number == 0 else ""))
    return lines


def _conflict(failure: Failure, report: Report, width: int) -> list[Line]:
    sentences = conflicts(report)
    if failure.twin is not None and not report.diverged:
        sentences += [sentence for sentence in [decisive(report, failure.twin)] if sentence]
    return [line(piece) for sentence in sentences for piece in wrap(sentence, width)]


def _numbers(result: ExplorationResult, failure: Failure, width: int) -> list[Line]:
    preemptions = failure.schedule.preemptions
    needed = plural(preemptions, "preemption") if preemptions else "no preemption"
    if preemptions and failure.fewest:
        needed += " (schedules with fewer were searched)"
    rows: list[tuple[str, str]] = []
    replayed = result.strategy == "replay"
    if not replayed:
        rows += [
            ("found after", _effort(failure.executions, failure.transitions, None, failure.seconds)),
            ("whole search", _effort(result.executions, result.transitions, result.states, result.seconds)),
        ]
    if failure.length:
        rows.append(("this execution", f"{plural(failure.length, 'transition')}, {needed}"))
    if failure.gil_reachable is not None or (failure.length and not replayed):
        rows.append(("with the GIL", _with_gil(failure)))
    model = f"granularity {result.granularity}, timeouts {result.timeouts}"
    rows.append(("model", model if replayed else f"{model}, strategy {result.strategy}"))
    rows += [("note", clean(note)) for note in result.notes]
    lines: list[Line] = []
    for name, text in rows:
        for number, piece in enumerate(wrap(text, width - 17)):
            lines.append((Span(pad("" if number else name, 17), "faint"), Span(piece)))
    return lines


def _with_gil(failure: Failure) -> str:
    if failure.gil_reachable is None and failure.gil_reason:
        return f"not determined: {clean(failure.gil_reason)}"
    return ", ".join(filter(None, (_GIL[failure.gil_reachable], clean(failure.gil_reason))))


def _effort(executions: int, transitions: int, states: int | None, seconds: float) -> str:
    parts = [plural(executions, "execution"), plural(transitions, "transition")]
    if states is not None:
        parts.append(plural(states, "state"))
    return ", ".join((*parts, _seconds(seconds)))


def _replay(result: ExplorationResult, failure: Failure) -> list[Line]:
    if not (failure.file or failure.token):
        return []
    source = failure.token
    if failure.file:
        source = from_here(failure.file)
    lines: list[Line] = [
        (Span(f"pytest {shlex.quote(result.nodeid)} --statespace-replay {_shell(source)}"),),
    ]
    if failure.token:
        lines.append((Span(f'@reproduce("{failure.token}")'),))
    return lines


def _shell(text: str) -> str:
    """In single quotes if any shell might read it otherwise."""
    return f"'{text}'" if text.startswith("ssp") and ":" in text else shlex.quote(text)


def _seconds(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.0f} s"
