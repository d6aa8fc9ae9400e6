"""Two histories each, which lead to states that look alike. Each test must fail: the second one behaves otherwise."""

import _thread
import collections
import ctypes
import functools
import gc
import queue
import signal
import sys
import threading
import weakref
from unittest import mock

import pytest

from pytest_statespace import choose

explored = pytest.mark.statespace


@pytest.fixture
def which():
    """So many more executions that the search does not fail before it compares states."""
    return lambda: choose(range(80)) == 37


def both(first, second, swap=False):
    threads = [threading.Thread(target=body) for body in ((second, first) if swap else (first, second))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def swapped(test):
    return explored(pytest.mark.parametrize("swap", [False, True])(test))


class Key:
    def __init__(self):
        self.h = 1

    def __hash__(self):
        return self.h


@swapped
def test_key_of_a_dictionary(swap, which):
    key, table = Key(), {}

    def store():
        table[key] = 1

    def change():
        key.h = 2

    both(change, store, swap)
    assert key in table or not which()


@swapped
def test_element_of_a_set(swap, which):
    key, table = Key(), set()

    def store():
        table.add(key)

    def change():
        key.h = 9  # the same place in the table

    both(change, store, swap)
    assert key in table or not which()


KINDS = ["lru_cache", "cache", "beside"]
if sys.version_info < (3, 15):  # from then on a frozenset compares identities before hashes
    KINDS.append("frozenset")


@explored
@pytest.mark.parametrize("kind", KINDS)
def test_kept_hash(kind, which):
    key = Key()
    late = choose([0, 1])
    if not late:
        key.h = 9
    del late
    if kind == "frozenset":
        kept = frozenset([key])
    elif kind == "beside":
        kept = {key, object()}
    else:
        kept = functools.lru_cache(4 if kind == "lru_cache" else None)(lambda key: 0)
        kept(key)
    key.h = 9
    wanted = which()
    if kind in ("frozenset", "beside"):
        found = key in kept
    else:
        kept(key)
        found = kept.cache_info().hits == 1
    assert found or not wanted


@swapped
def test_nan(swap, which):
    one, two, box = float("nan"), float("nan"), [None]

    def put_one():
        box[0] = one

    def put_two():
        box[0] = two

    both(put_one, put_two, swap)
    assert two in box or not which()


class Valued:
    def __init__(self, value):
        self.value = value


@swapped
def test_slot_of_a_class(swap, which):
    stop = [False]

    def patch():
        if not stop[0]:
            with mock.patch.object(Valued, "__new__", lambda cls, *rest: object.__new__(cls)):
                pass

    def end():
        stop[0] = True

    both(end, patch, swap)
    wanted = which()
    try:
        made = Valued(1).value == 1
    except TypeError:
        made = False
    assert made or not wanted


@swapped
def test_weak_references(swap, which):
    class Reference(weakref.ref):
        pass

    o, references = Valued(1), [None, None]

    def one():
        references[0] = Reference(o)

    def two():
        references[1] = Reference(o)

    both(one, two, swap)
    assert weakref.getweakrefs(o)[0] is references[1] or not which()


@explored
def test_sorted_list(which):
    items, log = [3, 1, 2], []

    def key(x):
        if x != 3:
            choose([0, 1])
        elif choose([False, True]):
            items.append(0)
            items.clear()
        return x

    try:
        items.sort(key=key)
    except ValueError:
        log.append(1)
    assert not log or not which()


@explored
def test_searched_deque(which):
    log = []

    class Element:
        __hash__ = None

        def __init__(self, first):
            self.first = first

        def __eq__(self, other):
            if self.first:
                if choose([False, True]):
                    items.append(0)
                    items.pop()
                choose([0, 1])
            return False

    items = collections.deque([Element(True), Element(False)])
    items.append(0)
    items.pop()
    try:
        7 in items
    except RuntimeError:
        log.append(1)
    assert not log or not which()


@explored
@pytest.mark.parametrize("result", range(4))
def test_c_function_as_a_thread(result):
    results = queue.SimpleQueue()

    def step(a, b):
        if b == 9:
            results.put(a)
            return a
        del b
        return a * 2 + choose([0, 1])

    _thread.start_new_thread(functools.reduce, (step, [0, 1, 2, 9]))
    assert results.get() != result


@swapped
def test_looked_up_before(swap, which):
    seen, got = [], []

    class Other:
        done = False

    class Asked:
        @property
        def value(self):
            seen.append(Other.done)
            raise AttributeError

        def __getattr__(self, name):
            return "old"

    asked = Asked()

    def use():
        got.append(asked.value)

    def change():
        Asked.__getattr__ = lambda self, name: "new"
        Other.done = True

    both(change, use, swap)
    assert (seen[0], got[0]) != (True, "old") or not which()


@explored
def test_attempts_of_an_operator(which):
    class Left:
        def __add__(self, other):
            if "__radd__" in Right.__dict__:
                del Right.__radd__
            choose([0, 1])
            return NotImplemented

        def __radd__(self, other):
            return "left"

    class Right(Left):
        def __radd__(self, other):
            return NotImplemented

    if not choose([0, 1]):
        del Right.__radd__
    left, right = Left(), Right()
    try:
        result = left + right
    except TypeError:
        result = "none"
    assert result == "left" or not which()


@explored
def test_count_of_threads():
    thread = threading.Thread(target=lambda: None)
    thread.start()
    assert _thread._count() == 1


@swapped
def test_addresses(swap, which):
    if choose([0, 1]) != swap:
        a = ctypes.c_int()
        b = ctypes.c_int()
    else:
        b = ctypes.c_int()
        a = ctypes.c_int()
    assert ctypes.addressof(a) < ctypes.addressof(b) or not which()


@explored
def test_frozen_objects(which):
    gc.unfreeze()
    if choose([0, 1]):
        gc.freeze()
    assert gc.get_freeze_count() == 0 or not which()


@explored
def test_signal_mask(which):
    if choose([0, 1]):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    assert signal.SIGUSR1 not in signal.pthread_sigmask(signal.SIG_BLOCK, []) or not which()
