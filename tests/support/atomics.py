"""Atomic numbers for programs under test.

This file is no code under test: a call of one of these methods is one step, as an atomic instruction would be.
"""

from __future__ import annotations


class Atomic:
    """A number that is read, written and exchanged in one step."""

    def __init__(self, value: int) -> None:
        self._value = value

    def load(self) -> int:
        return self._value

    def store(self, value: int) -> None:
        self._value = value

    def exchange(self, value: int) -> int:
        """Store a value; the one before."""
        before, self._value = self._value, value
        return before

    def compare_exchange(self, expected: int, value: int) -> int:
        """Store a value if the present one is `expected`; the one before in any case."""
        before = self._value
        if before == expected:
            self._value = value
        return before

    def add(self, amount: int) -> None:
        self._value += amount
