"""One thread throws its connection away while another one connects."""

import threading

import pytest
from playhouse.pool import PooledSqliteDatabase


@pytest.mark.statespace(trace=["playhouse.pool"])
def test_close_while_another_connects():
    database = PooledSqliteDatabase(":memory:", max_connections=2)

    def throw_away():
        database.connect()
        database.manual_close()

    threads = [threading.Thread(target=work) for work in (throw_away, database.connect)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
