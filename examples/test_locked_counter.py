"""The lost update, repaired: every interleaving counts correctly, and this is verified."""

from threading import Lock, Thread

import pytest

LOCK = Lock()  # made at import time: takes part all the same


class Counter:
    def __init__(self):
        self.value = 0

    def increment(self, times):
        for _ in range(times):
            with LOCK:
                self.value += 1


@pytest.mark.statespace
def test_locked_increments_are_never_lost():
    counter = Counter()
    threads = [Thread(target=counter.increment, args=(2,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counter.value == 4
