"""The system-call guard: refusals by name, and what stays allowed."""

from __future__ import annotations

from collections.abc import Callable

import pytest


@pytest.mark.parametrize("name", ["refused", "allowed", "abort"])
def test_guard(run_native: Callable[..., None], name: str) -> None:
    run_native("guard", name)
