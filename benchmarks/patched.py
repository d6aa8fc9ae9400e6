"""A copy of the package, built from changed sources: what the engine would be like without something, or with a pen."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def build(folder: Path, changes: Sequence[tuple[str, str, str]]) -> None:
    """Build into an empty folder. `changes`: file below `native`, what is there, what is put there instead."""
    shutil.copytree(ROOT / "native", folder / "native")
    shutil.copytree(
        ROOT / "pytest_statespace", folder / "pytest_statespace", ignore=shutil.ignore_patterns("*.so", "__pycache__")
    )
    for file, there, instead in changes:
        source = folder / "native" / file
        text = source.read_text()
        assert text.count(there) == 1, f"{file} has this {text.count(there)} times, not once: {there}"
        source.write_text(text.replace(there, instead))
    output = folder / "pytest_statespace" / "_native"
    for command in (
        ["cmake", "-S", folder / "native", "-B", folder / "build", f"-DPython_EXECUTABLE={sys.executable}",
         f"-DCMAKE_LIBRARY_OUTPUT_DIRECTORY={output}"],
        ["cmake", "--build", folder / "build"],
    ):  # fmt: skip
        subprocess.run(list(map(str, command)), check=True, stdout=subprocess.DEVNULL)


def run(folder: Path, *arguments: str) -> str:
    """What a script prints in a process of its own that imports the copy."""
    environment = os.environ | {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT / 'tests'}"}
    command = [sys.executable, *arguments]
    return subprocess.run(command, check=True, env=environment, stdout=subprocess.PIPE, text=True).stdout
