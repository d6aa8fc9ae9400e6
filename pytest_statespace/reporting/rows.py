"""From recorded steps to rows of a schedule: what one source line did in one go is one row."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from pytest_statespace.reporting.text import clean
from pytest_statespace.types import Report, Step, WaitingThread

__all__ = [
    "StepRow",
    "SwitchRow",
    "build_rows",
    "operation_of",
    "place",
    "short_names",
    "thread_name",
]

_MAX_EVENTS = 50  # of one row: a comprehension may read thousands of things on its line
_OBJECT_VERBS = {  # done, blocked
    "acquire": ("acquired", "waits for"),
    "try_acquire": ("acquired", "waits for"),
    "release": ("released", "waits for"),
    "start": ("started", "waits for"),
    "join": ("joined", "waits for"),
}
_PLAIN_VERBS = {"begin": "begins", "end": "ends", "resume": "goes on", "sleep": "slept"}
_VALUE_VERBS = {"put": "put", "get": "got", "try_get": "got", "choose": "chose", "locked": "is"}
_SILENT = ("begin", "end", "resume")  # rows only when there is nothing else to show


@dataclass(slots=True)
class StepRow:
    """One source line of one thread, with all that it did before another thread ran."""

    thread: int
    file: str
    line: int
    function: str
    source: str
    continued: bool = False  # this line had begun before a switch
    events: list[tuple[str, str]] = field(default_factory=list)  # target, what happened
    at: int = field(default=0, compare=False)  # its first step

    @property
    def note(self) -> str:
        """What happened: ``read 0, wrote 1``; with targets where the source does not tell."""
        groups: dict[str, list[str]] = {}
        for target, happened in self.events:
            if happened:
                groups.setdefault(target, []).append(happened)
        texts = []
        for target, happenings in groups.items():
            text = ", ".join(happenings)
            if target and (len(groups) > 1 or not _named_in(target, self.source)):
                text = f"{target}: {text}"
            texts.append(text)
        return "; ".join(texts)


@dataclass(frozen=True, slots=True)
class SwitchRow:
    """Another thread goes on. ``reason`` is preempted, blocked, sleeping or ended."""

    before: int
    after: int
    reason: str
    first: bool  # the thread runs for the first time
    at: int = field(default=0, compare=False)  # the step before which it happens


def build_rows(report: Report) -> list[StepRow | SwitchRow]:
    """The rows of a report's schedule in order."""
    steps = report.steps
    rows: list[StepRow | SwitchRow] = []
    started: set[int] = set()
    latest: dict[int, StepRow] = {}
    accesses: dict[int, list[Step]] = {}  # of each thread's latest row
    last_seen = {step.thread: number for number, step in enumerate(steps)}
    for number, step in enumerate(steps):
        switched = number > 0 and steps[number - 1].thread != step.thread
        if switched:
            before = steps[number - 1].thread
            reason = _reason(report, number, goes_on=last_seen[before] > number)
            rows.append(SwitchRow(before, step.thread, reason, step.thread not in started, at=number))
        started.add(step.thread)
        if _is_silent(steps, number):
            continue
        row = latest.get(step.thread)
        same_line = row is not None and (row.file, row.line, row.function) == (
            step.file,
            step.line,
            step.function,
        )
        uninterrupted = rows and rows[-1] is row
        if row is None or not (same_line and uninterrupted and _continues(accesses[step.thread], step)):
            resumed = same_line and not uninterrupted and _resumes(accesses[step.thread], step)
            row = StepRow(
                thread=step.thread,
                file=step.file,
                line=step.line,
                function=step.function,
                source=clean(step.source) or _described(step),
                continued=resumed,
                at=number,
            )
            rows.append(row)
            latest[step.thread] = row
            accesses[step.thread] = []
        accesses[step.thread].append(step)
        event = _event(step)
        if not row.events or row.events[-1] != event:
            row.events.append(event)
    return rows


def operation_of(step: Step | WaitingThread) -> str:
    """The operation's name in one spelling: ``try_acquire``."""
    return step.operation.lower().replace(" ", "_").replace("-", "_")


def place(file: str, line: int, names: dict[str, str]) -> str:
    """``test_bank.py:12`` with the short name of the file."""
    return f"{names.get(file, file)}:{line}" if file else ""


def short_names(files: Sequence[str]) -> dict[str, str]:
    """For each path the shortest tail that no other path shares."""
    names: dict[str, str] = {}
    distinct = list(dict.fromkeys(files))
    for file in distinct:
        parts = file.split("/")
        for length in range(1, len(parts) + 1):
            tail = parts[-length:]
            if sum(other.split("/")[-length:] == tail for other in distinct) == 1:
                break
        names[file] = clean("/".join(parts[-length:]))
    return names


