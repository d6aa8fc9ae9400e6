"""Check-then-act: two threads both find that the instance does not exist yet, and both make one."""

from threading import Lock, Thread

import pytest


class Connection:
    """Opened lazily, at most once, or so it should be."""

    instance = None
    lock = Lock()

    @classmethod
    def get(cls):
        if cls.instance is None:
            cls.instance = cls()
        return cls.instance

    @classmethod
    def get_locked(cls):
        with cls.lock:
            return cls.get()


def connections_of_two_threads(get):
    found = []
    threads = [Thread(target=lambda: found.append(get())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


@pytest.mark.statespace
def test_lazy_singleton():
    first, second = connections_of_two_threads(Connection.get)
    assert first is second


@pytest.mark.statespace
def test_locked_singleton():
    first, second = connections_of_two_threads(Connection.get_locked)
    assert first is second
