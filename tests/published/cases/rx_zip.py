"""Two sources, one value each, one pair."""

import threading

import pytest
import rx
from rx.subject import Subject


def fail(error):
    raise error


@pytest.mark.statespace(trace=["rx.core.observable.zip"])
def test_one_pair():
    left, right, pairs = Subject(), Subject(), []
    rx.zip(left, right).subscribe(pairs.append, on_error=fail)
    threads = [threading.Thread(target=source.on_next, args=(1,)) for source in (left, right)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert pairs == [(1, 1)]
