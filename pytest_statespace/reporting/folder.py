"""The folder of ``--statespace-report``: one folder a test in it, with ``timeline.html`` and ``states.dot``.

A test's folder is named after the test alone, so that its files are replaced by the next run. Under pytest-xdist every
worker writes the files of its own tests: names never meet, and a file is written whole or not at all.
"""

from __future__ import annotations

import os
import re
import sysconfig
import tempfile
from collections.abc import Callable
from pathlib import Path

from pytest_statespace.errors import InvalidArgument
from pytest_statespace.replay.database import test_part
from pytest_statespace.reporting.dot import dot
from pytest_statespace.reporting.html import page
from pytest_statespace.types import ExplorationResult, StateGraph

__all__ = ["STATES", "TIMELINE", "check", "portable_paths", "write"]

TIMELINE = "timeline.html"
STATES = "states.dot"


def check(directory: Path, *, given: str) -> None:
    """Raise InvalidArgument if files can't be written below the folder. It is not made yet."""
    for folder in (directory, *directory.parents):
        if folder.is_dir():
            if not os.access(folder, os.W_OK | os.X_OK):
                raise InvalidArgument("--statespace-report", given, f"{folder} is not writable: name another folder")
            return
        if os.path.lexists(folder):
            raise InvalidArgument("--statespace-report", given, f"{folder} is a file: name a folder")


def write(directory: Path, result: ExplorationResult, graph: StateGraph | None, *, rootdir: Path, start: Path) -> Path:
    """Write the files of one test and return their folder. What an earlier run left there and this one has not, goes.

    ``start`` is where pytest was started. Raises OSError if the files can't be written.
    """
    folder = directory / test_part(result.nodeid)
    folder.mkdir(parents=True, exist_ok=True)
    portable = portable_paths(rootdir, start)
    texts = {
        TIMELINE: page(result, result.failures[0], portable=portable) if result.failures else None,
        STATES: dot(result, graph, portable=portable) if graph is not None else None,
    }
    for name, text in texts.items():
        if text is None:
            (folder / name).unlink(missing_ok=True)
        else:
            _replace(folder / name, text)
    return folder


def portable_paths(rootdir: Path, start: Path) -> Callable[[str], str]:
    """Makes paths in a text relative to ``rootdir``; those of Python and its packages start at their own folders."""
    paths = sysconfig.get_paths()
    python = {paths[key]: f"{Path(paths[key]).name}/" for key in ("stdlib", "platstdlib", "purelib", "platlib")}
    names = {str(rootdir): "", str(Path.home()): "~/", **python}
    for path, name in python.items():
        for base in (rootdir, start):  # pytest writes paths relative to where it was started
            relative = os.path.relpath(path, base)
            if relative.startswith(".."):
                names.setdefault(relative, name)
    known = [path for path in sorted(names, key=len, reverse=True) if path.strip("./")]
    pattern = re.compile(r"(?<![\w.-])(?:(?:\.\./)*\.\.)?(" + "|".join(map(re.escape, known)) + ")/")
    return lambda text: pattern.sub(lambda found: names[found[1]], text)


def _replace(path: Path, text: str) -> None:
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as stream:
            stream.write(text)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
