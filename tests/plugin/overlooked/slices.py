"""A shared sequence is read by an assignment to a slice of a local one."""

import threading


def together(*functions):
    threads = [threading.Thread(target=function) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_slice():  # 3.11
    shared = [1]
    r = []

    def one():
        shared.append(2)

    def two():
        m = [0]
        m[:] = shared
        n = [0]
        n[:] = shared
        r.append((len(m), len(n)))

    together(one, two)
    assert r != [(1, 2)]


def test_slice_with_step():  # all versions
    shared = [1]
    r = []

    def one():
        shared[0] = 2

    def two():
        m = [0]
        m[::1] = shared
        n = [0]
        n[::1] = shared
        r.append((m[0], n[0]))

    together(one, two)
    assert r != [(1, 2)]


def test_bytearray_with_step():
    shared = bytearray(1)
    r = []

    def one():
        shared[0] = 2

    def two():
        m = bytearray(1)
        m[::1] = shared
        n = bytearray(1)
        n[::1] = shared
        r.append((m[0], n[0]))

    together(one, two)
    assert r != [(0, 2)]
