"""What comes to threads from outside their code: interrupts, lost exceptions, children that never were."""

from __future__ import annotations

from typing import Any

import pytest


def test_interrupts_and_hooks(pytester: pytest.Pytester, results: Any) -> None:
    pytester.makepyfile(
        """
        import _thread, asyncio, os, signal, sys, threading
        import pytest
        from pytest_statespace import observe

        pytestmark = pytest.mark.statespace
        signal.signal(signal.SIGINT, signal.default_int_handler)  # it is ignored in a shell's background jobs

        def test_interrupted_by_a_thread():
            thread = threading.Thread(target=_thread.interrupt_main)
            with pytest.raises(KeyboardInterrupt):
                thread.start()
                thread.join()
                signal.getsignal(signal.SIGINT)
            observe("interrupted")

        def test_signals_itself():
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
                signal.getsignal(signal.SIGINT)

        def test_its_own_handler():
            seen = []
            signal.signal(signal.SIGINT, lambda number, frame: seen.append(threading.current_thread().name))
            thread = threading.Thread(target=os.kill, args=(os.getpid(), signal.SIGINT))
            thread.start()
            thread.join()
            assert seen == ["MainThread"]

        def raising():
            raise ValueError("lost")

        def wait_for(threads):
            while _thread._count() > threads:
                threading.Event().wait(0.01)

        def test_lost():
            _thread.start_new_thread(raising, ())
            wait_for(0)

        def test_lost_on_purpose(monkeypatch):
            seen = []
            sys.unraisablehook = lambda args: seen.append(str(args.exc_value))
            _thread.start_new_thread(raising, ())
            wait_for(0)
            assert seen == ["lost"]

        def test_lost_elsewhere():
            class Broken:
                def __del__(self): raise ValueError("not of a thread")
            Broken()

        def test_no_children():
            with pytest.raises(ChildProcessError):
                os.waitpid(-1, os.WNOHANG)

        def test_somebody_elses_child():
            os.waitpid(1, os.WNOHANG)
        """
    )
    tests = results("-p", "no:unraisableexception")
    failed = {name: test["reason"] for name, test in tests.items() if test["verdict"] != "verified"}
    assert set(failed) == {"test_lost", "test_somebody_elses_child"}, failed
    assert failed["test_lost"] == "exception: ValueError: lost"
    assert failed["test_somebody_elses_child"].startswith("wait4 (another program)")


def test_a_second_copy_of_a_module(pytester: pytest.Pytester, results: Any) -> None:
    pytester.makepyfile(
        """
        import importlib, sys, threading
        import pytest

        del sys.modules["_queue"]
        second = importlib.import_module("_queue")

        @pytest.mark.statespace
        def test_waits():
            queue = second.SimpleQueue()
            thread = threading.Thread(target=queue.put, args=(1,))
            thread.start()
            assert queue.get() == 1
            thread.join()
            with pytest.raises(second.Empty):
                queue.get(timeout=1)
        """
    )
    assert results()["test_waits"]["verdict"] == "verified"
