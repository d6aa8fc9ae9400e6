"""Rows and columns: what is merged, what is split, and that everything stays within the width."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_statespace.reporting.rows import StepRow, SwitchRow, build_rows, short_names
from pytest_statespace.reporting.text import plain, width_of
from pytest_statespace.reporting.timeline import MAX_ROWS, timeline
from pytest_statespace.types import FailureKind, Report, Step, WaitingThread


def step(thread: int, source: str, operation: str = "access", **values: Any) -> Step:
    defaults: dict[str, Any] = {
        "target": "",
        "access": "",
        "file": "a.py",
        "line": 1,
        "function": "f",
    }
    return Step(thread=thread, source=source, operation=operation, **{**defaults, **values})


def read(thread: int, target: str = "C.x", value: str = "0", **values: Any) -> Step:
    return step(thread, "c.x += 1", target=target, access="read", value=value, **values)


def write(thread: int, target: str = "C.x", value: str = "1", **values: Any) -> Step:
    return step(thread, "c.x += 1", target=target, access="write", value=value, **values)


def report(*steps: Step, **values: Any) -> Report:
    defaults: dict[str, Any] = {
        "kind": FailureKind.ASSERTION,
        "message": "",
        "exception_type": "",
        "longrepr": "",
        "sections": (),
        "threads": ("main", "one", "two", "three", "four", "five"),
    }
    return Report(steps=steps, **{**defaults, **values})


def notes(*steps: Step, **values: Any) -> list[str]:
    """One text a row; switches as their reason."""
    return [
        row.reason if isinstance(row, SwitchRow) else ("… " if row.continued else "") + row.note
        for row in build_rows(report(*steps, **values))
    ]


def test_one_pass_over_a_line_is_one_row() -> None:
    assert notes(read(1), write(1)) == ["read 0, wrote 1"]
    assert notes(read(1), read(1), write(1)) == ["read 0, wrote 1"]


def test_a_loop_over_one_line_makes_rows() -> None:
    assert notes(read(1), write(1), read(1, value="1"), write(1, value="2")) == [
        "read 0, wrote 1",
        "read 1, wrote 2",
    ]
    assert notes(write(1), write(1)) == ["wrote 1", "wrote 1"]


def test_another_function_on_the_same_line_makes_a_row() -> None:
    assert notes(read(1), write(1, function="g")) == ["read 0", "wrote 1"]


def test_a_line_goes_on_after_a_switch() -> None:
    assert notes(read(1), read(2, preemption=True), write(2), write(1)) == [
        "read 0",
        "preempted",
        "read 0, wrote 1",
        "ended",
        "… wrote 1",
    ]
    waits = step(1, "with lock:", "acquire", target="lock", outcome="blocked")
    done = step(1, "with lock:", "acquire", target="lock")
    assert notes(waits, read(2), done) == ["waits", "blocked", "read 0", "ended", "… acquired"]


def test_the_next_pass_does_not_go_on() -> None:
    again = read(1, value="1")
    assert notes(read(1), write(1), read(2), again) == [
        "read 0, wrote 1",
        "blocked",
        "read 0",
        "ended",
        "read 1",
    ]


def test_several_targets_are_named() -> None:
    source = "a.total = a.total + b.total"
    steps = [
        step(1, source, target="A.total", access="read", value="1"),
        step(1, source, target="B.total", access="read", value="2"),
        step(1, source, target="A.total", access="write", value="3"),
    ]
    assert notes(*steps) == ["A.total: read 1, wrote 3; B.total: read 2"]
    assert notes(step(1, "update(a)", target="A.total", access="write", value="3")) == ["A.total: wrote 3"]


@pytest.mark.parametrize(
    ("values", "note"),
    [
        ({"operation": "acquire", "target": "lock"}, "acquired lock"),
        ({"operation": "acquire", "target": "lock", "outcome": "blocked"}, "waits for lock"),
        ({"operation": "acquire", "target": "x"}, "acquired"),
        (
            {"operation": "acquire", "target": "lock", "outcome": "timed out"},
            "timed out waiting for lock",
        ),
        ({"operation": "try acquire", "target": "lock", "value": "True"}, "acquired lock"),
        ({"operation": "try_acquire", "target": "lock", "value": "False"}, "did not get lock"),
        ({"operation": "join", "target": "Thread-3 (work)"}, "joined Thread-3"),
        ({"operation": "join", "target": "thing (work)"}, "joined thing (work)"),
        ({"operation": "sleep"}, "slept"),
        ({"operation": "sleep", "outcome": "blocked"}, "sleeps"),
        ({"operation": "choose", "value": "50"}, "chose 50"),
        ({"operation": "get", "target": "q", "value": "'a'"}, "q: got 'a'"),
        ({"operation": "get", "target": "q", "outcome": "blocked"}, "q: waits"),
        ({"operation": "call", "target": "x", "access": "read-write"}, ""),
        ({"operation": "access", "target": "x", "access": "read-write"}, "changed"),
        ({"operation": "line"}, ""),
        ({"operation": "unheard of", "value": "1"}, "1"),
    ],
)
def test_what_happened(values: dict[str, Any], note: str) -> None:
    assert notes(step(1, "x()", **values)) == [note]


def test_begin_and_end_are_rows_only_where_nothing_else_is() -> None:
    steps = [
        step(0, "", "end"),
        step(1, "def f():", "begin"),
        read(1),
        step(1, "", "end"),
        step(2, "def f():", "begin"),
        step(2, "", "end"),
    ]
    assert notes(*steps) == ["ends", "ended", "read 0", "ended", "begins"]


def test_reasons_of_switches() -> None:
    sleep = step(1, "sleep(1)", "sleep", outcome="blocked")
    assert notes(sleep, read(2))[1] == "sleeping"
    assert notes(read(1), read(2))[1] == "ended"
    assert notes(read(1), read(2), read(1))[1] == "blocked"
    waiting = WaitingThread(1, "one", "acquire", "lock", "a.py", 1, "f", "with lock:")
    assert notes(read(1), read(2), waiting=(waiting,))[1] == "blocked"


def test_short_names() -> None:
    assert short_names(["/a/b/x.py", "/a/c/x.py", "/a/y.py", "/a/y.py"]) == {
        "/a/b/x.py": "b/x.py",
        "/a/c/x.py": "c/x.py",
        "/a/y.py": "y.py",
    }
    assert short_names(["x.py", "a/x.py"]) == {"x.py": "x.py", "a/x.py": "a/x.py"}


def test_no_steps_no_timeline() -> None:
    assert timeline(report(), 80) == []


def test_many_rows_are_cut_in_the_middle() -> None:
    steps = [step(1, f"line {n}", line=n) for n in range(1, 1001)]
    text = plain(timeline(report(*steps), 80))
    assert f"⋮  {1000 - MAX_ROWS} rows left out" in text
    assert "line 100\n" in text
    assert "line 101\n" not in text
    assert "line 900\n" not in text
    assert "line 901\n" in text
    assert "line 1000\n" in text
    exact = [step(1, f"line {n}", line=n) for n in range(MAX_ROWS)]
    assert "left out" not in plain(timeline(report(*exact), 80))


def test_a_line_with_thousands_of_accesses_stays_readable() -> None:
    steps = [read(1, target=f"items[{n}]") for n in range(5000)]
    assert len(build_rows(report(*steps))) == 100


def test_columns_up_to_four_threads_then_a_list() -> None:
    four = [read(thread) for thread in (1, 2, 3, 4)]
    assert "│ one" in plain(timeline(report(*four), 140))
    assert "[one]" in plain(timeline(report(*four, read(5)), 140))
    wide = [step(thread, "x" * 40) for thread in (1, 2, 3, 4)]
    assert "[one]" in plain(timeline(report(*wide), 60))


def test_long_names_leave_room_for_the_source() -> None:
    long = "directory_with_a_long_name/" * 3 + "test.py"
    made = report(*(read(n, file=long if n < 5 else "test.py") for n in range(1, 6)), threads=("x" * 50,) * 6)
    lines = plain(timeline(made, 60)).splitlines()
    assert max(map(width_of, lines)) <= 60
    assert sum("c.x += 1" in text for text in lines) == 5


steps = st.builds(
    Step,
    thread=st.integers(0, 6),
    operation=st.sampled_from(["access", "acquire", "release", "join", "begin", "end", "call", "sleep", "put", ""]),
    target=st.text(max_size=12),
    access=st.sampled_from(["", "read", "write", "read-write"]),
    file=st.sampled_from(["", "a.py", "b/a.py", "<string>"]) | st.text(max_size=50),
    line=st.integers(0, 10**6),
    function=st.sampled_from(["f", "g"]),
    source=st.text(max_size=60),
    value=st.text(max_size=60),
    outcome=st.sampled_from(["done", "blocked", "timed out"]),
    switch=st.booleans(),
    preemption=st.booleans(),
)


@settings(deadline=None)
@given(st.lists(steps, min_size=1, max_size=30), st.integers(60, 160))
def test_any_report_fits_the_width(recorded: list[Step], width: int) -> None:
    made = report(*recorded, threads=("main", "a very long name of a thread indeed", "名前"))
    rows = [row for row in build_rows(made) if isinstance(row, StepRow)]
    lines = plain(timeline(made, width)).splitlines()
    assert not rows or lines
    assert max((width_of(text) for text in lines), default=0) <= width
    assert all(text.isprintable() for text in lines)
