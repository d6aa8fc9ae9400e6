"""A writer may read, whoever else wants to write."""

import threading

import fasteners
import pytest


@pytest.mark.statespace(trace=["fasteners"])
def test_a_writer_may_read():
    lock = fasteners.ReaderWriterLock()

    def write_and_read():
        with lock.write_lock(), lock.read_lock():
            pass

    def write():
        with lock.write_lock():
            pass

    threads = [threading.Thread(target=work) for work in (write_and_read, write)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
