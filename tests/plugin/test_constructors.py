"""Classes under test that library code instantiates, in code that is warm.

CPython 3.13 then calls ``__init__`` without C in between, on a frame of its own that belongs to no function and
of which only a part is ever written. Whoever looks through the callers meets it, with any strategy.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.running import Run

from pytest_statespace._native import _bridge

pytestmark = pytest.mark.skipif(not _bridge.supported()[0], reason=_bridge.supported()[1])

LIBRARY = """
def make(cls, value):
    return cls(value)
"""
TESTS = """
    import threading

    import pytest
    from library import make

    class Item:
        def __init__(self, value):
            self.value = value
            made.append(value)

        def __lt__(self, other):
            return self.value < other.value

    made = []

    def together(*functions):
        threads = [threading.Thread(target=function) for function in functions]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def inside_an_operation():
        for _ in range(100):
            make(Item, 0)
        made.clear()
        items = [2, 1]
        together(lambda: items.sort(key=lambda value: make(Item, value)), lambda: made.append("other"))
        assert items == [1, 2]
        assert made in (["other", 2, 1], [2, "other", 1], [2, 1, "other"])

    @pytest.mark.statespace(strategy="dfs")
    def test_dfs():
        inside_an_operation()

    @pytest.mark.statespace(strategy="dpor")
    def test_dpor():
        inside_an_operation()
"""


def test_library_code_instantiates(
    pytester: pytest.Pytester, results: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "library.py").write_text(LIBRARY)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    pytester.makepyfile(test_it=TESTS)
    verdicts = {name: (test["verdict"], test["failures"]) for name, test in results("test_it.py").items()}
    assert verdicts == {"test_dfs": ("verified", []), "test_dpor": ("verified", [])}


WARM = """
    import os
    import threading
    import pytest

    class Turn:
        def __init__(self, lock):
            lock.acquire()
            lock.release()

    def take_turns(lock):
        Turn(lock)

    @pytest.mark.statespace(granularity="sync")
    def test_it():
        lock = threading.Lock()
        for _ in range(int(os.environ["WARM"])):
            take_turns(lock)
        threads = [threading.Thread(target=take_turns, args=(lock,)) for _ in range(2)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        assert False
"""


def test_a_schedule_of_a_warm_interpreter(pytester: pytest.Pytester, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The frame below ``__init__`` is no place in the program."""
    pytester.makepyfile(WARM)
    monkeypatch.setenv("WARM", "100")
    run("--statespace", "--statespace-json=results.json").assert_outcomes(failed=1)
    document = json.loads((pytester.path / "results.json").read_text())
    monkeypatch.setenv("WARM", "0")
    result = run("--statespace-replay", document["tests"][0]["failures"][0]["file"])
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E*assert False"])
    result.stdout.no_fnmatch_line("*diverged*")
