"""Base contents that the frozen copy computes late are those that were there before anything ran."""

from __future__ import annotations

import collections
import threading
from typing import Any

import pytest
from support import driver

from pytest_statespace._native import _bridge

pytestmark = pytest.mark.skipif(not _bridge.supported()[0], reason="states are not compared on this interpreter")


class Record:
    """An instance of the base state, with attributes in the type's shared keys."""

    def __init__(self) -> None:
        self.first, self.second = 1, [2]


class Slotted:
    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: object = None


plain: dict[str, Any] = {"a": 1, "b": [2, 3]}
ordered = collections.OrderedDict(a=1, b=2)
queue = collections.deque([1, 2, 3], maxlen=5)
members = {1, "two", (3, 4)}
record, slotted = Record(), Slotted()
large_bytes, large_text = bytes(range(256)) * 1000, "text" * 10_000
nested = [[i, {"i": i}] for i in range(50)]


def change_and_put_back(step: int) -> None:
    plain["a"] = step
    ordered.move_to_end("a")
    ordered.move_to_end("b")
    queue.append(step)
    queue.pop()
    members.add(step + 1000)
    members.discard(step + 1000)
    record.first = step
    record.second.append(step)
    record.second.pop()
    slotted.value = (large_bytes, large_text) if step % 10 else [large_bytes]
    nested[step][1]["i"] = -step
    nested[step][1]["i"] = step
    Record.extra = step  # type: ignore[attr-defined]
    del Record.extra  # type: ignore[attr-defined]


def program() -> object:
    lock = threading.Lock()

    def work(step: int) -> None:
        with lock:
            change_and_put_back(step)
        with lock:
            change_and_put_back(step + 1)

    threads = [threading.Thread(target=work, args=(10 * i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return plain["a"], list(ordered), list(queue), len(members), record.first, record.second, len(slotted.value)  # type: ignore[arg-type]


def test_late_contents_are_those_of_the_base_state() -> None:
    """Every content that is asked for is checked (a difference kills the child); the numbers are the same without."""
    checked = driver.explore(program, fingerprint=True, prune=True, verify_base=True)
    unchecked = driver.explore(program, fingerprint=True, prune=True)
    assert checked.outcomes == unchecked.outcomes
    assert checked.states == unchecked.states


halves = [number + 0.5 for number in range(300)]


def forget_halves() -> object:
    """Numbers that die link their memory into a list of free ones, in place of their type."""
    lock = threading.Lock()

    def work() -> None:
        halves.clear()
        with lock:
            pass

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(halves)


def test_whose_memory_it_was_is_told_by_the_base_state() -> None:
    """Every page that is described is checked, and what a header said is gone by then."""
    report = driver.explore(forget_halves, fingerprint=True, prune=True, verify_base=True)
    assert set(report.outcomes) == {"0"}


def test_without_a_frozen_copy_the_states_are_the_same() -> None:
    """The comparing tracker keeps the base state in the store; contents are then computed at once."""
    frozen = driver.explore(program, fingerprint=True, prune=True)
    stored = driver.explore(program, fingerprint=True, prune=True, tracker="compare")
    assert frozen.outcomes == stored.outcomes
    assert frozen.states == stored.states
