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
