"""Subinterpreters: what they keep is not read, so no states are merged; their threads are refused."""

from __future__ import annotations

import sys
from typing import Any

import pytest

MODULE = "_interpreters" if sys.version_info >= (3, 13) else "_xxsubinterpreters"
RUN = "exec" if sys.version_info >= (3, 13) else "run_string"
OTHER = f"""
    import pytest
    import {MODULE} as interpreters
    from pytest_statespace import choose, observe

    run = interpreters.{RUN}

    @pytest.mark.statespace
    def test_values():
        one = interpreters.create()
        n = choose([1, 2])
        run(one, "x = " + str(n))
        n = None
        choose([0, 0])
        observe("y" if equals_one(one) else "n")

    def equals_one(one):
        try:
            failed = run(one, "assert x == 1")
        except interpreters.RunFailedError:
            return False
        return not failed

    @pytest.mark.statespace
    def test_threads():
        one = interpreters.create()
        run(one, "import threading; thread = threading.Thread(target=int); thread.start(); thread.join()")
"""


def test_states_that_differ_in_one_are_not_merged(pytester: pytest.Pytester, results: Any) -> None:
    pytester.makepyfile(OTHER)
    found = results()
    if sys.version_info >= (3, 12):  # one is memory from the system
        assert {entry["verdict"] for entry in found.values()} == {"unsupported"}
        return
    assert (found["test_values"]["verdict"], found["test_values"]["states"]) == ("verified", 0)
    assert {outcome for outcome, _ in found["test_values"]["outcomes"]} == {"'y'", "'n'"}
    assert found["test_threads"]["verdict"] == "unsupported"
    assert "subinterpreter" in found["test_threads"]["reason"]
