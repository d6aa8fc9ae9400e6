"""Which tracker works here? Asked of a child: a probe must not touch this process's memory."""

from __future__ import annotations

import contextlib
import os

from pytest_statespace.runtime.wire import MessageReader, send
from pytest_statespace.sandbox.arena import bridge_module, probe_tracker, tracker_names
from pytest_statespace.sandbox.process import ChildProcess

__all__ = ["probe_trackers"]


def probe_trackers(wanted: str) -> tuple[str, str]:
    """The tracker that will be used and why better ones are not: ``("compare", "wpasync: EPERM")``.

    ``("", reason)`` if none works. ``wanted`` is ``auto`` or a name.
    """
    names = tracker_names() if wanted == "auto" else (wanted,)
    read_end, write_end = os.pipe()
    pid = bridge_module().fork()
    if pid == 0:
        with contextlib.suppress(BaseException):
            send(write_end, [[name, probe_tracker(name)] for name in names])
        os._exit(0)
    os.close(write_end)
    child = ChildProcess(pid)
    try:
        answer = _read_all(read_end)
    finally:
        os.close(read_end)
        child.kill()
    reasons: list[str] = []
    for message in MessageReader().feed(answer):
        for name, reason in message:
            if not reason:
                return name, "; ".join(reasons)
            reasons.append(reason if reason.startswith(name) else f"{name}: {reason}")
    return "", "; ".join(reasons) or "the probe died"


def _read_all(fd: int) -> bytes:
    parts: list[bytes] = []
    while data := os.read(fd, 1 << 16):
        parts.append(data)
    return b"".join(parts)
