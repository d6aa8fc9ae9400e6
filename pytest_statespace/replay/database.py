"""Where counterexample files live, and how they get there without two writers meeting."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import xxhash

from pytest_statespace.replay.counterexample import Counterexample
from pytest_statespace.replay.format import encode

if TYPE_CHECKING:
    import pytest

__all__ = ["KEEP", "SUFFIX", "counterexample_directory", "file_name", "save", "test_part"]

SUFFIX = ".ssp"
KEEP = 10  # files of one test; older ones go when a new one is saved


def counterexample_directory(config: pytest.Config) -> Path:
    """The folder for this run's files: inside pytest's cache, else ``<rootdir>/.statespace``.

    The second is for ``-p no:cacheprovider``. Raises OSError if it can't be made.
    """
    cache = getattr(config, "cache", None)
    if cache is not None:
        return Path(cache.mkdir("statespace"))
    directory = config.rootpath / ".statespace"
    directory.mkdir(exist_ok=True)
    ignore = directory / ".gitignore"
    if not ignore.exists():
        ignore.write_text("# Made by pytest-statespace.\n*\n", encoding="utf-8")
    return directory


def file_name(example: Counterexample, *, unique: str = "") -> str:
    """Same test, same failure, same schedule: same name. ``unique`` is appended if not empty."""
    schedule = ",".join(str(choice.index) for choice in example.schedule.choices)
    kind = example.kind.value if example.kind else "pass"
    digest = xxhash.xxh3_64_intdigest(f"{kind}\0{example.exception_type}\0{schedule}".encode())
    tail = f"-{_slug(unique)}" if unique else ""
    return f"{test_part(example.nodeid)}-{digest & 0xFFFFFFFF:08x}{tail}{SUFFIX}"


def save(example: Counterexample, directory: Path, *, unique: str = "") -> Path:
    """Write the file (whole or not at all) and return its path.

    ``unique`` is an xdist worker's id: workers write under names of their own and remove
    nothing. Otherwise all but the newest `KEEP` files of the same test go. Raises OSError
    if the folder can't be written.
    """
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / file_name(example, unique=unique)
    handle, temporary = tempfile.mkstemp(prefix=".new-", dir=directory)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(encode(example))
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    if not unique:
        _prune(directory, test_part(example.nodeid), keep=path)
    return path


def _prune(directory: Path, test_part: str, *, keep: Path) -> None:
    ages: list[tuple[int, Path]] = []
    for path in directory.glob(f"{test_part}-*{SUFFIX}"):
        try:
            ages.append((path.stat().st_mtime_ns, path))
        except FileNotFoundError:
            continue
    for _, path in sorted(ages, reverse=True)[KEEP:]:
        if path != keep:
            path.unlink(missing_ok=True)


def test_part(nodeid: str) -> str:
    """The part of names of files and folders that stands for a test: its own name, and a hash of the node id."""
    name = nodeid.rpartition("::")[2]
    digest = xxhash.xxh3_64_intdigest(nodeid.encode("utf-8", "backslashreplace"))
    return f"{_slug(name)[:60]}-{digest & 0xFFFFFFFF:08x}"


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.]+", "_", text).strip("._") or "test"
