"""Lock-order deadlock: two transfers in opposite directions take the same two locks in opposite order."""

from threading import Lock, Thread

import pytest


class Account:
    def __init__(self, name, balance):
        self.name = name
        self.balance = balance
        self.lock = Lock()


def transfer(source, target, amount):
    with source.lock:
        with target.lock:
            source.balance -= amount
            target.balance += amount


@pytest.mark.statespace
def test_opposite_transfers():
    alice, bob = Account("alice", 100), Account("bob", 100)
    there = Thread(target=transfer, args=(alice, bob, 10))
    back = Thread(target=transfer, args=(bob, alice, 20))
    there.start()
    back.start()
    there.join()
    back.join()
    assert alice.balance + bob.balance == 200
