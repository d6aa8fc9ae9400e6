"""What C code does after a callback has returned is no part of its last access."""

import collections
import functools
import threading


def together(*functions):
    threads = [threading.Thread(target=function) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_defaultdict():
    made = []
    r = []

    def factory():
        made.append(1)
        return 0

    d = collections.defaultdict(factory)

    def one():
        d["k"]

    def two():
        n = len(made)
        r.append((n, "k" in d))

    together(one, two)
    assert r != [(1, False)]


def test_lru_cache():
    made = []
    r = []

    @functools.lru_cache
    def f(x):
        made.append(1)
        return x

    def one():
        f(1)

    def two():
        n = len(made)
        r.append((n, f.cache_info().currsize))

    together(one, two)
    assert r != [(1, 0)]


def test_cached_property():
    made = []
    r = []

    class K:
        @functools.cached_property
        def v(self):
            made.append(1)
            return 5

    k = K()

    def one():
        k.v

    def two():
        n = len(made)
        r.append((n, "v" in vars(k)))

    together(one, two)
    assert r != [(1, False)]


def test_sort_key():
    made = []
    r = []
    l = [3, 1]

    def key(x):
        made.append(1)
        return x

    def one():
        l.sort(key=key)

    def two():
        n = len(made)
        r.append((n, len(l)))

    together(one, two)
    assert r != [(2, 0)]


def test_extend_by_generator():
    made = []
    r = []
    l = []

    def gen():
        made.append(1)
        yield 1

    def one():
        l.extend(gen())

    def two():
        n = len(made)
        r.append((n, len(l)))

    together(one, two)
    assert r != [(1, 0)]


def test_dict_hash():
    made = []
    r = []
    d = {}

    class Key:
        def __hash__(self):
            made.append(1)
            return 1

    k = Key()

    def one():
        d[k] = 1

    def two():
        n = len(made)
        r.append((n, len(d)))

    together(one, two)
    assert r != [(1, 0)]
