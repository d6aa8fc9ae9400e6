"""Locks, queues, streams, generators of random numbers, and memory of C extensions."""

from __future__ import annotations

import _queue
import _random
import _thread
import collections
import csv
import ctypes
import hashlib
import hmac
import io
import itertools
import json
import mmap
import pickle
import queue
import random
import sqlite3
import sys
import threading
import zlib
from collections.abc import Callable
from typing import Any

from mutations import Case, case
from pairs import after, call, drop, put


class Node:
    pass


class Local(threading.local):
    def __init__(self, n: int = 0) -> None:
        self.n = n


class LockInside:
    def __init__(self) -> None:
        self.lock = threading.Lock()


class Buffer(io.BytesIO):
    pass


def held(make: Callable[[], Any], times: int = 1) -> Any:
    made = make()
    for _ in range(times):
        made.acquire()
    return made


def filled(make: Callable[[], Any], *items: object) -> Any:
    made = make()
    for item in items:
        made.put(item)
    return made


def locals_of(n: int) -> Any:
    made = threading.local()
    made.x = n
    return made


def text_stream(text: str = "ab\ncd\n") -> Any:
    return io.TextIOWrapper(io.BytesIO(text.encode()), encoding="utf-8")


def read(n: int) -> Callable[[Any], object]:
    return lambda o: o.read(n)


def database() -> sqlite3.Connection:
    made = sqlite3.connect(":memory:", check_same_thread=False)
    made.execute("create table t (a)")
    made.commit()
    return made


class Pair(ctypes.Structure):
    _fields_ = [("a", ctypes.c_int), ("b", ctypes.c_void_p)]


HASHES = ("md5", "sha1", "sha256", "blake2b", "blake2s", "sha3_256", "shake_128")

