"""Writes down what happens in a replay: every visible step, switch and choice.

Each step is sent to the parent as it happens, so that a crash keeps all steps before it.
"""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType, ModuleType
from typing import TYPE_CHECKING, Any

from pytest_statespace.runtime.display import Names, Position, View, short_repr, variables_of
from pytest_statespace.runtime.wire import to_plain
from pytest_statespace.types import Step, WaitingThread

if TYPE_CHECKING:
    from pytest_statespace.runtime.event_loop import WaitingTask

__all__ = ["Recorder"]

_ACCESS = ("", "read", "write", "read-write")
_SILENT = frozenset({"resume", "none"})


class Recorder:
    """The bridge's recorder: called with choice points off, on the thread concerned."""

    def __init__(
        self, send: Callable[[dict[str, Any]], None], root: Path, traced: tuple[str, ...]
    ) -> None:
        self._send = send
        self._root = str(root)
        self.view = View(self._root, traced)
        self._names = Names(self.view)
        self._threads: dict[int, str] = {0: "main"}
        self._last = 0
        self._could_go_on = False
        self.waiting: list[WaitingThread] = []
        self.stacks: list[str] = []
        self.deadlocked: Callable[[], None] = lambda: None

    def __call__(self, event: dict[str, Any]) -> None:
        """Take one event. Never raises: a step that can't be shown is shown without detail."""
        kind = event["kind"]
        if kind == "step":
            self._step(event)
        elif kind == "switch":
            self._switch(event)
        elif kind == "deadlock":
            self._deadlock(event["threads"])

    def thread_names(self, count: int) -> list[str]:
        """Names by ordinal."""
        return [self._threads.get(ordinal, f"thread {ordinal}") for ordinal in range(count)]

    def _step(self, event: dict[str, Any]) -> None:
        thread = event["thread"]
        self._learn_name(thread)
        operation = event["operation"]
        if operation in _SILENT or _is_internal(event.get("object")):
            return
        frame: FrameType | None = event.get("frame")
        try:
            where = self.view.position(frame)
            target = self._names.target(event.get("object"), event.get("name"), frame)
            value = short_repr(event["value"]) if "value" in event else ""
        except Exception as error:
            where = Position("", 0, "", "")
            target, value = "", f"<{type(error).__name__} while naming this step>"
        switched = thread != self._last
        step = Step(
            thread=thread,
            operation=operation,
            target=target,
            access=_ACCESS[event.get("access", 0) & 3],
            file=where.file,
            line=where.line,
            function=where.function,
            source=where.source,
            value=value,
            outcome=event.get("outcome", "done"),
            switch=switched,
            preemption=switched and self._could_go_on,
        )
        self._last = thread
        self._could_go_on = False
        self._send({"step": to_plain(step)})

    def _switch(self, event: dict[str, Any]) -> None:
        going, coming = event["from"], event["to"]
        self._could_go_on = going != coming and going in event["alternatives"]
        self._send(
            {
                "choice": [
                    event["chosen"],
                    len(event["alternatives"]),
                    coming,
                    event["label"],
                    int(self._could_go_on),
                    event["due"],
                ]
            }
        )

    def _learn_name(self, thread: int) -> None:
        if thread in self._threads:
            return
        known = threading._active.get(threading.get_ident())  # type: ignore[attr-defined]
        if known is not None:
            self._threads[thread] = known.name
            self._send({"thread": [thread, known.name]})

    def _deadlock(self, table: list[dict[str, Any]]) -> None:
        for row in table:
            if row["status"] != "blocked":
                continue
            frame = row.get("frame")
            where = self.view.position(frame)
            holder = row.get("holder")
            operation, waited_for = row["operation"], row["object"]
            tasks = _tasks_waiting_on(waited_for)
            if tasks:
                for task in tasks:
                    self._waiting_task(row["ordinal"], task)
                continue
            condition = _condition_waited_for(frame)
            if condition is not None:  # not for the lock of its own that wait() makes and takes
                operation, waited_for, holder = "wait", condition, None
            self.waiting.append(
                WaitingThread(
                    thread=row["ordinal"],
                    name=self._threads.get(row["ordinal"], f"thread {row['ordinal']}"),
                    operation=operation,
                    target=self._names.of(waited_for, frame) if waited_for is not None else "",
                    file=where.file,
                    line=where.line,
                    function=where.function,
                    source=where.source,
                    holder=-1 if holder is None else holder,
                )
            )
            self.stacks.append(self._stack(row["ordinal"], frame))
        self.deadlocked()

    def _stack(self, ordinal: int, frame: FrameType | None) -> str:
        """The user's frames of a waiting thread, outermost first."""
        frames = self.view.user_frames(frame)
        name = self._threads.get(ordinal, f"thread {ordinal}")
        return f"{name} waits here:\n{self._entries([(at, at.f_lineno or 0) for at in frames])}"

    def _waiting_task(self, ordinal: int, task: WaitingTask) -> None:
        """An asyncio task that nobody will wake, in the place of the thread that runs its loop."""
        frames = [frame for frame, _ in task.chain]
        known = [frame for frame in frames if self.view.user_frame(frame) is frame] or frames
        where = self.view.position(known[-1] if known else None)
        self.waiting.append(
            WaitingThread(
                thread=ordinal,
                name=task.name,
                operation="await",
                target=task.awaits,
                file=where.file,
                line=where.line,
                function=where.function,
                source=where.source,
                holder=-1,
            )
        )
        self.stacks.append(f"{task.name} awaits here:\n{self._entries(list(task.chain))}")

    def _entries(self, frames: list[tuple[FrameType, int]]) -> str:
        summary = traceback.StackSummary.extract(iter(frames))
        return "".join(summary.format()).replace(self._root + "/", "")


def _event_loop() -> ModuleType | None:
    """The module of our event loop, if the test uses asyncio."""
    return sys.modules.get("pytest_statespace.runtime.event_loop")


def _is_internal(lock: object) -> bool:
    module = _event_loop()
    return module is not None and module.is_internal(lock)


def _tasks_waiting_on(lock: object) -> list[WaitingTask]:
    module = _event_loop()
    return module.waiting_tasks(lock) if module is not None else []


def _condition_waited_for(frame: FrameType | None) -> threading.Condition | None:
    """The condition in whose ``wait()`` a thread stands."""
    if frame is None or frame.f_code is not threading.Condition.wait.__code__:
        return None
    condition = variables_of(frame)["self"]
    return condition if isinstance(condition, threading.Condition) else None
