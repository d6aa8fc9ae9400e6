"""The failing execution as one HTML page: a column for each thread, a row for each line, marks for the choices.

The rows are those of the terminal's timeline, but all threads have columns and far more rows are shown. The page needs
nothing else: no script, no font, no network. Everything that comes from the test is escaped.
"""

from __future__ import annotations

import dataclasses
from bisect import bisect_right
from collections.abc import Callable, Sequence
from html import escape

from pytest_statespace.reporting.failure import Section, sections
from pytest_statespace.reporting.rows import StepRow, SwitchRow, build_rows, place, short_names, thread_name
from pytest_statespace.reporting.text import clean, plural
from pytest_statespace.reporting.timeline import ending, switch_text
from pytest_statespace.types import ChoiceKind, ExplorationResult, Failure, Report

__all__ = ["MAX_ROWS", "page"]

MAX_ROWS = 2000
_WIDTH = 120  # of the parts that are plain text, in characters
_LEGEND = (
    "The numbers on the left are the choices of the schedule: before this line, or within it. Point at one to see "
    "what was chosen. On red: had another thread run here, the test could still have passed."
)
_STYLE = """\
body { font: 15px/1.45 system-ui, sans-serif; margin: 2em auto; max-width: 100em; padding: 0 1.5em; color: #1c1c1c;
  background: #fff }
h1 { font-size: 1.3em; margin-bottom: 0.2em } h2 { font-size: 1.05em; margin: 1.8em 0 0.4em }
pre, code, td.place { font-family: ui-monospace, monospace; font-size: 13px }
pre { overflow-x: auto; background: #f6f6f4; padding: 0.7em 1em; border-radius: 4px }
table { border-collapse: collapse } td, th { padding: 0.15em 0.8em; vertical-align: top; text-align: left }
thead th { border-bottom: 2px solid #888; position: sticky; top: 0; background: #fff }
td.thread, th.thread { border-left: 1px solid #ccc } tbody td { border-bottom: 1px solid #f0f0ee }
code { white-space: pre-wrap } td.place, td.choices, .faint { color: #777 } .note { color: #8a4b00; margin-left: 0.8em }
tr.switch td { color: #6b5c00; background: #fbf7e4 } tr.preempted td { background: #f7e9b5; font-weight: 600 }
tr.ending td, .failure { color: #a40000 } tr.ending td { font-weight: 600; border-top: 2px solid #888 }
abbr { text-decoration: none; border: 1px solid #999; border-radius: 0.8em; padding: 0 0.45em; font-size: 12px }
abbr.decisive { background: #a40000; color: #fff; border-color: #a40000 } .title, .name { font-weight: 600 }
"""


def page(result: ExplorationResult, failure: Failure, *, portable: Callable[[str], str] = lambda text: text) -> str:
    """The page of one failure. ``portable`` is applied to every text: it takes out what belongs to this machine."""

    def told(text: str) -> str:
        return escape(portable(text))

    kind, message = failure.kind.value, clean(failure.message.strip().partition("\n")[0])
    heading = message if message.startswith(kind) else f"{kind}: {message}".rstrip(": ")
    if failure.token:
        failure = dataclasses.replace(failure, file="")  # the page may be read elsewhere
    body = [f"<h1>{told(clean(result.nodeid))}</h1>", f'<p class="failure">{told(heading)}</p>']
    has_table = False
    for section in sections(result, failure, _WIDTH):
        if section.is_schedule and failure.report is not None:
            body += [f"<h2>{told(section.title)}</h2>", *_timeline(failure, failure.report, told)]
            has_table = True
        else:
            body += _text(section, told)
    if not has_table:
        body.append("<p>No execution was recorded, so there is no timeline.</p>")
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f"<title>{told(clean(result.nodeid))}</title>",
            f"<style>\n{_STYLE}</style>",
            "</head>",
            "<body>",
            *body,
            "</body>",
            "</html>\n",
        ]
    )


