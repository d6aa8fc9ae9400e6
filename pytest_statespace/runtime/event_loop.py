"""asyncio's event loop with nothing below it: virtual time, choices in the place of a selector.

Everything but the bottom is asyncio's own code: handles, tasks, futures, executors. What this
loop decides is what a real one learns from the kernel:

* Ready callbacks run first in, first out, one iteration after another, as asyncio promises.
* When nothing is ready, the loop waits for a wake-up from another thread or for a timer. It
  waits on a lock, so the scheduler of threads sees it, explores who comes first, and moves the
  clock when nobody else can run.
* **How many timers end in one iteration** is a choice. A real iteration takes all timers that
  are due when it looks at the clock, and due may be one or several: timers of the same deadline
  were started one after the other. With ``timeouts="any"`` a deadline says nothing about when a
  timer ends, so any of the pending ones may end in any iteration, alone or with others.

Before each iteration other threads can run: what they bring with ``call_soon_threadsafe`` comes
before or after it. File descriptors, sockets, subprocesses and signals end the test as
unsupported; a third-party loop (uvloop) meets the system-call guard.
"""

from __future__ import annotations

import asyncio
import asyncio.mixins
import asyncio.runners
import asyncio.unix_events
import contextlib
import re
import signal
import sys
import threading
import weakref
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from types import FrameType, ModuleType
from typing import Any, NoReturn

__all__ = ["ExplorationLoop", "WaitingTask", "install", "is_internal", "refuse_foreign", "run", "waiting_tasks"]

_RESOLUTION = 1e-6  # seconds: timers less apart than this have the same deadline
_UNSUPPORTED = 5  # enum ss_end
_LIBRARY = ("/asyncio/", "/pytest_statespace/")
_FRAMES = ("cr_frame", "gi_frame", "ag_frame")
_AWAITS = ("cr_await", "gi_yieldfrom", "ag_await")

_bridge: ModuleType | None = None
_any_order = False
_loops: list[ExplorationLoop] = []  # open ones, oldest first


class _Policy(asyncio.unix_events._UnixDefaultEventLoopPolicy):
    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        return ExplorationLoop()


def install(bridge: ModuleType, *, any_order: bool) -> None:
    """Make every event loop of this process one of ours. Call it once, in the child."""
    global _bridge, _any_order
    _bridge, _any_order = bridge, any_order
    # 3.14 warns of policies, also of this one, which says what a loop is made of wherever one is made.
    getattr(asyncio.events, "_set_event_loop_policy", asyncio.set_event_loop_policy)(_Policy())
    # Where it finds Python's own handler, asyncio.run puts another in its place, and back: writes that say nothing.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)
    # asyncio.run asks a weak set for what is left to cancel; our loop knows it.
    asyncio.runners._cancel_all_tasks = _cancel_tasks  # type: ignore[attr-defined]
    # From 3.12 on a policy tries out a descriptor before it makes a watcher of processes, which there are none of.
    if hasattr(asyncio.unix_events, "can_use_pidfd"):
        asyncio.unix_events.can_use_pidfd = _no_pidfd


def _no_pidfd() -> bool:
    return False


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def run(main: Coroutine[Any, Any, object]) -> None:
    """Run the body of an ``async def`` test, then end what it left behind, as asyncio.run does."""
    with asyncio.Runner(loop_factory=ExplorationLoop) as runner:
        runner.run(main)


