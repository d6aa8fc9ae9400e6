"""Where a schedule was made: versions, platform and digests of the source files."""

from __future__ import annotations

import importlib.metadata
import platform
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import xxhash

__all__ = [
    "combined_digest",
    "platform_name",
    "plugin_version",
    "python_version",
    "source_digests",
]


def plugin_version() -> str:
    """The installed version of the plugin, ``unknown`` when it runs from a bare source tree."""
    try:
        return importlib.metadata.version("pytest-statespace")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def python_version() -> str:
    """Version of the running interpreter: ``3.11.7``, with ``t`` appended when free-threaded."""
    free_threaded = "" if getattr(sys, "_is_gil_enabled", lambda: True)() else "t"
    return platform.python_version() + free_threaded


def platform_name() -> str:
    """Such as ``linux-x86_64``."""
    return f"{sys.platform}-{platform.machine()}"


def source_digests(rootdir: Path, files: Iterable[str | Path]) -> dict[str, int]:
    """XXH3-64 of each file's content, by its path relative to ``rootdir`` (absolute outside).

    Files that can't be read (``<string>``, deleted) are left out.
    """
    digests: dict[str, int] = {}
    for file in files:
        path = Path(file) if Path(file).is_absolute() else rootdir / file
        try:
            content = path.read_bytes()
        except (OSError, ValueError):
            continue
        digests[_relative(path, rootdir)] = xxhash.xxh3_64_intdigest(content)
    return dict(sorted(digests.items()))


def combined_digest(digests: Mapping[str, int]) -> int:
    """One 32-bit number for a whole set of files, for the inline form; 0 for no files."""
    if not digests:
        return 0
    hasher = xxhash.xxh3_64()
    for name, digest in sorted(digests.items()):
        encoded = name.encode("utf-8", "surrogatepass")
        hasher.update(len(encoded).to_bytes(4, "little") + encoded + digest.to_bytes(8, "little"))
    return hasher.intdigest() & 0xFFFFFFFF or 1


def _relative(path: Path, rootdir: Path) -> str:
    try:
        return path.resolve().relative_to(rootdir.resolve()).as_posix()
    except (ValueError, OSError):
        return path.as_posix()
