"""Threads that still run when the test function has returned: what is said about them, and what is done.

An execution ends with the test function, and such threads with it. A plain process would go on: it joins
every thread that is no daemon before it exits. Workers of an executor that nobody shut down are told to
end by `concurrent.futures` then, so to wait for them here would be a deadlock that does not exist.
"""

from __future__ import annotations

import sys
import threading
from concurrent.futures import thread as executors
from pathlib import Path

import pytest

__all__ = ["names", "settle"]

_MACHINERY = (threading.__file__, "/queue.py", "/concurrent/futures/")


def settle(policy: str) -> None:
    """Do what ``--statespace-left-running`` says: ``report`` nothing, ``join`` them, or ``fail``.

    Raises pytest's failure with the threads' names and where they are.
    """
    if policy == "report":
        return
    while left := _left(waited_for=policy == "join"):
        if policy == "fail":
            where = ", ".join(_place(thread) for thread in left)
            raise pytest.fail.Exception(
                f"threads left running when the test ended: {where} (a replay needs --statespace-left-running too)",
                pytrace=False,
            )
        for thread in left:
            thread.join()


def names() -> list[str]:
    """Of all threads but this one, in order of creation; no lock is taken."""
    here = threading.get_ident()
    return [thread.name for ident, thread in threading._active.items() if ident != here]  # type: ignore[attr-defined]


def _left(*, waited_for: bool) -> list[threading.Thread]:
    here = threading.current_thread()
    left = [thread for thread in threading.enumerate() if thread is not here and not thread.daemon]
    if waited_for:
        left = [thread for thread in left if thread not in executors._threads_queues]
    return left


def _place(thread: threading.Thread) -> str:
    frame = sys._current_frames().get(thread.ident or 0)
    while frame is not None and any(part in frame.f_code.co_filename for part in _MACHINERY):
        frame = frame.f_back
    if frame is None:
        return thread.name
    return f"{thread.name} at {Path(frame.f_code.co_filename).name}:{frame.f_lineno}"
