"""Class attributes and methods that are read through an instance which nobody else can reach."""

import threading


def together(*functions):
    threads = [threading.Thread(target=function) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class Conn:
    total = 0

    def open(self):
        if self.total < 1:  # (1) read
            Conn.total = self.total + 1  # (2) read again, (3) write


def test_check_then_act():
    def one():
        Conn().open()

    together(one, one)
    assert Conn.total <= 1  # 2: thread B does (1), A does (1)(2)(3), B does (2)(3)


class Other:
    base = 0

    def label(self):
        return "old"


def test_two_reads():
    r = []

    def one():
        Other.base = 1

    def two():
        o = Other()
        a = o.base
        b = o.base
        r.append((a, b))

    together(one, two)
    assert r != [(0, 1)]


def test_method_replaced():
    r = []

    def one():
        Other.label = lambda self: "new"

    def two():
        o = Other()
        a = o.label()
        b = o.label()
        r.append((a, b))

    together(one, two)
    assert r != [("old", "new")]
