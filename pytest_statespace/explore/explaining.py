"""What makes states different that look alike: the answer to ``--statespace-explain-state``.

The bridge notes each state as a list of places and what stands there (`explain.h`). Places of
new objects are numbered, and numbers shift when anything before them changes; so every number is
turned into the path by which its object was met first, and states are compared path by path.

Two states look alike when every thread has the same pending operation and stands at the same
instructions. What differs between them is data: a counter that has another value, a cache.
"""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from pytest_statespace.types import StateDifference

__all__ = ["compare_states", "places"]

_THREAD, _FRAME, _NEW, _BASE = 1, 2, 3, 4  # enum ssbx_owner
_PLAIN, _KEY, _INDEX, _LOCAL, _REST = range(5)  # enum ssbx_edge
_T_BASE, _T_NEW, _T_DEAD, _T_RAW, _T_ATOM, _T_FRAME, _T_NULL = 1, 2, 3, 4, 5, 6, 10  # enum ssbf_tag
_LOW = (1 << 56) - 1
_DICTS = ("dict", "OrderedDict", "defaultdict")
_LONGEST_PATH = 12  # steps from a thread to an object
_MOST_PAIRS = 2000
_MOST_PATHS = 50

Place = tuple[object, str]
_NOTHING: Place = ("nothing", "nothing")
Entry = tuple[int, int, int, Any, str, tuple[int, int, int]]


def compare_states(states: Sequence[tuple[int, list[Entry]]]) -> tuple[int, tuple[StateDifference, ...]]:
    """How many pairs of states look alike, and in what they differ, most frequent first.

    Each state is compared with the first one that looks like it.
    """
    groups: dict[int, dict[str, Place]] = {}
    pairs = 0
    counts: dict[str, int] = defaultdict(int)
    examples: dict[str, tuple[str, str]] = {}
    for alike, entries in states:
        state = places(entries)
        first = groups.setdefault(alike, state)
        if first is state or pairs == _MOST_PAIRS:
            continue
        pairs += 1
        for path in first.keys() | state.keys():
            old, new = first.get(path, _NOTHING), state.get(path, _NOTHING)
            if old != new:
                counts[path] += 1
                examples.setdefault(path, (old[1], new[1]))
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return pairs, tuple(StateDifference(path, n, *examples[path]) for path, n in ordered[:_MOST_PATHS])


def places(entries: Iterable[Entry]) -> dict[str, Place]:
    """Every place of one state: what is compared, and what is shown of it."""
    entries = list(entries)
    paths = _Paths(entries)
    found: dict[str, Place] = {}
    for owner_kind, owner, edge_kind, edge, label, value in entries:
        path = paths.of(owner_kind, owner, edge_kind, edge)
        text = "" if edge_kind == _REST else paths.text(label, value)
        by_value = edge_kind == _REST or value[0] >> 56 == _T_BASE
        found[path] = (value if by_value else text), text
    return found


class _Paths:
    """Names for the owners of one state: the way by which each was met first."""

    def __init__(self, entries: list[Entry]) -> None:
        self._types: dict[tuple[int, int], str] = {}
        self._names: dict[tuple[int, int], str] = {}
        self._met: dict[tuple[int, int], Entry] = {}
        addresses: dict[int, int] = {}
        for entry in entries:
            owner_kind, owner, edge_kind, _, label, value = entry
            if edge_kind == _REST:
                self._types[owner_kind, owner] = label
                if owner_kind == _BASE:
                    addresses[value[1]] = owner
        for entry in entries:
            owner_kind, owner, edge_kind, _, _, value = entry
            if edge_kind == _REST:
                continue
            tag, low = value[0] >> 56, value[0] & _LOW
            met = (_NEW, low) if tag == _T_NEW else (_BASE, addresses.get(low, -1)) if tag == _T_BASE else None
            if met is not None and met != (owner_kind, owner):
                known = self._met.get(met)
                if known is None or (known[2] == _PLAIN and edge_kind != _PLAIN and met[0] == _BASE):
                    self._met[met] = entry

    def of(self, owner_kind: int, owner: int, edge_kind: int, edge: Any) -> str:
        """The path of one place."""
        start = self._owner((owner_kind, owner), _LONGEST_PATH)
        type_name = self._types.get((owner_kind, owner), "")
        match edge_kind:
            case 1 if owner_kind in (_NEW, _BASE) and type_name in _DICTS:
                return f"{start}[{edge!r}]"
            case 1:
                return f"{start}.{edge}"
            case 2 if owner_kind == _FRAME:
                return f"{start} value {edge} on the stack"
            case 2:
                return f"{start}[{edge}]"
            case 3:
                return f"{start} {edge}" if owner_kind == _FRAME else f"{start}.{edge}"
            case 4 if type_name:
                return f"{start} (its {type_name} itself)"
            case 4:
                return f"{start} itself"
            case _:
                return f"{start}, part {edge}"

    def text(self, label: str, value: tuple[int, int, int]) -> str:
        """What stands at a place."""
        tag, low = value[0] >> 56, value[0] & _LOW
        if tag == _T_NEW:
            return f"the {label} of {self._owner((_NEW, low), _LONGEST_PATH)}"
        if tag == _T_BASE:
            return label
        if tag == _T_NULL:
            return "nothing"
        if tag == _T_DEAD:
            return "an object that is gone"
        if tag == _T_FRAME and low & 0x40000000:
            kind = _BASE if low & 0x20000000 else _NEW
            return f"the attributes of {self._owner((kind, low & 0x1FFFFFFF), _LONGEST_PATH)}"
        if tag == _T_FRAME:
            return f"a frame of thread {(low >> 16) & 0x3FFF}"
        if tag == _T_ATOM:
            return label or _atom(low >> 48, low & ((1 << 48) - 1), struct.pack("<QQ", *value[1:]))
        return f"{value[0]:016x}"

    def _owner(self, key: tuple[int, int], steps: int) -> str:
        if key in self._names:
            return self._names[key]
        kind, number = key
        if kind == _THREAD:
            name = f"thread {number}"
        elif kind == _FRAME:
            name = f"thread {number >> 16}, {self._types.get(key, '?')}():"
        else:
            name = self._met_by(key, steps)
        self._names[key] = name
        return name

    def _met_by(self, key: tuple[int, int], steps: int) -> str:
        entry = self._met.get(key)
        if entry is None or steps == 0:
            what = self._types.get(key, "object")
            return f"{what} #{key[1]} from before" if key[0] == _BASE else f"{what} #{key[1]}"
        self._owner((entry[0], entry[1]), steps - 1)
        return self.of(*entry[:4])


def _atom(kind: int, size: int, data: bytes) -> str:
    """An immutable value of up to 16 bytes; of a longer one only its hash is known."""
    if size > 16:
        return f"a value of {size} bytes ({data[:4].hex()})"
    content = data[:size]
    match kind:
        case 1:
            return repr(content.decode("latin-1"))
        case 2 | 4:
            return repr(content.decode("utf-16-le" if kind == 2 else "utf-32-le", "replace"))
        case 8 | 9:
            number = sum(
                digit << (30 * place) for place, (digit,) in enumerate(struct.iter_unpack("<I", content))
            )
            return str(-number if kind == 9 else number)
        case 10:
            return repr(struct.unpack("<d", content)[0])
        case 12:
            return repr(content)
        case _:
            return f"a value ({content.hex()})"
