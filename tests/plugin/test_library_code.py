"""Tests that lean on libraries: their code is one step, whatever it stores, looks at or reads in that step."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest
from support.running import Run

LIBRARY = """
    import functools

    def bump(thing, name):
        setattr(thing, name, getattr(thing, name) + 1)

    def fill(thing, *names):
        for name in names: setattr(thing, name, 1)

    def number(thing): return id(thing)

    def keep_open(path, lock):
        with open(path) as file:
            with lock: return file.read()
"""
HEAD = """
    import sys, threading
    import pytest
    sys.path.append("site-packages")
    import helping
    from pytest_statespace import observe

    explored = pytest.mark.statespace

    class Thing:
        busy = 0  # no code under test stores it
        def __init__(self): self.n = 0

    def together(*functions):
        threads = [threading.Thread(target=function) for function in functions]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
"""


@pytest.fixture
def library(pytester: pytest.Pytester) -> None:
    """A module that counts as installed."""
    pytester.mkdir("site-packages")
    pytester.makepyfile(**{"site-packages/helping": LIBRARY})


@pytest.mark.usefixtures("library")
def test_a_call_of_the_library_is_one_step(pytester: pytest.Pytester, results: Any) -> None:
    """Also if it sets attributes by their names. Whoever names the library sees what happens inside."""
    pytester.makepyfile(
        HEAD
        + """
    @explored
    def test_outside():
        thing = Thing()
        together(*[lambda: helping.bump(thing, "n")] * 2)
        assert thing.n == 2

    @explored(trace=["helping"])
    def test_inside():
        thing = Thing()
        together(*[lambda: helping.bump(thing, "n")] * 2)
        assert thing.n == 2

    @explored
    def test_own_setattr():
        thing = Thing()
        together(*[lambda: setattr(thing, "n", thing.n + 1)] * 2)
        assert thing.n == 2
    """
    )
    tests = results()
    assert tests["test_outside"]["verdict"] == "verified"
    assert tests["test_outside"]["states"] > 0
    assert tests["test_inside"]["verdict"] == "failed"
    assert tests["test_own_setattr"]["verdict"] == "failed"


@pytest.mark.usefixtures("library")
def test_assumptions_that_one_step_breaks(pytester: pytest.Pytester, run: Run) -> None:
    """They are named together, so that one restart is enough; and what they were about is shared data from then on."""
    pytester.makepyfile(
        HEAD
        + """
    @explored
    def test_many():
        thing = Thing()
        def fill(): helping.fill(thing, "a", "b", "c", "d", "e", "f")
        together(fill, lambda: None)
        assert thing.f == 1

    @explored
    def test_waiting():
        # Were `busy` still taken for constant when the loop begins, it would have no choice points and go on for ever.
        thing = Thing()
        def wait():
            helping.bump(thing, "busy")
            while thing.busy == 1: pass
        together(wait, lambda: helping.bump(thing, "busy"))

    @explored
    def test_one():
        thing, seen = Thing(), []
        together(lambda: helping.bump(thing, "busy"), lambda: seen.append(thing.busy), lambda: seen.append(thing.busy))
        assert sorted(seen) != [0, 1]
    """
    )
    result = run("--statespace")
    result.assert_outcomes(passed=2, failed=1)
    output = " ".join(result.stdout.str().split())
    named = ", ".join(f"attribute {name} is never rebound" for name in "abcd")
    assert f"did not hold: {named}, nor are 2 other names" in output


@pytest.mark.usefixtures("library")
def test_where_the_program_looked(pytester: pytest.Pytester, run: Run) -> None:
    path = pytester.makepyfile(
        HEAD
        + """
    @explored
    def test_addresses():
        numbers = []
        def look():
            numbers.append(helping.number(Thing()))  # here
        together(look, look)
        assert len(numbers) == 2
    """
    )
    line = 1 + path.read_text().splitlines().index("        numbers.append(helping.number(Thing()))  # here")
    output = " ".join(run("--statespace").stdout.str().split())
    assert f"addresses are not looked at ({path.name}:{line})" in output


@pytest.mark.usefixtures("library")
def test_files(pytester: pytest.Pytester, results: Any) -> None:
    path = pytester.makepyfile(
        HEAD
        + """
    @explored
    def test_kept_open():
        lock = threading.Lock()
        together(lambda: helping.keep_open(__file__, lock), lambda: None)  # here

    @explored
    def test_random_device():
        def read():
            with open("/dev/urandom", "rb", 0) as device: return device.read(16)
        first, second = read(), read()
        assert len(first) == len(second) == 16
        assert first != second
        observe((first, second))
    """
    )
    line = 1 + next(number for number, text in enumerate(path.read_text().splitlines()) if "# here" in text)
    tests, again = results(), results()
    reason = tests["test_kept_open"]["reason"]
    assert reason.startswith(f"file kept open across a choice point ({path})")
    assert reason.endswith(f"{path.name}:{line}")
    assert tests["test_random_device"]["verdict"] == "verified"
    assert tests["test_random_device"]["outcomes"] == again["test_random_device"]["outcomes"]  # the same bytes again


def test_first_database_of_a_process(pytester: pytest.Pytester, results: Any) -> None:
    """SQLite asks the kernel for a seed, by opening a device."""
    assert sqlite3.sqlite_version
    pytester.makepyfile(
        HEAD.replace("import helping", "import sqlite3")
        + """
    @explored
    @pytest.mark.parametrize("locked", [True, False])
    def test_lost(locked):
        database = sqlite3.connect(":memory:", check_same_thread=False)
        database.execute("create table counters (n)")
        database.execute("insert into counters values (0)")
        lock = threading.Lock()
        def count():
            if locked: lock.acquire()
            (n,) = database.execute("select n from counters").fetchone()
            database.execute("update counters set n = ?", (n + 1,))
            if locked: lock.release()
        together(count, count)
        assert database.execute("select n from counters").fetchone() == (2,)
    """
    )
    tests = results()
    assert tests["test_lost[True]"]["verdict"] == "verified"
    assert tests["test_lost[False]"]["verdict"] == "failed"


@pytest.mark.parametrize(("made", "entry"), [('{"k": 0}', "shared['k']"), ("[0]", "shared[0]")])
def test_entries_in_reports(pytester: pytest.Pytester, run: Run, made: str, entry: str) -> None:
    """As in the source: the key once, in one pair of brackets."""
    pytester.makepyfile(
        HEAD.replace("import helping", "")
        + f"""
    @explored
    def test_entries():
        shared = {made}
        def count(): {entry} += 1
        together(count, count)
        assert {entry} == 2
    """
    )
    assert f"both read `{entry}` (0)" in " ".join(run("--statespace").stdout.str().split())


def test_threads_in_reports(pytester: pytest.Pytester, run: Run) -> None:
    """What `is_alive()` says is not the state of a lock, and what a Timer waits for is not the Timer."""
    pytester.makepyfile(
        HEAD.replace("import helping", "")
        + """
    @explored
    def test_alive():
        timer = threading.Timer(5, print)
        timer.start()
        before = timer.is_alive()
        timer.cancel()
        timer.join()
        assert before == timer.is_alive()
    """
    )
    output = run("--statespace").stdout.str()
    assert "still runs" in output
    assert "is False" not in output
    assert "Thread-1.finished" in output
