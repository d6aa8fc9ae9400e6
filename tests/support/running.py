"""How the tests of the plugin run pytest: the type of the ``run`` fixture, and where the package lies."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import pytest

import pytest_statespace

PACKAGES = Path(pytest_statespace.__file__).resolve().parents[1]
"""Folder of the package that is tested, with its native part: site-packages or the source tree."""


class Run(Protocol):
    """Run pytest with these arguments in a subprocess."""

    def __call__(self, *arguments: str) -> pytest.RunResult: ...
