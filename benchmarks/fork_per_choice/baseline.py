"""Compile and run the baseline: the bridge on a table that forks at every choice point."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from pytest_statespace.sandbox.arena import Arena, bridge_module
from pytest_statespace.sandbox.pinning import pinned

_HERE = Path(__file__).resolve().parent
_ENGINE = _HERE.parent.parent / "native" / "engine"


@dataclass(frozen=True, slots=True)
class Forked:
    """What a run of the baseline did in how many seconds."""

    executions: int
    transitions: int
    forks: int
    seconds: float


def build(folder: Path) -> ctypes.CDLL:
    """Compile `baseline.c` into `folder`. Needs the C compiler that the package needs, too."""
    target = folder / "baseline.so"
    compiler = os.environ.get("CC") or (sysconfig.get_config_var("CC") or "cc").split()[0]
    command = [compiler, "-std=gnu17", "-O2", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared", "-fvisibility=hidden"]
    command += ["-fno-stack-protector", "-D_GNU_SOURCE", f"-I{_ENGINE}", str(_HERE / "baseline.c"), "-o", str(target)]
    subprocess.run(command, check=True)
    library = ctypes.CDLL(str(target))
    library.baseline_table.restype = ctypes.c_void_p
    library.baseline_table.argtypes = [ctypes.c_void_p, ctypes.c_uint64]
    return library


def run(library: ctypes.CDLL, child: Callable[[dict[str, Any]], NoReturn], most_executions: int) -> Forked:
    """Explore by forking until `most_executions`. `child` starts the bridge with the settings it is given."""
    bridge = bridge_module()
    arena = Arena(64)
    try:
        table = library.baseline_table(arena.table_address(), most_executions)
        if not table:
            raise RuntimeError("the baseline does not fit this engine: its version differs, or memory is short")
        bridge.attach(table, arena.address)
        with pinned():
            pid = bridge.fork()
            if pid == 0:
                try:
                    child({"tracker": "none", "guard": False, "fingerprint": False})
                finally:
                    os._exit(70)
            _, status = os.waitpid(pid, 0)
        numbers = (ctypes.c_uint64 * 5)()
        library.baseline_read(numbers)
    finally:
        arena.destroy()
    executions, transitions, forks, failures, nanoseconds = numbers
    if status or failures:
        raise RuntimeError(f"the baseline failed: status {status}, {failures} failures")
    return Forked(executions, transitions, forks, nanoseconds / 1e9)
