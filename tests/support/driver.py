"""A small explorer for tests: forks, explores depth first, collects the outcomes.

Independent of `pytest_statespace.explore`, so that the two can be compared. Without `prune` every
interleaving is run: the result is exact whatever the fingerprint does.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NoReturn

import xxhash._xxhash

from pytest_statespace._native import _bridge, _engine
from pytest_statespace.explore.assumptions import broken_assumptions
from pytest_statespace.runtime.bookkeeping import build_table
from pytest_statespace.runtime.patches import answer_unraisable

ffi, lib = _engine.ffi, _engine.lib

_STATE_VISITED = 2  # SS_STATE_VISITED: a macro, unknown to cffi

ENDS = {
    lib.SS_END_NONE: "died",
    lib.SS_END_FINISHED: "finished",
    lib.SS_END_FAILED: "failed",
    lib.SS_END_DEADLOCK: "deadlock",
    lib.SS_END_VISITED: "visited",
    lib.SS_END_UNSUPPORTED: "unsupported",
    lib.SS_END_MEMORY: "memory",
    lib.SS_END_DIVERGED: "diverged",
    lib.SS_END_RESTART: "restart",
    lib.SS_END_LIMIT: "limit",
    lib.SS_END_ERROR: "error",
}


@dataclass(slots=True)
class Report:
    """What an exploration found. `outcomes`: repr of the program's result, or "END: text"."""

    outcomes: Counter[str] = field(default_factory=Counter)
    executions: int = 0
    transitions: int = 0
    choice_points: int = 0
    states: int = 0
    visited: int = 0
    weakened: list[str] = field(default_factory=list)
    setup_ms: dict[str, float] = field(default_factory=dict)
    schedules: dict[str, list[int]] = field(default_factory=dict)
    """The first schedule (indices) that led to each outcome."""
    paths: list[tuple[tuple[int, ...], str]] = field(default_factory=list)
    """Schedule and outcome of every execution, if asked for."""

    @property
    def results(self) -> set[str]:
        return set(self.outcomes)


def set_hash() -> None:
    """Give the engine XXH3 out of the xxhash package."""
    library = ctypes.CDLL(xxhash._xxhash.__file__)

    def address(name: str) -> int:
        found = ctypes.cast(getattr(library, name), ctypes.c_void_p).value
        assert found is not None
        return found

    error = lib.ss_set_hash(
        ffi.cast("void *", address("XXH3_64bits_dispatch")), ffi.cast("void *", address("XXH3_128bits_dispatch"))
    )
    assert error == 0, os.strerror(-error)


def empty_tables() -> dict[str, Any]:
    """Tables for granularity "sync": nothing is traced."""
    return {
        "codes": {},
        "default_classes": bytes(256),
        "is_traced": ((), (), frozenset()),
        "rebound": frozenset(),
        "stored_names": frozenset(),
        "plain_calls": frozenset(),
        "bookkeeping": build_table(),
    }


def _end(end: int, text: str) -> NoReturn:
    _bridge.end_execution(end, text.encode(), text[:500])
    raise AssertionError("end_execution returned")


def _run_child(program: Callable[[], object], config: dict[str, Any], pipe: int) -> NoReturn:
    def failed(error: BaseException) -> NoReturn:
        _end(lib.SS_END_FAILED, f"failed: {type(error).__name__}: {error}")

    def body() -> None:
        try:
            text = repr(program())
        except BaseException as error:
            failed(error)
        _end(lib.SS_END_FINISHED, text)

    def excepthook(args: threading.ExceptHookArgs) -> None:
        _end(lib.SS_END_FAILED, f"failed in thread: {args.exc_type.__name__}: {args.exc_value}")

    try:
        sys.settrace(None)
        threading.excepthook = excepthook
        answer_unraisable(failed)
        config["thread_failed"] = failed
        _bridge.explore(body, config)
    except BaseException:
        os.write(pipe, traceback.format_exc().encode()[-4000:])
    finally:
        os._exit(70)


