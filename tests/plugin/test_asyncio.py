"""asyncio under exploration: order of callbacks, timers, threads, deadlocks, refusals."""

from __future__ import annotations

from typing import Any

import pytest
from support.running import Run

HEAD = """
    import asyncio, threading
    import pytest
    from pytest_statespace import choose, observe

    async def sleeper(order, name, seconds):
        await asyncio.sleep(seconds)
        order.append(name)
        await asyncio.sleep(0)
        order.append(name.upper())

    async def sleepers(*seconds):
        order = []
        await asyncio.gather(*(sleeper(order, "abc"[i], s) for i, s in enumerate(seconds)))
        observe("".join(order))
"""


def outcomes(test: dict[str, Any]) -> set[str]:
    assert test["verdict"] == "verified", test
    return {text for text, _ in test["outcomes"]}


def test_timers(pytester: pytest.Pytester, results: Any) -> None:
    pytester.makepyfile(
        HEAD
        + """
    @pytest.mark.statespace
    async def test_same(): await sleepers(1, 1)

    @pytest.mark.statespace
    async def test_three(): await sleepers(1, 1, 1)

    @pytest.mark.statespace
    async def test_in_turn(): await sleepers(2, 1)

    @pytest.mark.statespace(timeouts="any")
    async def test_any(): await sleepers(2, 1)

    @pytest.mark.statespace
    async def test_ready_first():
        order = []
        async def step(name):
            for _ in range(2):
                order.append(name)
                await asyncio.sleep(0)
        await asyncio.gather(*(step(name) for name in "abc"))
        observe("".join(order))

    @pytest.mark.statespace
    async def test_time():
        loop = asyncio.get_running_loop()
        before = loop.time()
        await asyncio.sleep(3600)
        observe(round(loop.time() - before))
    """
    )
    tests = results()
    # Both in one iteration, or one after the other; never out of the order of their deadlines.
    assert outcomes(tests["test_same"]) == {"'abAB'", "'aAbB'"}
    assert outcomes(tests["test_three"]) == {"'abcABC'", "'abABcC'", "'aAbcBC'", "'aAbBcC'"}
    assert outcomes(tests["test_in_turn"]) == {"'bBaA'"}
    assert outcomes(tests["test_any"]) == {"'bBaA'", "'aAbB'", "'baBA'"}
    assert outcomes(tests["test_ready_first"]) == {"'abcabc'"}  # asyncio's promise
    assert outcomes(tests["test_time"]) == {"3600"}


def test_threads_and_loop(pytester: pytest.Pytester, results: Any) -> None:
    pytester.makepyfile(
        HEAD
        + """
    @pytest.mark.statespace(granularity="sync")
    async def test_two_threads():
        order = []
        def work(loop, done, name):
            loop.call_soon_threadsafe(lambda: (order.append(name), done.set_result(None)))
        loop = asyncio.get_running_loop()
        futures = [loop.create_future() for _ in range(2)]
        threads = [threading.Thread(target=work, args=(loop, f, n)) for f, n in zip(futures, "ab")]
        for thread in threads: thread.start()
        for future in futures: await future
        for thread in threads: thread.join()
        observe("".join(order))

    @pytest.mark.statespace(granularity="sync")
    def test_run_in_thread():
        found = []
        async def main():
            await asyncio.sleep(1)
            return "done"
        thread = threading.Thread(target=lambda: found.append(asyncio.run(main())))
        thread.start()
        thread.join()
        observe(found)

    @pytest.mark.statespace(granularity="sync")
    async def test_executor():
        loop = asyncio.get_running_loop()
        observe(await loop.run_in_executor(None, lambda: 6 * 7))

    @pytest.mark.statespace
    async def test_choices():
        async def pick():
            await asyncio.sleep(0)
            return choose([1, 2])
        observe(sum(await asyncio.gather(pick(), pick())))

    @pytest.mark.statespace
    @pytest.mark.filterwarnings("ignore::DeprecationWarning")
    async def test_watcher():  # 3.12 opens a descriptor to see what it can have
        policy = asyncio.get_event_loop_policy()
        observe(not hasattr(policy, "get_child_watcher") or policy.get_child_watcher() is not None)  # gone in 3.14
    """
    )
    tests = results()
    assert outcomes(tests["test_watcher"]) == {"True"}
    assert outcomes(tests["test_two_threads"]) == {"'ab'", "'ba'"}
    assert outcomes(tests["test_run_in_thread"]) == {"['done']"}
    assert outcomes(tests["test_executor"]) == {"42"}
    assert outcomes(tests["test_choices"]) == {"2", "3", "4"}


def test_deadlock_names_tasks(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        HEAD
        + """
    @pytest.mark.statespace
    async def test_never_woken():
        event = asyncio.Event()
        async def waiter():
            await event.wait()
        await asyncio.create_task(waiter(), name="the waiter")
    """
    )
    result = run("--statespace")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "the waiter awaits here:",
            "*in waiter",
            "*in wait",
            "task or thread*",
            "the waiter*Event.wait*",
            "FAILED *deadlock: no task can*",
        ]
    )
    result.stdout.no_fnmatch_line("*ExplorationLoop*")


def test_refusals(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        HEAD
        + """
    @pytest.mark.statespace
    async def test_socket():
        await asyncio.open_connection("localhost", 80)

    @pytest.mark.statespace
    async def test_process():
        await asyncio.create_subprocess_exec("true")

    @pytest.mark.statespace
    def test_other_loop():
        asyncio.SelectorEventLoop()
    """
    )
    result = run("--statespace")
    result.assert_outcomes(failed=3)
    result.stdout.fnmatch_lines_random(
        [
            "UnsupportedOperation: loop.create_connection (network socket)*",
            "*test_refusals.py:*",
            "*in-memory double*",
            "UnsupportedOperation: loop.subprocess_exec (execve)*",
            "UnsupportedOperation: epoll_create*",
        ]
    )


def test_failure_replays(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        HEAD
        + """
    @pytest.mark.statespace
    async def test_together():
        order = []
        await asyncio.gather(sleeper(order, "a", 1), sleeper(order, "b", 1))
        assert order == list("abAB")
    """
    )
    result = run("--statespace")
    result.assert_outcomes(failed=1)
    file = next((pytester.path / ".pytest_cache").rglob("*.ssp"))
    again = run(f"--statespace-replay={file}")
    again.assert_outcomes(failed=1)
    again.stdout.fnmatch_lines(["E*AssertionError*"])
