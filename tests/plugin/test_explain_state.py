"""--statespace-explain-state names the attribute that keeps states apart."""

from __future__ import annotations

import json

import pytest
from support.running import Run

from pytest_statespace._native import _bridge

pytestmark = pytest.mark.skipif(not _bridge.supported()[0], reason=_bridge.supported()[1])

STATISTICS = """
    import threading
    import pytest

    class Statistics:
        def __init__(self):
            self.history = self.value = 0
            self.lock = threading.Lock()
        def add(self, n):
            with self.lock:
                self.history = self.history * 2 + n
                self.value += 1

    @pytest.mark.statespace(granularity="sync")
    def test_it():
        statistics = Statistics()
        threads = [threading.Thread(target=statistics.add, args=(n,)) for n in (0, 1)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
"""


def test_the_source_of_states_is_named(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(test_it=STATISTICS)
    plain = run("--statespace", "--statespace-json=plain.json")
    result = run("--statespace", "--statespace-explain-state", "--statespace-json=explained.json")
    result.assert_outcomes(passed=1)
    heading = "*what differs in * of states with every thread at the same place:"
    result.stdout.fnmatch_lines([heading])
    result.stdout.fnmatch_lines(["*.history: in * such as *"])
    plain.stdout.no_fnmatch_line(heading)
    documents = [json.loads((pytester.path / name).read_text()) for name in ("plain.json", "explained.json")]
    before, after = (document["tests"][0] for document in documents)
    assert before["states"] == after["states"]  # noting changes nothing
    assert before["differences"] == []
    assert any(difference["path"].endswith(".history") for difference in after["differences"])


NAMES = """
    import enum, threading
    import pytest

    class Phase(enum.Enum):
        OPENING = 1
        CLOSING = 2

    class First: pass
    class Second: pass

    def on_error(): pass
    def on_success(): pass

    LONG = "the first of two texts that are too long for the tokens of a state"
    OTHER = "the second of two such texts"
    ALL = [(Phase.OPENING, First, on_error, LONG, True), (Phase.CLOSING, Second, on_success, OTHER, None)]

    class Box:
        def __init__(self):
            self.lock = threading.Lock()
            self.phase = self.kind = self.function = self.text = self.flag = 0
        def set(self, which):
            with self.lock:
                self.phase, self.kind, self.function, self.text, self.flag = ALL[which]

    @pytest.mark.statespace(granularity="sync")
    def test_it():
        box = Box()
        threads = [threading.Thread(target=box.set, args=(n,)) for n in (0, 1)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
"""


def test_objects_are_called_by_their_names(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(test_it=NAMES)
    run("--statespace", "--statespace-explain-state", "--statespace-json=explained.json").assert_outcomes(passed=1)
    differences = json.loads((pytester.path / "explained.json").read_text())["tests"][0]["differences"]
    shown = {one["path"].rpartition(".")[2]: {one["first"], one["second"]} for one in differences}
    assert shown["phase"] == {"Phase.OPENING", "Phase.CLOSING"}
    assert shown["kind"] == {"class First", "class Second"}
    assert shown["function"] == {"function on_error", "function on_success"}
    assert shown["flag"] == {"True", "None"}
    long = "'the first of two texts that are too long for the tokens of..."
    assert shown["text"] == {long, "'the second of two such texts'"}
