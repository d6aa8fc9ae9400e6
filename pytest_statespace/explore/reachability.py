"""Could this interpreter, with its GIL, have run into the counterexample?

A counterexample of another granularity may switch threads where the interpreter never does
(between the read and the write of ``self.x += 1``, say). Decided in two steps:

1. The replay that made the report noted for each preemption whether the thread had passed a
   place where the interpreter may switch since its last access. If that holds for all of them,
   the same execution can happen. So it can if there is no preemption.
2. Else the failure is searched for at granularity ``gil``: same kind, same message, addresses
   apart. If that search ends without it, it needs more than this interpreter does.

The search has a small budget of its own, counted in executions: seconds would give another answer on a busy machine.
What it leaves open stays open.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from pytest_statespace.explore.explorer import Found, Search, SearchEnd
from pytest_statespace.types import FailureKind

__all__ = ["EXECUTIONS", "SECONDS", "Reachability", "decide"]

EXECUTIONS = 10_000
"""How many executions the search may run; that takes a few seconds."""
SECONDS = 30.0
"""How long it may take where executions are long."""

_ADDRESS = re.compile(r"0x[0-9a-fA-F]+")
_OTHER_SCHEDULE = "over another schedule"


@dataclass(frozen=True, slots=True)
class Reachability:
    """The answer; None: not determined. ``reason`` says why not, or how else."""

    reachable: bool | None
    reason: str = ""


def decide(
    found: Found,
    *,
    granularity: str,
    switches_possible: bool | None,
    search: Callable[[Callable[[Found], bool]], Search],
) -> Reachability:
    """Decide it for one failure.

    Args:
        granularity: of the search that found it.
        switches_possible: what the replay says of its preemptions; None if it could not tell.
        search: searches at granularity ``gil`` until a failure is one that the argument wants.
    """
    if granularity == "gil" or not found.schedule.preemptions or switches_possible:
        return Reachability(True)
    if found.kind is FailureKind.HANG:
        return Reachability(None, "an execution that hangs is not searched for again")

    if found.kind is FailureKind.LIVELOCK:
        return Reachability(None, "a livelock is not searched for again")

    def wanted(other: Found) -> bool:
        return other.kind is found.kind and _comparable(other.message) == _comparable(found.message)

    made = search(wanted)
    if made.end is SearchEnd.FAILED:
        return Reachability(True, _OTHER_SCHEDULE)
    if made.end is SearchEnd.EXHAUSTED and not made.refused and not made.cuts:
        return Reachability(False)
    return Reachability(None, f"the search at granularity gil was cut: {_why(made)}")


def _comparable(message: str) -> str:
    return _ADDRESS.sub("0x", message)


def _why(made: Search) -> str:
    if made.end is SearchEnd.MEMORY:
        return "memory"
    return made.detail or ", ".join(made.cuts) or made.end.value
