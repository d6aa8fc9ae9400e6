"""Saved schedules: the counterexample file, its inline form, its place, and the divergence check.

Typical use::

    settings = ReplaySettings.of(item_settings)
    example = Counterexample.of(failure, nodeid=..., settings=settings, rootdir=..., files=...)
    path = save(example, counterexample_directory(config), unique=worker_id)
    token = encode_token(example)
    example = load(path_or_token)
    forced = [choice.index for choice in example.schedule.choices]
    check(example, met_choices, settings=settings, rootdir=...)  # raises ReplayDivergence
"""

from __future__ import annotations

from pathlib import Path

from pytest_statespace.replay.counterexample import Counterexample, ReplaySettings
from pytest_statespace.replay.database import counterexample_directory, save
from pytest_statespace.replay.divergence import (
    check,
    compare,
    divergence_error,
    likely_causes,
)
from pytest_statespace.replay.format import decode, encode, read_file
from pytest_statespace.replay.token import decode_token, encode_token, is_token

__all__ = [
    "Counterexample",
    "ReplaySettings",
    "check",
    "compare",
    "counterexample_directory",
    "decode",
    "decode_token",
    "divergence_error",
    "encode",
    "encode_token",
    "is_token",
    "likely_causes",
    "load",
    "save",
]


def load(file_or_token: str | Path) -> Counterexample:
    """Read a counterexample from a file or from its inline form ``ssp1:…``.

    Raises FormatError if it is damaged, from a newer version, or not there.
    """
    if isinstance(file_or_token, str) and is_token(file_or_token):
        return decode_token(file_or_token)
    return read_file(Path(file_or_token))
