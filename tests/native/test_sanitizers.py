"""The native tests once more, compiled with the undefined-behaviour and the address sanitizer: no findings.

Undefined behaviour is trapped (SIGILL) in all of them, on whatever stack.

AddressSanitizer sees in programs without a child what it sees everywhere: store, trees, trackers on memory of their
own. Of the engine in a child, with its agent, threads and restores, it sees the engine's own arrays, on the agent's
stack and elsewhere, and what runs over the end of a table of the arena (`asan.h`). Not there: frames of the test
programs, which are rewound, and what `memcpy` and its like read, since the engine reads all memory whatever it is.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from building import ENGINE, Builder, run_library

UNDEFINED = ("-fsanitize=undefined", "-fno-sanitize=alignment", "-fsanitize-undefined-trap-on-error")
ADDRESS = ("-fsanitize=address", "-fno-omit-frame-pointer")
OF_PROGRAMS = ("--param=asan-stack=0",)
PLAIN = "detect_leaks=0"  # memory that Python never gives back is no finding of ours
REWOUND = ":".join(
    [
        PLAIN,
        *("detect_stack_use_after_return=0", "replace_intrin=0", "intercept_memcmp=0", "allow_user_segv_handler=1"),
        *(f"handle_{signal}=0" for signal in ("segv", "sigill", "sigbus", "sigfpe", "abort")),
    ]
)
TRACKERS = ("wpasync", "softdirty", "mprotect", "compare")
SEARCHES = ("combinations", "interleavings", "visited", "bounded", "forced", "memory", "asked", "rebuild", "once")

WITHOUT_CHILD = [
    *(("store", name) for name in ("store", "collisions", "tree", "tree-collisions", "full")),
    *(("pack", name) for name in ("code", "store", "collisions", "near", "bases", "validator")),
    *(("trackers", name) for name in TRACKERS),
]
WITH_CHILD = [
    *(("agent", f"{name}:{tracker}") for name in SEARCHES for tracker in TRACKERS),
    *(("agent", name) for name in ("through", "none", "following", "unused")),
    *(("dying", name) for name in ("death", "orphan", "limit", "once", "killed:10")),
    *(("reading", tracker) for tracker in TRACKERS),
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


@pytest.fixture(scope="module")
def rewound(tmp_path_factory: pytest.TempPathFactory) -> Builder:
    return Builder(tmp_path_factory.mktemp("rewound"), *ADDRESS, of_programs=OF_PROGRAMS)


@pytest.mark.parametrize(("program", "name"), [*WITHOUT_CHILD, *WITH_CHILD])
def test_no_undefined_behaviour(undefined: Builder, program: str, name: str) -> None:
    done = run_library(undefined.library(program), name)
    assert done.returncode == 0, f"exit status {done.returncode}\n{done.stdout}{done.stderr}"


def _with_address_sanitizer(
    address: Builder, library: Path, name: str, options: str = PLAIN
) -> subprocess.CompletedProcess[str]:
    found = subprocess.run(
        [address.compiler, "-print-file-name=libasan.so"], capture_output=True, text=True, check=True
    )
    return run_library(library, name, LD_PRELOAD=found.stdout.strip(), ASAN_OPTIONS=options)


@pytest.mark.parametrize(("program", "name"), WITHOUT_CHILD)
def test_no_bad_access(address: Builder, program: str, name: str) -> None:
    done = _with_address_sanitizer(address, address.library(program), name)
    assert done.returncode == 0, f"exit status {done.returncode}\n{done.stdout}{done.stderr}"
    assert "ERROR: AddressSanitizer" not in done.stderr


@pytest.mark.parametrize(("program", "name"), WITH_CHILD)
def test_no_bad_access_of_the_engine(rewound: Builder, program: str, name: str) -> None:
    done = _with_address_sanitizer(rewound, rewound.library(program), name, REWOUND)
    assert done.returncode == 0, f"exit status {done.returncode}\n{done.stdout}{done.stderr}"
    assert "AddressSanitizer" not in done.stderr


@pytest.mark.parametrize(
    ("file", "there", "instead", "program", "name", "found"),
    [
        # A table of the arena that is too short for a path.
        ("arena.c", "sizeof(uint32_t) * SS_MAX_PATH", "sizeof(uint32_t) * 4", "agent", "visited:wpasync", "poison"),
        # An array on the agent's stack that is too short for a page.
        ("pack.c", "uint8_t code[SSI_DELTA_MOST];", "uint8_t code[100];", "pack", "search:wpasync", "stack-buffer"),
        ("snapshot.c", "uint64_t entries[WINDOW];", "uint64_t entries[WINDOW / 4];", "snapshot", "compare", "overflow"),
    ],
)  # fmt: skip
def test_overrun_in_a_child_is_found(
    rewound: Builder, tmp_path: Path, file: str, there: str, instead: str, program: str, name: str, found: str
) -> None:
    source = (ENGINE / file).read_text()
    assert source.count(there) == 1
    (tmp_path / file).write_text(source.replace(there, instead))
    done = _with_address_sanitizer(rewound, rewound.library(program, tmp_path / file), name, REWOUND)
    assert done.returncode != 0
    assert "ERROR: AddressSanitizer" in done.stderr
    assert found in done.stderr


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
