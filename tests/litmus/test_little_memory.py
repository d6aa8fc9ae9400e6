"""With next to no memory for snapshots a search is the same search: pages are packed, snapshots dropped and rebuilt."""

from __future__ import annotations

import array
import random
import threading
from collections.abc import Callable

import pytest
from litmus.test_models import CASES, Case
from support.search import STATES_ARE_COMPARED, WHY_NOT, Found, explore

from pytest_statespace.errors import InternalError

pytestmark = pytest.mark.skipif(not STATES_ARE_COMPARED, reason=f"no states are recognised: {WHY_NOT}")

FEW = {"locked-2x2-sync", "locked-3x1-sync", "philosophers-3-broken", "locked-2x4-access"}


def _numbers(found: Found) -> tuple[object, ...]:
    return found.complete, found.executions, found.transitions, found.states, found.outcomes


def _same_search(case: Case, mebibytes: int) -> tuple[int, int] | None:
    """How often pages were packed, and snapshots dropped; None: even the least that a path needs is too much."""
    expected = explore(case.program, granularity=case.granularity)
    try:
        found = explore(case.program, granularity=case.granularity, mebibytes=mebibytes)
    except InternalError as error:
        if "the page store is full" not in str(error):
            raise
        return None
    assert _numbers(found) == _numbers(expected)
    assert found.search.rebuilt <= found.search.dropped
    return found.search.engine.packed_pages, found.search.dropped


def test_pages_are_packed() -> None:
    cases = [case for case in CASES if case.name in FEW]
    made = [_same_search(case, 3) for case in cases]
    assert None not in made
    if not any(one and one[0] for one in made):  # an interpreter that writes fewer pages
        made = [_same_search(case, 2) for case in cases]
    assert any(one and one[0] for one in made)


def random_bytes(size: int) -> Callable[[], object]:
    """What each step writes can't be packed."""

    def program() -> str:
        data, lock = bytearray(size), threading.Lock()

        def add(value: int) -> None:
            for _ in range(2):
                with lock:
                    seed = data[0] * 10 + value
                    data[:] = random.Random(seed).randbytes(size)

        workers = [threading.Thread(target=add, args=(value,)) for value in (1, 2)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        return bytes(data[:8]).hex()

    return program


def test_snapshots_are_dropped() -> None:
    program = random_bytes(1 << 19)
    expected, found = explore(program), explore(program, mebibytes=3)
    assert _numbers(found) == _numbers(expected)
    assert found.search.dropped >= found.search.rebuilt > 0


@pytest.mark.campaign
@pytest.mark.parametrize("mebibytes", [1, 2, 3, 4])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_little_memory_on_every_model(case: Case, mebibytes: int) -> None:
    made = _same_search(case, mebibytes)
    assert made is not None or mebibytes < 4


def large_steps(count: int) -> Callable[[], object]:
    """Each step changes every number of an array: by far more than fits into the limit, one state after another."""

    def program() -> str:
        data, lock = array.array("q", range(count)), threading.Lock()

        def add(value: int) -> None:
            for _ in range(4):
                with lock:
                    for at in range(0, count, 64):
                        data[at] += value

        workers = [threading.Thread(target=add, args=(value,)) for value in (1, 1000)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        return f"{data[0]} {data[count - 64] - count + 64} {sum(data)}"

    return program


@pytest.mark.campaign
@pytest.mark.parametrize("mebibytes", [16, 32, 64])
def test_large_steps(mebibytes: int) -> None:
    count = mebibytes << 14  # an eighth of the limit for each state
    expected = explore(large_steps(count))
    found = explore(large_steps(count), mebibytes=mebibytes)
    assert _numbers(found) == _numbers(expected)
    assert found.search.engine.packed_pages > 1000
