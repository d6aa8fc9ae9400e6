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
    ``started`` or with ``phase_executions``, the fewest and the most: it is twice as many as the longest has choice
    points, if that lies between them.
    """

    clock: Callable[[], float]
    started: float
    timeout: float
    max_states: int | None = None
    max_executions: int | None = None
    executions_before: int = 0
    phase_seconds: float = math.inf
    phase_executions: tuple[int, int] | None = None

    @property
    def deadline(self) -> float:
        return self.started + min(self.timeout, self.phase_seconds)

    @property
    def executions_left(self) -> int | None:
        """How many this phase may have; None: there is no limit of the whole search."""
        return None if self.max_executions is None else self.max_executions - self.executions_before

    def first(self, fewest: int, most: int) -> Budget:
        """A first phase; the longer executions are, the more of them."""
        return dataclasses.replace(self, phase_executions=(fewest, most))

    def share(self, share: float, executions: int) -> Budget:
        """A phase that has a share of the time left; so many executions were run before."""
        now = self.elapsed()
        return dataclasses.replace(self, phase_seconds=now + share * (self.timeout - now), executions_before=executions)

    def after(self, executions: int) -> Budget:
        """The phase after so many executions."""
        return dataclasses.replace(self, executions_before=executions)

    def elapsed(self) -> float:
        """Seconds since the search began."""
        return self.clock() - self.started

    def exceeded(self, *, executions: int, states: int, longest: int = 0) -> str:
        """Which budget is used up, as a text for the report; "" if none. ``longest``: choice points of an execution."""
        if self.max_executions is not None and executions + self.executions_before >= self.max_executions:
            return f"max-executions ({self.max_executions})"
        if self.max_states is not None and states >= self.max_states:
            return f"max-states ({self.max_states})"
        if self.clock() >= self.started + self.timeout:
            return f"timeout ({self.timeout:g} s)"
        if self.clock() >= self.deadline or self._has_enough(executions, longest):
            return "this phase"
        return ""

    def _has_enough(self, executions: int, longest: int) -> bool:
        if self.phase_executions is None:
            return False
        fewest, most = self.phase_executions
        return executions >= min(max(fewest, 2 * longest), most)
