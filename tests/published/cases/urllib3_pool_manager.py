"""Two threads, two hosts, and a manager that keeps one pool."""

import threading

import pytest
import urllib3


@pytest.mark.statespace(trace=["urllib3.poolmanager", "urllib3._collections", "urllib3.connectionpool"])
def test_a_pool_in_use_stays_open():
    manager = urllib3.PoolManager(num_pools=1)

    def visit(host):
        pool = manager.connection_from_host(host)
        pool._put_conn(pool._get_conn())  # what urlopen() does around a request

    threads = [threading.Thread(target=visit, args=(host,)) for host in ("a.test", "b.test")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
