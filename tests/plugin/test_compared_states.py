"""Whether states can be compared decides whether a search ends: reports say when they can't."""

from __future__ import annotations

from typing import Any

import pytest
from support.running import Run
from support.search import STATES_ARE_COMPARED, WHY_NOT

pytestmark = pytest.mark.skipif(not STATES_ARE_COMPARED, reason=f"no states are recognised: {WHY_NOT}")

POOLS = """
import asyncio, concurrent.futures, threading, traceback
import pytest

@pytest.mark.statespace
def test_pool():
    lock, done = threading.Lock(), []
    def work():
        with lock:
            done.append(1)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        concurrent.futures.wait([pool.submit(work), pool.submit(work)])
    assert len(done) == 2

@pytest.mark.statespace
def test_thread_of_a_loop():
    async def main():
        done, _ = await asyncio.wait([asyncio.create_task(asyncio.to_thread(abs, -1))])
        return done.pop().result()
    assert asyncio.run(main()) == 1

@pytest.mark.statespace
def test_tasks():
    async def main():
        done, _ = await asyncio.wait([asyncio.create_task(asyncio.sleep(0)) for _ in range(2)])
        return len(done)
    assert asyncio.run(main()) == 2

@pytest.mark.statespace
def test_traceback():
    lock, texts = threading.Lock(), []
    def work():
        try:
            1 / 0
        except ZeroDivisionError:
            with lock:
                texts.append(traceback.format_exc())
    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert texts[0] == texts[1]
"""
SETS = """
import asyncio
import weakref
from concurrent.futures import ThreadPoolExecutor, wait
import pytest
from pytest_statespace import observe

class Thing:
    def __init__(self, n):
        self.n = n

@pytest.mark.statespace
def test_done():
    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(str, n) for n in (1, 2)]
        observe("".join(future.result() for future in wait(futures).done))

async def note(log, n):
    try:
        await asyncio.sleep(10)
    finally:
        log.append(str(n))

@pytest.mark.statespace
async def test_all_tasks():
    log = []
    tasks = [asyncio.ensure_future(note(log, n)) for n in (1, 2)]
    await asyncio.sleep(0)
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    observe("".join(log))

@pytest.mark.statespace
def test_what_is_left():
    log = []
    async def main():
        for n in (1, 2):
            log.append(asyncio.ensure_future(note(log, n)))
        await asyncio.sleep(0)
    asyncio.run(main())
    observe("".join(log[2:]))

@pytest.mark.statespace
def test_weak_set():
    things = [Thing(1), Thing(2)]
    observe("".join(str(thing.n) for thing in weakref.WeakSet(things)))

@pytest.mark.statespace
def test_one_order_is_wrong():
    one, two, three = things = [Thing(1), Thing(2), Thing(3)]
    them, others = set(things), set(things)
    walked = "".join(str(thing.n) for thing in them)
    assert others.pop() is not two or walked != "213"
"""
LARGER_SETS = """
import asyncio
import pytest
from pytest_statespace import sometimes

class Thing:
    pass

@pytest.mark.statespace
def test_five():
    things = [Thing() for _ in range(5)]
    assert sorted(map(things.index, set(things))) == [0, 1, 2, 3, 4]

@pytest.mark.statespace
def test_frozen():
    things = [Thing(), Thing()]
    assert sorted(map(things.index, frozenset(things))) == [0, 1]

@pytest.mark.statespace
def test_sometimes():
    things = [Thing() for _ in range(5)]
    walked = [*set(things)]
    sometimes(walked == things, "as they were made")
    sometimes(walked == things[::-1], "the other way round")

@pytest.mark.statespace
def test_five_are_left():
    async def main():
        for _ in range(5):
            asyncio.ensure_future(asyncio.sleep(10))
        await asyncio.sleep(0)
    asyncio.run(main())

@pytest.mark.statespace
def test_values():
    assert sorted({1, 2, 3, 4, 5, 6}) == [1, 2, 3, 4, 5, 6]
    assert sorted(frozenset("abc")) == ["a", "b", "c"]
"""
COMPLETED = """
import threading
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
import pytest
from pytest_statespace import always, observe

@pytest.mark.statespace
def test_pool():
    with ThreadPoolExecutor(2) as pool:
        observe([future.result() for future in as_completed([pool.submit(int, n) for n in (1, 2)])])

def of_those_that_are_done():
    futures = [Future() for _ in range(3)]
    for n, future in enumerate(futures):
        future.set_result(n)
    return [future.result() for future in as_completed(futures)]

@pytest.mark.statespace
def test_one_order_is_wrong():
    assert of_those_that_are_done() != [1, 2, 0]

@pytest.mark.statespace
def test_set():
    futures = [Future() for _ in range(3)]
    for n, future in enumerate(futures):
        future.set_result(n)
    observe([future.result() for future in as_completed(set(futures))])

@pytest.mark.statespace
def test_generator():
    counted, futures = [0], [Future(), Future()]
    def count():
        before = counted[0]
        counted[0] = before + 1
    def give():
        for future in futures:
            count()
            future.set_result(None)
            yield future
    thread = threading.Thread(target=count)
    thread.start()
    assert len(list(as_completed(give()))) == 2
    thread.join()
    observe(counted[0])

@pytest.mark.statespace
def test_of_somebody_else(monkeypatch):
    monkeypatch.setattr("concurrent.futures._base.as_completed", None)
    assert sorted(of_those_that_are_done()) == [0, 1, 2]

@pytest.fixture
def nobodys(monkeypatch):
    monkeypatch.setattr("concurrent.futures._base.as_completed", None)

@pytest.mark.statespace
def test_of_nobody(nobodys):
    assert sorted(of_those_that_are_done()) == [0, 1, 2]

@pytest.mark.statespace
def test_while_nothing_is_chosen():
    always(lambda: sorted(of_those_that_are_done()) == [0, 1, 2])
    lock = threading.Lock()
    thread = threading.Thread(target=lambda: lock.acquire() and lock.release())
    thread.start()
    with lock:
        pass
    thread.join()
"""
TIMED = """
import threading
import pytest

@pytest.mark.statespace(timeouts="any")
def test_timed():
    permits, got = threading.Semaphore(0), []
    threads = [threading.Thread(target=lambda: got.append(permits.acquire(timeout=1))) for _ in range(2)]
    for thread in threads:
        thread.start()
    permits.release()
    for thread in threads:
        thread.join()
    assert got.count(True) <= 1
"""
ITERATOR = """
import threading
import pytest

@pytest.mark.statespace
def test_iterator():
    lock = threading.Lock()
    def work():
        with lock:
            pass
    thread = threading.Thread(target=work)
    thread.start()
    for _ in {object()}:
        with lock:
            pass
    thread.join()
"""


