"""State-equality pairs: two histories, and whether they lead to the same state.

A pair says what the fingerprint may and may not tell apart. "different" is a promise: merging such
states would lose outcomes. "same" is what makes interleavings meet; it may only be broken knowingly.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

History = Callable[[], object]
Expectation = Literal["same", "different"]


@dataclass(frozen=True, slots=True)
class Pair:
    """What `first` and `second` return is alive, and all they did is done, when states are compared."""

    name: str
    first: History
    second: History
    expected: Expectation


def same(name: str, first: History, second: History) -> Pair:
    return Pair(name, first, second, "same")


def different(name: str, first: History, second: History) -> Pair:
    return Pair(name, first, second, "different")


def after(make: Callable[[], Any], *steps: Callable[[Any], object]) -> Any:
    """An object on which some steps were taken."""
    made = make()
    for step in steps:
        step(made)
    return made


def put(name: str, value: object) -> Callable[[Any], None]:
    """The step that sets an attribute."""
    return lambda o: setattr(o, name, value)


def drop(name: str) -> Callable[[Any], None]:
    """The step that deletes an attribute."""
    return lambda o: delattr(o, name)


def call(name: str, *args: object) -> Callable[[Any], object]:
    """The step that calls a method."""
    return lambda o: getattr(o, name)(*args)


def quietly(step: Callable[[], object]) -> None:
    """Take a step on something that existed before; keep nothing of it."""
    step()
