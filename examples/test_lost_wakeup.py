"""``if`` instead of ``while`` around ``Condition.wait``: a consumer wakes up and finds the queue empty again."""

from threading import Condition, Thread

import pytest


class Mailbox:
    def __init__(self):
        self.messages = []
        self.filled = Condition()

    def put(self, message):
        with self.filled:
            self.messages.append(message)
            self.filled.notify()

    def take_if(self):
        with self.filled:
            if not self.messages:
                self.filled.wait()
            return self.messages.pop()

    def take_while(self):
        with self.filled:
            while not self.messages:
                self.filled.wait()
            return self.messages.pop()


def two_takers(mailbox, take):
    takers = [Thread(target=take) for _ in range(2)]
    for taker in takers:
        taker.start()
    mailbox.put("a")
    mailbox.put("b")
    for taker in takers:
        taker.join()
    assert mailbox.messages == []


@pytest.mark.statespace(granularity="sync")
def test_take_with_if():
    mailbox = Mailbox()
    two_takers(mailbox, mailbox.take_if)


@pytest.mark.statespace(granularity="sync")
def test_take_with_while():
    mailbox = Mailbox()
    two_takers(mailbox, mailbox.take_while)
