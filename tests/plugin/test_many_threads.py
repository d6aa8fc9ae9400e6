"""Many threads in one execution: the limits are what the documentation says."""

from __future__ import annotations

from typing import Any

import pytest

PROGRAM = """
    import threading
    import pytest

    pytestmark = pytest.mark.statespace(granularity="sync", max_threads=512, max_executions=1)

    def test_one_after_the_other():
        done = []
        for number in range(250):
            thread = threading.Thread(target=done.append, args=(number,))
            thread.start()
            thread.join()
        assert done == list(range(250))

    def test_at_once():
        for _ in range(140):
            threading.Thread(target=print).start()
"""


def test_many_threads(pytester: pytest.Pytester, results: Any) -> None:
    pytester.makepyfile(PROGRAM)
    found = results()
    (sequence, crowd) = (found["test_one_after_the_other"], found["test_at_once"])
    assert sequence["verdict"] == "verified"
    assert sequence["engine"]["threads"] == 251
    assert crowd["verdict"] == "unsupported"
    assert crowd["reason"] == "more than 128 ways to go on in one state"
