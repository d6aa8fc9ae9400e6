"""The schedule of an execution: one column per thread, one row per line that did something.

With up to four threads the columns stand side by side, each as wide as it needs as long
as the terminal has room; with more, or on a narrow terminal, the rows become a list with
the thread's name in front. The file and line stand on the left, because a row belongs to
one thread only and one location column leaves more room for source text.
"""

from __future__ import annotations

from collections.abc import Sequence

from pytest_statespace.reporting.rows import (
    StepRow,
    SwitchRow,
    build_rows,
    place,
    short_names,
    thread_name,
)
from pytest_statespace.reporting.text import (
    Line,
    Span,
    clean,
    cut,
    line,
    pad,
    plural,
    width_of,
    wrap,
)
from pytest_statespace.types import FailureKind, Report

__all__ = ["MAX_COLUMNS", "MAX_ROWS", "ending", "switch_text", "timeline"]

MAX_COLUMNS = 4
MAX_ROWS = 200
_MIN_COLUMN = 18
_MAX_PLACE = 32  # and never more than a third of the terminal
_GAP = "   "  # between source text and what it did
_BAR = " │ "


def timeline(report: Report, width: int) -> list[Line]:
    """The lines of the schedule for a terminal of ``width`` cells; none if nothing was recorded."""
    rows = build_rows(report)
    if not rows:
        return []
    names = short_names([row.file for row in rows if isinstance(row, StepRow) and row.file])
    threads = sorted({row.thread for row in rows if isinstance(row, StepRow)})
    shown, left_out = _middle_cut(rows)
    steps = [row for row in shown if isinstance(row, StepRow)]
    place_width = min(
        max((width_of(place(row.file, row.line, names)) for row in steps), default=0),
        _MAX_PLACE,
        width // 3,
    )
    columns = _column_widths(report, threads, steps, width - place_width)
    body: list[Line] = []
    if columns:
        body += _heading(report, columns, place_width)
    for number, row in enumerate(shown):
        if left_out and number == (MAX_ROWS + 1) // 2:
            body.append(line(f"  ⋮  {plural(left_out, 'row')} left out", "faint"))
        if isinstance(row, SwitchRow):
            body.append(_switch(report, row, width))
        elif columns:
            body += _column_row(row, columns, place_width, names)
        else:
            body += _list_row(report, row, threads, place_width, names, width)
    body.append(_ending(report, width))
    return body


def _middle_cut(
    rows: Sequence[StepRow | SwitchRow],
) -> tuple[Sequence[StepRow | SwitchRow], int]:
    if len(rows) <= MAX_ROWS:
        return rows, 0
    head = (MAX_ROWS + 1) // 2
    return [*rows[:head], *rows[head - MAX_ROWS :]], len(rows) - MAX_ROWS


