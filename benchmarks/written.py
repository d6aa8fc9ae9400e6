"""What every benchmark ends with: its table under a head that says where it comes from."""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
from collections.abc import Iterable
from pathlib import Path

HERE = Path(__file__).resolve().parent


def machine() -> list[str]:
    """Processor, system, commit and load, as lines of a list."""
    processors = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    processor = processors[0].rpartition(": ")[2] if processors else platform.machine()
    git = ["git", "-C", str(HERE), "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip() or "unknown"
    loads = " ".join(f"{load:.1f}" for load in os.getloadavg())
    return [
        f"- {processor}, {os.cpu_count()} CPUs, Linux {platform.release()}, Python {platform.python_version()}",
        f"- commit {commit}, {today()}, load averages at the end {loads}",
    ]


def today() -> str:
    return datetime.datetime.now(tz=datetime.UTC).date().isoformat()


def publish(name: str, title: str, facts: Iterable[str], lines: Iterable[str], *, write: bool) -> None:
    """Print it, and `write` it to `results`. `facts` are items of the list at the top."""
    items = [f"- {fact}" for fact in facts]
    publish_text(name, "\n".join([f"# {title}", "", *machine(), *items, "", *lines]) + "\n", write=write)


def publish_text(name: str, text: str, *, write: bool) -> None:
    """The same for a text that has its head."""
    print(text)
    if write:
        (HERE / "results" / f"{name}-{today()}.md").write_text(text, encoding="utf-8")
