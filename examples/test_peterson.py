"""Peterson's algorithm: mutual exclusion by shared variables alone. It spins, and it is verified all the same."""

from threading import Thread

import pytest


class Peterson:
    def __init__(self):
        self.wants = [False, False]
        self.turn = 0
        self.inside = 0

    def critical_section(self, me):
        other = 1 - me
        self.wants[me] = True
        self.turn = other
        while self.wants[other] and self.turn == other:
            pass
        self.inside += 1
        assert self.inside == 1
        self.inside -= 1
        self.wants[me] = False


class Hasty(Peterson):
    """Asks before it says what it wants: both may enter."""

    def critical_section(self, me):
        other = 1 - me
        while self.wants[other]:
            pass
        self.wants[me] = True
        self.inside += 1
        assert self.inside == 1
        self.inside -= 1
        self.wants[me] = False


def both_enter(algorithm):
    threads = [Thread(target=algorithm.critical_section, args=(me,)) for me in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.mark.statespace
def test_peterson_excludes():
    both_enter(Peterson())


@pytest.mark.statespace
def test_hasty_does_not():
    both_enter(Hasty())