def _column_widths(report: Report, threads: Sequence[int], rows: Sequence[StepRow], room: int) -> dict[int, int]:
    """Cells of each thread's column; empty if they don't fit side by side."""
    if not 0 < len(threads) <= MAX_COLUMNS:
        return {}
    room -= len(_BAR) * len(threads)
    wanted = {thread: width_of(thread_name(report, thread)) for thread in threads}
    for row in rows:
        natural = width_of(_source(row)) + (width_of(_GAP + row.note) if row.note else 0)
        wanted[row.thread] = max(wanted[row.thread], natural)
    widths: dict[int, int] = {}
    left = room
    # Narrow columns get what they want; the others share what is left evenly.
    for position, thread in enumerate(sorted(threads, key=lambda thread: wanted[thread])):
        widths[thread] = min(wanted[thread], left // (len(threads) - position))
        left -= widths[thread]
    if any(widths[thread] < min(_MIN_COLUMN, wanted[thread]) for thread in threads):
        return {}
    return {thread: widths[thread] for thread in threads}


def _heading(report: Report, columns: dict[int, int], place_width: int) -> list[Line]:
    names: list[Span] = [Span(" " * place_width)]
    bars = "─" * place_width
    for thread, width in columns.items():
        name = thread_name(report, thread, full=True)
        if width_of(name) > width:
            name = cut(thread_name(report, thread), width)
        names += [Span(_BAR, "faint"), Span(pad(name, width), "name")]
        bars += "─┼─" + "─" * width
    return [tuple(names), line(bars, "faint")]


def _column_row(row: StepRow, columns: dict[int, int], place_width: int, names: dict[str, str]) -> list[Line]:
    lines: list[Line] = []
    location = cut(place(row.file, row.line, names), place_width, left=True)
    for number, content in enumerate(_cell(row, columns[row.thread])):
        spans: list[Span] = [Span(pad("" if number else location, place_width), "faint")]
        for thread, width in columns.items():
            spans.append(Span(_BAR, "faint"))
            if thread == row.thread:
                spans += content
                used = sum(width_of(span.text) for span in content)
                spans.append(Span(" " * (width - used)))
            else:
                spans.append(Span(" " * width))
        lines.append(tuple(spans))
    return lines


def _list_row(
    report: Report,
    row: StepRow,
    threads: Sequence[int],
    place_width: int,
    names: dict[str, str],
    width: int,
) -> list[Line]:
    tag_width = min(max(width_of(thread_name(report, thread)) for thread in threads), width // 4) + 2
    tag = f"[{cut(thread_name(report, row.thread), tag_width - 2)}]"
    location = cut(place(row.file, row.line, names), place_width, left=True)
    indent = tag_width + place_width + 4
    lines: list[Line] = []
    for number, content in enumerate(_cell(row, width - indent)):
        first = not number
        lines.append(
            (
                Span(pad(tag if first else "", tag_width), "name"),
                Span("  " + pad(location if first else "", place_width) + "  ", "faint"),
                *content,
            )
        )
    return lines


def _cell(row: StepRow, width: int) -> list[Line]:
    """Source text and what it did: side by side if there is room, else below each other."""
    source, note = _source(row), row.note
    if not note:
        return [line(cut(source, width))]
    if width_of(source) + width_of(_GAP + note) <= width:
        return [(Span(source + _GAP), Span(note, "title"))]
    lines: list[Line] = [line(cut(source, width))]
    for piece in wrap(note, width - 2, limit=3):
        lines.append((Span("  "), Span(piece, "title")))
    return lines


def _source(row: StepRow) -> str:
    return f"… {row.source}" if row.continued else row.source


def switch_text(report: Report, row: SwitchRow) -> str:
    """``Thread-1 preempted, Thread-2 begins``."""
    goes_on = "begins" if row.first else "goes on"
    return f"{thread_name(report, row.before)} {row.reason}, {thread_name(report, row.after)} {goes_on}"


def _switch(report: Report, row: SwitchRow, width: int) -> Line:
    return line(_filled(f"── switch ── {switch_text(report, row)} ", width), "switch")


def _ending(report: Report, width: int) -> Line:
    title, message = ending(report)
    style = "switch" if title == "ends" else "failure"
    return line(_filled(f"── {title} ── {message} ", width), style)


def ending(report: Report) -> tuple[str, str]:
    """How the execution ended, in a word, and what is to be said about it: ``assertion``, ``assert 1 == 2``."""
    if report.diverged:
        return "diverged", clean(report.diverged)
    if report.kind is None:
        return "ends", "this execution passes"
    title = report.kind.value
    message = clean(report.message.strip().partition("\n")[0])
    if report.kind is FailureKind.DEADLOCK:
        message = "no thread can go on"
    elif report.exception_type and not message.startswith(report.exception_type):
        message = f"{report.exception_type}: {message}" if message else report.exception_type
    return title, message


def _filled(text: str, width: int) -> str:
    text = cut(text, width)
    return text + "─" * (width - width_of(text))
