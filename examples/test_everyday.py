"""An ordinary test file, not written for this plugin: fixtures, Thread subclasses, a Timer, an executor, a lock."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

_log_lock = threading.Lock()
_log = []


def log(line):
    with _log_lock:
        _log.append(line)


class Downloader(threading.Thread):
    def __init__(self, url, results):
        super().__init__(name=f"download {url}")
        self.url = url
        self.results = results

    def run(self):
        log(f"fetching {self.url}")
        self.results[self.url] = len(self.url)


@pytest.fixture
def results():
    _log.clear()
    yield {}
    _log.clear()


@pytest.mark.statespace(granularity="sync")
def test_thread_subclasses(results):
    downloads = [Downloader(url, results) for url in ("a", "bb")]
    for download in downloads:
        download.start()
    for download in downloads:
        download.join()
    assert results == {"a": 1, "bb": 2}
    assert sorted(_log) == ["fetching a", "fetching bb"]


@pytest.mark.statespace(granularity="sync")
def test_timer(results):
    fired = threading.Event()
    timer = threading.Timer(3600, fired.set)  # virtual time: an hour costs nothing
    timer.start()
    assert fired.wait(timeout=7200)
    timer.join()


@pytest.mark.statespace(granularity="sync", preemptions=1)
def test_executor(results):
    with ThreadPoolExecutor(max_workers=2) as pool:
        squares = list(pool.map(lambda n: n * n, [2, 3]))
    assert squares == [4, 9]
