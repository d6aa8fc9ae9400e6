"""How a recorded step names things: short reprs, what an object is called, whose line it is.

No code of the user runs here: the steps are recorded in the middle of an execution, and a
``__repr__`` that takes a lock or changes something would change what is being recorded.
"""

from __future__ import annotations

import enum
import linecache
import threading
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

__all__ = ["Names", "Position", "position", "short_repr"]

_SCALARS = frozenset({bool, int, float, complex, str, bytes, type(None), type(Ellipsis), range})
_BRACKETS: dict[type, tuple[str, str]] = {
    list: ("[", "]"),
    tuple: ("(", ")"),
    set: ("{", "}"),
    frozenset: ("frozenset({", "})"),
}
_LONGEST = 60
_MOST_ENTRIES = 6

_PACKAGES = tuple(
    f"{path.parent.parent}/" for path in (Path(__file__), Path(__file__).resolve())
)
# The library may be reached through a symbolic link: code objects keep the path as it was used.
_LIBRARIES = tuple(
    path.parent for path in (Path(threading.__file__), Path(threading.__file__).resolve())
)
_HELPERS = tuple(
    f"{library}/{name}"
    for library in _LIBRARIES
    for name in ("threading.py", "queue.py", "concurrent/", "asyncio/")
)


class Position:
    """File (relative to the root where possible), line, function and source text of a step."""

    __slots__ = ("file", "function", "line", "source")

    def __init__(self, file: str, line: int, function: str, source: str) -> None:
        self.file = file
        self.line = line
        self.function = function
        self.source = source


def position(frame: FrameType | None, root: str) -> Position:
    """Where the user's code is: the innermost frame outside of threading, queue and us."""
    frame = user_frame(frame)
    if frame is None:
        return Position("", 0, "", "")
    code = frame.f_code
    file = code.co_filename
    line = frame.f_lineno or code.co_firstlineno
    source = linecache.getline(file, line, frame.f_globals).strip()
    if file.startswith(root + "/"):
        file = file[len(root) + 1 :]
    return Position(file, line, code.co_qualname, source)


def user_frame(frame: FrameType | None) -> FrameType | None:
    """The innermost frame that is neither a standard-library helper's nor this package's."""
    at = frame
    while at is not None:
        file = at.f_code.co_filename
        if not file.startswith((*_HELPERS, *_PACKAGES)):
            return at
        at = at.f_back
    return frame


def short_repr(value: object, depth: int = 2) -> str:
    """A repr of at most 60 characters that calls no code of the user."""
    text = _repr(value, depth)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _repr(value: object, depth: int) -> str:
    kind = type(value)
    if kind in _SCALARS:
        if isinstance(value, str | bytes) and len(value) > _LONGEST:
            return repr(value[:_LONGEST])
        if isinstance(value, int) and value.bit_length() > 256:
            return f"<int of {value.bit_length()} bits>"
        return repr(value)
    if kind in _BRACKETS:
        entries: Any = value
        if not entries:
            return repr(value)
        left, right = _BRACKETS[kind]
        if kind is tuple and len(entries) == 1:
            right = ",)"
        return left + ", ".join(_some(entries, depth)) + right
    if kind is dict:
        mapping: Any = value
        if depth <= 0 and mapping:
            return "{…}"
        pairs = [
            f"{_repr(key, depth - 1)}: {_repr(entry, depth - 1)}"
            for key, entry in list(mapping.items())[:_MOST_ENTRIES]
        ]
        return "{" + ", ".join(pairs + ["…"] * (len(mapping) > _MOST_ENTRIES)) + "}"
    if isinstance(value, enum.Enum):
        return f"{kind.__name__}.{value._name_}"
    if isinstance(value, type | ModuleType):
        return f"{value.__name__}"
    name = getattr(value, "__qualname__", None) if callable(value) else None
    if isinstance(name, str):
        return f"{name}()"
    return f"<{kind.__name__}>"


def _some(entries: Any, depth: int) -> list[str]:
    if depth <= 0:
        return ["…"]
    shown = [_repr(entry, depth - 1) for entry in list(entries)[:_MOST_ENTRIES]]
    return shown + ["…"] * (len(entries) > _MOST_ENTRIES)


class Names:
    """What objects are called, as the user would write it: found once, then remembered."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[object, str]] = {}  # keeps the object: ids stay unique

    def target(self, value: object, part: object, frame: FrameType | None) -> str:
        """Name of an object, or of its attribute, global, cell or entry ``part``."""
        if value is None:
            return part if isinstance(part, str) else ""
        if isinstance(part, str) and not isinstance(value, dict | list | tuple | set):
            if isinstance(value, ModuleType):
                return part
            if isinstance(value, type):
                return f"{value.__qualname__}.{part}"
            return f"{type(value).__qualname__}.{part}"
        name = self.of(value, frame)
        if part is None:
            return name
        return f"{name}[{short_repr(part, 1)}]"

    def of(self, value: object, frame: FrameType | None) -> str:
        """Name of an object: of a variable or attribute that refers to it, else its type's."""
        known = self._known.get(id(value))
        if known is not None:
            return known[1]
        own = value.name if isinstance(value, threading.Thread) else _find(value, frame)
        name = own or f"<{type(value).__name__}>"
        if not name.startswith("<"):
            self._known[id(value)] = (value, name)
        return name


def _find(value: object, frame: FrameType | None) -> str:
    """Look for the object in the variables of the frames, outermost helpers included."""
    at = frame
    while at is not None:
        file = at.f_code.co_filename
        variables = at.f_locals
        owner = variables.get("self")
        helper = file.startswith((*_HELPERS, *_PACKAGES))
        if not helper:
            for scope in (variables, at.f_globals):
                for name, entry in list(scope.items()):
                    if entry is value and not name.startswith("@"):
                        return str(name)
            for name, entry in list(variables.items()):
                found = _attribute(entry, value)
                if found:
                    prefix = type(entry).__qualname__ if name == "self" else name
                    return f"{prefix}.{found}"
            for name, entry in list(at.f_globals.items()):
                if not isinstance(entry, type | ModuleType):
                    found = _attribute(entry, value)
                    if found:
                        return f"{name}.{found}"
        elif owner is not None and _attribute(owner, value):
            if isinstance(owner, threading.Thread):
                return owner.name
            value = owner  # the lock inside a Condition, Event or Queue: name that
        at = at.f_back
    return ""


def _attribute(owner: object, value: object) -> str:
    try:
        variables = object.__getattribute__(owner, "__dict__")
    except AttributeError:
        return ""
    if type(variables) is not dict:
        return ""
    for name, entry in list(variables.items()):
        if entry is value:
            return str(name)
    return ""
