"""The real explorer on a plain function: no pytest item, and failures are outcomes like any other.

Where `support.driver` is an explorer of its own, this is the product's: `Sandbox`, `Explorer` and the
strategies. One child can serve several searches of the same program, which saves most of the cost of
comparing them. Every state that is met is noted with the choices that led to it.
"""

from __future__ import annotations

import faulthandler
import os
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn, Protocol, TypeVar

from pytest_statespace.errors import InternalError
from pytest_statespace.explore.assumptions import broken_assumptions
from pytest_statespace.explore.budget import Budget
from pytest_statespace.explore.explorer import Explorer, Search, SearchEnd
from pytest_statespace.explore.races import name_races
from pytest_statespace.explore.strategies import StrategyRegistry
from pytest_statespace.explore.strategies.exhaust import Exhaust
from pytest_statespace.runtime.access import build_tables
from pytest_statespace.runtime.bookkeeping import build_table
from pytest_statespace.runtime.wire import pack, send
from pytest_statespace.sandbox.arena import bridge_module
from pytest_statespace.sandbox.pinning import pinned
from pytest_statespace.sandbox.protocol import Command, End, Engine, PathResult, Point, RunFlag, Without
from pytest_statespace.sandbox.session import Sandbox
from pytest_statespace.settings import Settings
from pytest_statespace.types import DataRace, EngineStatistics

TESTS = Path(__file__).resolve().parent.parent
UNDER_TEST = (TESTS / "litmus", TESTS / "soundness" / "generated")
"""Not this file: what it does after the program returned is no step of the program. Generated programs
have a folder of their own, on paper: what other tests do with attributes makes no choice points in them."""
STATES_ARE_COMPARED, WHY_NOT = bridge_module().supported()
"""Whether states can be recognised on this interpreter, and the reason if not."""

_FINISHED = pack({"kind": "finished", "type": "", "message": ""})
_PROGRAM_ENDS = (End.FINISHED, End.FAILED, End.DEADLOCK)
_END_FINISHED = 1
_WALK = 200  # choices of a random walk that are not the default

class Searched(Engine, Protocol):
    """What searches run on: a `Sandbox`, or something in front of one."""

    def races(self) -> tuple[list[Any], bool]: ...

    def uncompared(self) -> tuple[int, str]: ...


Program = Callable[[], object]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Met:
    """A choice point that a search came to: by which choices, and what the engine took it for."""

    schedule: tuple[int, ...]
    """Thread ordinals for thread choices, indices for data choices."""
    fingerprint: tuple[int, int]


@dataclass(slots=True)
class Found:
    """What one search found. `outcomes` counts executions by result, "raised ..." or "deadlock"."""

    outcomes: Counter[str] = field(default_factory=Counter)
    executions: int = 0
    transitions: int = 0
    states: int = 0
    complete: bool = False
    met: list[Met] = field(default_factory=list)
    search: Search | None = None
    races: frozenset[DataRace] = frozenset()
    """Of all searches in this child, if it looks for them."""

    @property
    def results(self) -> frozenset[str]:
        return frozenset(self.outcomes)


class Restart(Exception):
    """The program broke an assumption."""

    def __init__(self, detail: str) -> None:
        self.detail = detail


class InFront:
    """Passes on what concerns no paths: the rest of an `Engine` in front of another."""

    def __init__(self, sandbox: Searched) -> None:
        self._sandbox = sandbox

    def release(self, state: int) -> None:
        self._sandbox.release(state)

    def clear_visited(self) -> None:
        self._sandbox.clear_visited()

    def state_count(self) -> int:
        return self._sandbox.state_count()

    def statistics(self) -> EngineStatistics:
        return self._sandbox.statistics()

    def races(self) -> tuple[list[Any], bool]:
        return self._sandbox.races()

    def uncompared(self) -> tuple[int, str]:
        return self._sandbox.uncompared()


