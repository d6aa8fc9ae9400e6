"""Lines of styled text: measured in terminal cells, cut, wrapped, and written."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _pytest._io import TerminalWriter

__all__ = [
    "Line",
    "Span",
    "clean",
    "cut",
    "from_here",
    "line",
    "pad",
    "plain",
    "plural",
    "rule",
    "width_of",
    "wrap",
    "write",
]

_MARKUP: dict[str, dict[str, bool]] = {
    "": {},
    "title": {"bold": True},
    "faint": {"light": True},
    "switch": {"yellow": True},
    "failure": {"red": True, "bold": True},
    "passed": {"green": True},
    "name": {"bold": True},
}
_ASCII = str.maketrans("│─┼…→⋮·", "|-+~>:-")


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a line in one style: "", title, faint, switch, failure or name."""

    text: str
    style: str = ""


Line = tuple[Span, ...]


def line(text: str = "", style: str = "") -> Line:
    """A line in one style."""
    return (Span(text, style),)


def plain(lines: Iterable[Line]) -> str:
    """The text alone, without trailing blanks."""
    return "\n".join("".join(span.text for span in spans).rstrip() for spans in lines)


def write(writer: TerminalWriter, lines: Iterable[Line]) -> None:
    """Write to a terminal, in colour if the writer has it; in ASCII if its encoding lacks boxes."""
    encoding = getattr(getattr(writer, "_file", None), "encoding", None) or "utf-8"
    try:
        "│─…→".encode(encoding)
        table = {}
    except (UnicodeEncodeError, LookupError):
        table = _ASCII
    for spans in lines:
        for span in _without_trailing_blanks(spans):
            writer.write(span.text.translate(table), **_MARKUP[span.style])
        writer.line()


def clean(text: str) -> str:
    """On one line and printable: tabs become blanks, control characters escapes."""
    text = text.replace("\t", "    ").replace("\n", " ")
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape", "surrogatepass").decode("ascii")
        for character in text
    )


def from_here(file: str) -> str:
    """The path as one would type it in the current folder."""
    try:
        return str(Path(file).relative_to(Path.cwd()))
    except (ValueError, OSError):
        return file


def width_of(text: str) -> int:
    """Terminal cells that printable text takes."""
    if text.isascii():
        return len(text)
    return sum(_cells(character) for character in text)


def cut(text: str, width: int, *, left: bool = False) -> str:
    """At most ``width`` cells, with an ellipsis where something was left out."""
    if width_of(text) <= width:
        return text
    if width <= 1:
        return "…"[:width]
    characters = reversed(text) if left else iter(text)
    kept: list[str] = []
    room = width - 1
    for character in characters:
        room -= _cells(character)
        if room < 0:
            break
        kept.append(character)
    return "…" + "".join(reversed(kept)) if left else "".join(kept).rstrip() + "…"


def pad(text: str, width: int) -> str:
    """Filled with blanks up to ``width`` cells."""
    return text + " " * (width - width_of(text))


def wrap(text: str, width: int, *, limit: int = 0) -> list[str]:
    """Broken into lines at blanks, longer words anywhere; ``limit`` > 0 cuts the rest off."""
    lines = textwrap.wrap(text, max(width, 1), break_on_hyphens=False) or [""]
    lines = [piece for long in lines for piece in _break_wide(long, width)]
    if limit and len(lines) > limit:
        rest = " ".join(lines[limit - 1 :])
        lines = [*lines[: limit - 1], cut(rest, width)]
    return lines


def rule(title: str, width: int, fill: str = "-") -> str:
    """A title in the middle of a ruled line, the way pytest heads captured output."""
    title = f" {cut(title, max(width - 6, 1))} "
    room = max(width - width_of(title), 4)
    return fill * (room // 2) + title + fill * (room - room // 2)


def plural(number: int, noun: str) -> str:
    """``1 state``, ``12 345 states``: thousands are set apart by a blank."""
    ending = "" if number == 1 else "es" if noun.endswith(("s", "sh", "ch")) else "s"
    return f"{number:,}".replace(",", " ") + f" {noun}{ending}"


def _without_trailing_blanks(spans: Line) -> Sequence[Span]:
    kept = list(spans)
    while kept and not kept[-1].text.rstrip(" "):
        kept.pop()
    if kept:
        kept[-1] = Span(kept[-1].text.rstrip(" "), kept[-1].style)
    return kept


def _break_wide(text: str, width: int) -> list[str]:
    pieces = [""]
    for character in text:
        if pieces[-1] and width_of(pieces[-1]) + _cells(character) > width:
            pieces.append("")
        pieces[-1] += character
    return pieces


def _cells(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
