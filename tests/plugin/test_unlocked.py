"""Whatever two threads change without a lock, and however they reach it: that it can go wrong is found.

Each program is a test module of its own and searched by a pytest of its own: what code under test does with
attributes in general holds for all of it, and would hide what is left out for other programs. `one` and `other` run
in a thread each. In one order after the other `value()` is 2; a program that is verified was not looked at closely.
"""

from __future__ import annotations

import sys
import textwrap

import pytest
from soundness import unlocked_library, unlocked_reads, unlocked_values, unlocked_ways
from support.running import Run

PROGRAMS = {
    f"{module.__name__.rpartition('_')[2]}-{name}": text
    for module in (unlocked_library, unlocked_reads, unlocked_values, unlocked_ways)
    for name, text in module.WAYS.items()
}
FEW = (
    "library-func_kwdefaults",
    "library-leaked_dictionary",
    "library-inspector_that_shows_up_late",
    "reads-dict_items_local",
    "values-class_assignment",
    "values-exec",
    "ways-dict_and_attribute",
    "ways-gc_objects",
)
STRATEGIES = ("exhaust", "dpor")
PRELUDE = """
import abc, array, asyncio, atexit, bisect, builtins, codecs, collections, concurrent.futures, contextlib
import contextvars, copy, copyreg, ctypes, dataclasses, decimal, enum, functools, gc, heapq, inspect, io
import itertools, json, logging, operator, os, pickle, queue, random, re, string, struct, sys, threading, time, types
import warnings, weakref

import pytest

class Box:
    def __init__(self):
        self.x = 0

class Slot:
    __slots__ = ("x", "__weakref__")

    def __init__(self):
        self.x = 0

"""
TEST = """
@pytest.mark.statespace
def test():
    global first, second
    first, second = threading.Thread(target=one), threading.Thread(target=other)
    first.start()
    second.start()
    first.join()
    second.join()
    assert value() == 2
"""


def _goes_wrong(pytester: pytest.Pytester, run: Run, name: str, strategy: str) -> None:
    pytester.makepyfile(PRELUDE + PROGRAMS[name] + TEST)
    run("-p", "no:hypothesispytest").assert_outcomes(passed=1)  # it does not always go wrong
    result = run("--statespace", f"--statespace-strategy={strategy}", "-p", "no:hypothesispytest")
    result.assert_outcomes(failed=1)
    assert "UnsupportedOperation" not in result.stdout.str()
    result.stdout.fnmatch_lines(["failed *::test"])


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("name", FEW)
def test_a_lost_update_is_found(pytester: pytest.Pytester, run: Run, name: str, strategy: str) -> None:
    _goes_wrong(pytester, run, name, strategy)


@pytest.mark.skipif(sys.version_info < (3, 13), reason="f_locals is a copy before 3.13")
@pytest.mark.parametrize("change", ["f_locals['n'] = 2", "f_locals.update(n=2)"])
def test_writing_local_variables_of_others_is_refused(pytester: pytest.Pytester, run: Run, change: str) -> None:
    program = f"""
    frames, ready = [], threading.Event()

    def one():
        n = 0
        frames.append(sys._getframe())
        ready.set()
        n = n + 1

    def other():
        ready.wait()
        frames[0].{change}

    def value():
        return 2
    """
    pytester.makepyfile(PRELUDE + textwrap.dedent(program) + TEST)
    run("-p", "no:hypothesispytest").assert_outcomes(passed=1)
    run("--statespace", "-p", "no:hypothesispytest").stdout.fnmatch_lines(["*local variables through f_locals*"])


@pytest.mark.campaign
@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("name", PROGRAMS)
def test_every_lost_update_is_found(pytester: pytest.Pytester, run: Run, name: str, strategy: str) -> None:
    _goes_wrong(pytester, run, name, strategy)
