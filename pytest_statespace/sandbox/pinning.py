"""One CPU for explorer and child: they alternate strictly, and a wake-up across CPUs is dear."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["pinned"]


@contextmanager
def pinned(slot: int | None = None) -> Iterator[None]:
    """Pin this process, and what it forks, to one CPU; put the old affinity back afterwards.

    ``slot`` spreads several explorers (xdist workers) over the CPUs; None: the present CPU.
    A kernel that refuses is tolerated: pinning only makes things faster.
    """
    try:
        before = os.sched_getaffinity(0)
        cpus = sorted(before)
        cpu = cpus[slot % len(cpus)] if slot is not None else _present_cpu(cpus)
        os.sched_setaffinity(0, {cpu})
    except OSError:
        yield
        return
    try:
        yield
    finally:
        with suppress(OSError):  # the CPUs may have been taken away in the meantime
            os.sched_setaffinity(0, before)


def _present_cpu(cpus: list[int]) -> int:
    text = Path("/proc/self/stat").read_text(encoding="ascii", errors="replace")
    fields = text.rpartition(")")[2].split()
    cpu = int(fields[36]) if len(fields) > 36 else cpus[0]  # field 39 of stat(5): processor
    return cpu if cpu in cpus else cpus[0]
