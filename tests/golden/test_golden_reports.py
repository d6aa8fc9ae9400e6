"""What users see, pinned to the letter.

After a wanted change run with ``STATESPACE_UPDATE_GOLDEN=1`` and read the difference.
"""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

import pytest
from stories import FAILURES, graph, result_of, session

from pytest_statespace.reporting.dot import dot
from pytest_statespace.reporting.failure import render
from pytest_statespace.reporting.html import page
from pytest_statespace.reporting.json import document, write
from pytest_statespace.reporting.terminal import header_line, summary_lines
from pytest_statespace.reporting.text import plain
from pytest_statespace.settings import Settings

HERE = Path(__file__).parent


def compare(name: str, text: str) -> None:
    path = HERE / name
    if os.environ.get("STATESPACE_UPDATE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", FAILURES)
def test_failure_report(name: str) -> None:
    failure = FAILURES[name]()
    compare(f"{name}.txt", render(result_of(failure), failure, width=100) + "\n")


@pytest.mark.parametrize("name", ["lost_update", "deadlock"])
def test_failure_report_on_a_narrow_terminal(name: str) -> None:
    failure = FAILURES[name]()
    for width in (80, 64):
        compare(f"{name}_{width}.txt", render(result_of(failure), failure, width=width) + "\n")


@pytest.mark.parametrize("name", ["lost_update", "deadlock"])
def test_page(name: str) -> None:
    failure = FAILURES[name]()
    compare(f"{name}.html", page(result_of(failure), failure))


def test_graph() -> None:
    compare("deadlock.dot", dot(result_of(FAILURES["deadlock"]()), graph()))


def test_replayed_report() -> None:
    failure = dataclasses.replace(FAILURES["deadlock"](), token="", gil_reachable=None, fewest=False)
    result = result_of(failure, strategy="replay", executions=1, transitions=17, states=0)
    text = render(result, failure, width=100) + "\n" + plain(summary_lines([result], 100)) + "\n"
    compare("replayed.txt", text)


@pytest.mark.parametrize("width", [140, 80])
def test_summary(width: int) -> None:
    compare(f"summary_{width}.txt", plain(summary_lines(session(), width)) + "\n")


def test_header() -> None:
    lines = [
        header_line(Settings()),
        header_line(
            Settings(trace=("queue", "shop.pool"), preemptions=2, max_states=1000, timeout=0.5),
            tracker="compare",
            tracker_reason="this kernel has no asynchronous write protection",
        ),
    ]
    compare("header.txt", "\n".join(lines) + "\n")


def test_json(tmp_path: Path) -> None:
    write(tmp_path / "new" / "results.json", session())
    content = json.loads((tmp_path / "new" / "results.json").read_text(encoding="utf-8"))
    assert content == document(session())
    assert os.listdir(tmp_path / "new") == ["results.json"]
    for key in ("plugin", "python", "platform"):
        assert content[key]
        content[key] = f"<{key}>"
    compare("results.json", json.dumps(content, indent=1) + "\n")
