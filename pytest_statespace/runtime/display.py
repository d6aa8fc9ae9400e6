"""How a recorded step names things: short reprs, what an object is called, whose line it is.

No code of the user runs here: the steps are recorded in the middle of an execution, and a
``__repr__`` that takes a lock or changes something would change what is being recorded.
"""

from __future__ import annotations

import enum
import inspect
import linecache
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from types import CodeType, FrameType, ModuleType
from typing import Any

__all__ = ["Names", "Position", "View", "short_repr", "variables_of"]

_SCALARS = frozenset({bool, int, float, complex, str, bytes, type(None), type(Ellipsis), range})
_BRACKETS: dict[type, tuple[str, str]] = {
    list: ("[", "]"),
    tuple: ("(", ")"),
    set: ("{", "}"),
    frozenset: ("frozenset({", "})"),
}
_SHORT_LIVED = (list, dict, set, tuple)
_LONGEST = 60
_MOST_ENTRIES = 6

_PACKAGES = tuple(
    f"{path.parent.parent}/" for path in (Path(__file__), Path(__file__).resolve())
)
# The library may be reached through a symbolic link: code objects keep the path as it was used.
_LIBRARIES = tuple(
    f"{path.parent}/" for path in (Path(threading.__file__), Path(threading.__file__).resolve())
)
_CHILD = str(Path(__file__).with_name("child.py"))  # what calls the test
_TOOLS = ("_pytest", "pluggy", "pytest")


class Position:
    """File (relative to the root where possible), line, function and source text of a step."""

    __slots__ = ("file", "function", "line", "source")

    def __init__(self, file: str, line: int, function: str, source: str) -> None:
        self.file = file
        self.line = line
        self.function = function
        self.source = source


class View:
    """Whose code is worth showing: not the standard library's, unless the user traces it."""

    def __init__(self, root: str, traced: tuple[str, ...] = ()) -> None:
        self._root = root.rstrip("/") + "/"
        self._traced = traced

    def position(self, frame: FrameType | None) -> Position:
        """Where the user's code is; without any, where this thread's function begins."""
        own = self.user_frame(frame)
        if own is not None:
            return self.of_code(own.f_code, own.f_lineno)
        thread = threading._active.get(threading.get_ident())  # type: ignore[attr-defined]
        target = getattr(thread, "_target", None) or getattr(thread, "run", None)
        code = getattr(getattr(target, "__func__", target), "__code__", None)
        if isinstance(code, CodeType) and not self.is_helper(code.co_filename, ""):
            return self.of_code(code, None)
        return Position("", 0, "", "")

    def of_code(self, code: CodeType, line: int | None) -> Position:
        """The position of a line of a code object, by default of its first."""
        line = line or code.co_firstlineno
        source = linecache.getline(code.co_filename, line).strip()
        return Position(
            code.co_filename.removeprefix(self._root), line, code.co_qualname, source
        )

    def user_frame(self, frame: FrameType | None) -> FrameType | None:
        """The innermost frame of the user's code, None if there is none below our own."""
        while frame is not None and frame.f_code.co_filename != _CHILD:
            if not self.is_helper(frame.f_code.co_filename, frame.f_globals.get("__name__", "")):
                return frame
            frame = frame.f_back
        return None

    def user_frames(self, frame: FrameType | None) -> list[FrameType]:
        """All frames of the user's code, outermost first."""
        frames: list[FrameType] = []
        while (frame := self.user_frame(frame)) is not None:
            frames.append(frame)
            frame = frame.f_back
        frames.reverse()
        return frames

    def is_helper(self, file: str, module: str) -> bool:
        """Is this code of the standard library, of pytest or of this package?"""
        if file.startswith(_PACKAGES) or module.partition(".")[0] in _TOOLS:
            return True
        if not file.startswith((*_LIBRARIES, "<frozen")) or "/site-packages/" in file:
            return False
        return not any(module == name or module.startswith(name + ".") for name in self._traced)


