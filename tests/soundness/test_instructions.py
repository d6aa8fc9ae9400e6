"""A thread that waits in the middle of one instruction, or of one that reports events: what the evaluation loop has
then in its variables, and what is set for the code, is part of the state.

Each program has an outcome that is lost when such a state is taken for another.
"""

from __future__ import annotations

import _thread
import sys
from collections.abc import Callable

import pytest
from test_merging import exact, join, merged

from pytest_statespace._native import _bridge

pytestmark = pytest.mark.skipif(not _bridge.supported()[0], reason=_bridge.supported()[1])

Program = Callable[[], object]


class Shared:
    """A value that another thread changes and changes back."""

    def __init__(self) -> None:
        self.lock = _thread.allocate_lock()
        self.value: object = 0

    def wait(self) -> None:
        with self.lock:
            pass

    def flicker(self) -> None:
        with self.lock:
            self.value = 1
        with self.lock:
            self.value = 0


def against_flicker(read: Callable[[Shared], object]) -> Program:
    def program() -> object:
        shared, results = Shared(), list[object]()
        join(lambda: results.append(read(shared)), shared.flicker)
        return results

    return program


def entered(shared: Shared) -> object:
    """The method for the end of the block is looked up before the block begins."""

    def end_0(self: object, *_: object) -> None:
        results.append(0)

    def end_1(self: object, *_: object) -> None:
        results.append(1)

    class Manager:
        def __enter__(self) -> None:
            Manager.__exit__ = end_0  # type: ignore[method-assign, assignment]
            shared.wait()

        __exit__ = end_0

    results: list[object] = []
    if shared.value:
        Manager.__exit__ = end_1  # type: ignore[method-assign, assignment]
    with Manager():
        pass
    return results


class Dying:
    """Waits when it goes."""

    def __init__(self, shared: Shared) -> None:
        self.shared = shared

    def __del__(self) -> None:
        self.shared.wait()

    def __getitem__(self, key: object) -> object:
        return self.shared.value

    def __add__(self, other: object) -> object:
        return self.shared.value

    def __lt__(self, other: object) -> bool:
        return bool(self.shared.value)

    @property
    def seen(self) -> object:
        return self.shared.value

    def __len__(self) -> int:
        return 3 if self.shared.value else 2


def returned(shared: Shared) -> object:
    """What a function returns, while its local variables go."""

    def read() -> object:
        dying = Dying(shared)
        return dying.shared.value

    return read()


def subscripted(shared: Shared) -> object:
    return Dying(shared)[0]


def added(shared: Shared) -> object:
    return Dying(shared) + 1


def compared(shared: Shared) -> object:
    return Dying(shared) < 1


def read(shared: Shared) -> object:
    return Dying(shared).seen


def measured(shared: Shared) -> object:
    return len(Dying(shared))


def reported(shared: Shared) -> object:
    """Which events a code object reports to which tool is kept with the code, where nothing else is read."""
    monitoring, calls = sys.monitoring, list[int]()

    def reports() -> None:
        pass

    monitoring.use_tool_id(3, "test")
    monitoring.register_callback(3, monitoring.events.LINE, lambda code, line: calls.append(1))
    monitoring.set_local_events(3, reports.__code__, monitoring.events.LINE if shared.value else 0)
    shared.wait()
    reports()
    return len(calls)


PROGRAMS: dict[str, Program] = {
    "entering": against_flicker(entered),
    "returning": against_flicker(returned),
    "subscript of a dying object": against_flicker(subscripted),
    "length of a dying object": against_flicker(measured),
    "operator of a dying object": against_flicker(added),
    "comparison of a dying object": against_flicker(compared),
    "attribute of a dying object": against_flicker(read),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_no_outcome_is_lost_in_the_middle_of_an_instruction(name: str) -> None:
    report, promoted = merged(PROGRAMS[name])
    assert report.results == exact(PROGRAMS[name]).results
    assert not promoted
    assert report.visited > 0


@pytest.mark.skipif(sys.version_info < (3, 12), reason="sys.monitoring came with 3.12")
def test_no_outcome_is_lost_to_events() -> None:
    program = against_flicker(reported)
    assert merged(program)[0].results == exact(program).results == {"[0]", "[1]"}
