"""What pages cost by themselves: to compare, hash and copy them, in memory that the processor has at hand."""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Callable

import xxhash

PAGE = 4096
_LIBC = ctypes.CDLL(None)
_LIBC.memcmp.argtypes = _LIBC.memcpy.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]


def checkpoint_us(named: int, changed: int) -> float:
    """Microseconds to compare `named` pages, all equal, and to hash and copy `changed` of them."""
    first = ctypes.create_string_buffer(os.urandom(named * PAGE))
    second = ctypes.create_string_buffer(first.raw[:-1])
    address, other = ctypes.addressof(first), ctypes.addressof(second)
    page = memoryview(first)[:PAGE]

    def compare(pages: int) -> Callable[[], object]:
        return lambda: _LIBC.memcmp(address, other, pages * PAGE)

    def copy(pages: int) -> Callable[[], object]:
        return lambda: _LIBC.memcpy(other, address, pages * PAGE)

    hashed = _us(lambda: xxhash.xxh3_128_intdigest(page)) - _us(lambda: xxhash.xxh3_128_intdigest(b""))
    return _us(compare(named)) - _us(compare(0)) + _us(copy(changed)) - _us(copy(0)) + changed * hashed


def _us(call: Callable[[], object], times: int = 500, rounds: int = 5) -> float:
    """Of one call, with what it takes to make it; the best round."""
    best = float("inf")
    for _ in range(rounds):
        start = time.perf_counter()
        for _ in range(times):
            call()
        best = min(best, time.perf_counter() - start)
    return best / times * 1e6