def variables_of(frame: FrameType) -> Mapping[str, Any]:
    """The variables of a frame, without references to them that last.

    Before 3.13 a frame keeps the snapshot that it was asked for. What only a variable refers to is
    one thread's own for the search and needs no choice points; a second reference would make it
    look shared, and the replay would leave the schedule.
    """
    snapshot = frame.f_locals
    if sys.version_info >= (3, 13) or not frame.f_code.co_flags & inspect.CO_OPTIMIZED:
        return snapshot
    variables = dict(snapshot)
    if sys.getrefcount(snapshot) <= 3:  # the frame, this variable, the call: locals() gave it to nobody
        snapshot.clear()
    return variables


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
    """What objects are called, as the user would write it.

    Found names are remembered by identity. The objects are not: a reference of ours would keep alive what
    the execution lets go, and make shared what is one thread's own. So a list or dictionary, whose memory the
    next one may get, is looked for first, and only what has no name now has the one it had.

    Other objects of the same name are numbered, as they appear: two accounts have an ``Account.lock`` and an
    ``Account.lock #2``, and who waits for which is the point of a report.
    """

    def __init__(self, view: View) -> None:
        self._view = view
        self._known: dict[int, tuple[type, str]] = {}
        self._bearers: dict[str, list[int]] = {}

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
        if part is None:
            return self.of(value, frame)
        if isinstance(part, str) and type(value) is dict:
            for module in list(sys.modules.values()):
                if getattr(module, "__dict__", None) is value:  # globals are entries of it
                    return f"{module.__name__}.{part}"
        name = self.of(value, frame)
        entry = part if isinstance(part, str) and part.startswith("[") else f"[{short_repr(part, 1)}]"
        return f"{name}{entry}"

    def of(self, value: object, frame: FrameType | None) -> str:
        """Name of an object: of a variable or attribute that refers to it, else its type's."""
        kind, known = self._known.get(id(value), (None, ""))
        if kind is not type(value):
            known = ""
        if known and type(value) not in _SHORT_LIVED:
            return known
        if isinstance(value, threading.Thread):
            return value.name
        own, bearer = self._find(value, frame)
        name = self._numbered(own, bearer) or known
        if not name:
            return f"<{type(value).__name__}>"
        self._known[id(value)] = (type(value), name)
        return name

    def _numbered(self, name: str, bearer: object) -> str:
        """The name, with a number if others had it before."""
        if not name or type(bearer) in _SHORT_LIVED:
            return name
        bearers = self._bearers.setdefault(name, [])
        if id(bearer) not in bearers:
            bearers.append(id(bearer))
        number = bearers.index(id(bearer)) + 1
        return name if number == 1 else f"{name} #{number}"

    def _find(self, value: object, frame: FrameType | None) -> tuple[str, object]:
        """Look for the object in the variables of the frames, from the innermost out.

        Its name, or that of the library's object to which it belongs; and who bears the name.
        """
        fallback: tuple[str, object] = "", None
        while frame is not None:
            variables = variables_of(frame)
            if not self._view.is_helper(
                frame.f_code.co_filename, frame.f_globals.get("__name__", "")
            ):
                found = _in_scopes(value, variables, frame.f_globals)
                if found:
                    return found, value
            else:
                owner = variables.get("self")
                if owner is not None and _attribute(owner, value):
                    if isinstance(owner, threading.Thread):
                        part = _attribute(owner, value)  # a Timer's `finished`; of all threads the parts are private
                        return (owner.name, owner) if part.startswith("_") else (f"{owner.name}.{part}", value)
                    if not fallback[0]:
                        fallback = f"{type(owner).__name__}.{_attribute(owner, value)}", value
                    value = owner  # the lock inside a Condition, Event or Queue: name that
                elif not fallback[0]:
                    for name, entry in list(frame.f_globals.items()):
                        if entry is value:
                            fallback = f"{frame.f_globals.get('__name__')}.{name}", value
            frame = frame.f_back
        return fallback


def _in_scopes(value: object, variables: Mapping[str, Any], module: dict[str, Any]) -> str:
    for scope in (variables, module):
        for name, entry in list(scope.items()):
            if entry is value and not name.startswith("@"):
                return str(name)
    for scope in (variables, module):
        for name, entry in list(scope.items()):
            if isinstance(entry, type | ModuleType):
                continue
            found = _attribute(entry, value)
            if found:
                prefix = type(entry).__qualname__ if name == "self" else name
                return f"{prefix}.{found}"
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
