"""One thread reads the cache, another one empties it."""

import threading

import pytest
from repoze.lru import LRUCache


@pytest.mark.statespace(trace=["repoze.lru"])
def test_read_while_it_is_emptied():
    cache = LRUCache(2)
    cache.put("key", 1)
    cleaner = threading.Thread(target=cache.clear)
    cleaner.start()
    assert cache.get("key") in (1, None)
    cleaner.join()
