"""A bug that only shows without a GIL: CPython up to 3.13 can't switch threads inside of ``+= 1``.

The language promises nothing of the kind, so the default granularity reports it, and the report says
"not reachable on this interpreter, only without a GIL" (JSON: ``"gil_reachable": false``). Granularity
``gil`` explores what this interpreter can do, and finds nothing. A call between reading and writing,
``self.hits = self.hits + weight()``, would be enough to lose updates here too.
"""

import threading

import pytest


class Page:
    def __init__(self):
        self.hits = 0

    def visit(self):
        self.hits += 1


def visit_twice(page):
    visitors = [threading.Thread(target=page.visit) for _ in range(2)]
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        visitor.join()


@pytest.mark.statespace
def test_hits_without_gil():
    page = Page()
    visit_twice(page)
    assert page.hits == 2


@pytest.mark.statespace(granularity="gil")
def test_hits_with_gil():
    page = Page()
    visit_twice(page)
    assert page.hits == 2
