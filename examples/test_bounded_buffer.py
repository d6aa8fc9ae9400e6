"""A bounded buffer: with one condition for both sides ``notify`` can wake the wrong one; with two it can't."""

from threading import Condition, Lock, Thread

import pytest


class OneCondition:
    """Producers and consumers wait on the same condition, and ``notify`` wakes whoever came first."""

    def __init__(self, capacity):
        self.capacity = capacity
        self.items = []
        self.changed = Condition()

    def put(self, item):
        with self.changed:
            while len(self.items) == self.capacity:
                self.changed.wait()
            self.items.append(item)
            self.changed.notify()

    def get(self):
        with self.changed:
            while not self.items:
                self.changed.wait()
            item = self.items.pop(0)
            self.changed.notify()
            return item


class TwoConditions:
    """Each side has its own condition on the one lock."""

    def __init__(self, capacity):
        self.capacity = capacity
        self.items = []
        lock = Lock()
        self.not_full = Condition(lock)
        self.not_empty = Condition(lock)

    def put(self, item):
        with self.not_full:
            while len(self.items) == self.capacity:
                self.not_full.wait()
            self.items.append(item)
            self.not_empty.notify()

    def get(self):
        with self.not_empty:
            while not self.items:
                self.not_empty.wait()
            item = self.items.pop(0)
            self.not_full.notify()
            return item


def pass_through(buffer, *, producers, consumers):
    threads = [Thread(target=buffer.put, args=(n,)) for n in range(producers)]
    threads += [Thread(target=buffer.get) for _ in range(consumers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert buffer.items == []


@pytest.mark.statespace(granularity="sync")
def test_one_condition():
    pass_through(OneCondition(1), producers=2, consumers=2)


@pytest.mark.statespace(granularity="sync")
def test_two_conditions():
    pass_through(TwoConditions(1), producers=1, consumers=1)
