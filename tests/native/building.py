"""Compiling the native test programs together with the engine's sources, and running them."""

from __future__ import annotations

import contextlib
import os
import platform
import signal
import subprocess
import sys
import sysconfig
from pathlib import Path

HERE = Path(__file__).parent
ENGINE = HERE.parents[1] / "native" / "engine"
ISA = {"x86_64": "x86_64", "AMD64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64"}[platform.machine()]
FLAGS = [
    *("-std=gnu17", "-O2", "-g", "-fPIC", "-fvisibility=hidden", "-fno-stack-protector", "-pthread"),
    *("-Wall", "-Wextra", "-Werror", "-D_GNU_SOURCE", "-DSS_DEBUG", f"-I{ENGINE}", f"-I{HERE}"),
]


class Builder:
    """Compiles into one folder; objects of the engine are made once and shared."""

    def __init__(self, folder: Path, *options: str, of_programs: tuple[str, ...] = ()) -> None:
        """`options` of the compiler for everything, `of_programs` for test programs alone."""
        self.folder = folder
        self.options = options
        self.of_programs = of_programs
        # The compiler this Python was built with: its name without flags.
        self.compiler = (sysconfig.get_config_var("CC") or "cc").split()[0]
        self.sources = sorted([*ENGINE.glob("*.c"), *ENGINE.glob(f"*_{ISA}.S")])

    def _run(self, *arguments: str) -> None:
        command = [self.compiler, *FLAGS, *self.options, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def compile(self, source: Path, folder: Path | None = None, *options: str) -> Path:
        """Object file of one source, reused if it is there."""
        target = (folder or self.folder) / f"{source.name}.o"
        if not target.exists():
            self._run("-c", *options, str(source), "-o", str(target))
        return target

    def library(self, program: str, replaced: Path | None = None) -> Path:
        """Shared library of one test program; `replaced`: a changed copy of one engine file."""
        folder = replaced.parent if replaced else self.folder
        target = folder / f"{program}.so"
        if not target.exists():
            objects = [
                self.compile(replaced, folder, "-Wno-error")
                if replaced and source.name == replaced.name
                else self.compile(source)
                for source in self.sources
            ]
            objects.append(self.compile(HERE / f"{program}.c", self._programs(), *self.of_programs))
            self._run("-shared", "-Wl,-z,now", *map(str, objects), "-o", str(target))
        return target

    def _programs(self) -> Path:
        folder = self.folder / "programs"  # guard.c is a name in both places
        folder.mkdir(exist_ok=True)
        return folder


def run_library(
    library: Path, name: str, seed: int | str = 0, seconds: float = 120, **environment: str
) -> subprocess.CompletedProcess[str]:
    """One test of a built program, in a process of its own. What a defect leaves behind of it is ended."""
    command = [sys.executable, str(HERE / "driver.py"), str(library), name, str(seed)]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, stdout=pipe, stderr=pipe, text=True, env=os.environ | environment, process_group=0
    ) as process:
        try:
            output, errors = process.communicate(timeout=seconds)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    return subprocess.CompletedProcess(command, process.returncode, output, errors)
