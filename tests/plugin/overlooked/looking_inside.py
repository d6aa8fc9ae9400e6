"""Builtins that look up attributes of classes, modules and functions."""

import sys
import threading


def together(*functions):
    threads = [threading.Thread(target=function) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


me = sys.modules[__name__]
SETTING = 0


def test_getattr_module():
    r = []

    def one():
        global SETTING
        SETTING = 1

    def two():
        a = getattr(me, "SETTING")
        b = getattr(me, "SETTING")
        r.append((a, b))

    together(one, two)
    assert r != [(0, 1)]


class K:
    attr = 0


def test_getattr_class():
    r = []

    def one():
        K.attr = 1

    def two():
        a = getattr(K, "attr")
        b = getattr(K, "attr")
        r.append((a, b))

    together(one, two)
    assert r != [(0, 1)]


def cached():
    pass


def test_hasattr_function():
    r = []

    def one():
        cached.inst = 1

    def two():
        a = hasattr(cached, "inst")
        b = hasattr(cached, "inst")
        r.append((a, b))

    together(one, two)
    assert r != [(False, True)]


def test_str_format():
    r = []

    def one():
        K.attr = 1

    def two():
        a = "{0.attr}".format(K)
        b = "{0.attr}".format(K)
        r.append((a, b))

    together(one, two)
    assert r != [("0", "1")]


def test_repr_class():
    r = []

    def one():
        K.__qualname__ = "Z"

    def two():
        a = repr(K)
        b = repr(K)
        r.append((a[-3], b[-3]))

    together(one, two)
    assert r != [("K", "Z")]


class Base:
    pass


def test_subclasses():
    r = []

    def one():
        class A(Base):
            pass

        class B(Base):
            pass

        r.append((A, B))

    def two():
        r.append(len(Base.__subclasses__()))

    together(one, two)
    assert 1 not in r