@pytest.mark.parametrize("text", [POOLS, TIMED], ids=["pools", "timed"])
def test_library_code_does_not_keep_states_from_being_compared(pytester: pytest.Pytester, run: Run, text: str) -> None:
    """Pools walk sets of threads, and a wait that timed out drops an error with the address of a lock in it."""
    pytester.makepyfile(text)
    result = run("--statespace", "--statespace-timeout=100")
    result.assert_outcomes(passed=text.count("def test_"))
    result.stdout.no_fnmatch_line("*searched again*")
    result.stdout.no_fnmatch_line("*could not be compared*")


def test_as_completed_has_every_order(
    pytester: pytest.Pytester, run: Run, results: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where they lie in memory decides about futures that are done: each order is chosen instead."""
    pytester.makepyfile(test_it=COMPLETED)
    tests = results("test_it.py")
    pool = tests["test_pool"]
    assert pool["verdict"] == "verified"
    assert {outcome for outcome, _ in pool["outcomes"]} == {"[1, 2]", "[2, 1]"}
    assert len(tests["test_set"]["outcomes"]) == 6
    assert {outcome for outcome, _ in tests["test_generator"]["outcomes"]} == {"1", "2", "3"}
    assert pool["states"] < 10_000  # with addresses in every state there is no end to it
    for name in "test_of_somebody_else", "test_of_nobody", "test_while_nothing_is_chosen":
        assert tests[name]["verdict"] == "verified"
    (failure,) = tests["test_one_order_is_wrong"]["failures"]
    for seed in ("0", "1", "random"):
        monkeypatch.setenv("PYTHONHASHSEED", seed)
        replayed = run("test_it.py::test_one_order_is_wrong", f"--statespace-replay={failure['token']}")
        replayed.stdout.fnmatch_lines(["*assert [[]1, 2, 0] != [[]1, 2, 0]", "*with no preemption; replayed in*"])


def test_small_sets_are_walked_in_every_order(
    pytester: pytest.Pytester, run: Run, results: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makepyfile(test_it=SETS)
    tests = results("test_it.py")
    for name in "test_done", "test_all_tasks", "test_what_is_left", "test_weak_set":
        assert tests[name]["verdict"] == "verified", tests[name]["reason"]
        assert {outcome for outcome, _ in tests[name]["outcomes"]} == {"'12'", "'21'"}, name
        assert not tests[name].get("notes")
    assert tests["test_done"]["states"] < 10_000  # with addresses in every state there is no end to it
    (failure,) = tests["test_one_order_is_wrong"]["failures"]
    for seed in ("0", "1", "random"):
        monkeypatch.setenv("PYTHONHASHSEED", seed)
        replayed = run("test_it.py::test_one_order_is_wrong", f"--statespace-replay={failure['token']}")
        replayed.stdout.fnmatch_lines(
            ["*'213' != '213')", "*in the order 2, 1, 3 of creation", "*number 2 by creation"]
        )


def test_larger_sets_make_it_incomplete(pytester: pytest.Pytester, results: Any) -> None:
    """Only orders that come up are tried: nothing is proved, nor is it an error that something did not happen."""
    pytester.makepyfile(test_it=LARGER_SETS)
    tests = results("test_it.py")
    for name in "test_five", "test_frozen", "test_sometimes", "test_five_are_left":
        assert tests[name]["verdict"] == "incomplete"
        assert "in the order of their addresses" in tests[name]["reason"]
    assert tests["test_values"]["verdict"] == "verified"


def test_states_that_are_not_compared_are_reported(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(ITERATOR)
    result = run("--statespace")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*at * choice points the state could not be compared with others*"])
    assert "an iterator stands in a set ordered by addresses" in " ".join(result.stdout.str().split())
