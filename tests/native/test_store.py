"""Page store and trees against plain models."""

from __future__ import annotations

from collections.abc import Callable

import pytest


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", ["store", "collisions", "tree", "tree-collisions", "full", "validator"])
def test_store(run_native: Callable[..., None], name: str, seed: int) -> None:
    run_native("store", name, seed)
