"""Whether states can be compared decides whether a search ends: reports say when they can't."""

from __future__ import annotations

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


def test_states_that_are_not_compared_are_reported(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(ITERATOR)
    result = run("--statespace")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*at * choice points the state could not be compared with others*"])
    assert "an iterator stands in a set ordered by addresses" in " ".join(result.stdout.str().split())
