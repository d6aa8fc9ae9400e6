"""The last choice at which a failing execution could still have passed.

Each choice of a thread is taken otherwise, from the last one back, and what follows is left to the
default (whoever runs goes on). The first one that passes is the twin of the failure: the two are the same up to
one choice. Whose step comes first there decides.
"""

from __future__ import annotations

from pytest_statespace.runtime.wire import unpack
from pytest_statespace.sandbox.protocol import Command, End, Engine, RunFlag
from pytest_statespace.types import ChoiceKind, PassingTwin, Schedule

__all__ = ["find_twin"]

_MOST_RUNS = 50


def find_twin(schedule: Schedule, engine: Engine, deadline: float) -> PassingTwin | None:
    """The latest departure from a failing schedule that passes, None if there is none among those that were tried."""
    runs = 0
    for at in reversed(range(len(schedule.choices))):
        choice = schedule.choices[at]
        if choice.kind is not ChoiceKind.THREAD:
            continue
        for other in range(choice.alternatives):
            if other == choice.index:
                continue
            if runs == _MOST_RUNS:
                return None
            runs += 1
            forced = (*(earlier.index for earlier in schedule.choices[:at]), other)
            labels = tuple(earlier.label for earlier in schedule.choices[: at + 1])
            result = engine.run(Command(0, 0, RunFlag.NONE, forced, labels), deadline=deadline)
            for state in result.states:
                engine.release(state.number)
            if result.end in (End.CRASHED, End.HUNG, End.TIMEOUT, End.LOST):
                return None  # the child is gone
            if result.end is End.FINISHED and unpack(result.payload)["kind"] == "finished":
                return PassingTwin(at, result.states[at].threads[other])
    return None