def thread_name(report: Report, thread: int, *, full: bool = False) -> str:
    """The thread's name, shortened unless ``full``, with its number if it is not the only one."""
    names = report.threads
    if not 0 <= thread < len(names) or not names[thread]:
        return f"thread {thread}"
    name = names[thread] if full else short_thread(names[thread])
    return f"{clean(name)} #{thread}" if names.count(names[thread]) > 1 else clean(name)


def short_thread(name: str) -> str:
    """``Thread-1 (increment)``, a name that `threading` made up, without its target."""
    return re.sub(r"^(Thread-\d+) \(.*\)$", r"\1", name)


def _is_silent(steps: Sequence[Step], number: int) -> bool:
    """Begin, end and resume say no more than switch marks, unless a run has nothing else."""
    step = steps[number]
    if operation_of(step) not in _SILENT or step.outcome != "done":
        return False
    thread = step.thread
    first = number
    while first > 0 and steps[first - 1].thread == thread:
        first -= 1
    last = number
    while last + 1 < len(steps) and steps[last + 1].thread == thread:
        last += 1
    run = range(first, last + 1)
    if any(operation_of(steps[other]) not in _SILENT for other in run):
        return True
    return number != first or operation_of(step) == "resume"


def _reason(report: Report, number: int, *, goes_on: bool) -> str:
    steps = report.steps
    if steps[number].preemption:
        return "preempted"
    previous = steps[number - 1]
    thread = previous.thread
    if operation_of(previous) == "end":
        return "ended"
    if previous.outcome == "blocked":
        return "sleeping" if operation_of(previous) == "sleep" else "blocked"
    waits = any(waiting.thread == thread for waiting in report.waiting)
    return "blocked" if goes_on or waits else "ended"


def _continues(row: Sequence[Step], step: Step) -> bool:
    """Is the step more of the same pass over its line, or does a loop come round again?"""
    if len(row) >= _MAX_EVENTS or operation_of(step) in ("start", "join"):
        return False
    for earlier in row:
        if earlier.target != step.target:
            continue
        if "write" in earlier.access and "read" in step.access:
            return False
        same = (operation_of(earlier), earlier.access) == (operation_of(step), step.access)
        if same and step.access != "read" and earlier.outcome == "done":
            return False
    return True


def _resumes(row: Sequence[Step], step: Step) -> bool:
    """After a switch: does the line go on with what it had begun?"""
    if row and row[-1].outcome == "blocked":
        return operation_of(row[-1]) == operation_of(step) and row[-1].target == step.target
    return step.access == "write" and any(earlier.target == step.target and earlier.access == "read" for earlier in row)


def _event(step: Step) -> tuple[str, str]:
    """Target and what happened to it; no target where the text names it or the source does."""
    operation, value = operation_of(step), clean(step.value)
    target = clean(step.target)
    if operation in _OBJECT_VERBS:
        done, waits = _OBJECT_VERBS[operation]
        verb = {"done": done, "blocked": waits}.get(step.outcome, step.outcome)
        if operation == "try_acquire" and value == "False":
            verb = "did not get"
        if operation in ("start", "join"):
            target = short_thread(target)
        if not target or target in step.source:
            return "", verb.removesuffix(" for")
        return "", verb + (f" waiting for {target}" if step.outcome == "timed out" else f" {target}")
    if step.outcome != "done":
        waits = "sleeps" if operation == "sleep" else "waits"
        return target, waits if step.outcome == "blocked" else step.outcome
    if operation in _PLAIN_VERBS:
        return "", _PLAIN_VERBS[operation]
    if operation == "choose" and target:  # a set: in which order its elements come, or which is popped
        numbers = value.strip("(),")
        return target, f"in the order {numbers} of creation" if "," in numbers else f"number {numbers} by creation"
    if operation == "locked" and value:  # is_alive(): a try to get the lock that a thread holds while it runs
        return short_thread(target), "still runs" if value == "False" else "has ended"
    verb = _VALUE_VERBS.get(operation) or {
        "read": "read",
        "write": "wrote",
        "read-write": "changed to",
    }.get(step.access, "")
    if value:
        return target, f"{verb} {value}".strip()
    bare = {"read": "read", "wrote": "wrote", "changed to": "changed"}.get(verb, "")
    return target, "" if operation == "call" else bare


def _described(step: Step) -> str:
    return clean(" ".join(filter(None, (step.operation.replace("_", " "), step.target))))


def _named_in(target: str, source: str) -> bool:
    words = re.findall(r"\w+", target)
    return bool(words) and re.search(rf"\b{re.escape(words[-1])}\b", source) is not None
