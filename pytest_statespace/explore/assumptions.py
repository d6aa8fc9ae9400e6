"""What a search assumed and did not hold: how the child names it, and how the user is told.

A restart's detail has a line for each: ``global LIMIT``, ``attribute NAME``, ``cell f.NAME``, ``name vars``, or
``observe addresses at FILE:LINE`` with the place where the program looked. ``teardown NAME`` is the parent's:
an execution did something that can't be taken back, perhaps there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

__all__ = ["OBSERVE_ORDERS", "broken_assumptions", "told"]

OBSERVE_ORDERS = "observe orders"  # as the bridge calls it: see `SSB_OBSERVED_ORDERS`
_MOST_NAMES = 4  # library code rebinds dozens


def broken_assumptions(detail: str) -> dict[str, str]:
    """The assumptions in a restart's detail; for those of looking, where the program did (else "")."""
    broken: dict[str, str] = {}
    for line in detail.splitlines():
        assumption, _, where = line.partition(" at ") if line.startswith("observe ") else (line, "", "")
        broken[assumption] = where
    return broken


def told(broken: Iterable[str], looked_at: Mapping[str, str]) -> list[str]:
    """The assumptions in words, with the places of first looks."""
    texts: list[str] = []
    rebound: list[str] = []
    for assumption in broken:
        kind, _, what = assumption.partition(" ")
        where = looked_at.get(assumption, "")
        at = f" ({where})" if where else ""
        if assumption == OBSERVE_ORDERS:
            texts.append(f"sets are not walked in the order of addresses{at}")
        elif kind == "observe":
            texts.append(f"{what} are not looked at{at}")
        elif kind == "teardown":
            texts.append(f"the teardown of {what} can be taken back")
        elif kind == "name":
            texts.append(f"{what} is not used")
        else:
            rebound.append(assumption)
    texts += [f"{what} is never rebound" for what in rebound[:_MOST_NAMES]]
    if len(rebound) > _MOST_NAMES:
        texts.append(f"nor are {len(rebound) - _MOST_NAMES} other names")
    return texts
