"""Mutual exclusion by shared variables alone: threads that spin are explored to the end, at every instruction.

A loop that waits repeats its state, so it ends. At granularity `opcode` each of these has tens of thousands of
states, so they are left to `-m campaign`; `examples/test_peterson.py` is verified at `access` in every run.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from support.search import STATES_ARE_COMPARED, WHY_NOT, Program, explore, explore_with

pytestmark = pytest.mark.skipif(not STATES_ARE_COMPARED, reason=f"no states are recognised: {WHY_NOT}")


class Shared:
    def __init__(self) -> None:
        self.wants = [False, False]
        self.turn = 0
        self.inside = 0


Enter = Callable[[Shared, int], None]


def peterson(it: Shared, me: int) -> None:
    it.wants[me] = True
    it.turn = 1 - me
    while it.wants[1 - me] and it.turn != me:
        pass


def dekker(it: Shared, me: int) -> None:
    it.wants[me] = True
    while it.wants[1 - me]:
        if it.turn != me:
            it.wants[me] = False
            while it.turn != me:
                pass
            it.wants[me] = True


def look_first(it: Shared, me: int) -> None:
    """Wrong: both may have looked before either says what it wants."""
    while it.wants[1 - me]:
        pass
    it.wants[me] = True


def leave(it: Shared, me: int) -> None:
    it.turn = 1 - me
    it.wants[me] = False


def exclusion(enter: Enter) -> Program:
    def program() -> str:
        it = Shared()

        def work(me: int) -> None:
            enter(it, me)
            it.inside += 1
            assert it.inside == 1
            it.inside -= 1
            leave(it, me)

        threads = [threading.Thread(target=work, args=(me,)) for me in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return "excluded"

    return program


def spin_lock() -> str:
    """A lock made of a list that has one element: `pop` of the last one is one step."""
    free, total = [None], [0]

    def work() -> None:
        while True:
            try:
                free.pop()
                break
            except IndexError:
                pass
        total[0] += 1
        free.append(None)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return f"{total[0]}"


RIGHT: dict[str, tuple[Program, str]] = {
    "peterson": (exclusion(peterson), "excluded"),
    "dekker": (exclusion(dekker), "excluded"),
    "spin lock": (spin_lock, "2"),
}


@pytest.mark.parametrize("name", RIGHT)
def test_at_every_access(name: str) -> None:
    program, result = RIGHT[name]
    found = explore(program, "dfs", granularity="access")
    assert found.complete
    assert found.results == {repr(result)}


@pytest.mark.campaign
@pytest.mark.parametrize("name", RIGHT)
def test_at_every_instruction(name: str) -> None:
    program, result = RIGHT[name]
    found = explore_with(program, lambda subject: subject.search("dfs", seconds=3600), granularity="opcode")
    assert found.complete
    assert found.results == {repr(result)}


def test_looking_first_is_wrong() -> None:
    found = explore(exclusion(look_first), "dfs", granularity="access")
    assert found.complete
    assert any("AssertionError" in outcome for outcome in found.outcomes)
