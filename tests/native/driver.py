"""Run one native test program: ``driver.py LIBRARY NAME SEED``, in a process of its own."""

from __future__ import annotations

import ctypes
import sys

import xxhash._xxhash


def main(library: str, name: str, seed: str) -> int:
    """Lend XXH3 to the program and call its ``run``."""
    xxh = ctypes.CDLL(xxhash._xxhash.__file__)
    functions = [ctypes.cast(getattr(xxh, f"XXH3_{bits}bits_dispatch"), ctypes.c_void_p) for bits in (64, 128)]
    run = ctypes.CDLL(library).run
    run.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_uint64]
    result: int = run(*functions, name.encode(), int(seed))
    return result


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
