"""pytest-statespace: explore every interleaving of a concurrent test."""

from __future__ import annotations

import importlib

from pytest_statespace.errors import (
    FormatError,
    InternalError,
    InvalidArgument,
    ReplayDivergence,
    StatespaceError,
    UnsupportedOperation,
)
from pytest_statespace.marks import explore, reproduce
from pytest_statespace.runtime.api import always, choose, ignore, observe, sometimes, view

# The decorator `explore` and the package of the same name share one attribute of this module.
# Importing a package sets it, but only the first time: so that happens here, and the decorator
# stays. (The package's __init__ is empty; this costs nothing.)
_explore = explore
importlib.import_module("pytest_statespace.explore")
explore = _explore

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
    "ignore",
    "observe",
    "reproduce",
    "sometimes",
    "view",
]
