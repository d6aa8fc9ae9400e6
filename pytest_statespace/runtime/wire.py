"""Messages between child and parent: msgpack, length-prefixed on a pipe, and dataclasses.

The shared values of `pytest_statespace.types` are turned into plain dictionaries by field
name and back by the annotated types, so that a field that is added there needs no change
here. pytest-xdist carries the same plain values.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import os
import struct
import types
import typing
from collections.abc import Iterator
from typing import Any, TypeVar

import msgpack

__all__ = ["MessageReader", "from_plain", "pack", "send", "to_plain", "unpack"]

T = TypeVar("T")

_LENGTH = struct.Struct("<I")
_MOST_BYTES = 64 << 20


def pack(value: object) -> bytes:
    """Encode plain values (None, bool, int, float, str, bytes, list, dict)."""
    packed: bytes = msgpack.packb(value, use_bin_type=True, unicode_errors="surrogatepass")
    return packed


def unpack(data: bytes) -> Any:
    """Decode what `pack` made."""
    return msgpack.unpackb(data, raw=False, strict_map_key=False, unicode_errors="surrogatepass")


def to_plain(value: object) -> Any:
    """Turn a (nested) dataclass into dictionaries and lists of plain values."""
    if isinstance(value, enum.Enum):
        return value.value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: to_plain(getattr(value, field.name))
            for field in dataclasses.fields(value)
        }
    if isinstance(value, list | tuple):
        return [to_plain(entry) for entry in value]
    return value


def from_plain(cls: type[T], value: Any) -> T:
    """Rebuild a dataclass from what `to_plain` made of it."""
    made: T = _build(cls, value)
    return made


@functools.cache
def _hints(cls: type) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def _build(hint: Any, value: Any) -> Any:
    origin = typing.get_origin(hint)
    if origin in (types.UnionType, typing.Union):
        if value is None:
            return None
        (inner,) = (arm for arm in typing.get_args(hint) if arm is not type(None))
        return _build(inner, value)
    if origin is tuple:
        arms = typing.get_args(hint)
        if len(arms) == 2 and arms[1] is Ellipsis:
            return tuple(_build(arms[0], entry) for entry in value)
        return tuple(_build(arm, entry) for arm, entry in zip(arms, value, strict=True))
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return hint(value)
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        hints = _hints(hint)
        return hint(**{name: _build(hints[name], entry) for name, entry in value.items()})
    return value


def send(fd: int, message: object) -> None:
    """Write one message to a pipe, whole."""
    data = pack(message)
    view = memoryview(_LENGTH.pack(len(data)) + data)
    while view:
        view = view[os.write(fd, view) :]


class MessageReader:
    """Cuts the bytes read from a pipe into messages; keeps an unfinished rest."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> Iterator[Any]:
        """Add bytes; yield every message that is complete now. Damage ends the stream."""
        self._rest += data
        while len(self._rest) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._rest)
            if length > _MOST_BYTES or len(self._rest) < _LENGTH.size + length:
                return
            body = bytes(self._rest[_LENGTH.size : _LENGTH.size + length])
            del self._rest[: _LENGTH.size + length]
            yield unpack(body)
