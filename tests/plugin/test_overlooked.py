"""Programs with an interleaving that a search misses if it overlooks a choice point, a dependence or a part of a state.

Each test of each program must fail. Names that code stores anywhere make choice points everywhere, so each file has a
pytest of its own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pytest_statespace._native import _bridge

HERE = Path(__file__).resolve().parent
PROGRAMS = sorted((HERE / "overlooked").glob("*.py"))


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)
def test_no_interleaving_is_overlooked(pytester: pytest.Pytester, results: Any, program: Path) -> None:
    pytester.makepyfile(**{f"test_{program.stem}": program.read_text()})
    tests = results("--statespace=all")
    assert tests
    assert {name: test["verdict"] for name, test in tests.items()} == dict.fromkeys(tests, "failed")


@pytest.mark.skipif(not _bridge.supported()[0], reason="states are not compared on this interpreter")
@pytest.mark.parametrize("strategy", ["exhaust", "dfs"])
def test_different_states_are_kept_apart(pytester: pytest.Pytester, results: Any, strategy: str) -> None:
    pytester.makepyfile(test_states=(HERE / "kept_apart" / "states.py").read_text())
    tests = results(f"--statespace-strategy={strategy}")
    expected = dict.fromkeys(tests, "failed") | {"test_signal_mask": "unsupported"}
    assert {name: test["verdict"] for name, test in tests.items()} == expected
