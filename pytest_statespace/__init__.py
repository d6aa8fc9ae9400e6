"""pytest-statespace: explore every interleaving of a concurrent test."""

from __future__ import annotations

from pytest_statespace.errors import (
    FormatError,
    InternalError,
    InvalidArgument,
    ReplayDivergence,
    StatespaceError,
    UnsupportedOperation,
)
from pytest_statespace.marks import explore, reproduce
from pytest_statespace.runtime.api import always, choose, observe, sometimes

__version__ = "0.1.0"

__all__ = [
    "FormatError",
    "InternalError",
    "InvalidArgument",
    "ReplayDivergence",
    "StatespaceError",
    "UnsupportedOperation",
    "__version__",
    "always",
    "choose",
    "explore",
    "observe",
    "reproduce",
    "sometimes",
]