def _text(section: Section, told: Callable[[str], str]) -> list[str]:
    lines = []
    for spans in section.lines:
        styled = [
            f'<span class="{span.style}">{told(span.text)}</span>' if span.style else told(span.text) for span in spans
        ]
        lines.append("".join(styled).rstrip())
    heading = [f"<h2>{told(section.title)}</h2>"] if section.title else []
    return [*heading, "<pre>" + "\n".join(lines) + "</pre>"]


def _timeline(failure: Failure, report: Report, told: Callable[[str], str]) -> list[str]:
    rows = build_rows(report)
    names = short_names([row.file for row in rows if isinstance(row, StepRow) and row.file])
    threads = sorted({row.thread for row in rows if isinstance(row, StepRow)})
    marks = _choices_by_row(failure, report, rows, told)
    lines = ["<table>", "<thead><tr>", '<th scope="col">choice</th><th scope="col">line</th>']
    lines += [
        f'<th scope="col" class="thread">{told(thread_name(report, thread, full=True))}</th>' for thread in threads
    ]
    lines += ["</tr></thead>", "<tbody>"]
    span = len(threads) + 1
    left_out = max(0, len(rows) - MAX_ROWS)
    head = (MAX_ROWS + 1) // 2
    for number, row in enumerate(rows):
        if left_out and number == head:
            text = f"{plural(left_out, 'row')} left out"
            lines.append(f'<tr><td></td><td colspan="{span}" class="faint">{text}</td></tr>')
        if head <= number < head + left_out:
            continue
        choices = f'<td class="choices">{marks[number]}</td>'
        if isinstance(row, SwitchRow):
            kind = "switch preempted" if row.reason == "preempted" else "switch"
            text = told(f"switch: {switch_text(report, row)}")
            lines.append(f'<tr class="{kind}">{choices}<td colspan="{span}">{text}</td></tr>')
            continue
        cells = "".join(
            f'<td class="thread">{_cell(row, told) if row.thread == thread else ""}</td>' for thread in threads
        )
        location = told(place(row.file, row.line, names))
        lines.append(f'<tr class="step">{choices}<td class="place">{location}</td>{cells}</tr>')
    title, message = ending(report)
    text = told(f"{title}: {message}" if message else title)
    lines.append(f'<tr class="ending"><td class="choices">{marks[-1]}</td><td colspan="{span}">{text}</td></tr>')
    return [*lines, "</tbody>", "</table>", f'<p class="faint">{_LEGEND}</p>']


def _cell(row: StepRow, told: Callable[[str], str]) -> str:
    source = f"… {row.source}" if row.continued else row.source
    note = f' <span class="note">{told(row.note)}</span>' if row.note else ""
    return f"<code>{told(source)}</code>{note}"


def _choices_by_row(
    failure: Failure, report: Report, rows: Sequence[StepRow | SwitchRow], told: Callable[[str], str]
) -> list[str]:
    """The marks of the choices before each row, or within it, and in the end those before the ending."""
    marks: list[list[str]] = [[] for _ in range(len(rows) + 1)]
    starts = [row.at for row in rows]
    for number, (choice, step) in enumerate(zip(report.schedule.choices, report.choice_steps, strict=False)):
        if step >= len(report.steps):
            row = len(rows)
        elif step in starts:
            row = starts.index(step)
        else:
            row = max(bisect_right(starts, step) - 1, 0)
        taken = f"alternative {choice.index + 1} of {choice.alternatives}"
        if choice.kind is not ChoiceKind.DATA:
            taken += f", {thread_name(report, choice.thread)}"
        text = f"choice {number + 1} of {len(report.schedule)}: {taken}"
        decisive = failure.twin is not None and failure.twin.choice == number and not report.diverged
        if decisive and failure.twin is not None:
            text += f"; with {thread_name(report, failure.twin.thread)} here the test can still pass"
        kind = ' class="decisive"' if decisive else ""
        marks[row].append(f'<abbr{kind} title="{told(text)}">{number + 1}</abbr>')
    return [" ".join(texts) for texts in marks]
