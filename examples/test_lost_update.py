"""Lost update: two threads read the same value before either writes it back."""

from threading import Thread

import pytest


class Counter:
    def __init__(self):
        self.value = 0

    def increment(self):
        self.value += 1


@pytest.mark.statespace
def test_two_increments_count_to_two():
    counter = Counter()
    threads = [Thread(target=counter.increment) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counter.value == 2
