"""Memory without write permission: first writes by program and kernel, and the signal they raise."""

from __future__ import annotations

from collections.abc import Callable

import pytest


@pytest.mark.parametrize("name", ["first-writes", "signal", "faults"])
def test_quiet(run_native: Callable[..., None], name: str) -> None:
    run_native("quiet", name)
