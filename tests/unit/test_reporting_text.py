"""Text is measured in cells, cut, wrapped, and written in any encoding."""

from __future__ import annotations

import io

import pytest
from _pytest._io import TerminalWriter
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_statespace.reporting.text import (
    Span,
    clean,
    cut,
    line,
    pad,
    plain,
    plural,
    rule,
    width_of,
    wrap,
    write,
)

printable = st.text(max_size=40).map(clean)


@settings(deadline=None)
@given(printable, st.integers(1, 50), st.booleans())
def test_cut_and_pad(text: str, width: int, left: bool) -> None:
    short = cut(text, width, left=left)
    assert width_of(short) <= width
    assert short == text or "…" in short
    assert width_of(pad(short, width)) == width


@settings(deadline=None)
@given(printable, st.integers(2, 50))
def test_wrap_loses_nothing_but_blanks(text: str, width: int) -> None:
    pieces = wrap(text, width)
    assert all(width_of(piece) <= width for piece in pieces)
    assert "".join("".join(pieces).split()) == "".join(text.split())


def test_wrap_with_a_limit() -> None:
    assert wrap("one two three four", 8, limit=2) == ["one two", "three f…"]
    assert wrap("", 8) == [""]


@settings(deadline=None)
@given(st.text(max_size=20))
def test_clean_is_printable(text: str) -> None:
    assert clean(text).isprintable()
    assert clean(clean(text)) == clean(text)


def test_clean_shows_what_it_replaces() -> None:
    assert clean("a\tb\x1b[31m\udc80\n") == "a    b\\x1b[31m\\udc80 "


def test_widths() -> None:
    assert width_of("größe") == 5
    assert width_of("数値") == 4
    assert width_of("e\u0301") == 1
    assert cut("数値数値", 4) == "数…"
    assert cut("tests/test_bank.py:12", 10, left=True) == "…ank.py:12"


def test_rule_and_plural() -> None:
    assert rule("title", 15) == "---- title ----"
    assert width_of(rule("x" * 100, 40)) == 40
    assert plural(1, "state") == "1 state"
    assert plural(12345, "switch") == "12 345 switches"


def test_plain_drops_trailing_blanks() -> None:
    assert plain([(Span("a "), Span("  ")), line(), line("b")]) == "a\n\nb"


def written(encoding: str, markup: bool) -> str:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    writer = TerminalWriter(stream)
    writer.hasmarkup = markup
    write(writer, [(Span("── switch ── a → b", "switch"), Span("  "))])
    stream.flush()
    return stream.buffer.getvalue().decode(encoding)  # type: ignore[attr-defined,no-any-return]


@pytest.mark.parametrize(
    ("encoding", "markup", "text"),
    [
        ("utf-8", False, "── switch ── a → b\n"),
        ("utf-8", True, "\x1b[33m── switch ── a → b\x1b[0m\n"),
        ("ascii", False, "-- switch -- a > b\n"),
        ("latin-1", False, "-- switch -- a > b\n"),
    ],
)
def test_write(encoding: str, markup: bool, text: str) -> None:
    assert written(encoding, markup) == text
