"""The native tests once more, compiled with the undefined-behaviour and the address sanitizer: no findings.

AddressSanitizer reserves terabytes of writable memory, which can't be tracked, and knows nothing of stacks that
are switched or rewound. So it watches the programs without a child: store, trees, trackers on memory of their own.
Undefined behaviour is trapped (SIGILL) in all of them, on whatever stack.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from building import Builder, run_library

UNDEFINED = ("-fsanitize=undefined", "-fno-sanitize=alignment", "-fsanitize-undefined-trap-on-error")
ADDRESS = ("-fsanitize=address", "-fno-omit-frame-pointer")
TRACKERS = ("wpasync", "softdirty", "mprotect", "compare")

WITHOUT_CHILD = [
    *(("store", name) for name in ("store", "collisions", "tree", "tree-collisions", "full")),
    *(("pack", name) for name in ("code", "store", "collisions", "near", "bases", "validator")),
    *(("trackers", name) for name in TRACKERS),
]
WITH_CHILD = [
    *(("agent", f"{name}:{tracker}") for name in ("visited", "forced", "memory", "rebuild") for tracker in TRACKERS),
    *(("agent", name) for name in ("through", "none")),
    *(("dying", name) for name in ("death", "limit", "killed:10")),
    *(("guard", name) for name in ("refused", "allowed")),
    *(("quiet", name) for name in ("first-writes", "signal")),  # "faults" is undefined on purpose
    *(("pack", f"search:{tracker}") for tracker in TRACKERS),
    *(("pack", f"brim:{tracker}") for tracker in TRACKERS if tracker != "compare"),
    *(("snapshot", tracker) for tracker in TRACKERS),
    *(("writers", f"{tracker}:30000:50:300") for tracker in TRACKERS),
    ("fibers", "fast-tls"),
]

pytestmark = pytest.mark.campaign


@pytest.fixture(scope="module")
def undefined(tmp_path_factory: pytest.TempPathFactory) -> Builder:
    return Builder(tmp_path_factory.mktemp("undefined"), *UNDEFINED)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Builder:
    return Builder(tmp_path_factory.mktemp("address"), *ADDRESS)


@pytest.mark.parametrize(("program", "name"), [*WITHOUT_CHILD, *WITH_CHILD])
def test_no_undefined_behaviour(undefined: Builder, program: str, name: str) -> None:
    done = run_library(undefined.library(program), name)
    assert done.returncode == 0, f"exit status {done.returncode}\n{done.stdout}{done.stderr}"


def _with_address_sanitizer(address: Builder, library: Path, name: str) -> subprocess.CompletedProcess[str]:
    found = subprocess.run(
        [address.compiler, "-print-file-name=libasan.so"], capture_output=True, text=True, check=True
    )
    # Memory that Python never gives back is no finding of ours.
    return run_library(library, name, LD_PRELOAD=found.stdout.strip(), ASAN_OPTIONS="detect_leaks=0")


@pytest.mark.parametrize(("program", "name"), WITHOUT_CHILD)
def test_no_bad_access(address: Builder, program: str, name: str) -> None:
    done = _with_address_sanitizer(address, address.library(program), name)
    assert done.returncode == 0, f"exit status {done.returncode}\n{done.stdout}{done.stderr}"
    assert "ERROR: AddressSanitizer" not in done.stderr


def test_sanitizers_are_at_work(undefined: Builder, address: Builder, tmp_path: Path) -> None:
    """A program that overflows, and one that reads behind its array."""
    source = tmp_path / "broken.c"
    source.write_text(
        """#include "harness.h"
        int run(void *a, void *b, const char *name, uint64_t seed) {
            (void)a, (void)b;
            volatile int big = 2147483647;
            int array[4] = {1, 2, 3, 4};
            volatile unsigned at = 4 + (unsigned)seed;
            volatile int found = *name == 'u' ? big + 1 : *(volatile int *)&array[at];
            return found == 77;
        }"""
    )
    libraries = {}
    for builder in (undefined, address):
        libraries[builder] = builder.folder / "broken.so"
        builder._run("-c", str(source), "-o", str(builder.folder / "broken.o"))
        objects = [builder.compile(one) for one in builder.sources]
        parts = [str(builder.folder / "broken.o"), *map(str, objects)]
        builder._run("-shared", *parts, "-o", str(libraries[builder]))
    assert run_library(libraries[undefined], "undefined").returncode < 0
    done = _with_address_sanitizer(address, libraries[address], "address")
    assert "ERROR: AddressSanitizer: stack-buffer-overflow" in done.stderr
