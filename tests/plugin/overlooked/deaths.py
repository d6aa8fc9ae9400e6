"""The death of an object that others reach weakly, or that uses a buffer of theirs."""

import threading
import weakref


def together(*functions):
    threads = [threading.Thread(target=function) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class W:
    pass


def test_weakref_at_return():
    refs = []
    done = []
    r = []

    def one():
        o = W()
        refs.append(weakref.ref(o))
        done.append(1)

    def two():
        if done:
            r.append(refs[0]() is not None)

    together(one, two)
    assert r != [True]


def test_weakset():
    ws = weakref.WeakSet()
    done = []
    r = []

    def one():
        o = W()
        ws.add(o)
        done.append(1)

    def two():
        if done:
            r.append(len(ws))

    together(one, two)
    assert r != [1]


def test_finalize():
    r = []
    done = []

    def one():
        o = W()
        weakref.finalize(o, r.append, "fin")
        done.append(1)

    def two():
        if done:
            r.append("two")

    together(one, two)
    assert r != ["two", "fin"]


def test_two_deaths():
    refs = []
    r = []
    ready = threading.Event()

    def nothing():
        pass

    def one():
        o = W()
        p = W()
        refs.append(weakref.ref(o))
        refs.append(weakref.ref(p))
        ready.set()
        del o
        nothing()
        del p

    def two():
        ready.wait()
        a = refs[0]()
        b = refs[1]()
        r.append((a is None, b is None))

    together(one, two)
    assert r != [(True, False)]


def test_exported_buffer():
    ba = bytearray(2)
    r = []
    done = []

    def one():
        m = memoryview(ba)
        done.append(1)

    def two():
        if done:
            try:
                ba.append(1)
            except BufferError:
                r.append(1)

    together(one, two)
    assert not r
