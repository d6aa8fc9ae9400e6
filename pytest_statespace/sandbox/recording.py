"""Running one schedule again, with the lights on: the replay that makes a report.

A fresh child runs the forced choices in recording mode: no snapshots, no system-call guard, a
recorder that sends every step over a pipe as it happens. Whatever way that execution ends, a
`Report` comes back: whole if the child could make one, else put together from the steps that
arrived before it died.
"""

from __future__ import annotations

import dataclasses
import os
import tempfile
from collections.abc import Callable
from typing import Any, NoReturn

from pytest_statespace.runtime.wire import from_plain
from pytest_statespace.sandbox.protocol import Command, End, PathResult, RunFlag
from pytest_statespace.sandbox.session import Sandbox
from pytest_statespace.types import Choice, ChoiceKind, FailureKind, Report, Schedule, Step

__all__ = ["Recorded", "record"]

_BELOW_THE_TEST = '/pytest_statespace/runtime/child.py"'
_MESSAGES = {FailureKind.LIVELOCK: "livelock: whatever runs next, the test never ends"}
_LONG = 1 << 15  # choice points
_MEBIBYTES = 16  # no snapshots are taken: only choice points are kept in the arena


@dataclasses.dataclass(frozen=True, slots=True)
class Recorded:
    """What a recorded replay brought home. ``exit`` is set when a debugger was quit.

    ``switches_possible``: this interpreter with its GIL could have made all of its preemptions
    too (granularity ``access`` only, elsewhere it means nothing).
    """

    report: Report
    end: End
    detail: str
    exit: str = ""
    switches_possible: bool = False


def record(
    schedule: Schedule,
    main: Callable[[int, int], NoReturn],
    *,
    hang_seconds: float | None,
    deadline: float | None = None,
    stop: bool = False,
) -> Recorded:
    """Run a schedule in a fresh child; ``main`` gets the message pipe and a file for crashes.

    After the forced choices the defaults are taken, or with ``stop`` none: a livelock has no end
    to come to. Raises StatespaceError if the child could not be set up.
    """
    with tempfile.TemporaryFile() as crash:
        crash_fd = crash.fileno()
        os.set_inheritable(crash_fd, True)

        def child(pipe: int) -> NoReturn:
            main(pipe, crash_fd)

        with Sandbox.open(
            child, mebibytes=_MEBIBYTES, hang_seconds=hang_seconds, messages=True
        ) as sandbox:
            # A long schedule comes from an execution that was run without a limit.
            flags = RunFlag.ONCE if len(schedule.choices) > _LONG else RunFlag.NONE
            flags |= RunFlag.STOP if stop else RunFlag.NONE
            command = Command(
                state=0,
                alternative=0,
                flags=flags,
                forced=tuple(choice.index for choice in schedule.choices),
                labels=tuple(choice.label for choice in schedule.choices),
            )
            result = sandbox.run(command, deadline=deadline)
            sandbox.drain()
            messages = list(sandbox.messages)
        crash.seek(0)
        crash_text = _own_part(crash.read().decode("utf-8", "replace"))
    return _assemble(result, messages, crash_text, schedule)


def _assemble(
    result: PathResult,
    messages: list[dict[str, Any]],
    crash_text: str,
    wanted: Schedule,
) -> Recorded:
    steps = tuple(from_plain(Step, m["step"]) for m in messages if "step" in m)
    made: dict[str, Any] | None = None
    exit_text = ""
    names: dict[int, str] = {0: "main"}
    for message in messages:
        if "report" in message:
            made = message["report"]
        elif "thread" in message:
            ordinal, name = message["thread"]
            names[ordinal] = name
        elif "exit" in message:
            exit_text = message["exit"]
    count = max((*names, *(step.thread for step in steps))) + 1
    fields: dict[str, Any] = {
        "kind": None,
        "message": "",
        "exception_type": "",
        "longrepr": "",
        "sections": (),
        "threads": [names.get(i, f"thread {i}") for i in range(count)],
        "waiting": (),
    }
    if made is not None:
        fields.update(made)
    kind = _kind_of_end(result.end)
    if kind is not None and fields["kind"] is None:
        fields["kind"] = kind.value
        fields["message"] = fields["message"] or result.detail or _MESSAGES.get(kind, "")
        fields["longrepr"] = fields["longrepr"] or crash_text
    report = from_plain(
        Report,
        {
            **fields,
            "steps": [],
            "schedule": {"choices": [], "preemptions": 0},
            "diverged": _divergence(result, wanted),
        },
    )
    report = dataclasses.replace(
        report, steps=steps, schedule=_met(result, messages), choice_steps=_steps_before_choices(messages)
    )
    possible = all(m["choice"][5] for m in messages if "choice" in m and m["choice"][4])
    return Recorded(report, result.end, result.detail, exit_text, possible)


def _own_part(crash: str) -> str:
    """What faulthandler wrote, without the frames below the test function."""
    lines: list[str] = []
    for line in crash.strip().splitlines():
        if _BELOW_THE_TEST in line:
            break
        lines.append(line)
    return "\n".join(lines)


def _kind_of_end(end: End) -> FailureKind | None:
    return {
        End.CRASHED: FailureKind.CRASH,
        End.HUNG: FailureKind.HANG,
        End.DEADLOCK: FailureKind.DEADLOCK,
        End.FAILED: FailureKind.EXCEPTION,
        End.STOPPED: FailureKind.LIVELOCK,
    }.get(end)


def _divergence(result: PathResult, wanted: Schedule) -> str:
    if result.end is End.DIVERGED:
        return result.detail or "another choice point was met than the schedule says"
    if result.end in (End.FINISHED, End.FAILED, End.DEADLOCK, End.STOPPED) and len(result.states) < len(wanted):
        return (
            f"the execution ended after {len(result.states)} choice points, "
            f"the schedule has {len(wanted)}"
        )
    return ""


def _steps_before_choices(messages: list[dict[str, Any]]) -> tuple[int, ...]:
    steps, before = 0, []
    for message in messages:
        steps += "step" in message
        if "choice" in message:
            before.append(steps)
    return tuple(before)


def _met(result: PathResult, messages: list[dict[str, Any]]) -> Schedule:
    """The choices that were really made: from the arena, which a crash does not touch."""
    choices = tuple(
        Choice(
            kind=ChoiceKind(state.kind),
            index=state.taken,
            alternatives=state.count,
            thread=state.threads[state.taken] if state.taken < len(state.threads) else -1,
            label=state.label,
        )
        for state in result.states
    )
    preemptions = sum(m["choice"][4] for m in messages if "choice" in m)
    return Schedule(choices, preemptions)
