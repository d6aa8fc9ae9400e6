"""Which functions of the standard library do a thread's bookkeeping, by code object.

What ``threading`` does inside ``Thread.start``, at a thread's end and in ``join`` takes a dozen lock
operations, none of which a program can observe one by one. Exploring them would multiply the states for
nothing, so each of the three is one visible operation. The native scheduler recognises them by the code
objects of the callers: helpers are looked through (a lock taken by ``Condition`` belongs to whoever called
the condition), and the class of the first other caller decides.

Nothing here names a method that user code overrides: ``Thread.run`` and ``Timer.run`` are not in the table,
so a wait inside ``run`` is an ordinary visible operation.

The names differ between versions. A name that a version should have and lacks is an error, not a silent
gap: a missing entry would only cost states, but it would mean that nobody has read that version's code.
"""

from __future__ import annotations

import importlib
import importlib._bootstrap
import sys
import threading
from collections.abc import Iterator
from enum import IntEnum
from types import CodeType, FunctionType

from pytest_statespace.errors import InternalError


class CallerClass(IntEnum):
    """What a lock operation made from a function means (the native scheduler knows these numbers)."""

    BOOK = 1
    """No choice point; if it has to wait, the thread goes on before all others."""
    END = 2
    """The thread's first operation in it is its END; the rest as BOOK."""
    JOIN = 3
    """A blocking acquire is JOIN, any other LOCKED; the release makes no choice point."""
    HELPER = 4
    """Look at the caller."""
    ATOMIC = 5
    """No choice point unless it has to wait; then like any other thread."""
    BOOTSTRAP = 6
    """As BOOK, and the first RLock it releases itself is the thread's BEGIN."""
    CONDITION_WAIT = 7
    """A helper; the lock it waits with is nobody else's while it is free."""
    IS_OWNED = 8
    """A helper that asks by trying whether it holds the lock."""


_UP_TO_3_12 = sys.version_info < (3, 13)

_FUNCTIONS: dict[str, CallerClass] = {
    "Thread.start": CallerClass.BOOK,
    "Thread._bootstrap": CallerClass.BOOK,
    "Thread._bootstrap_inner": CallerClass.BOOTSTRAP,
    "Thread._set_ident": CallerClass.BOOK,
    "Thread._set_native_id": CallerClass.BOOK,
    "Thread._delete": CallerClass.END,
    "_DummyThread.__init__": CallerClass.BOOK,
    "Condition.__enter__": CallerClass.HELPER,
    "Condition.__exit__": CallerClass.HELPER,
    "Condition.wait": CallerClass.CONDITION_WAIT,
    "Condition.wait_for": CallerClass.HELPER,
    "Condition.notify": CallerClass.HELPER,
    "Condition.notify_all": CallerClass.HELPER,
    "Condition._release_save": CallerClass.HELPER,
    "Condition._acquire_restore": CallerClass.HELPER,
    "Condition._is_owned": CallerClass.IS_OWNED,
    "Event.set": CallerClass.HELPER,
    "Event.clear": CallerClass.HELPER,
    "Event.wait": CallerClass.HELPER,
}
if _UP_TO_3_12:
    _FUNCTIONS |= {
        "Thread._set_tstate_lock": CallerClass.BOOK,
        "Thread._stop": CallerClass.BOOK,
        "Thread._wait_for_tstate_lock": CallerClass.JOIN,
        "_maintain_shutdown_locks": CallerClass.BOOK,
    }
else:
    _FUNCTIONS |= {"_DeleteDummyThreadOnDel.__del__": CallerClass.BOOK}


def _function(path: str) -> FunctionType:
    found: object = threading
    for name in path.split("."):
        found = getattr(found, name, None)
    if not isinstance(found, FunctionType):
        raise InternalError(
            f"threading.{path} is {found!r}, not a function: this Python's threading module is not the one "
            "pytest-statespace knows (replaced by another tool, or an unsupported version)"
        )
    return found


def _nested(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _nested(constant)


def _import_codes() -> Iterator[CodeType]:
    """Code objects of the import machinery's functions: all of ``importlib._bootstrap``."""
    for value in vars(importlib._bootstrap).values():
        if isinstance(value, FunctionType):
            yield from _nested(value.__code__)
        elif isinstance(value, type) and value.__module__ in ("importlib._bootstrap", "_frozen_importlib"):
            for attribute in vars(value).values():
                function = getattr(attribute, "__func__", attribute)
                if isinstance(function, FunctionType):
                    yield from _nested(function.__code__)


def build_table() -> dict[CodeType, int]:
    """The table for ``tables["bookkeeping"]``: code object to :class:`CallerClass` number."""
    table: dict[CodeType, int] = {code: int(CallerClass.ATOMIC) for code in _import_codes()}
    for path, caller_class in _FUNCTIONS.items():
        for code in _nested(_function(path).__code__):
            table[code] = int(caller_class)
    return table
