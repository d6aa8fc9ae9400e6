"""What is changed in the child, and only there, before the base snapshot is taken."""

from __future__ import annotations

import faulthandler
import os
import random
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

import pytest

__all__ = [
    "answer_unraisable",
    "collect_warnings",
    "fail_on_thread_exception",
    "receive_interrupts",
    "seed_random",
    "silence_faulthandler",
    "suspend_tracers",
]

_MOST_WARNINGS = 20
_LOST_IN_THREAD = "Exception ignored in thread started by"


def suspend_tracers() -> None:
    """Turn off foreign tracers and profilers: they write memory at every step.

    Coverage of the explored test is lost with them; the fixtures' is not.
    """
    sys.settrace(None)
    sys.setprofile(None)
    threading.settrace(None)
    threading.setprofile(None)
    monitoring = getattr(sys, "monitoring", None)
    if monitoring is not None:
        for tool in range(6):
            if monitoring.get_tool(tool) is not None:
                monitoring.set_events(tool, 0)
                for event in vars(monitoring.events).values():  # those of single code objects stay on, and call nobody
                    if event:
                        monitoring.register_callback(tool, event, None)


def seed_random(seed: int) -> None:
    """Seed the global generators: `random` seeds itself anew, from the system, after a fork."""
    random.seed(seed)
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed(seed % (1 << 32))


def silence_faulthandler() -> None:
    """Crashes are reported by the parent; the dump of a handler would go to the wrong place.

    A dump that was to come later (``faulthandler_timeout``) has no thread here, and to take it back would wait for one.
    """
    faulthandler.disable()


def fail_on_thread_exception(fail: Callable[[BaseException], NoReturn]) -> None:
    """An exception that nobody catches in a thread fails the execution.

    A hook that the user installed, before or later, wins; pytest's own does not, as it only
    collects.
    """
    hook = threading.excepthook
    if hook is not threading.__excepthook__ and not _is_pytests(hook):
        return

    def excepthook(args: threading.ExceptHookArgs, /) -> None:
        if args.exc_value is not None and not isinstance(args.exc_value, SystemExit):
            fail(args.exc_value)

    threading.excepthook = excepthook


def answer_unraisable(fail: Callable[[BaseException], NoReturn]) -> None:
    """The same for threads of `_thread.start_new_thread`, whose exceptions are unraisable: they fail the execution.

    Of other unraisable exceptions pytest makes warnings, once the test has returned. Here they are made at once: where
    a filter makes an error of them, the execution fails as the test would. Hooks that are not pytest's are called.
    """
    hook = sys.unraisablehook
    if hook is not sys.__unraisablehook__ and not _is_pytests(hook):
        return

    def unraisablehook(args: Any, /) -> None:
        if args.exc_value is not None and (args.err_msg or "").startswith(_LOST_IN_THREAD):
            fail(args.exc_value)
        if hook is sys.__unraisablehook__:
            hook(args)
            return
        try:
            warnings.warn(pytest.PytestUnraisableExceptionWarning(_ignored(args)), stacklevel=1)
        except pytest.PytestUnraisableExceptionWarning as error:
            fail(error)

    sys.unraisablehook = unraisablehook


def _ignored(args: Any) -> str:
    """What was ignored, and where: by name, as the repr of an object would show an address."""
    where = getattr(args.object, "__qualname__", type(args.object).__name__)
    return f"{args.err_msg or 'Exception ignored in'} {where}: {args.exc_type.__name__}: {args.exc_value}"


def _is_pytests(hook: object) -> bool:
    function = getattr(hook, "func", hook)
    return getattr(function, "__module__", "") in ("_pytest.threadexception", "_pytest.unraisableexception")


def receive_interrupts() -> None:
    """Let SIGINT reach this process again, and from nobody but itself.

    The fork ignores it, because Ctrl-C is for the parent. In a process group of its own the child never
    hears of it, and ``_thread.interrupt_main`` or ``signal.raise_signal`` work as in any process.
    """
    os.setpgid(0, 0)
    handler = signal.getsignal(signal.SIGINT)
    if handler is not None:  # None: not installed from Python
        signal.signal(signal.SIGINT, handler)


def collect_warnings(
    into: list[tuple[str, str, str, int]], fixtures: Iterable[str]
) -> None:
    """Keep warnings of this execution in a list, to be shown by the parent.

    Not if the test records warnings itself (``recwarn``): it must find its own.
    """
    if "recwarn" in fixtures:
        return

    def show(message: Any) -> None:
        if len(into) < _MOST_WARNINGS:
            category = message.category
            into.append(
                (category.__name__, str(message.message), message.filename, message.lineno)
            )

    warnings._showwarnmsg_impl = show  # type: ignore[attr-defined]
