"""What the standard library and pytest read or write before any visible operation."""

import logging
import threading
from concurrent.futures import ThreadPoolExecutor


def together(*functions):
    threads = [threading.Thread(target=function) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_barrier_broken():
    b = threading.Barrier(2)
    r = []

    def one():
        b.abort()

    def two():
        x = b.broken
        y = b.broken
        r.append((x, y))

    together(one, two)
    assert r != [(False, True)]


def test_barrier_n_waiting():
    b = threading.Barrier(2)
    r = []

    def one():
        b.wait()

    def two():
        x = b.n_waiting
        y = b.n_waiting
        r.append((x, y))
        b.wait()

    together(one, two)
    assert r != [(0, 1)]


def test_thread_ident():
    r = []
    t = threading.Thread(target=lambda: None)

    def one():
        t.start()

    def two():
        x = t.ident
        y = t.ident
        r.append((x is None, y is None))

    together(one, two)
    t.join()
    assert r != [(True, False)]


def test_thread_name():
    r = []
    t = threading.Thread(target=lambda: None)

    def one():
        t.name = "x"
        t.name = "y"

    def two():
        r.append(t.name)

    together(one, two)
    assert r != ["x"]


def test_monkeypatch(monkeypatch):
    d = {"x": 0}
    r = []

    def one():
        monkeypatch.setitem(d, "x", 1)
        monkeypatch.setitem(d, "x", 2)

    def two():
        r.append(d["x"])

    together(one, two)
    assert r != [1]


def test_caplog(caplog):
    r = []

    def one():
        logging.warning("x")

    def two():
        a = caplog.text
        b = caplog.text
        r.append((bool(a), bool(b)))

    together(one, two)
    assert r != [(False, True)]


def test_executor_names():
    r = []

    def one():
        a = ThreadPoolExecutor(1)
        b = ThreadPoolExecutor(1)
        r.append(int(b._thread_name_prefix[-1]) - int(a._thread_name_prefix[-1]))

    def two():
        ThreadPoolExecutor(1)

    together(one, two)
    assert r != [2]