class Notes(InFront):
    """An `Engine` in front of the sandbox that takes down what goes by.

    The end of a program, however it ends, is reported as finished: the search must go on.
    """

    def __init__(self, sandbox: Searched, notes: bool) -> None:
        super().__init__(sandbox)
        self._ways: dict[int, tuple[tuple[int, ...], tuple[int, ...]]] = {0: ((), ())}
        self._notes = notes
        self.outcomes: Counter[str] = Counter()
        self.met: list[Met] = []

    def sample(self, choose: Callable[[Point], int], *, deadline: float, flags: RunFlag = RunFlag.NONE) -> PathResult:
        return self._settle(self._sandbox.sample(choose, deadline=deadline, flags=flags))

    def run(self, command: Command, *, deadline: float) -> PathResult:
        if self._notes:  # every state is wanted, also a known one
            command = command._replace(following=())
        result = self._sandbox.run(command, deadline=deadline)
        if self._notes and result.end is not End.RESTART:
            self._take_down(command, result)
        return self._settle(result)

    def _settle(self, result: PathResult) -> PathResult:
        if result.end is End.RESTART:
            raise Restart(result.detail)
        if result.end not in _PROGRAM_ENDS:
            return result
        self.outcomes["deadlock" if result.end is End.DEADLOCK else result.payload.decode()] += 1
        return result._replace(end=End.FINISHED, payload=_FINISHED, detail="")

    def _take_down(self, command: Command, result: PathResult) -> None:
        assert isinstance(self._sandbox, Sandbox)
        lib, arena = self._sandbox._arena._lib, self._sandbox._arena._arena
        schedule, threads = self._ways[command.state]
        if command.state != 0:
            schedule += (threads[command.alternative] if threads else command.alternative,)
        for state in result.states:
            native = lib.ss_get_state(arena, state.number)
            self._ways[state.number] = (schedule, state.threads)
            if native.flags & 1:
                self.met.append(Met(schedule, (native.fingerprint[0], native.fingerprint[1])))
            schedule += (state.threads[0] if state.threads else 0,)


class Subject:
    """A program in a child of its own, ready to be searched as often as wanted."""

    def __init__(self, sandbox: Searched) -> None:
        self.sandbox = sandbox

    def search(
        self,
        strategy: str = "dfs",
        *,
        prune: bool = True,
        bound: int | None = None,
        notes: bool = False,
        max_executions: int | None = None,
        seconds: float = 60.0,
        seed: int = 0,
    ) -> Found:
        """Search once. Raises `InternalError` unless it is exhausted, has sampled enough or is out of budget."""
        # The granularity is the child's affair, but dpor asks for it.
        made = Settings(strategy=strategy, preemptions=bound, seed=seed, granularity="access")
        # "exhaust" without interludes: what is compared here must rest on its rounds alone.
        chosen = Exhaust(bound) if strategy == "exhaust" else StrategyRegistry.with_builtins().create(made)
        engine = Notes(self.sandbox, notes)
        budget = Budget(time.monotonic, time.monotonic(), seconds, max_executions=max_executions)
        search = Explorer(engine, chosen, budget, compare_states=prune).run()
        if search.end not in (SearchEnd.EXHAUSTED, SearchEnd.BUDGET, SearchEnd.SAMPLED):
            raise InternalError(f"the search ended with {search.end.value}: {search.detail} {search.found}")
        return Found(
            outcomes=engine.outcomes,
            executions=search.executions,
            transitions=search.transitions,
            states=search.states,
            complete=search.end is SearchEnd.EXHAUSTED and not search.cuts,
            met=engine.met,
            search=search,
            races=frozenset(name_races(self.sandbox.races()[0], str(TESTS))),
        )

    def walk(self, rng: random.Random, times: int) -> frozenset[str]:
        """Results of random whole executions, without any of the search's machinery.

        Only the first two alternatives are used, because every choice point has these.
        """
        engine = Notes(self.sandbox, notes=False)
        for _ in range(times):
            weights = rng.choice([(1, 1), (3, 1), (8, 1), (1, 3)])
            forced = tuple(rng.choices((0, 1), weights, k=_WALK))
            result = engine.run(Command(0, 0, RunFlag.NONE, forced), deadline=time.monotonic() + 30)
            if result.end not in _PROGRAM_ENDS:
                raise InternalError(f"a random walk ended with {result.end.name}: {result.detail}")
            for state in result.states:
                engine.release(state.number)
        return frozenset(engine.outcomes)


