"""The counterexample file: exact layout, writer, and a reader that trusts nothing.

Layout (little endian)::

    8 bytes   magic  89 'S' 'S' 'P' 0D 0A 1A 0A   (text-mode transfers and cuts show at once)
    2 bytes   format number
    4 bytes   length of the payload
    n bytes   payload: one msgpack map, see `_FIELDS`
    8 bytes   XXH3-64 of everything before

Whatever is wrong with a file, the reader raises FormatError and nothing else: the
checksum comes before msgpack, and every value is checked for its type and range
after it, because a file with a valid checksum can still be made by other hands.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import msgpack
import xxhash

from pytest_statespace.errors import FormatError
from pytest_statespace.replay.counterexample import Counterexample, ReplaySettings, checkpoints
from pytest_statespace.replay.environment import combined_digest
from pytest_statespace.types import Choice, ChoiceKind, FailureKind, Schedule

__all__ = ["FORMAT", "MAGIC", "decode", "encode", "read_file", "unpack"]

MAGIC = b"\x89SSP\r\n\x1a\n"
FORMAT = 1
_HEADER = struct.Struct("<8sHI")
_TRAILER = struct.Struct("<Q")
_LIMIT = 1 << 28  # bytes; no schedule comes near

_FIELDS: dict[str, type | tuple[type, ...]] = {
    "plugin": str,
    "python": str,
    "platform": str,
    "nodeid": str,
    "sources": dict,
    "settings": dict,
    "choices": list,
    "preemptions": int,
    "failure": dict,
}
_MAY_HAVE: dict[str, type | tuple[type, ...]] = {"example": str}  # of a test of Hypothesis's @given
_SETTINGS: dict[str, type | tuple[type, ...]] = {
    "granularity": str,
    "timeouts": str,
    "trace": list,
    "promoted": list,
    "seed": int,
}
_FAILURE: dict[str, type | tuple[type, ...]] = {
    "kind": str,
    "message": str,
    "exception_type": str,
}


def encode(example: Counterexample) -> bytes:
    """The content of the file for a counterexample. Text that is not valid Unicode is escaped."""
    settings = example.settings
    extra = {"example": _text(example.example)} if example.example else {}
    payload: bytes = msgpack.packb(
        {
            "plugin": _text(example.plugin),
            "python": _text(example.python),
            "platform": _text(example.platform),
            "nodeid": _text(example.nodeid),
            "sources": {_text(name): digest for name, digest in example.sources.items()},
            "settings": {
                "granularity": _text(settings.granularity),
                "timeouts": _text(settings.timeouts),
                "trace": [_text(name) for name in settings.trace],
                "promoted": [_text(name) for name in settings.promoted],
                "seed": settings.seed,
            },
            "choices": [[int(c.kind), c.index, c.alternatives, c.thread, c.label] for c in example.schedule.choices],
            "preemptions": example.schedule.preemptions,
            "failure": {
                "kind": example.kind.value if example.kind else "",
                "message": _text(example.message),
                "exception_type": _text(example.exception_type),
            },
            **extra,
        }
    )
    head = _HEADER.pack(MAGIC, FORMAT, len(payload)) + payload
    return head + _TRAILER.pack(xxhash.xxh3_64_intdigest(head))


def decode(data: bytes, *, origin: str = "counterexample") -> Counterexample:
    """Read what `encode` wrote; ``origin`` names it in errors.

    Raises FormatError for anything else: another kind of file, a newer format, a file
    cut short or with a changed byte, values of the wrong type.
    """
    fail = _failer(origin)
    if not data.startswith(MAGIC[: max(1, len(data))]):
        fail("it is not a counterexample file (wrong magic)", "name a file that the plugin saved")
    if len(data) < _HEADER.size + _TRAILER.size:
        fail(f"it is cut short: {len(data)} bytes", "copy it again, or search again")
    _, number, length = _HEADER.unpack_from(data)
    if number > FORMAT:
        fail(
            f"it has format {number}, this version reads up to {FORMAT}",
            "upgrade pytest-statespace",
        )
    expected = _HEADER.size + length + _TRAILER.size
    if len(data) < expected:
        fail(f"it is cut short: {len(data)} of {expected} bytes", "copy it again, or search again")
    if len(data) > expected:
        fail(f"{len(data) - expected} bytes follow its end", "copy it again, or search again")
    (checksum,) = _TRAILER.unpack_from(data, expected - _TRAILER.size)
    if checksum != xxhash.xxh3_64_intdigest(data[: -_TRAILER.size]):
        fail("its checksum does not fit: it is damaged", "copy it again, or search again")
    if number < FORMAT:
        fail(f"it has the unknown format {number}", "search again")
    return _counterexample(unpack(data[_HEADER.size : -_TRAILER.size], fail), fail)


def read_file(path: Path) -> Counterexample:
    """The counterexample in a file. Raises FormatError if it can't be read or is damaged."""
    try:
        with path.open("rb") as stream:
            data = stream.read(_LIMIT + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise FormatError(
            f"can't read the counterexample {str(path)!r}: {reason}. "
            "Give the path of a saved file or a token that begins with 'ssp1:'."
        ) from None
    return decode(data, origin=f"counterexample file {str(path)!r}")


def unpack(payload: bytes, fail: Callable[[str, str], NoReturn]) -> Any:
    """One msgpack value, all of it plain; whatever msgpack objects to goes to ``fail``."""
    try:
        return msgpack.unpackb(payload, raw=False, strict_map_key=True)
    except (ValueError, TypeError, OverflowError, RecursionError, msgpack.UnpackException) as error:
        fail(
            f"its content is not valid msgpack ({type(error).__name__}: {error})",
            "copy it again, or search again",
        )


def _failer(origin: str) -> Callable[[str, str], NoReturn]:
    def fail(what: str, remedy: str) -> NoReturn:
        raise FormatError(f"can't use the {origin}: {what}. Remedy: {remedy}.")

    return fail


def _counterexample(value: Any, fail: Callable[[str, str], NoReturn]) -> Counterexample:
    def wrong(what: str) -> NoReturn:
        fail(f"{what} has the wrong type or range", "search again with this version")

    def record(name: str, value: Any, fields: dict[str, type | tuple[type, ...]]) -> dict[str, Any]:
        if not isinstance(value, dict):
            wrong(name)
        if fields is _FIELDS:
            fields = fields | {key: kind for key, kind in _MAY_HAVE.items() if key in value}
        if value.keys() != fields.keys():
            wrong(name)
        for key, kind in fields.items():
            if not isinstance(value[key], kind):
                wrong(f"{name}.{key}")
        return value

    def number(name: str, value: Any, low: int, high: int) -> int:
        if type(value) is not int or not low <= value <= high:
            wrong(name)
        return value

    def texts(name: str, values: list[Any]) -> tuple[str, ...]:
        if not all(isinstance(item, str) for item in values):
            wrong(name)
        return tuple(values)

    top = record("payload", value, _FIELDS)
    settings = record("settings", top["settings"], _SETTINGS)
    failure = record("failure", top["failure"], _FAILURE)
    if failure["kind"] and failure["kind"] not in FailureKind.__members__.values():
        wrong("failure.kind")
    choices = []
    for item in top["choices"]:
        if not isinstance(item, list) or len(item) != 5:
            wrong("choices")
        kind = number("choices.kind", item[0], 0, max(ChoiceKind))
        alternatives = number("choices.alternatives", item[2], 1, 2**32 - 1)
        choices.append(
            Choice(
                kind=ChoiceKind(kind),
                index=number("choices.index", item[1], 0, alternatives - 1),
                alternatives=alternatives,
                thread=number("choices.thread", item[3], -1, 2**31 - 1),
                label=number("choices.label", item[4], 0, 2**64 - 1),
            )
        )
    sources = {name: number("sources", digest, 0, 2**64 - 1) for name, digest in top["sources"].items()}
    if not all(isinstance(name, str) for name in sources):
        wrong("sources")
    return Counterexample(
        nodeid=top["nodeid"],
        settings=ReplaySettings(
            granularity=settings["granularity"],
            timeouts=settings["timeouts"],
            trace=texts("settings.trace", settings["trace"]),
            promoted=texts("settings.promoted", settings["promoted"]),
            seed=number("settings.seed", settings["seed"], -(2**63), 2**64 - 1),
        ),
        schedule=Schedule(
            choices=tuple(choices),
            preemptions=number("preemptions", top["preemptions"], 0, 2**32 - 1),
        ),
        kind=FailureKind(failure["kind"]) if failure["kind"] else None,
        message=failure["message"],
        exception_type=failure["exception_type"],
        plugin=top["plugin"],
        python=top["python"],
        platform=top["platform"],
        sources=sources,
        example=top.get("example", ""),
        sources_digest=combined_digest(sources),
        checks=checkpoints(choices),
    )


def _text(value: str) -> str:
    return value.encode("utf-8", "backslashreplace").decode("utf-8")
