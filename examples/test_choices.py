"""``choose``, ``always`` and ``observe``: input values are explored too, invariants checked at every choice point."""

from threading import Lock, Thread

import pytest

from pytest_statespace import always, choose, observe


class Bank:
    def __init__(self):
        self.alice, self.bob = 100, 100
        self.lock = Lock()

    def pay(self, amount):
        with self.lock:
            if self.alice >= amount:
                self.alice, self.bob = self.alice - amount, self.bob + amount


@pytest.mark.statespace(granularity="sync")
def test_payments_never_overdraw():
    bank = Bank()
    always(lambda: bank.alice >= 0)
    amount = choose([1, 60, 100])
    threads = [Thread(target=bank.pay, args=(amount,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    observe(bank.alice)
    assert bank.alice + bank.bob == 200
