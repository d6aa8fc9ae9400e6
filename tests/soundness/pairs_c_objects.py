"""Locks, queues, streams, and memory of C extensions."""

from __future__ import annotations

import _queue
import _thread
import array
import hashlib
import io
import json
import queue
import random
import sqlite3
import struct
import threading
import zlib
from typing import Any

from pairs import Pair, after, call, different, put, same


def table(*rows: int) -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:")
    connection.execute("create table t (a)")
    for row in rows:
        connection.execute("insert into t values (?)", (row,))
    return connection


def written(stream: Any, *parts: Any) -> Any:
    made = stream()
    for part in parts:
        made.write(part)
    return made


PAIRS: list[Pair] = [
    same("lock", _thread.allocate_lock, lambda: after(_thread.allocate_lock, call("acquire"), call("release"))),
    different("lock held", _thread.allocate_lock, lambda: after(_thread.allocate_lock, call("acquire"))),
    same(
        "RLock",
        lambda: after(_thread.RLock, call("acquire")),
        lambda: after(_thread.RLock, call("acquire"), call("acquire"), call("release")),
    ),
    different(
        "RLock count",
        lambda: after(_thread.RLock, call("acquire")),
        lambda: after(_thread.RLock, call("acquire"), call("acquire")),
    ),
    different("RLock held", _thread.RLock, lambda: after(_thread.RLock, call("acquire"))),
    same("RLock released", _thread.RLock, lambda: after(_thread.RLock, call("acquire"), call("release"))),
    different("thread local", threading.local, lambda: after(threading.local, put("x", 1))),
    same(
        "thread local",
        lambda: after(threading.local, put("x", 1)),
        lambda: after(threading.local, put("x", 0), put("x", 1)),
    ),
    same(
        "Condition",
        threading.Condition,
        lambda: after(threading.Condition, call("acquire"), call("notify"), call("release")),
    ),
    different("Event", threading.Event, lambda: after(threading.Event, call("set"))),
    same("Event", threading.Event, lambda: after(threading.Event, call("set"), call("clear"))),
    different("Semaphore", threading.Semaphore, lambda: after(threading.Semaphore, call("acquire"))),
    same(
        "SimpleQueue",
        lambda: after(_queue.SimpleQueue, call("put", 1)),
        lambda: after(_queue.SimpleQueue, call("put", 0), call("put", 1), call("get")),
    ),
    different(
        "SimpleQueue",
        lambda: after(_queue.SimpleQueue, call("put", 1)),
        lambda: after(_queue.SimpleQueue, call("put", 1), call("put", 1)),
    ),
    # Queue.unfinished_tasks differs.
    different(
        "Queue",
        lambda: after(queue.Queue, call("put", 1)),
        lambda: after(queue.Queue, call("put", 0), call("put", 1), call("get")),
    ),
    different("Random", lambda: random.Random(1), lambda: after(lambda: random.Random(1), call("random"))),
    same("Random", lambda: random.Random(1), lambda: after(lambda: random.Random(2), call("seed", 1))),
    same("StringIO", lambda: written(io.StringIO, "a", "b"), lambda: written(io.StringIO, "a", "b")),
    different("StringIO", lambda: written(io.StringIO, "ab"), lambda: written(io.StringIO, "ac")),
    same("BytesIO", lambda: written(io.BytesIO, b"ab"), lambda: written(io.BytesIO, b"a", b"b")),
    different(
        "BytesIO position",
        lambda: written(io.BytesIO, b"ab"),
        lambda: after(lambda: written(io.BytesIO, b"ab"), call("seek", 0)),
    ),
    same("array", lambda: array.array("i", [1, 2]), lambda: after(lambda: array.array("i", [1, 2, 3]), call("pop"))),
    different("array", lambda: array.array("i", [1, 2]), lambda: array.array("i", [1, 3])),
    different("array type", lambda: array.array("i", [1]), lambda: array.array("I", [1])),
    different("memoryview", lambda: memoryview(b"ab"), lambda: memoryview(b"ab")[1:]),
    different(
        "hash object",
        lambda: after(hashlib.md5, call("update", b"a")),
        lambda: after(hashlib.md5, call("update", b"b")),
    ),
    different("compressor", zlib.compressobj, lambda: after(zlib.compressobj, call("compress", b"abc" * 100))),
    different("struct", lambda: struct.Struct("i"), lambda: struct.Struct("q")),
    same("decoder", json.JSONDecoder, json.JSONDecoder),
    different("database row", lambda: table(1), lambda: table(2)),
    different("database rows", lambda: table(1), lambda: table(1, 1)),
]
