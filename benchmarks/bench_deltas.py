"""What a second format for stored pages would save: differences of 64 bytes from the page before, or compression.

    python benchmarks/bench_deltas.py [--write]

Every snapshot of a search is compared with the one before it on its path. Each page that the store got for it is
measured three ways: as the 64-byte blocks that differ from what the page was (and a bitmap of 8 bytes), compressed by
zlib at its fastest, and as both. The store's peak is told apart by what fills it; how far it would go down with
differences is what their mean size makes of the share of snapshots. `--write` adds a file to `benchmarks/results`.
"""

from __future__ import annotations

import argparse
import array
import ctypes
import sys
import threading
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "tests"), str(HERE)]

import pytest  # noqa: E402, F401  (a pytest process is what is tracked in earnest)
from litmus import programs  # noqa: E402
from support.search import Notes, Subject, explore_with  # noqa: E402
from written import publish  # noqa: E402

from pytest_statespace._native import _engine  # noqa: E402
from pytest_statespace.explore.budget import Budget  # noqa: E402
from pytest_statespace.explore.explorer import Explorer  # noqa: E402
from pytest_statespace.explore.strategies.dfs import DepthFirstSearch  # noqa: E402
from pytest_statespace.sandbox.protocol import Command, PathResult  # noqa: E402

PAGE, BLOCK, BITMAP = 4096, 64, 8
BASE_PAGE = 0x80000000
EXECUTIONS = 300
SECONDS = 60.0

_Visit = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint32, ctypes.c_uint32)
_tree_diff = ctypes.CDLL(_engine.__file__).ss_tree_diff
_tree_diff.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint32, _Visit, ctypes.c_void_p]


def numbers(count: int) -> Callable[[], object]:
    """Each step changes every number of an array."""

    def program() -> int:
        data, lock = array.array("q", range(count)), threading.Lock()

        def add(value: int) -> None:
            for _ in range(3):
                with lock:
                    for at, number in enumerate(data):
                        data[at] = number + value

        workers = [threading.Thread(target=add, args=(value,)) for value in (1, 1000)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        return data[0]

    return program


PROGRAMS: dict[str, Callable[[], object]] = {
    "two threads, locked, 3 increments": programs.locked_increments(2, 3),
    "three philosophers": programs.philosophers(3, ordered=True),
    "bounded queue": programs.bounded_queue(2, 1),
    "semaphore, three threads": programs.semaphore(3, 1),
    "two threads, locked, 100 increments": programs.locked_increments(2, 100),
    "an array of 256 KiB, every number changed": numbers(1 << 15),
}


class Measured(Notes):
    """Looks at every snapshot as soon as it was taken."""

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject.sandbox, notes=True)
        arena = subject.sandbox._arena
        self._lib, self._ffi, self._arena = arena._lib, arena._ffi, arena
        self.seen: set[int] = set()
        self.snapshots = self.pages = self.blocks = self.zipped = self.both = 0
        self.seconds_zip = 0.0
        self.peak = (0, 0, 0)  # pages of the base state, pages of snapshots, bytes of nodes

    def _take_down(self, command: Command, result: PathResult) -> None:
        for state in result.states:
            native = self._lib.ss_get_state(self._arena._arena, state.number)
            before = self._lib.ss_get_state(self._arena._arena, native.parent)
            if state.number and state.kept and before != self._ffi.NULL:
                self.snapshots += 1
                visit = _Visit(self._page)
                _tree_diff(self._arena.address, before.root, native.root, visit, None)
        now = self._arena._statistics()
        base = min(now.base_pages_fetched, now.stored_pages)
        peak = (base, now.stored_pages - base, now.stored_bytes - now.stored_pages * PAGE)
        self.peak = max(self.peak, peak, key=lambda one: (one[0] + one[1]) * PAGE + one[2])

    def _content(self, page: int) -> bytes:
        return bytes(self._ffi.buffer(self._lib.ss_page_data(self._arena._arena, page), PAGE))

    def _page(self, user: object, index: int, before: int, now: int) -> int:
        serial = self._lib.ss_page_serial(self._arena._arena, now) if not now & BASE_PAGE else 0
        if serial and serial not in self.seen:  # else it is the base content or zeroes, or was stored before
            self.seen.add(serial)
            old, new = self._content(before), self._content(now)
            changed = [at for at in range(0, PAGE, BLOCK) if old[at : at + BLOCK] != new[at : at + BLOCK]]
            self.pages += 1
            self.blocks += len(changed)
            started = time.perf_counter()
            self.zipped += len(zlib.compress(new, 1))
            self.seconds_zip += time.perf_counter() - started
            self.both += BITMAP + len(zlib.compress(b"".join(new[at : at + BLOCK] for at in changed), 1))
        return 0


def measure(subject: Subject) -> Measured:
    """One search, cut after so many executions: what is stored is the same further on."""
    engine = Measured(subject)
    budget = Budget(time.monotonic, time.monotonic(), SECONDS, max_executions=EXECUTIONS)
    Explorer(engine, DepthFirstSearch(None), budget).run()
    return engine


def row(title: str, found: Measured) -> str:
    pages = max(found.pages, 1)
    delta = found.blocks * BLOCK / pages + BITMAP
    base, own, nodes = found.peak
    total = (base + own) * PAGE + nodes
    reduced = base * PAGE + own * delta + nodes
    cells = [
        title, f"{found.snapshots}", f"{found.pages / max(found.snapshots, 1):.1f}",
        f"{100 * found.blocks * BLOCK / PAGE / pages:.1f} %", f"{delta:.0f}", f"{found.zipped / pages:.0f}",
        f"{found.both / pages:.0f}", f"{found.seconds_zip / pages * 1e6:.0f}",
        f"{total / 2**20:.2f} = {base * PAGE / 2**20:.2f} + {own * PAGE / 2**20:.2f} + {nodes / 2**20:.2f}",
        f"{reduced / 2**20:.2f}",
    ]  # fmt: skip
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    arguments: Any = parser.parse_args()
    lines = [
        "| program | snapshots | new pages each | blocks changed | as differences, bytes a page | zlib | both "
        "| zlib, µs a page | peak of the store, MiB: base pages + snapshots + nodes | with differences |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for title, program in PROGRAMS.items():
        lines.append(row(title, explore_with(program, measure)))
    facts = [f"depth first, at most {EXECUTIONS} executions; pages of 4 096 bytes"]
    publish("deltas", "Differences and compression of stored pages", facts, lines, write=arguments.write)


if __name__ == "__main__":
    main()
