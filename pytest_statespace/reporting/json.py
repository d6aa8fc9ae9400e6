"""The machine-readable results of ``--statespace-json``: exactly schema 1."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pytest_statespace.replay.environment import platform_name, plugin_version, python_version
from pytest_statespace.types import ExplorationResult, Failure

__all__ = ["SCHEMA", "document", "write"]

SCHEMA = 1


def write(path: str | Path, results: Iterable[ExplorationResult]) -> None:
    """Write the results of a session, whole or not at all. Raises OSError if that fails."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(document(results), indent=1, allow_nan=False) + "\n"
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def document(results: Iterable[ExplorationResult]) -> dict[str, Any]:
    """The content of the file as plain values."""
    return {
        "schema": SCHEMA,
        "plugin": plugin_version(),
        "python": python_version(),
        "platform": platform_name(),
        "tests": [_test(result) for result in results],
    }


def _test(result: ExplorationResult) -> dict[str, Any]:
    engine = {
        name: _number(value) for name, value in dataclasses.asdict(result.engine).items() if name != "tracker_reason"
    }
    return {
        "nodeid": result.nodeid,
        "verdict": result.verdict.value,
        "reason": result.reason,
        "granularity": result.granularity,
        "strategy": result.strategy,
        "preemption_bound": result.preemption_bound,
        "timeouts": result.timeouts,
        "executions": result.executions,
        "transitions": result.transitions,
        "states": result.states,
        "seconds": _number(result.seconds),
        "outcomes": [[value, count] for value, count in result.outcomes],
        "differences": [dataclasses.asdict(difference) for difference in result.differences],
        "weakened": list(result.weakened),
        "reductions": list(result.reductions),
        "races": [{"location": race.location, "accesses": list(race.accesses)} for race in result.races],
        "failures": [_failure(failure) for failure in result.failures],
        "engine": engine,
    }


def _failure(failure: Failure) -> dict[str, Any]:
    return {
        "kind": failure.kind.value,
        "message": failure.message,
        "token": failure.token,
        "file": failure.file,
        "preemptions": failure.schedule.preemptions,
        "transitions": failure.length,
        "gil_reachable": failure.gil_reachable,
        "gil_reason": failure.gil_reason,
        "first_at": {
            "executions": failure.executions,
            "transitions": failure.transitions,
            "seconds": _number(failure.seconds),
        },
    }


def _number(value: Any) -> Any:
    """JSON knows neither infinity nor NaN, and nobody reads the tenth digit of a time."""
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else 0.0
    return value


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
