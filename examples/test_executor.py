"""A task in an executor: what it returns is safe, what it adds to shared totals itself is not."""

from concurrent.futures import ThreadPoolExecutor

import pytest


class Totals:
    def __init__(self):
        self.size = 0

    def add(self, size):
        self.size += size


@pytest.mark.statespace
def test_task_adds_up():
    totals = Totals()
    with ThreadPoolExecutor(max_workers=1) as pool:
        pool.submit(totals.add, 10)
        totals.add(20)
    assert totals.size == 30


@pytest.mark.statespace(granularity="sync")
def test_task_returns():
    totals = Totals()
    with ThreadPoolExecutor(max_workers=1) as pool:
        future = pool.submit(abs, 10)
        totals.add(20)
        totals.add(future.result())
    assert totals.size == 30
