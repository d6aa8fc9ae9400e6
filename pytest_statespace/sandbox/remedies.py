"""What to do about a call that can't be rewound."""

from __future__ import annotations

import re

from pytest_statespace.errors import UnsupportedOperation

__all__ = ["refused"]

_REMEDIES: tuple[tuple[str, str], ...] = (
    (
        r"more than \d+ threads",
        "raise --statespace-max-threads, or start fewer threads in one execution",
    ),
    (
        r"more than \d+ ways",
        "let fewer threads be ready to run at the same time: join some before more are started",
    ),
    (
        r"\b(fork|vfork|clone3?|execve(at)?|posix_spawn)\b",
        "start processes in a fixture, outside the explored test, or replace them with threads",
    ),
    (
        r"\b(socket(pair)?|connect|bind|listen|accept4?|sendto|recvfrom|sendmsg|recvmsg)\b",
        "replace the network by an in-memory double (a queue.Queue makes a good one)",
    ),
    (
        r"file kept open",
        "read it in one call, such as Path.read_text(), with no visible operation before it is closed; or in a fixture",
    ),
    (
        r"\b(openat2?|open|creat|write|writev|pwrite64|unlink(at)?|rename(at2?)?|mkdir(at)?|rmdir"
        r"|truncate|ftruncate|link(at)?|symlink(at)?|chmod|fchmod)\b",
        "do file work in a fixture, or use io.StringIO / io.BytesIO inside the explored test",
    ),
    (
        r"\b(poll|ppoll|select|pselect6|epoll_\w+|futex|blocks in C|nanosleep|clock_nanosleep)\b",
        "wait with threading, queue or time.sleep: waits inside C code can't be scheduled",
    ),
    (
        r"\b(mmap|mremap|munmap|brk|mprotect|madvise)\b",
        "create large buffers and load libraries in a fixture, before the exploration",
    ),
    (
        r"signals blocked",
        "block signals in a fixture, or unblock them before the next visible operation",
    ),
    (
        r"\bsubinterpreter",
        "use threads of one interpreter, or call the code that runs in the subinterpreter itself",
    ),
    (
        r"asynchronous fixture",
        "make futures and tasks inside the test, which runs in a loop of ours; fixtures may give what is part of none",
    ),
    (
        r"f_locals",
        "share an attribute, an item or a nonlocal variable: plain local variables have no choice points",
    ),
    (
        r"sys\.settrace|sys\.setprofile|sys\.monitoring",
        "run without a tracer, or with --statespace-granularity=sync: else the exploration needs the interpreter's "
        "tracing itself",
    ),
)
_DEFAULT = "move it to a fixture: fixtures are set up once, before the exploration"


def refused(detail: str) -> UnsupportedOperation:
    """The error for what the guard or the bridge wrote: ``CALL at FILE:LINE``."""
    call, at, where = detail.rpartition(" at ")
    if not at:
        call, where = detail, ""
    for pattern, remedy in _REMEDIES:
        if re.search(pattern, call):
            return UnsupportedOperation(call, where=where, remedy=remedy)
    return UnsupportedOperation(call, where=where, remedy=_DEFAULT)
