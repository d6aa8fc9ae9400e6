"""Handlers that look into private structs are checked on live objects; what does not fit is compared raw."""

from __future__ import annotations

import _decimal
import _io
import _pydecimal
import _pyio
import array
import asyncio
import collections
import contextvars
import datetime
import queue
import re
from typing import Any

import pytest
from mutations import case, histories
from pairs import call
from test_equal_and_changed import compare

from pytest_statespace._native import _bridge

pytestmark = pytest.mark.skipif(not _bridge.supported()[0], reason=_bridge.supported()[1])

LOADED = (array, asyncio, collections, contextvars, datetime, queue, re)
"""Modules whose types have handlers: what is not loaded is not checked."""

NAMES = {
    "OrderedDict iterator", "abc data", "array.array", "collections.OrderedDict", "collections.deque",
    "contextvars.Context", "date", "datetime", "decimal.Decimal", "deque iterator", "dict_itemiterator",
    "dict_keyiterator", "dict_reverseitemiterator", "dict_reversekeyiterator", "dict_reversevalueiterator",
    "dict_valueiterator", "functools.lru_cache", "io.BytesIO", "io.StringIO", "queue.SimpleQueue",
    "re.Match", "reversed deque iterator", "set iterator", "threading.Lock", "threading.RLock", "time", "timedelta",
    "types.GenericAlias", "types.UnionType",
}  # fmt: skip


class Array(list[Any]):
    """An array by name only."""

    def __init__(self, code: str, items: Any = ()) -> None:
        super().__init__(items)


def test_every_layout_is_known_here() -> None:
    layouts = _bridge.layouts()
    assert not [name for name, known in layouts.items() if not known]
    assert not NAMES - layouts.keys()


@pytest.mark.parametrize(
    ("module", "name", "other", "layout"),
    [
        (_decimal, "Decimal", _pydecimal.Decimal, "decimal.Decimal"),
        (_io, "StringIO", _pyio.StringIO, "io.StringIO"),
        (array, "array", Array, "array.array"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_another_layout_is_noticed_and_still_compared(
    monkeypatch: pytest.MonkeyPatch, module: Any, name: str, other: Any, layout: str
) -> None:
    monkeypatch.setattr(module, name, other)
    layouts = _bridge.layouts()
    assert [unknown for unknown, known in layouts.items() if not known] == [layout]
    cases = [
        case("number", lambda: _pydecimal.Decimal("1.5"), others=[lambda: _pydecimal.Decimal("2.5")]),
        case("text", lambda: _pyio.StringIO("ab"), changes=[call("read", 1), call("write", "x"), call("close")]),
        case("list", lambda: other("i", [1, 2]) if layout == "array.array" else [], changes=[call("append", 3)]),
    ]
    assert not compare([case.name for case in cases], [histories(case) for case in cases])
    monkeypatch.undo()
    assert all(_bridge.layouts().values())
