"""Every kind of object: equal values meet, every observable change is seen.

All cases of a family run in one exploration: a choice of the case, a choice of the history, and a last
choice, at which states are compared.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable

import pytest
from mutations import Case, Way, histories, steps_on_existing
from support import driver

from pytest_statespace._native import _bridge

FAMILIES = ("values", "containers", "sets", "iterators", "objects", "functions", "weak", "c_objects", "tasks")

LOOKED_AT = {"sets": ("observe sets",)}
"""What the cases of a family look at, so that every state contains it."""

pytestmark = pytest.mark.skipif(not _bridge.supported()[0], reason=_bridge.supported()[1])


def compare(names: list[str], ways: list[tuple[list[Way], int]], looked_at: tuple[str, ...] = ()) -> list[str]:
    """What is wrong, in words."""

    def program() -> None:
        number = _bridge.choose(len(ways))  # part of the state: cases do not meet
        way = ways[number][0][_bridge.choose(len(ways[number][0]))]
        before, build, step = way.before(), way.build, way.step
        del way
        kept = build()
        step(kept)
        del before, build, step
        _bridge.choose(2)
        del kept

    tables = driver.empty_tables() | {"promoted": frozenset(looked_at)}
    report = driver.explore(
        program, fingerprint=True, prune=True, guard=False, keep_paths=True, timeout_s=120, tables=tables
    )
    new: set[tuple[int, ...]] = set()
    strange: list[str] = []
    for schedule, text in report.paths:
        if text == "None":
            new.add(schedule[:2])
        elif not text.startswith("visited"):
            strange.append(f"{names[schedule[0]] if schedule else ''} {schedule[1:2]}: {text}")
    wrong: list[str] = []
    for i, (builds, n_same) in enumerate(ways):
        for k in range(1, len(builds)):
            if ((i, k) in new) == (k < n_same):
                wrong.append(
                    f"{names[i]}: " + (f"history {k} not same" if k < n_same else f"change {k - n_same} not seen")
                )
    return strange + wrong


def cases(family: str) -> list[Case]:
    found: list[Case] = importlib.import_module(f"mutations_{family}").CASES
    return found


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("ways", [histories, steps_on_existing], ids=["new", "existing"])
def test_mutations(family: str, ways: Callable[[Case], tuple[list[Way], int]]) -> None:
    found = {case.name: ways(case) for case in cases(family)}
    found = {name: (builds, n_same) for name, (builds, n_same) in found.items() if len(builds) > 1}
    wrong = compare(list(found), list(found.values()), LOOKED_AT.get(family, ()))
    assert not wrong, "\n".join(wrong)
