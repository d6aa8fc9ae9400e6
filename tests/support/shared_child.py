"""Many programs in one child, searched by the product's strategies one after the other.

As `support.batch`, whose searches are its own: setting a child up costs as much as hundreds of paths, so the body
chooses its program first, and what lies behind an alternative of that choice point is searched as if it were all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pytest_statespace._native._bridge import choose
from support.search import InFront, Program, Restart, Subject, child_with

from pytest_statespace.errors import InternalError
from pytest_statespace.explore.assumptions import broken_assumptions
from pytest_statespace.sandbox.protocol import Command, PathResult, Point, RunFlag
from pytest_statespace.sandbox.session import Sandbox

Use = Callable[[int, Subject], None]
"""Gets a program's number, and the program ready to be searched as often as wanted."""


class Behind(InFront):
    """An `Engine` whose base is what lies behind an alternative of a state."""

    def __init__(self, sandbox: Sandbox, state: int, alternative: int) -> None:
        super().__init__(sandbox)
        self._base = {"state": state, "alternative": alternative}

    def run(self, command: Command, *, deadline: float) -> PathResult:
        if command.state == 0:
            command = command._replace(**self._base)
        return self._sandbox.run(command, deadline=deadline)

    def sample(self, choose: Callable[[Point], int], *, deadline: float, flags: RunFlag = RunFlag.NONE) -> PathResult:
        raise AssertionError("whole executions begin at the base state, where all programs are")


Load = Callable[[], Program]


def search_each(load: Sequence[Load], use: Use, **options: Any) -> None:
    """Call `use` for each program, with `support.search.explore_with`'s options; again for those that
    broke an assumption, in a child that does without it. What `use` raises ends everything.

    `load` is called in the child: what one program's code does with attributes in general (`vars()`, `setattr`) holds
    for all code that the child knows.
    """
    waiting = list(range(len(load)))
    promoted: frozenset[str] = frozenset()
    for _ in range(20):
        if not waiting:
            return
        broken = _in_one_child([(number, load[number]) for number in waiting], use, promoted, options)
        promoted |= {assumption for detail in broken.values() for assumption in broken_assumptions(detail)}
        waiting = sorted(broken)
    raise InternalError(f"the search was restarted too often: {sorted(promoted)}")


def _in_one_child(
    load: Sequence[tuple[int, Load]], use: Use, promoted: frozenset[str], options: dict[str, Any]
) -> dict[int, str]:
    """Numbers of the programs that broke an assumption, and which one."""

    def make() -> Program:
        programs = [one() for _, one in load]
        return lambda: programs[choose(max(2, len(programs)))]()

    broken: dict[int, str] = {}
    with child_with(make, promoted=promoted, **options) as sandbox:
        first, *rest = sandbox.run(Command(0, 0, RunFlag.SNAPSHOT), deadline=None).states
        for state in rest:
            sandbox.release(state.number)
        for alternative, (number, _) in enumerate(load):
            engine = Behind(sandbox, first.number, alternative)
            try:
                use(number, Subject(engine))
            except Restart as restart:
                broken[number] = restart.detail
    return broken