def explore(
    program: Program,
    strategy: str = "dfs",
    *,
    granularity: str = "sync",
    timeouts_any: bool = False,
    prune: bool = True,
    bound: int | None = None,
    notes: bool = False,
    tracker: str = "auto",
    check: bool = False,
    mebibytes: int = 512,
    seconds: float = 60.0,
    without: Without = Without.NOTHING,
) -> Found:
    """One search of one program in a child of its own, with so much memory for snapshots."""
    return explore_with(
        program,
        lambda subject: subject.search(strategy, prune=prune, bound=bound, notes=notes, seconds=seconds),
        granularity=granularity,
        timeouts_any=timeouts_any,
        tracker=tracker,
        check=check,
        mebibytes=mebibytes,
        without=without,
    )


def explore_with(
    program: Program,
    use: Callable[[Subject], T],
    *,
    granularity: str = "sync",
    timeouts_any: bool = False,
    tracker: str = "auto",
    under_test: tuple[Path, ...] = UNDER_TEST,
    max_threads: int = 8,
    check: bool = False,
    mebibytes: int = 512,
    footprints: bool = False,
    races: bool = False,
    without: Without = Without.NOTHING,
) -> T:
    """Call `use` with the program in a child; again in a fresh one when an assumption was broken.

    `footprints`: for strategies that reduce. `races`: data races are looked for. `check` computes every fingerprint
    twice, the second time with nothing remembered. `without`: what checkpoints do without.
    """
    promoted: frozenset[str] = frozenset()
    for _ in range(20):
        with child_with(
            lambda: program,
            promoted=promoted,
            granularity=granularity,
            timeouts_any=timeouts_any,
            tracker=tracker,
            under_test=under_test,
            max_threads=max_threads,
            check=check,
            mebibytes=mebibytes,
            footprints=footprints,
            races=races,
            without=without,
        ) as sandbox:
            try:
                return use(Subject(sandbox))
            except Restart as restart:
                promoted |= broken_assumptions(restart.detail).keys()
    raise InternalError(f"the search was restarted too often: {sorted(promoted)}")


@contextmanager
def child_with(
    load: Callable[[], Program],
    *,
    promoted: frozenset[str] = frozenset(),
    mebibytes: int = 512,
    without: Without = Without.NOTHING,
    **options: Any,
) -> Iterator[Sandbox]:
    """A child that has loaded the program and is ready to run it; `options` as those of `explore_with`."""

    def main(pipe: int) -> NoReturn:
        try:
            run_child(load(), promoted=promoted, **options)
        except BaseException as error:
            send(pipe, {"setup_failed": f"{type(error).__name__}: {error}"})
        os._exit(71)

    sys.stdout.flush()
    sys.stderr.flush()
    with pinned(), Sandbox.open(
        main, mebibytes=mebibytes, hang_seconds=10.0, without=without
    ) as sandbox:
        yield sandbox


def run_child(
    program: Program,
    granularity: str = "sync",
    timeouts_any: bool = False,
    promoted: frozenset[str] = frozenset(),
    under_test: tuple[Path, ...] = UNDER_TEST,
    **other: object,
) -> NoReturn:
    """In a forked child: explore the program. `other` replaces settings of the bridge."""
    bridge = bridge_module()

    def end(text: str) -> NoReturn:
        bridge.end_execution(_END_FINISHED, text.encode(), "")
        raise AssertionError("end_execution returned")

    def failed(error: BaseException) -> NoReturn:
        end(f"raised {type(error).__name__}: {error}")

    def body() -> None:
        try:
            text = repr(program())
        except BaseException as error:
            failed(error)
        end(text)

    def excepthook(args: threading.ExceptHookArgs) -> None:
        end(f"raised in thread {args.exc_type.__name__}: {args.exc_value}")

    sys.settrace(None)
    faulthandler.disable()  # as in the product: what it does in a handler is no part of the program
    threading.excepthook = excepthook
    tables: dict[str, Any] = build_tables(under_test, promoted=promoted)
    tables["bookkeeping"] = build_table()
    tables["promoted"] = promoted
    config: dict[str, Any] = {
        "max_threads": 8,
        "granularity": bridge.GRANULARITIES[granularity],
        "timeouts_any": timeouts_any,
        "tracker": "auto",
        "guard": True,
        "fingerprint": True,
        "heap_bytes": 256 << 20,
        "brk_bytes": 64 << 20,
        "stack_bytes": 1 << 20,
        "epoch_ns": 1_700_000_000_000_000_000,
        "tables": tables,
        "recorder": None,
        "invariants": [],
        "thread_failed": failed,
    }
    bridge.explore(body, config | other)
    raise AssertionError("explore returned")
