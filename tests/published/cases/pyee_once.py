"""A handler for one event, and two events at once."""

import threading

import pytest
from pyee import BaseEventEmitter


@pytest.mark.statespace(trace=["pyee"])
def test_once_is_once():
    emitter, calls = BaseEventEmitter(), []
    emitter.once("ready", lambda: calls.append(1))
    threads = [threading.Thread(target=emitter.emit, args=("ready",)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) == 1
