"""Whatever two threads change without a lock, and however they reach it: that it can go wrong is found.

Each program is a test module of its own and searched by a pytest of its own: what code under test does with
attributes in general holds for all of it, and would hide what is left out for other programs. `one` and `other` run
in a thread each. In one order after the other `value()` is 2; a program that is verified was not looked at closely.
"""

from __future__ import annotations

import pytest
from soundness import unlocked_values, unlocked_ways
from support.running import Run

WAYS = unlocked_values.WAYS | unlocked_ways.WAYS
FEW = ("exec", "cell_contents", "class_assignment", "gc_objects", "memoryview_alias", "sort_key", "ctypes_memmove")
STRATEGIES = ("exhaust", "dpor")
PRELUDE = """
import array, asyncio, bisect, builtins, collections, concurrent.futures, contextlib, contextvars, copy, ctypes
import dataclasses, enum, functools, gc, io, itertools, json, logging, operator, os, pickle, queue, re, string, struct
import sys, threading, time, types, weakref

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
    global first
    first, second = threading.Thread(target=one), threading.Thread(target=other)
    first.start()
    second.start()
    first.join()
    second.join()
    assert value() == 2
"""


def _goes_wrong(pytester: pytest.Pytester, run: Run, name: str, strategy: str) -> None:
    pytester.makepyfile(PRELUDE + WAYS[name] + TEST)
    result = run("--statespace", f"--statespace-strategy={strategy}", "-p", "no:hypothesispytest")
    result.assert_outcomes(failed=1)
    assert "UnsupportedOperation" not in result.stdout.str()
    result.stdout.fnmatch_lines(["failed *::test"])


@pytest.mark.parametrize("name", FEW)
def test_a_lost_update_is_found(pytester: pytest.Pytester, run: Run, name: str) -> None:
    _goes_wrong(pytester, run, name, "exhaust")


@pytest.mark.campaign
@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("name", WAYS)
def test_every_lost_update_is_found(pytester: pytest.Pytester, run: Run, name: str, strategy: str) -> None:
    _goes_wrong(pytester, run, name, strategy)
