"""What data races are called: from what the bridge noted to `DataRace`.

The bridge notes a race as soon as it sees one and knows only the objects: of what class the
owner of an attribute is, in which module a global lies. What a list or a dictionary is called
stands in the source alone, as the expression in front of the subscript, the call or the `in`.
"""

from __future__ import annotations

import ast
import linecache
from collections.abc import Sequence
from typing import Any, NamedTuple

from pytest_statespace.types import DataRace

__all__ = ["name_races"]

_ATTRIBUTE, _ENTRY, _INDEX, _SIZE, _WHOLE, _CELL = range(1, 7)  # enum ssb_place_kind
_WRITE = 2


class _Side(NamedTuple):
    file: str
    function: str
    access: int
    line: int
    end_line: int
    column: int  # in bytes of UTF-8, as in code objects; -1: unknown
    end_column: int


def name_races(noted: Sequence[Any], root: str) -> tuple[DataRace, ...]:
    """Races as reports name them, sorted, each once; files are relative to ``root`` where possible."""
    prefix = root.rstrip("/") + "/"
    named: set[DataRace] = set()
    for kind, owner, part, sides in noted:
        # The same whichever thread came first: which of the two did depends on the search.
        first, second = sorted((_Side(*side) for side in sides), key=_order)
        accesses = tuple(
            f"{side.file.removeprefix(prefix)}:{side.line} {'write' if side.access & _WRITE else 'read'}"
            for side in (first, second)
        )
        named.add(DataRace(_location(kind, owner, part, first, second), accesses))
    return tuple(sorted(named, key=lambda race: (race.location, race.accesses)))


def _order(side: _Side) -> tuple[object, ...]:
    return side.file, side.line, side.access & _WRITE, side.column


def _location(kind: int, owner: str, part: str, first: _Side, second: _Side) -> str:
    if kind == _ATTRIBUTE:
        return f"{owner.rpartition('<locals>.')[2]}.{part}"
    if kind == _CELL:
        return part
    container = _container(first) or _container(second) or f"<{owner}>"
    return f"{container}[{part}]" if kind in (_ENTRY, _INDEX) else container


def _container(side: _Side) -> str:
    """The expression of the container that an instruction works on, "" if it can't be told."""
    try:
        tree = ast.parse(f"({_segment(side)})", mode="eval").body
    except (SyntaxError, ValueError):
        return ""
    match tree:
        case ast.Subscript(value=container):
            pass
        case ast.Compare(comparators=[*_, container]):
            pass
        case ast.Call(func=ast.Attribute(value=container)):
            pass
        case ast.Call(func=ast.Name(), args=[container]):
            pass
        case ast.UnaryOp(operand=container):
            pass
        case container:
            pass
    if not isinstance(container, ast.Name | ast.Attribute | ast.Subscript):
        return ""
    text = ast.unparse(container)
    owner = side.function.rpartition(".")[0].rpartition("<locals>.")[2]
    if text.startswith("self.") and owner and not owner.endswith(">"):
        return owner + text.removeprefix("self")
    return text


def _segment(side: _Side) -> str:
    """The source text of an instruction."""
    if side.column < 0 or side.end_column < 0:
        return ""
    lines = [
        linecache.getline(side.file, number).encode() for number in range(side.line, side.end_line + 1)
    ]
    lines[-1] = lines[-1][: side.end_column]
    lines[0] = lines[0][side.column :]
    return b"".join(lines).decode("utf-8", "replace").strip()
