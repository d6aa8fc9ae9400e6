"""Trackers never miss a page, and leave untouched memory untouched."""

from __future__ import annotations

from collections.abc import Callable

import pytest

RunNative = Callable[..., None]
TRACKERS = ["wpasync", "softdirty", "mprotect", "compare"]


@pytest.mark.parametrize(
    ("tracker", "seed"), [*((name, 0) for name in TRACKERS), ("wpasync", 1), ("wpasync", 2), ("compare", 1)]
)
def test_trackers(run_native: RunNative, tracker: str, seed: int) -> None:
    run_native("trackers", tracker, seed)


@pytest.mark.parametrize("tracker", TRACKERS)
def test_nothing_is_missed(run_native: RunNative, tracker: str) -> None:
    """Simulated threads and the kernel write at random; all memory is compared after each step."""
    run_native("writers", f"{tracker}:30000:50:300")


def test_what_is_expected_to_be_written(run_native: RunNative) -> None:
    run_native("predict", "predict")


def test_a_tracker_that_forgets_one_page_in_a_thousand_is_caught(run_native: RunNative) -> None:
    run_native("writers", "forgetful:30000:50:300", expect="ss_count_differences")


@pytest.mark.campaign
@pytest.mark.parametrize("tracker", TRACKERS)
def test_nothing_is_missed_in_ten_million_writes(run_native: RunNative, tracker: str) -> None:
    run_native("writers", f"{tracker}:10000000:1000:3000", 7, seconds=3600)


@pytest.mark.campaign
@pytest.mark.parametrize("tracker", TRACKERS)
def test_a_hundred_thousand_restores_are_exact(run_native: RunNative, tracker: str) -> None:
    run_native("writers", f"{tracker}:0:100000:40", 8, seconds=7200)
