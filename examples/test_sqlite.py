"""A race in SQL: read, compute, write back. The in-memory database is memory of a C extension, and rewinds."""

import sqlite3
from threading import Thread

import pytest


@pytest.fixture
def shop():
    connection = sqlite3.connect(":memory:", check_same_thread=False)
    connection.execute("CREATE TABLE stock (item TEXT, amount INTEGER)")
    connection.execute("INSERT INTO stock VALUES ('book', 10)")
    yield connection
    connection.close()


def amount(shop):
    return shop.execute("SELECT amount FROM stock").fetchone()[0]


def sell_read_then_write(shop):
    left = amount(shop)
    shop.execute("UPDATE stock SET amount = ?", (left - 1,))


def sell_in_one_statement(shop):
    shop.execute("UPDATE stock SET amount = amount - 1")


def two_sales(shop, sell):
    threads = [Thread(target=sell, args=(shop,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.mark.statespace
def test_read_then_write(shop):
    two_sales(shop, sell_read_then_write)
    assert amount(shop) == 8


@pytest.mark.statespace
def test_one_statement(shop):
    two_sales(shop, sell_in_one_statement)
    assert amount(shop) == 8
