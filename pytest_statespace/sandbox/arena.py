"""The shared arena as seen by the parent: a thin, typed handle on the engine's C functions.

Native code is imported when the first arena is made, not when this module is: plain pytest
runs must not pay for it, nor need it.
"""

from __future__ import annotations

import ctypes
import functools
import importlib
import os
import struct
from types import ModuleType
from typing import Any

from pytest_statespace.errors import InternalError, StatespaceError
from pytest_statespace.sandbox.protocol import (
    STATE_NONE,
    Alternative,
    Command,
    End,
    NewState,
    PathResult,
    Point,
    Without,
)
from pytest_statespace.types import ChoiceKind, EngineStatistics

__all__ = ["Arena", "bridge_module", "probe_tracker", "tracker_names"]

_HASHED, _VISITED, _ENDLESS, _EXTRA = 1, 2, 4, 8  # SS_STATE_*
_ENDS = {end.value: end for end in End}
_ALTERNATIVE = struct.Struct("=HBBIQ")  # ss_alternative, which has no padding


class Arena:
    """One arena. Create it before the fork, `destroy` it after the child is gone."""

    def __init__(self, mebibytes: int, without: Without = Without.NOTHING) -> None:
        self._ffi, self._lib = _engine()
        out = self._ffi.new("ss_arena **")
        error = self._lib.ss_arena_create(mebibytes << 20, out)
        if error:
            raise StatespaceError(
                f"can't reserve the snapshot arena of {mebibytes} MiB: {os.strerror(-error)}; "
                "lower --statespace-max-memory"
            )
        self._arena = out[0]
        self._check(self._lib.ss_do_without(self._arena, int(without)))
        self._result = self._ffi.new("ss_result *")
        self._command = self._ffi.new("ss_command *")
        self._counters = self._ffi.new("ss_statistics *")  # read after every path
        self._threads: dict[tuple[int, ...], tuple[int, ...]] = {}  # each once: an execution may have very many

    @property
    def address(self) -> int:
        """Where it lies: at the same place in parent and child."""
        return int(self._ffi.cast("uintptr_t", self._arena))

    def table_address(self) -> int:
        """Address of the engine's function table, for the bridge."""
        return int(self._ffi.cast("uintptr_t", self._lib.ss_engine_get_table()))

    def send(self, command: Command) -> None:
        """Hand the turn to the agent."""
        if command.forced:
            self._check(
                self._lib.ss_set_forced(
                    self._arena,
                    self._ffi.new("uint32_t[]", list(command.forced)),
                    self._ffi.new("uint64_t[]", list(command.labels) or len(command.forced)),
                    len(command.forced),
                )
            )
        native = self._command
        native.state = command.state
        native.alternative = command.alternative
        native.flags = int(command.flags)
        native.n_forced = len(command.forced)
        native.n_following = len(command.following)
        native.deepest = command.deepest
        if command.following:
            self._check(self._lib.ss_set_following(self._arena, command.following, len(command.following)))
        self._check(self._lib.ss_send(self._arena, native))

    def wait(self, milliseconds: int) -> bool:
        """Wait for the explorer's turn; false if it has not come in time or a signal came."""
        return bool(self._lib.ss_wait_result(self._arena, milliseconds) == 0)

    def asked(self) -> Point | None:
        """The choice point that a path with `RunFlag.ASK` waits at; None if it has ended."""
        native = self._result
        self._check(self._lib.ss_get_result(self._arena, native))
        if native.end != End.ASKING:
            return None
        state = self._lib.ss_get_state(self._arena, native.states[native.n_states - 1])
        threads = state.n if state.kind != ChoiceKind.DATA else 0
        alternatives = self._ffi.buffer(state.alternatives, threads * _ALTERNATIVE.size)
        return Point(
            kind=state.kind,
            current=state.current,
            count=state.n,
            depth=state.depth,
            alternatives=tuple(map(Alternative._make, _ALTERNATIVE.iter_unpack(alternatives))),
            fingerprint=tuple(state.fingerprint) if state.flags & _HASHED else (),
        )

    def answer(self, alternative: int | None) -> None:
        """Let the waiting path go on with this alternative; None ends it."""
        answer = STATE_NONE if alternative is None else alternative
        self._check(self._lib.ss_answer(self._arena, answer))

    def go_on(self) -> None:
        """Let a path go on whose record was full; its states must have been released."""
        self._check(self._lib.ss_go_on(self._arena))

    def quit(self) -> None:
        """Ask the agent to end the child."""
        self._lib.ss_send_quit(self._arena)

    def progress(self) -> int:
        """Choice points recorded on the path that is running; grows while it is alive."""
        self._lib.ss_get_result(self._arena, self._result)
        return int(self._result.n_states)

    def result(self, end: End | None = None, detail: str = "") -> PathResult:
        """What the present path recorded; ``end`` replaces what the agent could not say."""
        native = self._result
        self._check(self._lib.ss_get_result(self._arena, native))
        numbers = native.states
        states = tuple([self.state(numbers[i]) for i in range(native.n_states)])
        text = self._text(native.detail)
        size = native.outbox_bytes
        payload = bytes(self._ffi.buffer(native.outbox, size)) if size else b""
        if end is None:
            end = _ENDS[native.end]
        return PathResult(end, states, native.transitions, payload, detail or text, native.runs)

    def state(self, number: int) -> NewState:
        """Read one recorded choice point."""
        native = self._lib.ss_get_state(self._arena, number)
        if native == self._ffi.NULL:
            raise InternalError(f"the engine does not know state {number}")
        count = native.n
        kind = native.kind
        alternatives = native.alternatives
        threads = tuple([alternatives[i].thread for i in range(count)]) if kind in (1, 3) else ()
        threads = self._threads.setdefault(threads, threads)
        return NewState(
            number,
            kind,
            native.current,
            count,
            threads,
            native.label,
            native.preemptions,
            native.taken if native.taken != STATE_NONE else 0,
            native.root != STATE_NONE,
            native.flags & _VISITED != 0,
            native.flags & _ENDLESS != 0,
            native.flags & _EXTRA != 0,
            native.visit if native.flags & _HASHED else -1,
            self._note(number) if native.note_bytes else b"",
        )

    def _note(self, number: int) -> bytes:
        size = self._ffi.new("uint32_t *")
        note = self._lib.ss_get_note(self._arena, number, size)
        return bytes(self._ffi.buffer(note, size[0])) if note else b""

    def memory(self, state: int, address: int, size: int) -> bytes:
        """What ``size`` bytes at ``address`` were in a state whose snapshot is kept; nothing is restored.

        Raises InternalError where there is no snapshot, or the address is no memory that is tracked.
        """
        native = self._lib.ss_get_state(self._arena, state)
        if native == self._ffi.NULL or native.root == STATE_NONE:
            raise InternalError(f"there is no snapshot of state {state}")
        found = self._ffi.new("uint8_t[]", size)
        error = self._lib.ss_snapshot_read(self._arena, native.root, address, found, size)
        if error:
            raise InternalError(f"{size} bytes at {address:#x} of state {state} can't be read: {os.strerror(-error)}")
        return bytes(self._ffi.buffer(found, size))

    def release(self, state: int) -> None:
        """Drop a state and its snapshot."""
        self._check(self._lib.ss_state_release(self._arena, state))

    def clear_visited(self) -> None:
        """Empty the visited set."""
        self._check(self._lib.ss_visited_clear(self._arena))

    def endless(self) -> tuple[int, int] | None:
        """States from which no end can be reached, and how many of them time may lead out of; None: unknown."""
        found = self._ffi.new("uint64_t[2]")
        if self._lib.ss_find_endless(self._arena, found, found + 1) < 0:
            return None
        return int(found[0]), int(found[1])

    def distinct_states(self) -> int:
        """The engine's count of distinct fingerprints."""
        self._check(self._lib.ss_get_statistics(self._arena, self._counters))
        return int(self._counters.states)

    def statistics(self) -> EngineStatistics:
        """The engine's counters, times as microseconds per operation."""
        native = self._statistics()
        checkpoints = native.checkpoints
        restores = native.restores
        return EngineStatistics(
            tracker=self._text(self._lib.ss_tracker_name(self._arena)),
            tracker_reason=self._text(self._lib.ss_tracker_reason(self._arena)),
            tracked_pages=native.tracked_pages,
            snapshots=checkpoints,
            restores=restores,
            dirty_pages=native.dirty_pages,
            stored_pages=native.stored_pages,
            stored_bytes=native.stored_bytes,
            packed_pages=native.packs,
            naive_bytes=native.naive_bytes,
            us_checkpoint=_microseconds(native.ns_checkpoint, checkpoints),
            us_fingerprint=_microseconds(native.ns_fingerprint, checkpoints),
            us_restore=_microseconds(native.ns_restore, restores),
        )

    def uncompared(self) -> int:
        """How often a state could not be compared with others."""
        return int(self._statistics().unhashable_states)

    def last_error(self) -> str:
        """What the engine said about the last thing it refused, "" if nothing."""
        return self._text(self._lib.ss_last_error(self._arena))

    def destroy(self) -> None:
        """Unmap it. Twice is fine."""
        if self._arena != self._ffi.NULL:
            self._lib.ss_arena_destroy(self._arena)
            self._arena = self._ffi.NULL

    def _statistics(self) -> Any:
        native = self._ffi.new("ss_statistics *")
        self._check(self._lib.ss_get_statistics(self._arena, native))
        return native

    def _text(self, pointer: Any) -> str:
        return self._ffi.string(pointer).decode("utf-8", "replace") if pointer else ""

    def _check(self, error: int) -> None:
        if error < 0:
            last = self._text(self._lib.ss_last_error(self._arena))
            raise InternalError(f"snapshot engine: {last or os.strerror(-error)}")


