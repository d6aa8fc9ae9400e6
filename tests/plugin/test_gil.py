"""Granularity ``gil`` and ``gil_reachable``, against what real interpreters do."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support import gil_programs
from support.running import Run

SUPPORT = Path(gil_programs.__file__)

MANY = """
    import threading

    import pytest
    from gil_programs import PROGRAMS, Box, Mark
    from pytest_statespace import choose, observe

    @pytest.mark.statespace(granularity="gil")
    def test_it():
        name = choose(sorted(PROGRAMS))
        box = Box()

        def add():
            box.value += 1

        thread = threading.Thread(target=add)
        thread.start()
        PROGRAMS[name](box, Mark())
        thread.join()
        observe((name, box.value))
"""

RACES = """
    import threading

    import pytest

    pytestmark = pytest.mark.statespace

    class Box:
        def __init__(self):
            self.value = 0
            self.item = None

    def one():
        return 1

    def twice(function):
        threads = [threading.Thread(target=function) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def test_in_place():
        box = Box()

        def add():
            box.value += 1

        twice(add)
        assert box.value == 2

    def test_call_in_between():
        box = Box()

        def add():
            box.value = box.value + one()

        twice(add)
        assert box.value == 2

    def test_check_then_act():
        box, made = Box(), []

        def make():
            made.append(1)
            return "item"

        def get():
            if box.item is None:
                box.item = make()

        twice(get)
        assert len(made) == 1

    def test_locks_in_opposite_order():
        first, second = threading.Lock(), threading.Lock()

        def there():
            with first, second:
                pass

        def back():
            with second, first:
                pass

        thread = threading.Thread(target=there)
        thread.start()
        back()
        thread.join()

    def test_locks_in_opposite_order_by_calls():
        first, second = threading.Lock(), threading.Lock()

        def there():
            first.acquire()
            second.acquire()
            second.release()
            first.release()

        def back():
            second.acquire()
            first.acquire()
            first.release()
            second.release()

        thread = threading.Thread(target=there)
        thread.start()
        back()
        thread.join()
"""
REACHABLE = {
    "test_in_place": False,
    "test_call_in_between": True,
    "test_check_then_act": True,
    "test_locks_in_opposite_order": sys.version_info[:2] == (3, 14),  # there __enter__ is called like anything else
    "test_locks_in_opposite_order_by_calls": True,
}

REAL = """
import sys
import threading
import time

class Box:
    value = 0
    item = None

def one():
    return 1

def in_place(box, times):
    for _ in range(times):
        box.value += 1

def with_a_call(box, times):
    for _ in range(times):
        box.value = box.value + one()

def lost(add, times):
    box = Box()
    threads = [threading.Thread(target=add, args=(box, times)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return 2 * times - box.value

def made_twice():
    box, made, start = Box(), [], threading.Barrier(2)

    def make():
        made.append(1)
        return "item"

    def get():
        start.wait()
        if box.item is None:
            box.item = make()

    threads = [threading.Thread(target=get) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(made) == 2

sys.setswitchinterval(1e-6)
give_up = time.monotonic() + 60
while not lost(with_a_call, 50_000):
    assert time.monotonic() < give_up, "no update was lost with a call in between"
while not made_twice():
    assert time.monotonic() < give_up, "the item was never made twice"
assert not lost(in_place, 500_000), "an update in place was lost"
"""


def real_results() -> dict[str, int]:
    made = subprocess.run([sys.executable, str(SUPPORT)], capture_output=True, text=True, timeout=120, check=True)
    values: dict[str, int] = json.loads(made.stdout)
    return values


def test_switches_are_where_this_interpreter_switches(pytester: pytest.Pytester, results: Any) -> None:
    """Of some forty programs the same lose an update in the exploration and in plain processes."""
    shutil.copy(SUPPORT, pytester.path)
    pytester.makepyfile(test_many=MANY)
    test = results()["test_it"]
    assert test["verdict"] == "verified", test["reason"]
    explored = {ast.literal_eval(text) for text, _ in test["outcomes"]}
    assert {name for name, value in explored if value == 1} == {
        name for name, value in real_results().items() if value == 1
    }
    assert explored >= {(name, 2) for name in gil_programs.PROGRAMS}


def test_counterexamples_say_whether_they_are_reachable(pytester: pytest.Pytester, results: Any) -> None:
    pytester.makepyfile(RACES)
    assert {
        name: [failure["gil_reachable"] for failure in test["failures"]] for name, test in results().items()
    } == {name: [reachable] for name, reachable in REACHABLE.items()}
    under_gil = results("--statespace-granularity=gil")
    assert {name: test["verdict"] == "failed" for name, test in under_gil.items()} == REACHABLE
    assert all(failure["gil_reachable"] for test in under_gil.values() for failure in test["failures"])


def test_other_granularities_search_for_the_failure(pytester: pytest.Pytester, results: Any) -> None:
    """Where the replay can't tell: the same failure is found, or is not."""
    pytester.makepyfile(RACES)
    for granularity, tests in (("sync", ("locks_in_opposite_order",)), ("opcode", ("in_place", "call_in_between"))):
        explored = results(f"--statespace-granularity={granularity}", "-k", " or ".join(tests))
        for name, test in explored.items():
            (failure,) = test["failures"]
            assert failure["gil_reachable"] is REACHABLE[name], name
            assert failure["gil_reason"] == ("over another schedule" if REACHABLE[name] else "")


def test_what_was_called_reachable_happens_in_a_plain_process() -> None:
    """Also without any trick: with a call in between updates are lost within seconds, without one never."""
    subprocess.run([sys.executable, "-c", REAL], timeout=200, check=True)


def test_the_report_says_so(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(RACES)
    result = run("--statespace", "-k", "in_place")
    result.stdout.fnmatch_lines(["with the GIL*not reachable on this interpreter, only without a GIL"])


CRASHES = """
    import os, threading
    import pytest

    @pytest.mark.statespace(strategy="dfs")
    def test_it():
        value, order = [0], []

        def add(name):
            order.append(name)
            value[0] += 1

        threads = [threading.Thread(target=add, args=(name,)) for name in (1, 2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if order == [2, 1]:
            os.abort()
        assert value == [2]
"""


def test_a_crash_that_ends_the_search_for_the_failure_is_named(pytester: pytest.Pytester, results: Any) -> None:
    pytester.makepyfile(CRASHES)
    (failure,) = results()["test_it"]["failures"]
    assert failure["kind"] == "assertion"
    assert failure["gil_reachable"] is None
    reason = "the search at granularity gil was cut: another failure ended the process (crash: SIGABRT)"
    assert failure["gil_reason"] == reason


def test_the_search_for_the_failure_is_cut_by_a_count(pytester: pytest.Pytester, results: Any) -> None:
    """Of executions: seconds would give another answer on a busy machine."""
    pytester.makeconftest("from pytest_statespace.explore import session\nsession.EXECUTIONS = 2")
    pytester.makepyfile(RACES)
    (failure,) = results("-k", "in_place")["test_in_place"]["failures"]
    assert failure["gil_reachable"] is None
    assert failure["gil_reason"] == "the search at granularity gil was cut: max-executions (2)"
