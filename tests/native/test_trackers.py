"""Trackers never miss a page, and leave untouched memory untouched."""

from __future__ import annotations

from collections.abc import Callable

import pytest


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("tracker", ["wpasync", "compare"])
def test_trackers(run_native: Callable[..., None], tracker: str, seed: int) -> None:
    run_native("trackers", tracker, seed)
