"""Trying a published bug on one release of its package: explored with default options, and in a loop without.

Releases are installed with pip, each into a folder of its own below ``store``, once. What can't be installed is an
error: a bug that was not tried was not found either.
"""

from __future__ import annotations

import json
import os
import platform
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from published.catalog import Bug

import pytest_statespace

HERE = Path(__file__).resolve().parent
CASES = HERE / "cases"
_HUNG = 2.0  # seconds without an end: in the loop a run takes milliseconds


@dataclass(frozen=True, slots=True)
class Tried:
    """What an exploration said. ``kind`` and ``message`` are empty unless it failed; ``seconds``: the search alone."""

    verdict: str
    kind: str
    message: str
    reason: str
    reproduced: bool
    executions: int
    transitions: int
    states: int
    preemptions: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Stressed:
    """Runs in a loop without exploration, and how many of them failed or never ended."""

    runs: int
    failures: int
    hung: int


def install(requirement: str, store: Path) -> Path:
    """The folder of one release. Raises RuntimeError with what pip said.

    Each Python version has its own: some releases have compiled parts.
    """
    store /= sys.implementation.cache_tag or platform.python_version()
    folder = store / requirement
    if folder.exists():
        return folder
    store.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(dir=store))
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--disable-pip-version-check"]
    done = subprocess.run(
        [*command, "--target", str(made), requirement], stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    if done.returncode != 0:
        shutil.rmtree(made)
        raise RuntimeError(f"pip could not install {requirement}:\n{done.stderr[-3000:]}")
    try:
        made.rename(folder)
    except OSError:  # another process was faster
        shutil.rmtree(made)
    return folder


def explore(bug: Bug, version: str, store: Path) -> Tried:
    """One pytest process that explores the bug's test with default options."""
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "results.json"
        # Counterexamples are saved below the root directory, and what lies there is code under test.
        case = shutil.copy(CASES / f"{bug.case}.py", folder)
        command = [sys.executable, "-m", "pytest", "-p", "pytest_statespace.plugin", "-p", "no:cacheprovider", "-q"]
        command += ["-c", os.devnull, "--rootdir", folder, "--statespace", f"--statespace-json={results}", str(case)]
        done = subprocess.run(
            command,
            cwd=folder,
            env=_environment(bug, version, store),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        if not results.exists():
            said = done.stdout[-3000:] + done.stderr
            raise RuntimeError(f"{bug.case} with {bug.package} {version} was not run:\n{said}")
        (test,) = json.loads(results.read_text(encoding="utf-8"))["tests"]
    return _tried(test, reproduced="could not be reproduced" not in done.stdout)


def _tried(test: Mapping[str, Any], *, reproduced: bool) -> Tried:
    failure = next(iter(test["failures"]), None) or {"kind": "", "message": "", "preemptions": 0}
    return Tried(
        verdict=test["verdict"],
        kind=failure["kind"],
        message=failure["message"],
        reason=test["reason"] or "",
        reproduced=reproduced,
        executions=test["executions"],
        transitions=test["transitions"],
        states=test["states"],
        preemptions=failure["preemptions"],
        seconds=test["seconds"],
    )


def stress(bug: Bug, version: str, store: Path, *, seconds: float) -> Stressed:
    """Run the test over and over, unexplored, for some seconds. Starting the process is not counted."""
    runs = failures = hung = 0
    left = seconds
    while left > 0:
        with _looping(bug, _environment(bug, version, store)) as words:
            started = time.monotonic()
            word = "ready"
            while word and time.monotonic() - started < left:
                word = words(_HUNG)
                runs += 1
                failures += word != "passed"
            hung += not word
            left -= time.monotonic() - started
    return Stressed(runs, failures, hung)


@contextmanager
def _looping(bug: Bug, environment: Mapping[str, str]) -> Iterator[Any]:
    """A process that runs the test and says a word after each run; ``words(seconds)`` gives the next, or nothing."""
    command = [sys.executable, str(HERE / "looping.py"), str(CASES / f"{bug.case}.py")]
    with subprocess.Popen(
        command, env=dict(environment), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        os.set_blocking(process.stdout.fileno(), False)
        try:
            if _next_word(process.stdout, 60) != "ready":
                raise RuntimeError(f"{bug.case} could not be run in a loop")
            yield lambda patience: _next_word(process.stdout, patience)
        finally:
            process.kill()


def _next_word(pipe: IO[bytes] | None, patience: float) -> str:
    assert pipe is not None
    word = b""
    end = time.monotonic() + patience
    while not word.endswith(b"\n"):
        if not select.select([pipe], [], [], max(0.0, end - time.monotonic()))[0]:
            return ""
        byte = os.read(pipe.fileno(), 1)
        if not byte:
            return ""
        word += byte
    return word.decode().strip()


def _environment(bug: Bug, version: str, store: Path) -> dict[str, str]:
    # The package that runs here: the tree itself has no compiled parts where it was installed.
    folders: Sequence[Path] = [Path(pytest_statespace.__file__).parents[1]]
    releases = [install(requirement, store) for requirement in bug.requirements(version)]
    # Pinned releases come first: the environment may have others.
    path = os.pathsep.join(map(str, [*releases, *folders, os.environ.get("PYTHONPATH", "")]))
    return {**os.environ, "PYTHONPATH": path, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONDONTWRITEBYTECODE": "1"}
