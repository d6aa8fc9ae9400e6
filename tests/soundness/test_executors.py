"""Programs with thread pools and futures: the library walks sets of them, and sorts them by address.

Where the order makes no difference to it such states are compared (`observe_library.c`, `what_is_left` in
`handlers_containers.c`). What comes out is compared with searches in which addresses and
the order of sets are part of every state, and with whole executions drawn at random.

Tried by hand: that any set of `as_completed` is walked unnoticed loses an order that shows; that `wait` lets go of any
futures unnoticed loses outcomes of one pair and of drawn programs, and so does that it goes through them as they were
given; that a worker may shut down its own pool unnoticed fails below.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import functools
import itertools
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import (
    ALL_COMPLETED,
    FIRST_COMPLETED,
    FIRST_EXCEPTION,
    Future,
    InvalidStateError,
    ThreadPoolExecutor,
)

import pytest
from support.search import STATES_ARE_COMPARED, WHY_NOT, Found, Restart, Subject, child_with, explore, explore_with

from pytest_statespace._native import _bridge
from pytest_statespace.runtime.futures import complete_in_any_order

pytestmark = pytest.mark.skipif(not STATES_ARE_COMPARED, reason=f"no states are recognised: {WHY_NOT}")

LOOKED_AT = frozenset({"observe addresses", "observe sets"})
SAMPLES = 150


def order_of_tasks() -> object:
    done: list[int] = []
    with ThreadPoolExecutor(2) as pool:
        pool.submit(done.append, 1)
        pool.submit(done.append, 2)
    return done


def first_that_is_done() -> object:
    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(int), pool.submit(int)]
        done, _ = concurrent.futures.wait(futures, return_when=FIRST_COMPLETED)
        return [future in done for future in futures]


def second_is_cancelled() -> object:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(int)
        return pool.submit(int).cancel()


def in_the_order_of_completion() -> object:
    futures: list[Future[None]] = [Future(), Future()]

    def complete() -> None:
        for future in reversed(futures):
            future.set_result(None)

    thread = threading.Thread(target=complete)
    thread.start()
    first = next(concurrent.futures.as_completed(futures[:1]))
    thread.join()
    return futures.index(first)


def order_of_a_set_that_shows() -> object:
    """Which of two that are done comes first is a question of addresses: here of who was made first."""
    futures: list[Future[None]] = [Future(), Future()]
    if _bridge.choose(2):
        futures.reverse()
    for future in futures:
        future.set_result(None)
    lock = threading.Lock()
    thread = threading.Thread(target=lambda: lock.acquire() and lock.release())
    thread.start()
    with lock:  # both ways come to the same states
        pass
    thread.join()
    return [futures.index(future) for future in concurrent.futures.as_completed(futures)]


def two_wait_for_both() -> object:
    futures: list[Future[None]] = [Future(), Future()]
    seen: list[int] = []

    def look() -> None:
        seen.append(len(concurrent.futures.wait(futures, return_when=FIRST_COMPLETED).done))

    threads = [threading.Thread(target=look), threading.Thread(target=futures[1].set_result, args=(None,))]
    for thread in threads:
        thread.start()
    futures[0].set_result(None)
    look()
    for thread in threads:
        thread.join()
    return seen


def left_to_itself() -> object:
    done: list[int] = []
    pool = ThreadPoolExecutor(1)
    future = pool.submit(done.append, 1)
    pool.shutdown(wait=False)
    before = len(done)
    future.result()
    return before, done


PROGRAMS: list[Callable[[], object]] = [
    order_of_tasks,
    first_that_is_done,
    second_is_cancelled,
    in_the_order_of_completion,
    order_of_a_set_that_shows,
    two_wait_for_both,
    left_to_itself,
]
SMALL = [second_is_cancelled, in_the_order_of_completion, order_of_a_set_that_shows, left_to_itself]
"""With addresses in every state the others have too many."""


def _where_addresses_count(program: Callable[[], object]) -> Found:
    with child_with(lambda: program, promoted=LOOKED_AT, granularity="sync") as sandbox:
        return Subject(sandbox).search("dfs", max_executions=20_000, seconds=120)


def _searched(subject: Subject) -> tuple[Found, list[Found]]:
    """All of it, and what was drawn; no state was left out of the comparison."""
    found = subject.search("dfs")
    assert subject.sandbox.uncompared() == (0, "")
    return found, [subject.search(strategy, max_executions=SAMPLES) for strategy in ("random", "pos")]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_nothing_that_can_come_out_is_lost(program: Callable[[], object]) -> None:
    found, drawn = explore_with(program, _searched)
    assert found.complete
    for sample in drawn:
        assert sample.results <= found.results
    if program in SMALL:
        everything = _where_addresses_count(program)
        assert everything.complete
        assert found.results == everything.results
        assert found.states <= everything.states


def test_an_order_that_shows_is_found_both_ways() -> None:
    assert len(explore(order_of_a_set_that_shows).results) == 2


@pytest.mark.parametrize(("wanted", "orders"), [(5, 120), (2, 20), (1, 5)])
def test_those_that_are_done_come_in_any_order(wanted: int, orders: int) -> None:
    def program() -> object:
        futures: list[Future[None]] = [Future() for _ in range(5)]
        for future in futures:
            future.set_result(None)
        return [futures.index(future) for future in itertools.islice(concurrent.futures.as_completed(futures), wanted)]

    found = _in_any_order(program)
    assert found.complete
    assert len(found.results) == orders
    assert len(explore(program).results) == 1  # a set of five is walked as it lies


def two_still_run_when_the_first_is_done(other: int, swapped: int, *, look: bool) -> Callable[[], object]:
    """`wait` lets go of two futures that are completed one after the other: is the later done, and the earlier not?

    Only if it comes to the earlier first, which is a question of addresses. `look`: in what order is the set walked?
    """

    def program() -> object:
        made: list[Future[None]] = [Future() for _ in range(10)]
        pair = [made[1], made[other]]
        if _bridge.choose(2) == swapped:
            pair.reverse()
        del made[1:]
        futures = [made.pop(), *pair]
        if look:
            return [futures.index(future) for future in set(futures)]

        def complete() -> None:
            for future in futures:
                future.set_result(None)

        thread = threading.Thread(target=complete)
        thread.start()
        done = concurrent.futures.wait(futures[::-1], return_when=FIRST_COMPLETED).done
        thread.join()
        return [future in done for future in pair]

    return program


@pytest.mark.parametrize("swapped", [0, 1])
def test_futures_that_still_run_are_let_go_in_either_order(swapped: int) -> None:
    found: Found | None = None
    for other in range(2, 10):
        if len(explore(two_still_run_when_the_first_is_done(other, swapped, look=True)).results) < 2:
            continue
        program = two_still_run_when_the_first_is_done(other, swapped, look=False)
        found = explore(program)
        assert found.results == _where_addresses_count(program).results
        assert found.results == _in_any_order(program).results  # `wait` is left as it is
        assert len(found.results) == 4
    assert found is not None, "no two futures change places in a set when they are swapped"


WHEN = (FIRST_COMPLETED, FIRST_COMPLETED, FIRST_EXCEPTION, ALL_COMPLETED)


def _complete(future: Future[int], *, well: bool) -> bool:
    """Was it still to be completed?"""
    with contextlib.suppress(InvalidStateError):
        if well:
            future.set_result(1)
        else:
            future.set_exception(ValueError())
        return True
    return False


def _wait(all_of_them: list[Future[int]], some: list[Future[int]], when: str) -> object:
    done = concurrent.futures.wait(some, return_when=when).done
    return [future in done for future in all_of_them]


def _completed(all_of_them: list[Future[int]], some: list[Future[int]], count: int) -> object:
    return [all_of_them.index(future) for future in itertools.islice(concurrent.futures.as_completed(some), count)]


def _one_that_waits(futures: list[Future[int]], rng: random.Random) -> Callable[[], object]:
    some = rng.sample(futures, rng.randint(2, 3))
    if rng.random() < 0.6:
        return functools.partial(_wait, futures, some, rng.choice(WHEN))
    return functools.partial(_completed, futures, some, rng.randint(1, len(some)))


def drawn(seed: int) -> Callable[[], object]:
    """One thread waits for futures that the other completes and cancels; two may have changed places in memory."""

    def program() -> object:
        rng = random.Random(seed)
        made: list[Future[int]] = [Future() for _ in range(10)]
        futures = [made[0], made[1], made[rng.randint(2, 9)]]
        if _bridge.choose(2):
            futures[1:] = futures[:0:-1]
        del made
        seen: list[object] = []
        wait = _one_that_waits(futures, rng)
        steps = [
            future.cancel if rng.random() < 0.2 else functools.partial(_complete, future, well=rng.random() < 0.7)
            for future in rng.sample(futures, 3)
        ]

        def run() -> None:
            seen.append(wait())

        thread = threading.Thread(target=run)
        thread.start()
        done = [step() for step in steps]
        thread.join()
        return seen, done

    return program


def _in_any_order(program: Callable[[], object]) -> Found:
    """As in a test: `as_completed` chooses in what order it names those that are done."""

    def load() -> Callable[[], object]:
        complete_in_any_order(_bridge)
        return program

    for promoted in frozenset(), LOOKED_AT:
        with contextlib.suppress(Restart), child_with(load, promoted=promoted, granularity="sync") as sandbox:
            return Subject(sandbox).search("dfs")
    raise AssertionError("restarted for ever")


def _compare(seed: int) -> int:
    """How many results has the drawn program?"""
    found, everything = explore(drawn(seed)), _where_addresses_count(drawn(seed))
    if not everything.complete:
        return 0
    assert found.complete
    assert found.results == everything.results, seed
    chosen = _in_any_order(drawn(seed))
    assert chosen.complete
    assert chosen.results >= found.results, seed
    return len(found.results)


@pytest.mark.parametrize("seeds", [range(6), range(6, 12)])
def test_drawn_programs_end_as_where_addresses_count(seeds: range) -> None:
    assert sum(_compare(seed) > 1 for seed in seeds) >= 2  # of 6


@pytest.mark.campaign
@pytest.mark.parametrize("first", range(100, 600, 50))
def test_drawn_programs_end_as_where_addresses_count_campaign(first: int) -> None:
    assert sum(_compare(seed) > 1 for seed in range(first, first + 50)) >= 20


def worker_shuts_down() -> object:
    """It fails when it comes to itself: before or after it has waited for the other."""
    pool = ThreadPoolExecutor(2)
    other: list[Future[None]] = []

    def shut_down() -> bool:
        with pytest.raises(RuntimeError, match="join current thread"):
            pool.shutdown()
        return other[0].done()

    other.append(pool.submit(time.sleep, 1))
    return pool.submit(shut_down).result()


def test_in_what_order_a_worker_joins_itself_and_others_matters() -> None:
    assert explore(worker_shuts_down).results == {"False", "True"}


def test_most_have_several_results() -> None:
    assert sum(len(explore(program).results) > 1 for program in PROGRAMS) >= 4
