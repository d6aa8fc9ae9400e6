"""Global variables that are rebound through a dictionary."""

import collections
import operator
import threading
from unittest import mock


def together(*functions):
    threads = [threading.Thread(target=function) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_exec_with_locals():
    ns = {"x": 0}

    def bump():
        exec("x = x + 1", {}, ns)

    together(bump, bump)
    assert ns["x"] == 2


def test_own_globals():
    g = {"x": 0}
    exec("def f():\n    return x\n", g)
    f = g["f"]
    r = []

    def one():
        g["x"] = 1

    def two():
        a = f()
        b = f()
        r.append((a, b))

    together(one, two)
    assert r != [(0, 1)]


NAME1 = NAME2 = NAME3 = NAME4 = NAME5 = 0


def test_operator_setitem():
    r = []

    def one():
        operator.setitem(globals(), "NAME1", 1)

    def two():
        a = NAME1
        b = NAME1
        r.append((a, b))

    together(one, two)
    assert r != [(0, 1)]


def test_ior():
    r = []

    def one():
        g = globals()
        g |= {"NAME2": 1}

    def two():
        a = NAME2
        b = NAME2
        r.append((a, b))

    together(one, two)
    assert r != [(0, 1)]


def test_chainmap():
    r = []

    def one():
        collections.ChainMap(globals())["NAME3"] = 1

    def two():
        a = NAME3
        b = NAME3
        r.append((a, b))

    together(one, two)
    assert r != [(0, 1)]


def test_patch_dict():
    r = []

    def one():
        mock.patch.dict(globals(), NAME4=1).start()

    def two():
        a = NAME4
        b = NAME4
        r.append((a, b))

    together(one, two)
    assert r != [(0, 1)]


def test_monkeypatch_setitem(monkeypatch):
    r = []

    def one():
        monkeypatch.setitem(globals(), "NAME5", 1)

    def two():
        a = NAME5
        b = NAME5
        r.append((a, b))

    together(one, two)
    assert r != [(0, 1)]
