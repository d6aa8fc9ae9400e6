"""The engine calls neither malloc nor stdio nor CPython, and exports only its public functions."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

ENGINE = Path(__file__).parents[2] / "native" / "engine"

# Copying and comparing memory; creating donors and installing one signal handler, both before
# the base snapshot; the clock (vdso). Nothing that allocates, locks or sets errno on the agent's way.
ALLOWED = {
    *("memcpy", "memset", "memcmp", "memmove", "strlen", "strcmp", "strncmp"),
    *("pthread_create", "pthread_attr_init", "pthread_attr_destroy", "pthread_attr_setstack"),
    *("sigaction", "clock_gettime", "getauxval", "__rseq_offset", "__rseq_size"),
}
LINKER = {
    "_GLOBAL_OFFSET_TABLE_",
    "__cxa_finalize",
    "__gmon_start__",
    "_ITM_deregisterTMCloneTable",
    "_ITM_registerTMCloneTable",
}


def symbols(path: Path, *options: str) -> list[str]:
    done = subprocess.run(["nm", *options, str(path)], capture_output=True, text=True, check=True)
    return [line.split()[-1].split("@")[0] for line in done.stdout.splitlines() if line.strip()]


@pytest.fixture(scope="module")
def library(builder: Any) -> Path:
    """The engine with next to nothing around it."""
    return Path(builder.library("nothing"))


def test_undefined_symbols(library: Path) -> None:
    assert set(symbols(library, "-D", "-u")) - LINKER <= ALLOWED


def test_exported_symbols(library: Path) -> None:
    declared = set(re.findall(r"SS_EXPORT[^;(]*?\b(ss_\w+)\(", (ENGINE / "engine.h").read_text()))
    exported = set(symbols(library, "-D", "--defined-only")) - {"run"}
    assert exported == declared


def test_one_system_call_instruction(library: Path) -> None:
    done = subprocess.run(["objdump", "-d", str(library)], capture_output=True, text=True, check=True)
    assert len(re.findall(r"\t(?:syscall|svc)\b", done.stdout)) == 1
