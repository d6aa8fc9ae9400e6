"""An actor is busy, and two ask it to stop."""

import threading

import pykka
import pytest


class Worker(pykka.ThreadingActor):
    def on_receive(self, message):
        message["go"].wait()


@pytest.mark.statespace(trace=["pykka"])
def test_everybody_is_answered():
    actor, go = Worker.start(), threading.Event()
    actor.tell({"go": go})
    stopped = [actor.ask({"command": "pykka_stop"}, block=False) for _ in range(2)]
    go.set()
    for future in stopped:
        future.get()