def bridge_module() -> ModuleType:
    """The native bridge; importing it needs Linux and the CPython it was built for."""
    return importlib.import_module("pytest_statespace._native._bridge")


def tracker_names() -> tuple[str, ...]:
    """Built-in trackers in order of preference."""
    ffi, lib = _engine()
    return tuple(ffi.string(lib.ss_tracker_names()).decode().split(","))


def probe_tracker(name: str) -> str:
    """Why a tracker can't be used in this process; "" if it can. Run it in a child."""
    ffi, lib = _engine()
    reason = ffi.new("char[]", 512)
    error = lib.ss_tracker_probe(name.encode(), reason, 512)
    if error == 0:
        return ""
    return ffi.string(reason).decode("utf-8", "replace") or os.strerror(-error)


def _microseconds(nanoseconds: int, count: int) -> float:
    return nanoseconds / count / 1000 if count else 0.0


@functools.cache
def _engine() -> tuple[Any, Any]:
    native: Any = importlib.import_module("pytest_statespace._native._engine")
    xxh64, xxh128 = _hash_functions()
    error = native.lib.ss_set_hash(
        native.ffi.cast("void *", xxh64), native.ffi.cast("void *", xxh128)
    )
    if error:
        raise InternalError(f"snapshot engine: the hash was refused: {os.strerror(-error)}")
    return native.ffi, native.lib


def _hash_functions() -> tuple[int, int]:
    """Addresses of XXH3 (64 and 128 bits): of the xxhash package, else of the C library."""
    import xxhash._xxhash

    tried: list[str] = []
    for path in (str(xxhash._xxhash.__file__), "libxxhash.so.0"):
        try:
            library = ctypes.CDLL(path)
        except OSError as error:
            tried.append(str(error))
            continue
        found = [_symbol(library, bits) for bits in (64, 128)]
        if found[0] and found[1]:
            return found[0], found[1]
        tried.append(f"{path}: no XXH3 functions exported")
    raise StatespaceError(
        "no usable XXH3 hash: " + "; ".join(tried) + "; install the wheel of xxhash >= 3.5"
    )


def _symbol(library: ctypes.CDLL, bits: int) -> int:
    for name in (f"XXH3_{bits}bits_dispatch", f"XXH3_{bits}bits"):
        try:
            function = getattr(library, name)
        except AttributeError:
            continue
        return ctypes.cast(function, ctypes.c_void_p).value or 0
    return 0