class ExplorationLoop(asyncio.BaseEventLoop):
    """See the module's docstring. Everything that is not overridden is asyncio's."""

    _ready: Any  # of BaseEventLoop: a deque of handles
    _stopping: bool

    def __init__(self) -> None:
        super().__init__()
        self._timers: list[asyncio.TimerHandle] = []  # in order of creation
        self._tasks: list[weakref.ref[asyncio.Task[Any]]] = []  # in order of creation
        self._wake = threading.Lock()  # locked: nobody has called since the loop looked last
        _loops.append(self)
        self._wake.acquire()

    def close(self) -> None:
        """Close the loop; it must not be running."""
        super().close()
        with contextlib.suppress(ValueError):
            _loops.remove(self)

    # -- timers ---------------------------------------------------------------------------

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        """As in asyncio. The timer goes to a list in order of creation, not to a heap."""
        if when is None:
            raise TypeError("when cannot be None")
        self._check_closed()  # type: ignore[attr-defined]
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        timer._scheduled = True  # type: ignore[attr-defined]
        self._timers.append(timer)
        return timer

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        self._timers = [timer for timer in self._timers if timer is not handle]

    def _end_timers(self) -> None:
        """Move the timers that end in this iteration to the ready callbacks, earliest first."""
        if not self._timers:
            return  # without a look at the clock: what looks at it may depend on it
        now = self.time()
        candidates = sorted(
            (timer for timer in self._timers if _any_order or timer.when() <= now + _RESOLUTION),
            key=asyncio.TimerHandle.when,
        )
        if not candidates:
            return
        needed = not self._ready and not self._stopping  # an iteration must have a reason
        chosen = _subset(candidates, needed) if _any_order else _prefix(candidates, needed)
        if not chosen:
            return
        late = chosen[-1].when() - now
        if late > _RESOLUTION:  # it ended before its time: that time is now
            threading.Event().wait(late)
        for timer in chosen:
            timer._scheduled = False  # type: ignore[attr-defined]
            self._ready.append(timer)
        # By identity: timers with the same time, function and arguments are equal.
        self._timers = [timer for timer in self._timers if not any(timer is one for one in chosen)]

    # -- the bottom of the loop -----------------------------------------------------------

    def _run_once(self) -> None:
        self._wait_for_work()
        self._end_timers()
        for _ in range(len(self._ready)):  # what these callbacks add runs in the next iteration
            handle = self._ready.popleft()
            if not handle._cancelled:
                handle._run()
        handle = None  # it may refer to an exception, and that to this frame

    def _wait_for_work(self) -> None:
        while not self._ready and not self._stopping:
            if not self._timers:
                self._wake.acquire()
                continue
            left = min(timer.when() for timer in self._timers) - self.time()
            if left <= _RESOLUTION or not self._wake.acquire(timeout=left):
                return
        self._wake.acquire(blocking=False)  # a choice point: other threads may come first

    def _write_to_self(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop was called before
            self._wake.release()

    def waits_on(self, lock: object) -> bool:
        """Is this the lock on which the loop waits for other threads?"""
        return lock is self._wake

    def _process_events(self, event_list: object) -> None:
        """There are no events."""

    # -- tasks ----------------------------------------------------------------------------

    def create_task(self, coro: Any, **options: Any) -> asyncio.Task[Any]:
        """As in asyncio; the loop remembers the order of creation."""
        task: asyncio.Task[Any] = super().create_task(coro, **options)
        self._tasks = [ref for ref in self._tasks if _pending(ref)]
        self._tasks.append(weakref.ref(task))
        return task

    def pending_tasks(self) -> list[asyncio.Task[Any]]:
        """Tasks that have not ended, in order of creation."""
        tasks = (ref() for ref in self._tasks)
        return [task for task in tasks if task is not None and not task.done()]


# -- choosing ---------------------------------------------------------------------------------


def _choose(alternatives: int) -> int:
    if alternatives < 2 or _bridge is None or not _bridge.in_exploration():
        return 0
    return int(_bridge.choose(alternatives))


def _prefix(timers: list[asyncio.TimerHandle], needed: bool) -> list[asyncio.TimerHandle]:
    """All of the due timers, or fewer: the first of them."""
    fewer = _choose(len(timers) + (0 if needed else 1))
    return timers[: len(timers) - fewer]


def _subset(timers: list[asyncio.TimerHandle], needed: bool) -> list[asyncio.TimerHandle]:
    """Any of the pending timers, at least one if an iteration needs it."""
    chosen: list[asyncio.TimerHandle] = []
    for position, timer in enumerate(timers):
        is_last_chance = needed and not chosen and position == len(timers) - 1
        if is_last_chance or _choose(2) == (1 if chosen or not needed else 0):
            chosen.append(timer)
    return chosen


def _pending(ref: weakref.ref[asyncio.Task[Any]]) -> bool:
    task = ref()
    return task is not None and not task.done()


def _cancel_tasks(loop: asyncio.AbstractEventLoop) -> None:
    """`asyncio.runners._cancel_all_tasks`, in the order of a set as there."""
    tasks = list(set(loop.pending_tasks())) if isinstance(loop, ExplorationLoop) else []
    if not tasks:
        return
    for task in tasks:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
    for task in tasks:
        if not task.cancelled() and task.exception() is not None:
            loop.call_exception_handler(
                {
                    "message": "unhandled exception during asyncio.run() shutdown",
                    "exception": task.exception(),
                    "task": task,
                }
            )


# -- what can't be rewound --------------------------------------------------------------------

_REFUSED = {
    "add_reader": "socket, pipe or other file descriptor",
    "add_writer": "socket, pipe or other file descriptor",
    "add_signal_handler": "signals come from outside",
    "create_connection": "network socket",
    "create_datagram_endpoint": "network socket",
    "create_server": "network socket",
    "create_unix_connection": "local socket",
    "create_unix_server": "local socket",
    "connect_read_pipe": "pipe",
    "connect_write_pipe": "pipe",
    "subprocess_exec": "execve",
    "subprocess_shell": "execve",
}


def _refusal(method: str, why: str) -> Callable[..., NoReturn]:
    def refuse(self: ExplorationLoop, *args: object, **options: object) -> NoReturn:
        _refuse(f"loop.{method} ({why})")

    refuse.__name__ = method
    refuse.__doc__ = f"Refused: {why}."
    return refuse


def _refuse(call: str) -> NoReturn:
    """End the execution as unsupported, naming the line outside asyncio that led here."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and any(part in frame.f_code.co_filename for part in _LIBRARY):
        frame = frame.f_back
    where = f" at {frame.f_code.co_filename}:{frame.f_lineno}" if frame is not None else ""
    _end_unsupported(call, where)


def refuse_foreign(error: BaseException, where: str) -> None:
    """End the execution as unsupported if `error` says that something belongs to another loop. ``where``: FILE:LINE."""
    if isinstance(error, RuntimeError | ValueError) and re.search(r"different (event )?loop", str(error)):
        _end_unsupported("waiting for what an asynchronous fixture made in an event loop of its own", f" at {where}")


def _end_unsupported(call: str, where: str) -> NoReturn:
    if _bridge is None or not _bridge.in_exploration():
        raise NotImplementedError(f"{call}{where}")
    _bridge.pause()
    _bridge.end_execution(_UNSUPPORTED, b"", call + where)
    raise AssertionError("end_execution returned")


for _method, _why in _REFUSED.items():
    setattr(ExplorationLoop, _method, _refusal(_method, _why))


# -- reports ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class WaitingTask:
    """A task that has not ended: its name and its chain of awaits, outermost first."""

    name: str
    chain: tuple[tuple[FrameType, int], ...]  # frames with line numbers
    awaits: str  # what the innermost coroutine is: "Event.wait"


def waiting_tasks(lock: object) -> list[WaitingTask]:
    """The tasks of the loop that waits on this lock; empty if none does."""
    for loop in _loops:
        if loop.waits_on(lock):
            return [_waiting(task) for task in loop.pending_tasks()]
    return []


def is_internal(lock: object) -> bool:
    """Is it a lock of the machinery, which no report should speak of?"""
    if any(loop.waits_on(lock) for loop in _loops):
        return True
    return lock is asyncio.mixins._global_lock


def _waiting(task: asyncio.Task[Any]) -> WaitingTask:
    chain: list[tuple[FrameType, int]] = []
    name = ""
    awaited: Any = task.get_coro()
    while awaited is not None:
        frame = next((found for kind in _FRAMES if (found := getattr(awaited, kind, None))), None)
        if frame is not None:
            chain.append((frame, frame.f_lineno))
            name = frame.f_code.co_qualname
        awaited = next((found for kind in _AWAITS if (found := getattr(awaited, kind, None))), None)
    return WaitingTask(task.get_name(), tuple(chain), name)
