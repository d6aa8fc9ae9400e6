"""Which functions of the standard library touch nothing that others could notice, by code object.

Searches that leave out orders of independent transitions must know what a transition touches. Library
code has no choice points, so what it does belongs to the transition that calls it, and what that is has
to be known; where it is not, the transition commutes with no other (`native/bridge/preempt_footprint.c`).

* ``own``: new objects, the thread's own entries, and what happens inside its visible operations.
* ``self``: the object whose method it is, and the container in which that keeps what it knows. All
  else is protected by the object's lock, whose operations are visible.
* ``registry``: whether a thread was started.
* ``calling``: functions of these sets that call what their user gave them. A C function has no frame in which
  anybody could see what it touches.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from types import CodeType, FunctionType

_OWN = (
    "Thread._bootstrap Thread._bootstrap_inner Thread.run Thread._set_ident Thread._set_native_id Thread._set_os_name"
    " Thread._set_tstate_lock Thread._stop Thread._delete Thread._wait_for_tstate_lock _maintain_shutdown_locks"
    " current_thread Condition.__init__ Event.__init__ Semaphore.__init__ BoundedSemaphore.__init__ Barrier.__init__"
)
_SELF = (
    "Condition.__enter__ Condition.__exit__ Condition.wait Condition.wait_for Condition.notify Condition.notify_all"
    " Condition._release_save Condition._acquire_restore Condition._is_owned Event.set Event.clear Event.wait"
    " Event.is_set Thread.daemon Semaphore.acquire Semaphore.release Semaphore.__exit__ BoundedSemaphore.release"
    " Barrier.wait Barrier._enter Barrier._release Barrier._wait Barrier._exit Barrier._break Barrier.reset"
    " Barrier.abort Barrier.parties Barrier.n_waiting Barrier.broken"
)
_REGISTRY = "Thread.start Thread.join"
_CALLING = "Thread.run Condition.wait_for Barrier._release"
_QUEUE_OWN = "Queue.__init__ Queue._init LifoQueue._init"
_QUEUE_SELF = (
    "Queue.put Queue.get Queue.put_nowait Queue.get_nowait Queue.qsize Queue.empty Queue.full"
    " Queue._qsize Queue._put Queue._get Queue.task_done Queue.join LifoQueue._qsize LifoQueue._put LifoQueue._get"
)


def tables() -> dict[str, list[CodeType]]:
    """The sets ``library_own``, ``library_self``, ``library_registry`` and ``library_calling`` of code objects.

    A name that a version lacks is left out: its code is then taken to touch everything.
    """
    of_self = [*_codes(threading, _SELF), *_codes(queue, _QUEUE_SELF)]
    # A predicate that a method makes for itself has no argument to name the object: the method is its caller.
    inner = {code for code in of_self if not code.co_argcount}
    return {
        "library_own": [*_codes(threading, _OWN), *_codes(queue, _QUEUE_OWN), *inner],
        "library_self": [code for code in of_self if code not in inner],
        "library_registry": list(_codes(threading, _REGISTRY)),
        "library_calling": list(_codes(threading, _CALLING)),
    }


def _codes(module: object, names: str) -> Iterator[CodeType]:
    for path in names.split():
        found: object = module
        for name in path.split("."):
            found = getattr(found, name, None)
        if isinstance(found, property):
            found = found.fget
        if isinstance(found, FunctionType):
            yield found.__code__
            yield from (constant for constant in found.__code__.co_consts if isinstance(constant, CodeType))
