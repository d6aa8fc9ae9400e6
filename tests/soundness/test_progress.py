"""Progress inside C functions is never merged wrongly: merging loses no result of any program."""

from __future__ import annotations

from collections import defaultdict

import pytest
from progress import PROGRAMS
from support import driver

from pytest_statespace._native import _bridge

pytestmark = pytest.mark.skipif(not _bridge.supported()[0], reason=_bridge.supported()[1])


def results(prune: bool) -> dict[str, set[str]]:
    """Of every program, all its results."""
    names = list(PROGRAMS)

    def program() -> object:
        number = _bridge.choose(len(names))
        return names[number], PROGRAMS[names[number]]()

    report = driver.explore(program, fingerprint=prune, prune=prune, guard=False, keep_paths=True, timeout_s=120)
    found: dict[str, set[str]] = defaultdict(set)
    for schedule, text in report.paths:
        if not text.startswith("visited"):
            found[names[schedule[0]]].add(text)
    return found


def test_no_result_is_lost() -> None:
    exact, merged = results(prune=False), results(prune=True)
    bad = ("failed", "restart", "died", "error")
    strange = {
        name: texts
        for found in (exact, merged)
        for name, texts in found.items()
        if any(text.startswith(bad) for text in texts)
    }
    assert not strange
    lost = [
        f"{name}: {len(texts - merged[name])} of {len(texts)}" for name, texts in exact.items() if texts != merged[name]
    ]
    assert not lost, "\n".join(lost)