def explore(
    program: Callable[[], object],
    *,
    granularity: str = "sync",
    timeouts_any: bool = False,
    max_threads: int = 8,
    fingerprint: bool = False,
    prune: bool = False,
    guard: bool = True,
    tracker: str = "auto",
    check: bool = False,
    tables: dict[str, Any] | None = None,
    invariants: list[Callable[[], object]] | None = None,
    ignored: list[tuple[object, str, bool, str]] | None = None,
    recorder: Callable[[dict[str, Any]], None] | None = None,
    forced: list[int] | None = None,
    keep_paths: bool = False,
    max_executions: int = 200_000,
    timeout_s: float = 30.0,
    verify_base: bool = False,
) -> Report:
    """Explore `program` depth first. With `forced` run exactly that schedule, once.

    `prune` ends paths at visited states (needs `fingerprint`). `check` computes every fingerprint twice.
    `verify_base` has contents of base objects, which are computed late, compared with what they were at the start;
    a difference kills the child.
    """
    set_hash()
    out = ffi.new("ss_arena **")
    assert lib.ss_arena_create(256 << 20, out) == 0
    arena = out[0]
    report = Report()
    pid = reading = 0
    try:
        _bridge.attach(int(ffi.cast("uintptr_t", lib.ss_engine_get_table())), int(ffi.cast("uintptr_t", arena)))
        config: dict[str, Any] = {
            "max_threads": max_threads,
            "granularity": _bridge.GRANULARITIES[granularity],
            "timeouts_any": timeouts_any,
            "tracker": tracker,
            "check": check,
            "guard": guard,
            "fingerprint": fingerprint,
            "heap_bytes": 256 << 20,
            "brk_bytes": 64 << 20,
            "stack_bytes": 1 << 20,
            "epoch_ns": 1_700_000_000_000_000_000,
            "tables": tables or empty_tables(),
            "recorder": recorder,
            "invariants": invariants if invariants is not None else [],
            "ignored": ignored or [],
            "verify_base": verify_base,
        }
        sys.stdout.flush()
        sys.stderr.flush()
        reading, writing = os.pipe()
        pid = _bridge.fork()
        if pid == 0:
            os.close(reading)
            _run_child(program, config, writing)
        os.close(writing)
        _wait(arena, pid, timeout_s)
        if (gone := os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is not None:
            raise RuntimeError(f"the child's set-up failed ({gone.si_status}):\n{os.read(reading, 4000).decode()}")
        _search(arena, pid, report, fingerprint, prune, forced, keep_paths, max_executions, timeout_s)
        report.weakened = sorted(_bridge.weakened())
        report.setup_ms = {phase: ns / 1e6 for phase, ns in _bridge.setup_times().items()}
    finally:
        if pid > 0:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        if reading > 0:
            os.close(reading)
        lib.ss_arena_destroy(arena)
    return report


def _wait(arena: Any, pid: int, timeout_s: float) -> None:
    """Until the agent has handed over; a dead child is an outcome as well."""
    waited = 0.0
    while (error := lib.ss_wait_result(arena, 100)) != 0:
        if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            return
        waited += 0.1
        assert waited < timeout_s, f"the child does not answer: {os.strerror(-error)}"


def _search(
    arena: Any,
    pid: int,
    report: Report,
    fingerprint: bool,
    prune: bool,
    forced: list[int] | None,
    keep_paths: bool,
    max_executions: int,
    timeout_s: float,
) -> None:
    command = ffi.new("ss_command *")
    result = ffi.new("ss_result *")
    statistics = ffi.new("ss_statistics *")
    flags = lib.SS_RUN_SNAPSHOT | (lib.SS_RUN_FINGERPRINT if fingerprint else 0) | (lib.SS_RUN_PRUNE if prune else 0)
    base_state = 0
    stack: list[tuple[int, int, int]] = []  # state, next alternative, number of alternatives
    state, alternative = base_state, 0
    while True:
        command.state, command.alternative, command.flags, command.n_forced = state, alternative, flags, 0
        if forced is not None:
            lib.ss_set_forced(arena, forced, ffi.NULL, len(forced))
            command.n_forced = len(forced)
        assert lib.ss_send(arena, command) == 0
        _wait(arena, pid, timeout_s)
        assert lib.ss_get_result(arena, result) == 0
        text = bytes(ffi.buffer(result.outbox, result.outbox_bytes)).decode() if result.outbox_bytes else ""
        end = ENDS[result.end]
        if end not in ("finished", "failed"):
            detail = ffi.string(result.detail).decode()
            text = f"{end}: {', '.join(broken_assumptions(detail)) if end == 'restart' else detail}"
        report.executions += 1
        report.transitions += result.transitions
        if end == "visited":
            report.visited += 1
        else:
            report.outcomes[text] += 1
        for i in range(result.n_states):
            new = result.states[i]
            info = lib.ss_get_state(arena, new)
            if not info.flags & _STATE_VISITED:
                report.choice_points += 1
            stack.append((new, 1 if not info.flags & _STATE_VISITED else info.n, info.n))
        report.schedules.setdefault(text, [entry[1] - 1 for entry in stack])
        if keep_paths:
            report.paths.append((tuple(entry[1] - 1 for entry in stack), text))
        if end == "died" or forced is not None:
            break
        while stack and stack[-1][1] >= stack[-1][2]:
            lib.ss_state_release(arena, stack.pop()[0])
        if not stack:
            break
        assert report.executions < max_executions, "more executions than expected"
        state, alternative, n = stack.pop()
        stack.append((state, alternative + 1, n))
    assert lib.ss_get_statistics(arena, statistics) == 0
    report.states = statistics.states