CASES: list[Case] = [
    case(
        "lock",
        _thread.allocate_lock,
        undone=[lambda o: (o.acquire(), o.release()), lambda o: o.locked()],
        changes=[call("acquire")],
    ),
    case(
        "RLock",
        _thread.RLock,
        undone=[lambda o: (o.acquire(), o.release())],
        changes=[call("acquire"), lambda o: (o.acquire(), o.acquire())],
    ),
    case(
        "Python RLock",
        threading._PyRLock,
        undone=[lambda o: (o.acquire(), o.release())],
        changes=[call("acquire"), lambda o: (o.acquire(), o.acquire())],
    ),
    case(
        "Condition",
        threading.Condition,
        undone=[lambda o: (o.acquire(), o.notify_all(), o.release())],
        changes=[call("acquire")],
    ),
    case("Event", threading.Event, undone=[lambda o: (o.set(), o.clear())], changes=[call("set")]),
    case(
        "Semaphore",
        lambda: threading.Semaphore(2),
        undone=[lambda o: (o.acquire(), o.release())],
        changes=[call("acquire"), lambda o: (o.acquire(), o.acquire()), call("release")],
    ),
    case(
        "BoundedSemaphore", lambda: threading.BoundedSemaphore(2), changes=[call("acquire"), put("_initial_value", 5)]
    ),
    case("Barrier", lambda: threading.Barrier(2), undone=[call("reset")], changes=[call("abort"), put("_parties", 3)]),
    case(
        "Thread",
        lambda: threading.Thread(target=len, name="t", daemon=True),
        changes=[put("name", "u"), put("daemon", False)],
    ),
    case(
        "Timer",
        lambda: threading.Timer(1.0, len),
        changes=[call("cancel"), put("interval", 2)],
        existing=False,
        repeats=False,
    ),
    case(
        "local",
        lambda: locals_of(1),
        undone=[lambda o: (put("y", 1)(o), drop("y")(o)), vars],
        changes=[put("x", 2), put("y", 1), drop("x")],
    ),
    case("local subclass", lambda: Local(1), changes=[put("n", 2), put("m", 2)], others=[lambda: Local(3)]),
    case(
        "arguments of a local",  # each further thread begins with them
        lambda: Local(1),
        others=[lambda: after(lambda: Local(2), put("n", 1))],
    ),
    case(
        "two locals",
        lambda: (locals_of(1), locals_of(2)),
        others=[lambda: (locals_of(2), locals_of(1))[::1]],
        changes=[lambda o: put("x", 2)(o[0])],
    ),
    case(
        "SimpleQueue",
        lambda: filled(_queue.SimpleQueue, [1], 2),
        undone=[lambda o: (o.put(o.get()), o.put(o.get()))],
        changes=[call("get"), lambda o: o.put(3), lambda o: o.put(o.get())],
    ),
    case("Python SimpleQueue", lambda: filled(queue._PySimpleQueue, 1), changes=[call("get"), lambda o: o.put(3)]),  # type: ignore[attr-defined]
    case(
        "Queue",
        lambda: filled(queue.Queue, 1, 2),
        undone=[lambda o: (o.qsize(), o.empty())],
        changes=[call("get"), lambda o: o.put(3), call("task_done"), put("maxsize", 3)],
    ),
    case("LifoQueue", lambda: filled(queue.LifoQueue, 1, 2), changes=[call("get"), lambda o: o.put(3)]),
    case("PriorityQueue", lambda: filled(queue.PriorityQueue, 2, 1), changes=[call("get"), lambda o: o.put(3)]),
    case(
        "lock inside",
        LockInside,
        undone=[lambda o: (o.lock.acquire(), o.lock.release())],
        changes=[lambda o: o.lock.acquire()],
    ),
    case(
        "Random",
        lambda: random.Random(1),
        undone=[lambda o: o.setstate(o.getstate()), lambda o: o.seed(1)],
        changes=[
            call("random"),
            lambda o: o.gauss(0, 1),
            lambda o: o.seed(2),
            lambda o: [o.random() for _ in range(700)],
        ],
    ),
    case(
        "C Random",
        lambda: _random.Random(1),
        undone=[lambda o: o.seed(1)],
        changes=[call("random"), lambda o: o.getrandbits(32)],
    ),
    *(
        case(
            name,
            lambda name=name: hashlib.new(name, b"a"),
            changes=[lambda o: o.update(b"b"), lambda o: o.update(b"c")],
            others=[lambda name=name: hashlib.new(name, b"q")],
            moves=name.startswith("blake") and sys.version_info < (3, 14),  # else with memory of C
        )
        for name in HASHES
    ),
    case("HMAC", lambda: hmac.new(b"k", b"m", "sha256"), changes=[lambda o: o.update(b"b")], moves=False),
    case(
        "StringIO",
        lambda: io.StringIO("abc"),
        undone=[
            call("getvalue"),
            lambda o: (o.read(1), o.seek(0)),
            lambda o: (o.seek(0, 2), o.write("x"), o.truncate(3), o.seek(0)),
        ],
        others=[lambda: io.StringIO("abd"), lambda: io.StringIO("abc", newline="\r\n")],
        changes=[
            read(1),
            lambda o: o.write("x"),
            lambda o: o.seek(2),
            lambda o: o.truncate(1),
            call("close"),
            put("mark", 1),
            lambda o: (o.seek(0, 2), o.write("d")),
        ],
    ),
    case(
        "StringIO written",
        io.StringIO,
        undone=[call("getvalue"), lambda o: (o.write("x"), o.seek(0), o.truncate())],
        changes=[
            lambda o: o.write("x"),
            lambda o: o.write("y"),
            lambda o: (o.write("x"), o.write("y"), o.write("z")),
            lambda o: (o.write("x"), o.seek(0)),
        ],
    ),
    case(
        "BytesIO",
        lambda: io.BytesIO(b"abc"),
        undone=[
            call("getvalue"),
            lambda o: (o.read(1), o.seek(0)),
            lambda o: (o.seek(0, 2), o.write(b"x"), o.truncate(3), o.seek(0)),
        ],
        others=[lambda: io.BytesIO(b"abd")],
        changes=[
            read(1),
            lambda o: o.write(b"x"),
            lambda o: o.seek(2),
            lambda o: o.truncate(1),
            call("close"),
            put("mark", 1),
            lambda o: o.getbuffer().__setitem__(0, 1),
        ],
    ),
    case(
        "BytesIO exported",
        lambda: (o := io.BytesIO(b"abc"), o.getbuffer()),
        changes=[lambda o: o[1].__setitem__(0, 1), lambda o: o[1].release()],
    ),
    case("BytesIO subclass", lambda: Buffer(b"abc"), changes=[put("mark", 1), read(1)]),
    case(
        "text stream",
        text_stream,
        undone=[lambda o: (o.tell(), o.line_buffering)],
        changes=[
            read(1),
            lambda o: o.readline(),
            lambda o: o.seek(0, 2),
            call("close"),
            lambda o: o.detach(),
            lambda o: o.reconfigure(errors="replace"),
        ],
        existing=False,
    ),
    case(
        "text written",
        lambda: io.TextIOWrapper(io.BytesIO()),
        changes=[lambda o: o.write("x"), lambda o: o.write("y"), lambda o: (o.write("x"), o.flush())],
        existing=False,
    ),
    case(
        "buffered reader",
        lambda: io.BufferedReader(io.BytesIO(b"abcdef" * 10), 8),
        changes=[read(1), read(9), lambda o: o.peek(1), lambda o: o.seek(3), call("close")],
    ),
    case(
        "buffered writer",
        lambda: io.BufferedWriter(io.BytesIO(), 8),
        changes=[
            lambda o: o.write(b"ab"),
            lambda o: o.write(b"ac"),
            lambda o: o.write(b"ab" * 9),
            lambda o: (o.write(b"ab"), o.flush()),
        ],
    ),
    case("buffered both", lambda: io.BufferedRandom(io.BytesIO(b"abc")), changes=[read(1), lambda o: o.write(b"z")]),
    case(
        "decoder",
        lambda: io.IncrementalNewlineDecoder(None, True),
        changes=[lambda o: o.decode("a\r"), lambda o: o.decode("a\r\nb\r")],
    ),
    case("compressor", zlib.compressobj, changes=[lambda o: o.compress(b"abc"), lambda o: o.compress(b"abd")]),
    case("decompressor", zlib.decompressobj, changes=[lambda o: o.decompress(zlib.compress(b"abc"))]),
    case(
        "CSV writer",
        lambda: (s := io.StringIO(), csv.writer(s)),
        changes=[lambda o: o[1].writerow([1, 2]), lambda o: o[1].writerow([1, 3])],
    ),
    case("JSON encoder", lambda: json.JSONEncoder(), changes=[put("indent", 2), put("skipkeys", True)]),
    case(
        "pickler",
        lambda: (s := io.BytesIO(), pickle.Pickler(s)),
        changes=[lambda o: o[1].dump([1]), lambda o: o[1].clear_memo()][:1],
    ),
    case(
        "memory map",
        lambda: mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS),
        undone=[lambda o: (o.seek(5), o.seek(0))],
        changes=[lambda o: o.__setitem__(0, 1), lambda o: o.seek(1), lambda o: o.write(b"ab")],
        new=False,
    ),
    case(
        "C struct",
        lambda: Pair(1, 2),
        undone=[lambda o: (put("a", 5)(o), put("a", 1)(o))],
        changes=[put("a", 2), put("b", 5)],
    ),
    case(
        "C array",
        lambda: (ctypes.c_int * 40)(1, 2),
        changes=[lambda o: o.__setitem__(0, 5), lambda o: o.__setitem__(39, 5)],
    ),
    case(
        "C pointer",
        lambda: (o := ctypes.c_int(5), ctypes.pointer(o)),
        changes=[lambda o: put("value", 6)(o[0]), lambda o: put("contents", ctypes.c_int(5))(o[1])],
    ),
    case(
        "database",
        database,
        changes=[lambda o: o.execute("insert into t values (1)"), lambda o: o.execute("insert into t values (2)")],
        moves=False,
    ),
    case("counter of ids", lambda: itertools.count(), changes=[next]),
    case("deque of locks", lambda: collections.deque([_thread.allocate_lock()]), changes=[lambda o: o[0].acquire()]),
]

if hasattr(_thread, "_make_thread_handle"):  # 3.13 and later
    CASES.append(
        case(
            "handle of a thread",
            lambda: [_thread._make_thread_handle(5)],
            others=[lambda: [_thread._make_thread_handle(6)]],
            changes=[lambda o: o[0]._set_done()],
            existing=False,  # after a fork the handles of other threads are done
        )
    )
