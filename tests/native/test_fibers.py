"""Switching between simulated threads."""

from __future__ import annotations

from collections.abc import Callable

import pytest


@pytest.mark.parametrize("name", ["fast-tls", "slow-tls"])
def test_fibers(run_native: Callable[..., None], name: str) -> None:
    run_native("fibers", name)
