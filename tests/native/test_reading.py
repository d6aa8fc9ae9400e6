"""Snapshots are read without being restored. (Random memory is compared in ``snapshot.c``, after every step.)"""

from __future__ import annotations

from collections.abc import Callable

import pytest


@pytest.mark.parametrize("tracker", ["wpasync", "softdirty", "mprotect", "compare"])
def test_the_explorer_reads_snapshots(run_native: Callable[..., None], tracker: str) -> None:
    run_native("reading", tracker)
