"""Every verdict, as pytest's outcome, in the summary, in JSON, and for JUnit."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support.running import Run

THREADS = """
    import threading

    import pytest
    from pytest_statespace import always, choose, observe, sometimes

    class Counter:
        def __init__(self):
            self.value = 0
        def add(self):
            self.value += 1

    def run(*functions):
        threads = [threading.Thread(target=function) for function in functions]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
"""


def test_lost_update(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        THREADS
        + """
    @pytest.mark.statespace
    def test_it():
        counter = Counter()
        run(counter.add, counter.add)
        print("the value is", counter.value)
        assert counter.value == 2
    """
    )
    result = run("--statespace")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            ">*assert counter.value == 2",
            "E*assert 1 == 2",
            "*Captured stdout call*",
            "the value is 1",
            "*schedule: 1 preemption*",
            "*switch*Thread-1 preempted, Thread-2 begins*",
            "*both read `Counter.value` (0) before either wrote it*",
            "It is decided where Thread-2 (read `Counter.value`, test_lost_update.py:10)*",
            "*the test passes",
            "pytest *::test_it --statespace-replay *.ssp",
            "@reproduce(?ssp1:*",
            "*state-space exploration*",
            "failed *::test_it*",
            "FAILED *::test_it - *assert 1 == 2 (1 preemption)",
        ]
    )


def test_verified_with_outcomes(pytester: pytest.Pytester, results: Any) -> None:
    pytester.makepyfile(
        THREADS
        + """
    @pytest.mark.statespace
    def test_locked():
        lock = threading.Lock()
        counter = Counter()
        def add():
            with lock:
                counter.add()
        run(add, add)
        assert counter.value == 2

    @pytest.mark.statespace
    def test_order():
        order = []
        run(lambda: order.append("a"), lambda: order.append("b"))
        observe("".join(order))

    @pytest.mark.statespace
    def test_choices():
        observe((choose([1, 2, 3]), choose("xy")))
    """
    )
    explored = results()
    assert {test["verdict"] for test in explored.values()} == {"verified"}
    assert {value for value, _ in explored["test_order"]["outcomes"]} == {"'ab'", "'ba'"}
    assert len(explored["test_choices"]["outcomes"]) == 6
    assert explored["test_locked"]["engine"]["threads"] == 3
    assert explored["test_locked"]["states"] > 0


def test_deadlock(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        THREADS
        + """
    @pytest.mark.statespace(granularity="sync")
    def test_it():
        left, right = threading.Lock(), threading.Lock()
        def first():
            with left, right: pass
        def second():
            with right, left: pass
        run(first, second)
    """
    )
    result = run("--statespace")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*deadlock*", "Thread-1*left*right*Thread-2*", "*cycle: *"])


def test_locks_that_go_by_one_name_are_told_apart(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        THREADS
        + """
    def both(mine, other):
        with mine:
            with other:
                pass

    @pytest.mark.statespace(granularity="sync")
    def test_it():
        locks = [threading.Lock(), threading.Lock()]
        run(lambda: both(*locks), lambda: both(*reversed(locks)))
    """
    )
    result = run("--statespace")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["cycle: Thread-1 → mine #2 → Thread-2 → mine → Thread-1", "Thread-1 took `mine` *"])
    assert "mine #3" not in result.stdout.str()


def test_failures_in_threads_and_invariants(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        THREADS
        + """
    @pytest.mark.statespace
    def test_thread():
        def broken():
            raise KeyError("lost")
        run(broken)

    @pytest.mark.statespace
    def test_exit_of_a_thread_is_fine():
        def leave():
            raise SystemExit(3)
        run(leave)

    @pytest.mark.statespace
    def test_own_hook_wins():
        caught = []
        threading.excepthook = lambda args: caught.append(args.exc_type)
        def broken():
            raise KeyError("lost")
        run(broken)
        assert caught == [KeyError]

    @pytest.mark.statespace
    def test_invariant():
        box = [0]
        always(lambda: box[0] < 2)
        def grow():
            box[0] += 1
            box[0] += 1
            box[0] = 0
        run(grow)
    """
    )
    result = run("--statespace")
    result.assert_outcomes(failed=2, passed=2)
    result.stdout.fnmatch_lines(
        [
            "E*KeyError: 'lost'",
            "E*invariant violated: always(lambda: box?0? < 2)*",
        ]
    )


def test_sometimes(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        THREADS
        + """
    @pytest.mark.statespace
    def test_once():
        sometimes(choose([0, 1]), "one")

    @pytest.mark.statespace
    def test_never():
        sometimes(choose([0, 0]), "nothing")
    """
    )
    result = run("--statespace")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["sometimes('nothing') held in none of * executions"])


@pytest.mark.parametrize("mode", ["warn", "fail"])
def test_incomplete(pytester: pytest.Pytester, run: Run, mode: str) -> None:
    pytester.makepyfile(
        THREADS
        + """
    @pytest.mark.statespace(max_executions=2)
    def test_it():
        choose([1, 2, 3])
    """
    )
    result = run("--statespace", f"--statespace-incomplete={mode}", "-rA")
    outcomes = result.parseoutcomes()
    if mode == "warn":
        assert outcomes == {"incomplete": 1}
        assert result.ret == 0
        result.stdout.fnmatch_lines(["*test_incomplete.py I*", "incomplete*test_it*", "*max-executions (2)*"])
    else:
        assert outcomes == {"failed": 1}
        result.stdout.fnmatch_lines(["incomplete: cut by max-executions (2)*"])


def test_preemption_bound(pytester: pytest.Pytester, results: Any) -> None:
    pytester.makepyfile(
        THREADS
        + """
    @pytest.mark.statespace
    def test_threads():
        counter = Counter()
        run(counter.add, counter.add)
        observe(counter.value)

    @pytest.mark.statespace
    def test_alone():
        pass
    """
    )
    explored = results("--statespace-preemptions=0")
    assert explored["test_threads"]["verdict"] == "incomplete"
    assert explored["test_threads"]["preemption_bound"] == 0
    assert explored["test_threads"]["outcomes"][0][0] == "2"
    assert len(explored["test_threads"]["outcomes"]) == 1
    assert explored["test_alone"]["verdict"] == "verified"


def test_unsupported(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        """
    import os, socket, pytest

    @pytest.mark.statespace
    def test_socket():
        socket.socket()

    @pytest.mark.statespace
    def test_fork():
        os.fork()

    @pytest.mark.statespace
    def test_write(tmp_path):
        (tmp_path / "file").write_text("text")
    """
    )
    result = run("--statespace")
    result.assert_outcomes(failed=3)
    result.stdout.fnmatch_lines(
        [
            "UnsupportedOperation: socket*",
            "*remedy: *in-memory double*",
            "UnsupportedOperation: clone*",
            "*at: *test_unsupported.py:9",
            "UnsupportedOperation: openat*",
            "*io.StringIO*",
            "3 unsupported*",
        ]
    )


def test_outcomes_that_pytest_raises(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        THREADS
        + """
    @pytest.mark.statespace
    def test_skip():
        pytest.skip("not today")

    @pytest.mark.statespace
    def test_skip_sometimes():
        if choose([0, 1]):
            pytest.skip("not in this execution")

    @pytest.mark.statespace
    def test_xfail():
        pytest.xfail("known")

    @pytest.mark.statespace
    @pytest.mark.xfail
    def test_xfail_marked():
        assert choose([1, 0])

    @pytest.mark.statespace
    def test_fail():
        pytest.fail("on purpose")
    """
    )
    result = run("--statespace", "-rA")
    result.assert_outcomes(passed=1, skipped=1, xfailed=2, failed=1)
    result.stdout.fnmatch_lines(["*ended by pytest.skip()*: 1*", "SKIPPED*not today"])


def test_exit_stops_the_session(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        THREADS
        + """
    @pytest.mark.statespace
    def test_exit():
        pytest.exit("enough", returncode=7)

    def test_after():
        pass
    """
    )
    result = run("--statespace")
    assert result.ret == 7
    result.stdout.fnmatch_lines(["*enough*"])


def test_fixtures_warnings_and_junit(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        THREADS
        + """
    import warnings

    @pytest.fixture
    def counter():
        return Counter()

    @pytest.mark.statespace
    @pytest.mark.parametrize("times", [1, 2])
    def test_fresh_in_every_execution(counter, times):
        choose([1, 2, 3])
        for _ in range(times):
            counter.add()
        warnings.warn("getting old", DeprecationWarning)
        assert counter.value == times

    @pytest.mark.statespace
    def test_capsys(capsys):
        word = choose(["a", "b"])
        print(word)
        assert capsys.readouterr().out == word + "\\n"
    """
    )
    result = run("--statespace", "--junit-xml=junit.xml")
    result.assert_outcomes(passed=3, warnings=2)
    text = (pytester.path / "junit.xml").read_text()
    assert '<property name="statespace_verdict" value="verified"' in text
    assert '<property name="statespace_executions" value="' in text


def test_threads_left_running_are_noted(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        THREADS
        + """
    @pytest.mark.statespace
    def test_it():
        threading.Thread(target=threading.Event().wait, daemon=True).start()
    """
    )
    result = run("--statespace")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*threads left running when the test ended*"])


def test_nesting_is_refused(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makeconftest("pytest_plugins = ['pytester']")
    pytester.makepyfile(
        """
    import pytest
    from pytest_statespace.explore.session import refuse_nesting

    @pytest.mark.statespace
    def test_it():
        refuse_nesting()
    """
    )
    result = run("--statespace")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*an exploration inside an explored test*"])


def test_snapshots_are_dropped_when_memory_is_short(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        """
    import random
    import threading
    import pytest
    from pytest_statespace import observe

    def program():
        data, lock, order = bytearray(4 << 20), threading.Lock(), []

        def work(name):
            for _ in range(2):
                with lock:
                    order.append(name)
                    mark = int("1" + "".join(order), 3)
                    data[:] = random.Random(mark).randbytes(len(data))  # no two pages alike, and nothing to pack

        threads = [threading.Thread(target=work, args=one) for one in "12"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        observe("".join(order))

    @pytest.mark.statespace(granularity="sync", max_memory=16)
    def test_little():
        program()

    @pytest.mark.statespace(granularity="sync")
    def test_much():
        program()
    """
    )
    result = run("--statespace", "--statespace-json=results.json", "-k", "test_little")
    result.stdout.fnmatch_lines(["*memory was short: * snapshots were dropped and * rebuilt*"])
    little = json.loads((pytester.path / "results.json").read_text())["tests"][0]
    result = run("--statespace", "--statespace-json=results.json", "-k", "test_much")
    result.stdout.no_fnmatch_line("*were dropped*")
    much = json.loads((pytester.path / "results.json").read_text())["tests"][0]
    for field in ("verdict", "outcomes", "states", "executions", "transitions"):
        assert little[field] == much[field], field
    assert much["verdict"] == "verified"
