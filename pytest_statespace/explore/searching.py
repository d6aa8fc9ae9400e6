"""One search of one test: children, and restarts.

The search may find that one of its assumptions does not hold (a global that was taken for
constant is rebound after all). It is then done again from the start in a fresh child without
that assumption; the numbers that are reported are those of the last search.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from time import monotonic
from typing import NoReturn

import pytest

from pytest_statespace.errors import InternalError, InvalidArgument
from pytest_statespace.explore.assumptions import broken_assumptions
from pytest_statespace.explore.budget import Budget
from pytest_statespace.explore.explorer import Explorer, Found, Search, SearchEnd
from pytest_statespace.explore.fewest import look_for_fewer
from pytest_statespace.explore.livelock import look_for_livelock
from pytest_statespace.explore.minimise import minimise
from pytest_statespace.explore.phases import run_phases
from pytest_statespace.explore.races import name_races
from pytest_statespace.explore.state_graph import GraphRecorder
from pytest_statespace.explore.strategies import StrategyRegistry
from pytest_statespace.explore.strategies.base import Learner
from pytest_statespace.explore.twin import find_twin
from pytest_statespace.runtime import child as child_side
from pytest_statespace.runtime.roots import roots_of
from pytest_statespace.runtime.teardowns import Teardown, may_be_left
from pytest_statespace.sandbox.arena import bridge_module
from pytest_statespace.sandbox.session import Sandbox
from pytest_statespace.settings import Settings
from pytest_statespace.types import FailureKind, ProgressSnapshot

__all__ = ["MUTE", "Searching", "task_of"]

MUTE = (FailureKind.CRASH, FailureKind.HANG, FailureKind.LIVELOCK)
"""Failures after which the child can't say anything itself."""
_MOST_RESTARTS = 200


def task_of(
    item: pytest.Function,
    settings: Settings,
    *,
    fingerprint: bool,
    footprints: bool = False,
    guarded: bool = True,
) -> child_side.Task:
    """What the child is to do."""
    return child_side.Task(
        item=item,
        settings=settings,
        teardown=Teardown(item, settings),
        roots=roots_of(item),
        fingerprint=fingerprint,
        footprints=footprints,
        guarded=guarded,
    )


