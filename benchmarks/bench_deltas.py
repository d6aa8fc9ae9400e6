"""What the page store saves by keeping pages as differences, and what that costs a search with little memory.

    python benchmarks/bench_deltas.py [--write]

The first table: every page that the store got for a snapshot, as the blocks of 64 bytes that differ from what the page
was in the snapshot before, or in the base state; as the bytes that differ from it, as `delta.c` codes them; and
compressed by zlib at its fastest, alone and after the blocks. Then the base pages themselves, and the store's peak.

The second: the same searches under a limit, with a build that never packs, so that snapshots are dropped at once, and
with the one in use, which packs first.
"""

from __future__ import annotations

import argparse
import array
import ctypes
import json
import sys
import tempfile
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import patched  # noqa: E402
from written import publish  # noqa: E402

if "--search" not in sys.argv:
    sys.path[:0] = [str(HERE.parent), str(HERE.parent / "tests")]

import pytest  # noqa: E402, F401  (a pytest process is what is tracked in earnest)
from litmus import programs  # noqa: E402
from support.search import Notes, Subject, explore_with  # noqa: E402

from pytest_statespace._native import _engine  # noqa: E402
from pytest_statespace.errors import InternalError  # noqa: E402
from pytest_statespace.explore.budget import Budget  # noqa: E402
from pytest_statespace.explore.explorer import Explorer  # noqa: E402
from pytest_statespace.explore.strategies.dfs import DepthFirstSearch  # noqa: E402
from pytest_statespace.sandbox.protocol import Command, PathResult  # noqa: E402

PAGE, BLOCK, BITMAP = 4096, 64, 8
BASE_PAGE = 0x80000000
EXECUTIONS = 300
SECONDS = 60.0

_Visit = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint32, ctypes.c_uint32)
_native = ctypes.CDLL(_engine.__file__)
_tree_diff = _native.ss_tree_diff
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
LIMITED = (
    ("two threads, locked, 100 increments", (8, 4, 3)),
    ("semaphore, three threads", (3, 2)),
    ("an array of 256 KiB, every number changed", (4, 3)),
)

# ---- what is stored --------------------------------------------------------------------------------


class Measured(Notes):
    """Looks at every snapshot as soon as it was taken."""

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject.sandbox, notes=True)
        arena = subject.sandbox._arena
        self._lib, self._ffi, self._arena = arena._lib, arena._ffi, arena
        self.seen: set[int] = set()
        self.base_root = self._lib.ss_base_root(arena._arena)
        self.base_of: dict[int, int] = {}  # page number in the base state, of pages that differ from it
        self.base_pages: dict[int, Counter[str]] = {}
        self.snapshots = self.pages = 0
        self.bytes: Counter[str] = Counter()
        self.peak = (0, 0, 0)  # pages of the base state, pages of snapshots, bytes of nodes

    def _take_down(self, command: Command, result: PathResult) -> None:
        for state in result.states:
            native = self._lib.ss_get_state(self._arena._arena, state.number)
            before = self._lib.ss_get_state(self._arena._arena, native.parent)
            if state.number and state.kept and before != self._ffi.NULL:
                self.snapshots += 1
                self.base_of = {}
                for old, visit in ((self.base_root, self._base), (before.root, self._page)):
                    _tree_diff(self._arena.address, old, native.root, _Visit(visit), None)
        now = self._arena._statistics()
        base = min(now.base_pages_fetched, now.stored_pages)
        peak = (base, now.stored_pages - base, now.stored_bytes - now.stored_pages * PAGE)
        self.peak = max(self.peak, peak, key=lambda one: (one[0] + one[1]) * PAGE + one[2])

    def _content(self, page: int) -> bytes:
        return bytes(self._ffi.buffer(self._lib.ss_page_data(self._arena._arena, page), PAGE))

    def _base(self, user: object, index: int, base: int, now: int) -> int:
        self.base_of[index] = base
        if base and index not in self.base_pages:
            content = self._content(base)
            blocks, coded = _differences(content, bytes(PAGE))
            self.base_pages[index] = Counter(
                blocks=len(blocks) + BITMAP, coded=coded, zlib=len(zlib.compress(content, 1))
            )
        return 0

    def _page(self, user: object, index: int, before: int, now: int) -> int:
        serial = self._lib.ss_page_serial(self._arena._arena, now) if not now & BASE_PAGE else 0
        if serial and serial not in self.seen:  # else it is the base content or zeroes, or was stored before
            self.seen.add(serial)
            new = self._content(now)
            self.pages += 1
            from_before, _ = _differences(new, self._content(before))
            from_base, coded = _differences(new, self._content(self.base_of.get(index, 0)))
            self.bytes["blocks, before"] += len(from_before) + BITMAP
            self.bytes["blocks, base"] += len(from_base) + BITMAP
            self.bytes["coded, base"] += coded
            self.bytes["zlib"] += len(zlib.compress(new, 1))
            self.bytes["blocks, base, zlib"] += len(zlib.compress(from_base, 1)) + BITMAP
        return 0


def _differences(new: bytes, old: bytes) -> tuple[bytes, int]:
    """Blocks that differ, and the length of delta.c's code."""
    starts = [at for at in range(0, PAGE, BLOCK) if old[at : at + BLOCK] != new[at : at + BLOCK]]
    coded = BITMAP + len(starts)
    for start in starts:
        for word in range(start, start + BLOCK, 8):
            changed = sum(one != other for one, other in zip(old[word : word + 8], new[word : word + 8], strict=True))
            coded += changed and changed + 1
    return b"".join(new[at : at + BLOCK] for at in starts), coded


