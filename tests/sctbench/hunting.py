"""Searching a program until its first failure, as the product does it with default options."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from sctbench.programs import Program
from support.search import Subject, explore_with

from pytest_statespace.explore.budget import Budget
from pytest_statespace.explore.explorer import Explorer, Search, SearchEnd
from pytest_statespace.explore.fewest import look_for_fewer
from pytest_statespace.explore.minimise import minimise
from pytest_statespace.explore.phases import run_phases
from pytest_statespace.explore.strategies import StrategyRegistry
from pytest_statespace.runtime.wire import pack
from pytest_statespace.sandbox.protocol import Command, End, PathResult, Point, RunFlag
from pytest_statespace.sandbox.session import Sandbox
from pytest_statespace.settings import Settings
from pytest_statespace.types import EngineStatistics, Verdict

T = TypeVar("T")

_FOLDER = Path(__file__).resolve().parent
_FINISHED = pack({"kind": "finished", "type": "", "message": ""})


@dataclass(frozen=True, slots=True)
class Hunted:
    """How a search ended: `kind` of the failure, "" if none; `verdict` as the product would say it."""

    kind: str
    verdict: Verdict
    executions: int
    transitions: int
    states: int
    preemptions: int
    """Of the failing execution, after it was minimised."""
    trials: int
    """Executions that minimising took."""
    seconds: float


class _Judge:
    """The engine, with the texts of `support.search` turned back into the ends that they tell of."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self.release = sandbox.release
        self.clear_visited = sandbox.clear_visited
        self.state_count = sandbox.state_count

    def statistics(self) -> EngineStatistics:
        return self._sandbox.statistics()

    def run(self, command: Command, *, deadline: float) -> PathResult:
        return _judged(self._sandbox.run(command, deadline=deadline))

    def sample(self, choose: object, *, deadline: float, flags: RunFlag = RunFlag.NONE) -> PathResult:
        def chosen(point: Point) -> int:
            return choose(point)  # type: ignore[operator,no-any-return]

        return _judged(self._sandbox.sample(chosen, deadline=deadline, flags=flags))


def _judged(result: PathResult) -> PathResult:
    if result.end is not End.FINISHED:
        return result
    text = result.payload.decode()
    if not text.startswith("raised "):
        return result._replace(payload=_FINISHED, detail="")
    name, _, message = text.removeprefix("raised ").removeprefix("in thread ").partition(": ")
    kind = "assertion" if name == "AssertionError" else "exception"
    payload = pack({"kind": kind, "type": name, "message": message})
    return result._replace(end=End.FAILED, payload=payload, detail="")


def hunt(
    program: Program,
    strategy: str = "exhaust",
    *,
    seed: int = 0,
    max_threads: int = 8,
    seconds: float = 60.0,
    max_executions: int | None = None,
) -> Hunted:
    """One search at granularity `access`; everything else as by default."""
    started = time.monotonic()
    whole = Budget(time.monotonic, started, seconds, max_executions=max_executions)

    def search_by(name: str, budget: Budget) -> Search:
        settings = Settings(strategy=name, seed=seed)

        def use(subject: Subject) -> Search:
            made = StrategyRegistry.with_builtins().create(settings)
            return Explorer(_Judge(subject.sandbox), made, budget).run()

        return in_child(use, footprints=name == "dpor")

    def in_child(use: Callable[[Subject], T], *, footprints: bool = False) -> T:
        return explore_with(
            program, use, granularity="access", max_threads=max_threads, under_test=(_FOLDER,), footprints=footprints
        )

    plain, reduced, sweep = (partial(search_by, name) for name in (strategy, "dpor", "dfs"))
    search = run_phases(plain, reduced, sweep, whole) if strategy == "exhaust" else plain(whole)

    def improve(subject: Subject) -> None:
        engine = _Judge(subject.sandbox)
        minimise(search, engine, whole.deadline)
        if subject.sandbox.is_alive:
            look_for_fewer(search, engine, whole.deadline)

    if search.found:
        in_child(improve)
    if search.end is SearchEnd.ERROR:
        raise AssertionError(search.detail)
    found = search.found
    complete = search.end is SearchEnd.EXHAUSTED and not search.cuts and not search.refused and search.finished
    verdict = Verdict.FAILED if found else Verdict.VERIFIED if complete else Verdict.INCOMPLETE
    return Hunted(
        kind=found.kind.value if found else "",
        verdict=verdict,
        executions=search.executions,
        transitions=search.transitions,
        states=search.states,
        preemptions=found.schedule.preemptions if found else 0,
        trials=search.trials,
        seconds=time.monotonic() - started,
    )
