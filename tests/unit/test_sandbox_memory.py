"""The parent reads what memory was in states of the child, and nothing is restored for that."""

from __future__ import annotations

import ctypes

import pytest
from support.search import Subject, explore_with

from pytest_statespace._native import _bridge
from pytest_statespace.errors import InternalError
from pytest_statespace.sandbox.protocol import Command, End, RunFlag

_TEXT = ctypes.create_string_buffer(b"before the test", 3 * 4096)


def _program() -> int:
    for step in range(1, 4):
        _TEXT.value = b"step %d " % step * 600
        _bridge.choose(2)
    return 0


def test_memory_of_states_is_read_from_the_parent() -> None:
    address, size = ctypes.addressof(_TEXT), len(_TEXT)

    def use(subject: Subject) -> None:
        sandbox = subject.sandbox
        result = sandbox.run(Command(0, 0, RunFlag.SNAPSHOT), deadline=None)
        assert result.end is End.FINISHED
        steps = [state.number for state in result.states if state.count == 2]

        def read(state: int) -> bytes:
            return sandbox.memory(state, address, size)

        for _ in range(2):
            assert read(0) == b"before the test".ljust(size, b"\0")
            assert [read(state).rstrip(b"\0") for state in steps] == [b"step %d " % step * 600 for step in (1, 2, 3)]
            sandbox._end_child()  # what is read lies in the arena, or with the copy that keeps the base state
        with pytest.raises(InternalError, match=r"1 bytes at 0x10 of state 0 can't be read: Bad address"):
            sandbox.memory(0, 0x10, 1)
        sandbox.release(steps[2])
        with pytest.raises(InternalError, match="there is no snapshot of state"):
            read(steps[2])

    explore_with(_program, use)
    assert _TEXT.value == b"before the test"
