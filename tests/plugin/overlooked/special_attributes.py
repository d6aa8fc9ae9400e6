"""Instances that get another class, classes other bases, functions other code or defaults."""

import threading


def together(*functions):
    threads = [threading.Thread(target=function) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class Open:
    color = "o"

    def state(self):
        return "open"


class Closed:
    color = "c"

    def state(self):
        return "closed"


def test_isinstance():
    o = Open()
    r = []

    def one():
        o.__class__ = Closed

    def two():
        a = isinstance(o, Closed)
        b = isinstance(o, Closed)
        r.append((a, b))

    together(one, two)
    assert r != [(False, True)]


def test_type():
    o = Open()
    r = []

    def one():
        o.__class__ = Closed

    def two():
        a = type(o)
        b = type(o)
        r.append((a, b))

    together(one, two)
    assert r != [(Open, Closed)]


def test_method():
    o = Open()
    r = []

    def one():
        o.__class__ = Closed

    def two():
        a = o.state()
        b = o.state()
        r.append((a, b))

    together(one, two)
    assert r != [("open", "closed")]


def test_class_attribute():
    o = Open()
    r = []

    def one():
        o.__class__ = Closed

    def two():
        a = o.color
        b = o.color
        r.append((a, b))

    together(one, two)
    assert r != [("o", "c")]


class B1:
    def who(self):
        return 1


class B2:
    def who(self):
        return 2


class S(B1):
    pass


def test_bases():
    o = S()
    r = []

    def one():
        S.__bases__ = (B2,)

    def two():
        a = o.who()
        b = o.who()
        r.append((a, b))

    together(one, two)
    assert r != [(1, 2)]


def f(x=1):
    return x


def g(x=1):
    return 2


def test_defaults():
    r = []

    def one():
        f.__defaults__ = (2,)

    def two():
        a = f()
        b = f()
        r.append((a, b))

    together(one, two)
    assert r != [(1, 2)]


def test_code():
    r = []

    def one():
        f.__code__ = g.__code__

    def two():
        a = f()
        b = f()
        r.append((a, b))

    together(one, two)
    assert r != [(1, 2)]
