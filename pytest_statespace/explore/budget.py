"""Budgets of one search: time, states, executions."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Budget"]


@dataclass(frozen=True, slots=True)
class Budget:
    """Limits of one search; ``deadline`` is on the given monotonic ``clock`` in seconds.

    A search may have phases: ``executions_before`` were run in earlier ones, and this one ends ``phase_seconds`` after
    ``started``, or after ``phase_executions``: how many, told by the choice points of the longest so far.
    """

    clock: Callable[[], float]
    started: float
    timeout: float
    max_states: int | None = None
    max_executions: int | None = None
    executions_before: int = 0
    phase_seconds: float = math.inf
    phase_executions: Callable[[int], int] | None = None

    @property
    def deadline(self) -> float:
        return self.started + min(self.timeout, self.phase_seconds)

    @property
    def last_deadline(self) -> float:
        """That of all phases."""
        return self.started + self.timeout

    @property
    def executions_left(self) -> int | None:
        """How many this phase may have; None: there is no limit of the whole search."""
        return None if self.max_executions is None else self.max_executions - self.executions_before

    def phase(self, before: int = 0, *, share: float = 1.0, executions: Callable[[int], int] | None = None) -> Budget:
        """One that has a share of the time left; so many executions were run ``before``."""
        now = self.elapsed()
        return dataclasses.replace(
            self,
            executions_before=before,
            phase_seconds=math.inf if share == 1.0 else now + share * (self.timeout - now),
            phase_executions=executions,
        )

    def elapsed(self) -> float:
        """Seconds since the search began."""
        return self.clock() - self.started

    def exceeded(self, *, executions: int, states: int, longest: int = 0) -> str:
        """Which budget is used up, as a text for the report; "" if none. ``longest``: choice points of an execution."""
        if self.max_executions is not None and executions + self.executions_before >= self.max_executions:
            return f"max-executions ({self.max_executions})"
        if self.max_states is not None and states >= self.max_states:
            return f"max-states ({self.max_states})"
        if self.clock() >= self.last_deadline:
            return f"timeout ({self.timeout:g} s)"
        if self.clock() >= self.deadline:
            return "this phase"
        if self.phase_executions is not None and executions >= self.phase_executions(longest):
            return "this phase"
        return ""
