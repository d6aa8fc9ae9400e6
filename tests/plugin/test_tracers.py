"""Tests that trace: at `sync` as in any process, elsewhere refused."""

from __future__ import annotations

import sys
from typing import Any

import pytest

TRACING = """
    import sys, threading
    import pytest
    from pytest_statespace import observe

    seen = []

    def tracer(frame, event, argument):
        if frame.f_code.co_name in ("work", "hold"):
            seen.append((threading.get_ident() == main, frame.f_code.co_name, event))
        return tracer

    main = threading.get_ident()
    total = 0

    def hold(lock):
        global total
        with lock:
            before = total
            total = before + 1

    def work(lock):
        hold(lock)

    @pytest.fixture(autouse=True)
    def afresh():
        global total
        total = 0
        seen.clear()

    def run(trace, untrace):
        lock = threading.Lock()
        trace(tracer)
        try:
            threads = [threading.Thread(target=work, args=(lock,)) for _ in range(2)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        finally:
            untrace(None)
        assert total == 2
        hold(lock)
        observe((len(seen), {name for _, name, _ in seen}))
        assert not any(in_main for in_main, _, _ in seen)

    @pytest.mark.statespace
    def test_threading():
        run(threading.settrace, threading.settrace)

    @pytest.mark.statespace
    def test_profiler():
        run(threading.setprofile, threading.setprofile)

    @pytest.mark.statespace
    def test_of_the_test():
        sys.settrace(tracer)
        try:
            hold(threading.Lock())
        finally:
            sys.settrace(None)
        assert seen and all(in_main for in_main, _, _ in seen)
"""


def test_at_sync_tracers_see_what_they_see_anywhere(pytester: pytest.Pytester, results: Any, run: Any) -> None:
    pytester.makepyfile(TRACING)
    run().assert_outcomes(passed=3)
    found = results("--statespace-granularity=sync")
    assert {name: entry["verdict"] for name, entry in found.items()} == dict.fromkeys(found, "verified")
    assert found["test_threading"]["executions"] > 2
    assert found["test_threading"]["states"] <= 2  # those before the first traced thread: later ones are not compared
    for entry in (found["test_threading"], found["test_profiler"]):
        assert len(entry["outcomes"]) == 1


@pytest.mark.skipif(sys.version_info < (3, 12), reason="threading.settrace_all_threads came with 3.12")
def test_threads_that_run_keep_their_choice_points(pytester: pytest.Pytester, results: Any) -> None:
    """Tracers of all threads at once: taking them away must not take away the one that preempts."""
    pytester.makepyfile(
        """
    import threading, pytest

    total = 0

    def run(trace_all, tracer):
        global total
        ready = threading.Event()

        def add():
            global total
            ready.wait()
            total = total + 1

        threads = [threading.Thread(target=add) for _ in range(2)]
        for thread in threads:
            thread.start()
        trace_all(tracer)
        ready.set()
        for thread in threads:
            thread.join()
        assert total == 2

    @pytest.mark.statespace
    @pytest.mark.parametrize("name", ["settrace_all_threads", "setprofile_all_threads"])
    def test_none(name):
        run(getattr(threading, name), None)

    @pytest.mark.statespace
    @pytest.mark.parametrize("name", ["settrace_all_threads", "setprofile_all_threads"])
    def test_some(name):
        run(getattr(threading, name), lambda frame, event, argument: None)
    """
    )
    found = results()
    assert [entry["verdict"] for entry in found.values()] == ["failed", "failed", "unsupported", "unsupported"]


def test_elsewhere_they_are_refused(pytester: pytest.Pytester, results: Any) -> None:
    pytester.makepyfile(TRACING)
    found = results()
    assert {name: entry["verdict"] for name, entry in found.items()} == dict.fromkeys(found, "unsupported")


@pytest.mark.skipif(sys.version_info[:2] != (3, 12), reason="the exploration has a tool of its own on 3.12 only")
def test_the_tool_can_not_be_taken_away(pytester: pytest.Pytester, results: Any) -> None:
    pytester.makepyfile(
        """
    import sys, threading, pytest

    total = 0
    TOOL = 4
    EVENT = sys.monitoring.events.INSTRUCTION

    def forget():
        sys.monitoring.register_callback(TOOL, EVENT, None)

    def other():
        sys.monitoring.register_callback(TOOL, EVENT, lambda code, offset: None)

    def leave_out():
        sys.monitoring.set_local_events(TOOL, add.__code__, 0)

    def for_a_while():
        ours = sys.monitoring.register_callback(TOOL, EVENT, None)
        nothing()
        sys.monitoring.register_callback(TOOL, EVENT, ours)

    def free():
        sys.monitoring.free_tool_id(TOOL)

    def nothing():
        pass

    def add(first):
        global total
        first()
        total = total + 1

    @pytest.mark.statespace
    @pytest.mark.parametrize("what", [forget, other, leave_out, for_a_while, free, nothing])
    def test(what):
        assert sys.monitoring.get_tool(TOOL) == "pytest-statespace"
        threads = [threading.Thread(target=add, args=(what,)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert total == 2

    @pytest.mark.statespace
    def test_tools_of_the_test():
        lock, seen = threading.Lock(), []
        sys.monitoring.use_tool_id(3, "mine")
        start = sys.monitoring.events.PY_START
        sys.monitoring.register_callback(3, start, lambda code, offset: seen.append(code.co_name))
        sys.monitoring.set_local_events(3, nothing.__code__, start)

        def work():
            with lock:
                nothing()

        threads = [threading.Thread(target=work) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert seen == ["nothing", "nothing"]
    """
    )
    found = results()
    verdicts = [entry["verdict"] for entry in found.values()]
    assert verdicts == [*["unsupported"] * 5, "failed", "verified"]


@pytest.mark.skipif(sys.version_info[:2] != (3, 12), reason="the exploration has a tool of its own on 3.12 only")
def test_where_no_tool_is_free_all_code_is_traced(pytester: pytest.Pytester, results: Any) -> None:
    pytester.makepyfile(
        """
    import sys, threading, pytest

    @pytest.fixture
    def taken():
        for tool in range(6):
            sys.monitoring.use_tool_id(tool, "mine")
        yield
        for tool in range(6):
            sys.monitoring.free_tool_id(tool)

    def run(add):
        threads = [threading.Thread(target=add) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    @pytest.mark.statespace
    def test_without_lock(taken):
        total = [0]

        def add():
            total[0] += 1

        run(add)
        assert total == [2]

    @pytest.mark.statespace
    def test_with_lock(taken):
        total, lock = [0], threading.Lock()

        def add():
            with lock:
                total[0] += 1

        run(add)
        assert total == [2]
    """
    )
    found = results()
    assert {name: entry["verdict"] for name, entry in found.items()} == {
        "test_without_lock": "failed",
        "test_with_lock": "verified",
    }
