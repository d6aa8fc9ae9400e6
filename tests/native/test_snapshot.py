"""Checkpoint and restore are byte-exact for every tracker, and a broken tracker is noticed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

RunNative = Callable[..., None]
TRACKERS = ["wpasync", "softdirty", "mprotect", "compare"]


@pytest.mark.parametrize(
    ("tracker", "seed"), [*((name, 0) for name in TRACKERS), *(("wpasync", seed) for seed in range(1, 4))]
)
def test_restore_is_exact(run_native: RunNative, tracker: str, seed: int) -> None:
    run_native("snapshot", tracker, seed)


@pytest.mark.parametrize(
    "without", ["compare without 3", "compare without 2", "wpasync without 4", "mprotect without 7"]
)
def test_restore_is_exact_whatever_it_does_without(run_native: RunNative, without: str) -> None:
    """Plain copies; without comparison; without prediction; without all of them."""
    run_native("snapshot", without, 0)


def test_broken_tracker_fails_its_self_test(run_native: RunNative) -> None:
    run_native("snapshot", "broken", expect="broken: self-test: 2 MiB dropped")


def test_tracker_that_breaks_after_its_self_test_is_caught(run_native: RunNative) -> None:
    run_native("snapshot", "broken:hidden", expect="snapshot.c")


@pytest.mark.campaign
@pytest.mark.parametrize("seed", range(100, 200))
@pytest.mark.parametrize("tracker", TRACKERS)
def test_restore_is_exact_campaign(run_native: RunNative, tracker: str, seed: int) -> None:
    run_native("snapshot", tracker, seed)
