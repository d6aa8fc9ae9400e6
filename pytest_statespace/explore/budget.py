"""Budgets of one search: time, states, executions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Budget"]


@dataclass(frozen=True, slots=True)
class Budget:
    """Limits of one search; ``deadline`` is on the given monotonic ``clock`` in seconds."""

    clock: Callable[[], float]
    started: float
    timeout: float
    max_states: int | None = None
    max_executions: int | None = None

    @property
    def deadline(self) -> float:
        return self.started + self.timeout

    def elapsed(self) -> float:
        """Seconds since the search began."""
        return self.clock() - self.started

    def exceeded(self, *, executions: int, states: int) -> str:
        """Which budget is used up, as a text for the report; "" if none."""
        if self.max_executions is not None and executions >= self.max_executions:
            return f"max-executions ({self.max_executions})"
        if self.max_states is not None and states >= self.max_states:
            return f"max-states ({self.max_states})"
        if self.clock() >= self.deadline:
            return f"timeout ({self.timeout:g} s)"
        return ""
