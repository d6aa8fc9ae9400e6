"""A builtin name is set, and read as a global variable."""

import builtins
import threading

import pytest


def together(*functions):
    threads = [threading.Thread(target=function) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


builtins.QQ = 0


@pytest.mark.statespace(strategy="dpor")
def test_read_after_write():
    out = [None]

    def one():
        builtins.QQ = 1

    def two():
        out[0] = QQ

    together(one, two)
    assert out != [1]


@pytest.mark.statespace(strategy="dpor")
def test_read_before_write():
    out = [None]

    def one():
        builtins.QQ = 1

    def two():
        out[0] = QQ

    together(one, two)
    assert out != [0]


@pytest.mark.statespace
def test_default_search():
    r = []

    def one():
        builtins.QQ = 1

    def two():
        a = QQ
        b = QQ
        r.append((a, b))

    together(one, two)
    assert r != [(0, 1)]