def measure(subject: Subject) -> Measured:
    """One search, cut after so many executions: what is stored is the same further on."""
    engine = Measured(subject)
    budget = Budget(time.monotonic, time.monotonic(), SECONDS, max_executions=EXECUTIONS)
    Explorer(engine, DepthFirstSearch(None), budget).run()
    return engine


def stored_row(title: str, found: Measured) -> str:
    pages = max(found.pages, 1)
    base, own, nodes = found.peak
    kinds = ("blocks, before", "blocks, base", "coded, base", "zlib", "blocks, base, zlib")
    each = {kind: found.bytes[kind] / pages for kind in kinds}
    base_bytes: Counter[str] = sum(found.base_pages.values(), Counter())
    per_base = [base_bytes[kind] / max(1, len(found.base_pages)) for kind in ("blocks", "coded", "zlib")]
    total = (base + own) * PAGE + nodes
    cells = [
        title,
        f"{found.snapshots}",
        f"{found.pages / max(found.snapshots, 1):.1f}",
        *(f"{each[kind]:.0f}" for kind in kinds),
        ", ".join(f"{one:.0f}" for one in per_base),
        f"{total / 2**20:.2f} = {base * PAGE / 2**20:.2f} + {own * PAGE / 2**20:.2f} + {nodes / 2**20:.2f}",
        f"{(base * PAGE + own * each['blocks, base'] + nodes) / 2**20:.2f}",
        f"{(base * PAGE + own * each['coded, base'] + nodes) / 2**20:.2f}",
    ]
    return "| " + " | ".join(cells) + " |"


# ---- with little memory ------------------------------------------------------------------------------

_CHECKPOINT = "engine/snapshot.c"
NEVER = (
    (_CHECKPOINT, "    ssi_pack_when_near(arena);\n", ""),
    (_CHECKPOINT, "if (ssi_pack(arena, 0, also_current))", "if (0)"),
)
"""Changes of a build that never packs."""


def search(limit: int, title: str) -> None:
    """One search under a limit, in a process of its own. Prints what it took."""
    seconds = time.process_time()

    def limited(subject: Subject) -> dict[str, Any]:
        started = time.perf_counter()
        budget = Budget(time.monotonic, time.monotonic(), SECONDS, max_executions=EXECUTIONS)
        engine = Notes(subject.sandbox, notes=False)
        found = Explorer(engine, DepthFirstSearch(None), budget).run()
        native = subject.sandbox._arena._statistics()
        return {
            "end": found.end.value, "seconds": time.perf_counter() - started, "executions": found.executions,
            "dropped": found.dropped, "repeated": found.repeated, "transitions": found.transitions,
            "packs": native.packs, "unpacks": native.unpacks, "peak": native.peak_stored_bytes / 2**20,
        }  # fmt: skip

    try:
        result = explore_with(PROGRAMS[title], limited, mebibytes=limit)
    except InternalError as error:
        result = {"end": str(error)}
    result["cpu"] = time.process_time() - seconds
    print(json.dumps(result))


def limited_rows(title: str, limits: tuple[int, ...], builds: dict[str, Path]) -> list[str]:
    rows = []
    for limit in (512, *limits):
        for name, folder in builds.items():
            if limit == 512 and name != "packed first":
                continue
            runs = [json.loads(patched.run(folder, __file__, "--search", str(limit), title)) for _ in range(3)]
            best = min(runs, key=lambda one: one.get("seconds", 0))
            if "seconds" not in best:
                rows.append(f"| {title} | {limit} | {name} | {best['end']} | | | | |")
                continue
            repeated = 100 * best["repeated"] / max(1, best["transitions"])
            how = name if limit < 512 else "nothing to do"
            rows.append(
                f"| {title} | {limit} | {how} | {best['end']} | {best['seconds']:.2f} | {best['dropped']} "
                f"| {repeated:.0f} % | {best['packs']} / {best['unpacks']} |"
            )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--search", nargs=2, metavar=("LIMIT", "TITLE"), help=argparse.SUPPRESS)
    arguments: Any = parser.parse_args()
    if arguments.search:
        search(int(arguments.search[0]), arguments.search[1])
        return
    lines = [
        "| program | snapshots | new pages each | blocks that differ from the snapshot before, bytes a page "
        "| from the base state | bytes that differ from it, coded | zlib | blocks from the base state and zlib "
        "| a base page as blocks, coded, zlib | peak of the store, MiB: base pages + snapshots + nodes "
        "| with blocks | coded |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for title, program in PROGRAMS.items():
        lines.append(stored_row(title, explore_with(program, measure)))
    lines += [
        "",
        "| program | limit, MiB | | end | seconds | dropped | transitions repeated | packed / unpacked |",
        "|---|---|---|---|---|---|---|---|",
    ]
    with tempfile.TemporaryDirectory() as temporary:
        builds = {"dropped, never packed": Path(temporary) / "never", "packed first": Path(temporary) / "first"}
        for name, changes in (("never", NEVER), ("first", ())):
            patched.build(Path(temporary) / name, changes)
        for title, limits in LIMITED:
            lines += limited_rows(title, limits, builds)
    facts = [f"depth first, at most {EXECUTIONS} executions; pages of 4 096 bytes; the best of three under a limit"]
    publish("deltas", "Differences and compression of stored pages", facts, lines, write=arguments.write)


if __name__ == "__main__":
    main()
