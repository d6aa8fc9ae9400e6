"""Dining philosophers: everybody takes the left fork first and waits for ever, or the forks have an order."""

from threading import Lock, Thread

import pytest


def dine(first, second, meals, who):
    with first:
        with second:
            meals.append(who)


def dinner(n, *, ordered):
    forks = [Lock() for _ in range(n)]
    meals = []
    threads = []
    for who in range(n):
        left, right = who, (who + 1) % n
        if ordered and left > right:
            left, right = right, left
        threads.append(Thread(target=dine, args=(forks[left], forks[right], meals, who)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return meals


@pytest.mark.statespace(granularity="sync")
def test_left_fork_first():
    assert sorted(dinner(3, ordered=False)) == [0, 1, 2]


@pytest.mark.statespace(granularity="sync")
def test_ordered_forks():
    assert sorted(dinner(3, ordered=True)) == [0, 1, 2]
