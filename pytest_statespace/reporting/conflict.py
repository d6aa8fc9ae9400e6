"""Names the accesses whose order decides, judged by the recorded order alone.

Every sentence states a fact of this execution (who did what before whom); nothing is
guessed about other executions. Patterns, most telling first: a lost update (both read
before either wrote, or a write based on an outdated read), check then act, and, if
neither is found, the conflicting accesses around the last preemption. For deadlocks: the
cycle of holders and waiters with the order in which each took its locks, locks held by
threads that have ended or by the waiter itself, and notifications that came before the wait.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pytest_statespace.reporting.rows import operation_of, place, short_names, thread_name
from pytest_statespace.reporting.text import clean
from pytest_statespace.types import FailureKind, PassingTwin, Report, Step, WaitingThread

__all__ = ["conflicts", "decisive", "find_cycle", "held_targets"]

_CONSIDERED = 5000  # steps before the end: some questions take quadratic time
_LIMIT = 3  # sentences: more would not explain more
_LOCKING = ("acquire", "try_acquire", "release", "locked")
_NO_DATA = (*_LOCKING, "begin", "start", "end", "join", "sleep", "choose", "resume")
_MUTATING = ("put", "get", "try_get")


def conflicts(report: Report) -> list[str]:
    """Sentences, none if nothing can be said; each is true of this execution as recorded."""
    story = _Story(report, report.steps[-_CONSIDERED:])
    if report.kind is FailureKind.DEADLOCK:
        found = [*_cycle(story), *_lost_notifications(story), *_stuck_locks(story)]
        found = found or list(_check_then_act(story))
    else:
        found = list(_lost_updates(story))
        found = found or list(_check_then_act(story))
        found = found or list(_around_last_preemption(story))
    return list(dict.fromkeys(found))[:_LIMIT]


def decisive(report: Report, twin: PassingTwin) -> str:
    """Whose step came first at the last choice that could still have led to a passing execution; "" if unknown."""
    if twin.choice >= min(len(report.choice_steps), len(report.schedule.choices)):
        return ""
    story = _Story(report, report.steps)
    start = report.choice_steps[twin.choice]
    chosen = report.schedule.choices[twin.choice].thread

    def about_to(thread: int) -> str:
        steps = (step for step in report.steps[start:] if step.thread == thread and step.file)
        item = next(steps, None) or next((entry for entry in report.waiting if entry.thread == thread), None)
        if item is None:
            return story.name(thread)
        verb = (item.access if isinstance(item, Step) else "") or operation_of(item)
        what = f"{verb.replace('_', ' ')} `{clean(item.target)}`" if item.target else verb.replace("_", " ")
        where = story.at(item).strip(" ()")
        return f"{story.name(thread)} ({what}{', ' if where else ''}{where})"

    instead = story.name(twin.thread)
    return (
        f"It is decided where {about_to(chosen)} goes before {about_to(twin.thread)}: "
        f"if {instead} goes first there, the test passes"
    )


def find_cycle(waiting: Sequence[WaitingThread]) -> list[WaitingThread]:
    """Threads that wait for each other in a ring, each for a thing that the next one holds."""
    by_thread = {entry.thread: entry for entry in waiting}
    for entry in waiting:
        path: list[WaitingThread] = []
        at: WaitingThread | None = entry
        while at is not None and at not in path:
            path.append(at)
            at = by_thread.get(at.holder)
        if at is not None:
            return path[path.index(at) :]
    return []


def held_targets(report: Report, thread: int) -> list[str]:
    """What a thread holds at the end: locks that others wait for and those it took and kept."""
    held: dict[str, int] = {}
    for step in report.steps:
        if step.thread != thread or step.outcome != "done" or not step.target:
            continue
        operation = operation_of(step)
        if operation == "acquire" or (operation == "try_acquire" and step.value == "True"):
            held[step.target] = held.get(step.target, 0) + 1
        elif operation == "release":
            held[step.target] = held.get(step.target, 0) - 1
    names = [target for target, count in held.items() if count > 0]
    names += [
        entry.target
        for entry in report.waiting
        if entry.holder == thread and entry.target and entry.operation != "join"
    ]
    return list(dict.fromkeys(clean(name) for name in names))


@dataclass(slots=True)
class _Story:
    """A report with the few questions that all patterns ask."""

    report: Report
    steps: tuple[Step, ...]

    def name(self, thread: int) -> str:
        return thread_name(self.report, thread)

    def at(self, item: Step | WaitingThread) -> str:
        files = [step.file for step in self.steps if step.file]
        files += [entry.file for entry in self.report.waiting if entry.file]
        where = place(item.file, item.line, short_names(files))
        return f" ({where})" if where else ""

    def reads(self, step: Step) -> bool:
        return self.is_data(step) and "read" in step.access

    def writes(self, step: Step) -> bool:
        return self.is_data(step) and ("write" in step.access or operation_of(step) in _MUTATING)

    def is_data(self, step: Step) -> bool:
        return bool(step.target and step.outcome == "done" and operation_of(step) not in _NO_DATA)

    def preemptions(self) -> Iterator[tuple[int, int, int]]:
        """Preempted thread, first step after the switch, its own first step again (or the end)."""
        for number, step in enumerate(self.steps):
            if number and step.preemption:
                thread = self.steps[number - 1].thread
                again = next(
                    (n for n in range(number, len(self.steps)) if self.steps[n].thread == thread),
                    len(self.steps),
                )
                yield thread, number, again


def _lost_updates(story: _Story) -> Iterator[str]:
    steps = story.steps
    told: set[str] = set()
    for last, write in enumerate(steps):
        if not story.writes(write) or story.reads(write) or write.target in told:
            continue
        first = _own_read_before(story, last)
        if first is None:
            continue
        between = [
            n
            for n in range(first + 1, last)
            if steps[n].thread != write.thread and steps[n].target == write.target and story.writes(steps[n])
        ]
        if not between:
            continue
        told.add(write.target)
        yield _lost_update_sentence(story, first, between[0], last)


def _lost_update_sentence(story: _Story, first: int, middle: int, last: int) -> str:
    steps = story.steps
    read, other, write = steps[first], steps[middle], steps[last]
    target, mine, theirs = clean(write.target), story.name(write.thread), story.name(other.thread)
    others_read = _own_read_before(story, middle)
    if others_read is not None and not story.reads(other):
        early, late = sorted((first, others_read))
        values = {steps[early].value, steps[late].value}
        value = f" ({clean(values.pop())})" if len(values) == 1 and "" not in values else ""
        return (
            f"{story.name(steps[early].thread)} and {story.name(steps[late].thread)} both read "
            f"`{target}`{value} before either wrote it: {theirs} wrote{_value(other)}"
            f"{story.at(other)}, then {mine} wrote{_value(write)}{story.at(write)} over it"
        )
    return (
        f"{mine} read `{target}`{_as(read)}{story.at(read)}, {theirs} changed it{_to(other)}"
        f"{story.at(other)}, then {mine} wrote{_value(write)}{story.at(write)} over that"
    )


def _check_then_act(story: _Story) -> Iterator[str]:
    steps = story.steps
    for thread, switched, again in story.preemptions():
        if again == len(steps):
            continue
        changed = {steps[n].target: steps[n] for n in reversed(range(switched, again)) if story.writes(steps[n])}
        for target, write in changed.items():
            check = next(
                (
                    step
                    for step in reversed(steps[:switched])
                    if step.thread == thread and step.target == target and story.is_data(step)
                ),
                None,
            )
            following = next(
                (
                    step
                    for step in steps[again:]
                    if step.thread == thread and step.target == target and operation_of(step) not in _LOCKING
                ),
                None,
            )
            rechecks = (
                following is not None and following.access == "read" and (operation_of(following) not in _MUTATING)
            )
            if check is None or not story.reads(check) or rechecks:
                continue
            act = following or steps[again]
            yield (
                f"{story.name(thread)} read `{clean(target)}`{_as(check)}{story.at(check)}, "
                f"{story.name(write.thread)} changed it{_to(write)}{story.at(write)} "
                f"before {story.name(thread)} acted on it{story.at(act)}"
            )


def _around_last_preemption(story: _Story) -> Iterator[str]:
    steps = story.steps
    for thread, switched, again in reversed(list(story.preemptions())):
        later = [step for step in steps[again:] if step.thread == thread and step.target]
        for mine in later:
            for theirs in steps[switched:again]:
                if theirs.target != mine.target or theirs.outcome != "done":
                    continue
                if not (_changes(story, mine) or _changes(story, theirs)):
                    continue
                yield (
                    f"while {story.name(thread)} was preempted, {story.name(theirs.thread)} "
                    f"{_did(theirs)} `{clean(mine.target)}`{_as(theirs)}{story.at(theirs)}; "
                    f"then {story.name(thread)} {_did(mine)} it{story.at(mine)}"
                )
                return


def _cycle(story: _Story) -> Iterator[str]:
    cycle = find_cycle(story.report.waiting)
    if len(cycle) < 2:
        return
    parts = []
    for position, entry in enumerate(cycle):
        held = cycle[position - 1].target  # the one before waits for what this one holds
        taken = next(
            (
                step
                for step in reversed(story.steps)
                if step.thread == entry.thread
                and step.target == held
                and step.outcome == "done"
                and operation_of(step) in ("acquire", "try_acquire")
            ),
            None,
        )
        took = f"took `{clean(held)}`{story.at(taken)}" if taken else f"holds `{clean(held)}`"
        parts.append(f"{story.name(entry.thread)} {took} and then wants `{clean(entry.target)}`{story.at(entry)}")
    yield "; ".join(parts)


def _lost_notifications(story: _Story) -> Iterator[str]:
    for entry in story.report.waiting:
        waited = re.search(r"(\w+)(?:\[[^]]*\])?\.(?:wait|wait_for)\(", entry.source)
        if not waited:
            continue
        begun = len(story.steps)
        for number in reversed(range(len(story.steps))):
            step = story.steps[number]
            if step.thread != entry.thread:
                continue
            if (step.file, step.line) != (entry.file, entry.line):
                break
            begun = number
        pattern = re.compile(rf"\b{waited[1]}(?:\[[^]]*\])?\.(notify(?:_all)?|notifyAll)\(")
        for step in reversed(story.steps[:begun]):
            notified = pattern.search(step.source)
            if notified and step.thread != entry.thread:
                yield (
                    f"{story.name(step.thread)} called {waited[1]}.{notified[1]}()"
                    f"{story.at(step)} before {story.name(entry.thread)} began to wait"
                    f"{story.at(entry)}: a notification wakes nobody who waits later"
                )
                break


def _stuck_locks(story: _Story) -> Iterator[str]:
    waiting = {entry.thread for entry in story.report.waiting}
    for entry in story.report.waiting:
        if entry.holder < 0 or entry.operation == "join":
            continue
        name, target = story.name(entry.thread), clean(entry.target)
        if entry.holder == entry.thread:
            yield f"{name} waits for `{target}`{story.at(entry)}, which it holds itself"
        elif entry.holder not in waiting:
            yield (
                f"{name} waits for `{target}`{story.at(entry)}, which "
                f"{story.name(entry.holder)} took and never released"
            )


def _own_read_before(story: _Story, write: int) -> int | None:
    """The read that a write is based on: the thread's latest since its last write there."""
    step = story.steps[write]
    for number in reversed(range(write)):
        earlier = story.steps[number]
        if earlier.thread == step.thread and earlier.target == step.target:
            if story.writes(earlier):
                return None
            if story.reads(earlier):
                return number
    return None


def _changes(story: _Story, step: Step) -> bool:
    return story.writes(step) or operation_of(step) in ("acquire", "try_acquire", "release")


def _did(step: Step) -> str:
    verbs = {
        "acquire": "acquired",
        "try_acquire": "tried to acquire",
        "release": "released",
        "locked": "looked at",
        "put": "put into",
        "get": "took from",
        "try_get": "took from",
    }
    return verbs.get(operation_of(step)) or {"read": "read", "write": "wrote"}.get(step.access, "used")


def _value(step: Step) -> str:
    return f" {clean(step.value)}" if step.value and operation_of(step) not in _LOCKING else ""


def _as(step: Step) -> str:
    return f" = {clean(step.value)}" if step.value and operation_of(step) not in _LOCKING else ""


def _to(step: Step) -> str:
    return f" to {clean(step.value)}" if step.value and step.access == "write" else ""
