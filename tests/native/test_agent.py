"""The agent: paths, states, merging, forced schedules, memory limits and dying children."""

from __future__ import annotations

from collections.abc import Callable

import pytest

RunNative = Callable[..., None]


@pytest.mark.parametrize("tracker", ["wpasync", "softdirty", "mprotect", "compare"])
@pytest.mark.parametrize(
    "name", ["combinations", "interleavings", "visited", "bounded", "forced", "memory", "asked", "rebuild", "once"]
)
def test_search(run_native: RunNative, name: str, tracker: str) -> None:
    run_native("agent", f"{name}:{tracker}")


@pytest.mark.parametrize("name", ["through", "none", "deepest", "following", "unused"])
def test_agent(run_native: RunNative, name: str) -> None:
    run_native("agent", name)


@pytest.mark.parametrize("name", ["death", "orphan", "limit", "once"])
def test_dying(run_native: RunNative, name: str) -> None:
    run_native("dying", name)


def test_killed_at_any_moment(run_native: RunNative) -> None:
    run_native("dying", "killed:30")


@pytest.mark.campaign
def test_killed_at_any_moment_a_thousand_times(run_native: RunNative) -> None:
    run_native("dying", "killed:1000", seconds=1200)