@dataclass(slots=True)
class Searching:
    """How a test is searched.

    ``brief``: only whether it fails is asked for, not in how few preemptions. ``fingerprint``: states can be compared
    on this interpreter. ``wanted``: go on after a failure for which it
    returns false; such a search answers one question, and is done in one phase. ``note_graph``: `Search.graph` is
    wanted, of the plain search.
    """

    item: pytest.Function
    settings: Settings
    registry: StrategyRegistry
    fingerprint: bool
    progress: Callable[[ProgressSnapshot], None] | None = None
    wanted: Callable[[Found], bool] | None = None
    note_graph: bool = False
    brief: bool = False
    started: float = dataclasses.field(default_factory=monotonic)
    looked_at: dict[str, str] = dataclasses.field(default_factory=dict)  # FILE:LINE by "observe ..."
    _prepared: child_side.Task | None = None  # with tables that serve all children

    def run(self) -> Search:
        """The last of the searches; ``settings.promoted`` may have grown."""
        for _ in range(_MOST_RESTARTS):
            search = self._in_phases()
            broken = self._broken(search)
            if broken is None:
                return search
            self.looked_at.update(broken)
            if not broken.keys() - set(self.settings.promoted):
                raise InternalError(f"the search restarts for ever because of {search.detail!r}")
            promoted = dict.fromkeys((*self.settings.promoted, *broken))
            self.settings = dataclasses.replace(self.settings, promoted=tuple(promoted))
        raise InternalError(f"more than {_MOST_RESTARTS} restarts of one search")

    def _broken(self, search: Search) -> dict[str, str] | None:
        """The assumptions because of which the test is searched again; None: it is not."""
        if search.end is SearchEnd.RESTART:
            return broken_assumptions(search.detail)
        if search.end is SearchEnd.UNSUPPORTED and self.settings.max_executions != 1:
            return dict.fromkeys(may_be_left(self.item, self.settings), "") or None
        return None

    def _in_phases(self) -> Search:
        settings = self.settings
        whole = Budget(
            clock=monotonic,
            started=self.started,
            timeout=settings.timeout,
            max_states=settings.max_states,
            max_executions=settings.max_executions,
        )
        reducing = self._reducing()
        if reducing is None:
            return self._search(settings, whole)
        sweeping = dataclasses.replace(settings, strategy="dfs")
        plain, reduced, sweep = (partial(self._search, of) for of in (settings, reducing, sweeping))
        return run_phases(plain, reduced, sweep, whole)

    def _reducing(self) -> Settings | None:
        """The settings of the phase that leaves out orders; None: there is none."""
        settings = self.settings
        plain = settings.strategy != "exhaust" or settings.preemptions is not None or settings.explain_state
        if plain or self.note_graph or self.wanted is not None or not self.fingerprint:
            return None
        reducing = dataclasses.replace(settings, strategy="dpor")
        try:
            self.registry.create(reducing)
        except InvalidArgument:
            return None
        return reducing

    def _search(self, settings: Settings, budget: Budget) -> Search:
        """One search; in another child once more, if it may do there what ended it."""
        search = self._guarded(settings, budget)
        if not self._need_not_rewind(settings, search):
            return search
        return self._unguarded(settings, budget, search)

    def _need_not_rewind(self, settings: Settings, search: Search) -> bool:
        """Was the first of the executions refused something, and would no other one have followed?"""
        refused = search.end is SearchEnd.UNSUPPORTED and search.executions == 1 and settings.max_executions == 1
        return refused and not search.reductions and not self.note_graph and self.wanted is None

    def _unguarded(self, settings: Settings, budget: Budget, refused: Search) -> Search:
        """The only execution, which does what it wants: nothing of it is ever taken back."""
        with self._child(settings, fingerprint=False, guarded=False) as sandbox:
            search = Explorer(
                sandbox, self.registry.create(settings), budget, nodeid=self.item.nodeid, compare_states=False
            ).run()
            search.races = name_races(sandbox.races()[0], str(self.item.config.rootpath))
            _note_death(search, sandbox)
        search.unguarded = refused.detail
        return search

    def _guarded(self, settings: Settings, budget: Budget) -> Search:
        """One search in one child."""
        strategy = self.registry.create(settings)
        reduces = isinstance(strategy, Learner)
        if reduces and not self.fingerprint:  # nobody would notice that addresses are looked at
            raise InvalidArgument(
                "strategy",
                settings.strategy,
                "it leaves out orders of steps only where states can be compared, which this interpreter does not "
                "allow; use exhaust or dfs",
            )
        graph = GraphRecorder() if self.note_graph else None
        with self._child(settings, fingerprint=self.fingerprint, footprints=reduces) as sandbox:
            explorer = Explorer(
                sandbox,
                strategy,
                budget,
                nodeid=self.item.nodeid,
                compare_states=self.fingerprint,
                progress=self.progress,
                wanted=self.wanted,
                graph=graph,
            )
            search = explorer.run()
            search.weakened = sandbox.weakened()
            search.uncompared, search.why_uncompared = sandbox.uncompared()
            if self.wanted is None:
                look_for_livelock(search, sandbox, lambda: self.registry.create(settings), budget)
            raced, search.more_races = sandbox.races()
            search.races = name_races(raced, str(self.item.config.rootpath))
            if settings.explain_state:
                search.noted = sandbox.explained()
            failed = search.end is SearchEnd.FAILED and self.wanted is None and not self.brief
            if failed and not reduces:
                _improve(search, sandbox, budget, compare_states=self.fingerprint)
            if graph is not None:
                found = search.found
                late = found is not None and (search.found_between or search.minimised_from is not None)
                if found is not None and late and sandbox.is_alive and not reduces:
                    graph.run(found.schedule, sandbox, budget.deadline)
                search.graph = graph.finish(found.kind, found.schedule) if found is not None else graph.finish()
            _note_death(search, sandbox)
        if failed and reduces and search.found is not None and search.found.kind not in MUTE:
            # The choice points of its child are not those of schedules.
            with self._child(settings, fingerprint=self.fingerprint) as sandbox:
                _improve(search, sandbox, budget, compare_states=self.fingerprint)
                _note_death(search, sandbox)
        return search

    def _child(
        self, settings: Settings, *, fingerprint: bool, footprints: bool = False, guarded: bool = True
    ) -> Sandbox:
        before = monotonic()
        task = task_of(self.item, settings, fingerprint=fingerprint, footprints=footprints, guarded=guarded)
        if (
            self._prepared is None
            or self._prepared.settings.promoted != settings.promoted
            or not child_side.may_use_tables(self._prepared)
        ):
            self._prepared = child_side.with_tables(task)
        task = dataclasses.replace(task, tables=self._prepared.tables, modules=self._prepared.modules)
        bridge = bridge_module()

        def main(pipe: int) -> NoReturn:
            child_side.run(task, bridge, pipe)

        return Sandbox.open(
            main, mebibytes=settings.max_memory, hang_seconds=settings.hang_seconds, started=before
        )


def _improve(search: Search, sandbox: Sandbox, budget: Budget, *, compare_states: bool) -> None:
    """A failure with fewer preemptions, and a passing twin. These executions count nowhere."""
    minimise(search, sandbox, budget.last_deadline)
    if sandbox.is_alive and compare_states:
        look_for_fewer(search, sandbox, budget.last_deadline)
    if search.found is not None and search.found.kind not in MUTE and sandbox.is_alive:
        search.twin = find_twin(search.found.schedule, sandbox, budget.last_deadline)


def _note_death(search: Search, sandbox: Sandbox) -> None:
    if search.found is not None and search.found.kind is not FailureKind.CRASH:
        search.died_later = sandbox.died
