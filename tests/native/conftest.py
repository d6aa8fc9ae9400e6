"""Fixtures around the native test programs."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from building import ENGINE, Builder, run_library


@pytest.fixture(scope="session")
def builder(tmp_path_factory: pytest.TempPathFactory) -> Builder:
    return Builder(tmp_path_factory.mktemp("native"))


@pytest.fixture
def run_native(builder: Builder) -> Callable[..., None]:
    """Run a test of a program; it must succeed (or, expect="...", fail saying so)."""

    def run(program: str, name: str, seed: int = 0, expect: str | None = None, seconds: float = 120) -> None:
        done = run_library(builder.library(program), name, seed, seconds)
        if expect is None:
            assert done.returncode == 0, f"exit status {done.returncode}\n{done.stdout}{done.stderr}"
        else:
            assert done.returncode != 0, f"a defect planted on purpose went unnoticed: {name}"
            assert expect in done.stderr, done.stderr

    return run


@pytest.fixture
def mutant_survives(builder: Builder, tmp_path: Path) -> Callable[..., bool]:
    """Change one place of one engine file: does this test ("name" or "name@seed") still succeed?"""

    def survives(file: str, there: str, instead: str, program: str, name: str) -> bool:
        source = (ENGINE / file).read_text()
        assert source.count(there) == 1, f"{file} has this {source.count(there)} times, not once: {there}"
        (tmp_path / file).write_text(source.replace(there, instead))
        library = builder.library(program, tmp_path / file)
        try:
            done = run_library(library, *name.split("@"))
        except subprocess.TimeoutExpired:
            return False
        assert done.returncode != 2, f"{program} has no test {name}"
        return done.returncode == 0

    return survives
