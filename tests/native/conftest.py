"""Compiles the native test programs together with the engine's sources, once a session."""

from __future__ import annotations

import platform
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ENGINE = HERE.parents[1] / "native" / "engine"
ISA = {"x86_64": "x86_64", "AMD64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64"}[platform.machine()]
FLAGS = [
    *("-std=gnu17", "-O2", "-g", "-fPIC", "-shared", "-fvisibility=hidden", "-fno-stack-protector", "-pthread"),
    *("-Wall", "-Wextra", "-Werror", "-D_GNU_SOURCE", "-DSS_DEBUG", "-Wl,-z,now", f"-I{ENGINE}"),
]

RunNative = Callable[..., str]


def compiler() -> str:
    """The compiler this Python was built with: its name without flags."""
    return (sysconfig.get_config_var("CC") or "cc").split()[0]


def engine_sources() -> list[str]:
    """What CMake compiles into the engine."""
    return [str(path) for path in sorted([*ENGINE.glob("*.c"), *ENGINE.glob(f"*_{ISA}.S")])]


@pytest.fixture(scope="session")
def build_native(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Shared library of one test program, built at its first use."""
    folder = tmp_path_factory.mktemp("native")
    built: dict[str, Path] = {}

    def build(program: str) -> Path:
        if program not in built:
            library = folder / f"{program}.so"
            command = [compiler(), *FLAGS, *engine_sources(), str(HERE / f"{program}.c"), "-o", str(library)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
            built[program] = library
        return built[program]

    return build


@pytest.fixture
def run_native(build_native: Callable[[str], Path]) -> RunNative:
    """Run a test of a program in its own process; it must succeed (or, expect="...", fail saying so)."""

    def run(program: str, name: str, seed: int = 0, expect: str | None = None) -> str:
        command = [sys.executable, str(HERE / "driver.py"), str(build_native(program)), name, str(seed)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        if expect is None:
            assert done.returncode == 0, f"exit status {done.returncode}\n{done.stdout}{done.stderr}"
        else:
            assert done.returncode != 0, f"a defect planted on purpose went unnoticed: {name}"
            assert expect in done.stderr, done.stderr
        return done.stdout

    return run
