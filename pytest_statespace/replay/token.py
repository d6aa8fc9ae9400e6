"""The inline form of a counterexample: ``ssp1:`` and base85, short enough for a decorator.

What a token holds is one msgpack list, deflated without a header, after a 4-byte
XXH3 check value, in base85 of RFC 1924. That alphabet has no quote, backslash,
comma or space: a token may stand in any Python string literal that is not an
f-string, and in single quotes in any shell; white space that a terminal or a mail
put in is dropped.

Only the indices of the choices are kept. Most choices are the default (index 0), so
they are written as runs ``gap, index, gap, index, …`` or as one byte each, whichever
comes out shorter: 2 000 choices take about 850 characters even when every other one
is not the default, and a schedule with two preemptions takes about a hundred.
Instead of 64-bit labels there are four 16-bit digests of label prefixes, which tell
a divergence and the quarter in which it happened.
"""

from __future__ import annotations

import base64
import re
import sys
import zlib
from typing import Any, NoReturn

import msgpack
import xxhash

from pytest_statespace.errors import FormatError
from pytest_statespace.replay.counterexample import (
    Counterexample,
    ReplaySettings,
    checkpoint_positions,
)
from pytest_statespace.replay.format import unpack
from pytest_statespace.types import Choice, ChoiceKind, FailureKind, Schedule

__all__ = ["PREFIX", "decode_token", "encode_token", "is_token"]

PREFIX = "ssp1:"
_SHAPE = re.compile(r"\s*ssp(\d+):")
_INFLATED_LIMIT = 1 << 24  # bytes: no token comes near, and a hostile one can't fill the memory
_CHOICES_LIMIT = 1 << 20
_KINDS = (None, *FailureKind)
_GRANULARITIES = ("access", "sync", "line", "opcode", "gil")
_TIMEOUTS = ("idle", "any")


def is_token(text: str) -> bool:
    """Whether the text means to be a token rather than the name of a file."""
    return _SHAPE.match(text) is not None


def encode_token(example: Counterexample) -> str:
    """The token for a counterexample; what it leaves out is said in `Counterexample`."""
    bodies = [_deflate(_pack(example, plain)) for plain in (False, True)]
    body = min((body for body in bodies if body is not None), key=len)
    return PREFIX + base64.b85encode(_check(body) + body).decode("ascii")


def decode_token(text: str) -> Counterexample:
    """Read a token. Raises FormatError if it is damaged, cut short, or from a newer version."""
    match = _SHAPE.match(text)
    if match is None:
        _fail("it does not begin with 'ssp1:'", "copy the whole token from the report")
    if match[1] != PREFIX[3:-1]:
        _fail(
            f"it is of version {match[1]}, this version reads {PREFIX!r}",
            "upgrade pytest-statespace",
        )
    text = "".join(text[match.end() :].split())
    try:
        data = base64.b85decode(text.encode("ascii"))
    except ValueError:
        _fail("it holds characters that no token has", "copy the whole token, in single quotes")
    check, body = data[:4], data[4:]
    # The last character of base85 can have several spellings: only ours counts.
    if not body or check != _check(body) or base64.b85encode(data).decode("ascii") != text:
        _fail("its check value does not fit: it is damaged or cut short", "copy the whole token")
    inflater = zlib.decompressobj(-15)
    try:
        payload = inflater.decompress(body, _INFLATED_LIMIT)
    except zlib.error as error:
        _fail(f"it can't be inflated ({error})", "copy the whole token")
    if not inflater.eof or inflater.unused_data:
        _fail("it does not end where it should", "copy the whole token")
    return _counterexample(unpack(payload, _fail))


def _fail(what: str, remedy: str) -> NoReturn:
    raise FormatError(f"can't use the token: {what}. Remedy: {remedy}.")


def _check(body: bytes) -> bytes:
    return (xxhash.xxh3_64_intdigest(body) & 0xFFFFFFFF).to_bytes(4, "little")


def _deflate(payload: bytes | None) -> bytes | None:
    if payload is None:
        return None
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    return deflater.compress(payload) + deflater.flush()


def _pack(example: Counterexample, plain: bool) -> bytes | None:
    """The msgpack payload, or None when the plain form can't hold an index."""
    indices = [choice.index for choice in example.schedule.choices]
    coded: bytes | list[int]
    if plain:
        if max(indices, default=0) > 255:
            return None
        coded = bytes(indices)
    else:
        coded = []
        gap = 0
        for index in indices:
            if index:
                coded += (gap, index)
                gap = 0
            else:
                gap += 1
    settings = example.settings
    major_minor = [int(part) for part in re.findall(r"\d{1,4}", example.python)[:2]]
    packed: bytes = msgpack.packb(
        [
            _text(example.nodeid),
            _number_or_text(_GRANULARITIES, settings.granularity),
            _number_or_text(_TIMEOUTS, settings.timeouts),
            [_text(name) for name in settings.trace],
            [_text(name) for name in settings.promoted],
            settings.seed,
            _KINDS.index(example.kind),
            [*major_minor, 0, 0][:2],
            example.sources_digest,
            b"".join(check.to_bytes(2, "little") for check in example.checks),
            example.schedule.preemptions,
            len(indices),
            coded,
            *([_text(example.example)] if example.example else []),
        ]
    )
    return packed


def _counterexample(value: Any) -> Counterexample:
    match value:
        case [
            str(nodeid),
            int() | str() as granularity,
            int() | str() as timeouts,
            list(trace),
            list(promoted),
            int(seed),
            int(kind),
            [int(major), int(minor)],
            int(sources_digest),
            bytes(checks),
            int(preemptions),
            int(count),
            bytes() | list() as coded,
            *drawn,
        ] if all(isinstance(text, str) for text in drawn) and len(drawn) <= 1:
            pass
        case _:
            _wrong("payload")
    if not all(isinstance(name, str) for name in (*trace, *promoted)):
        _wrong("trace or promoted names")
    if not 0 <= kind < len(_KINDS):
        _wrong("failure kind")
    if not (0 <= sources_digest < 2**32 and 0 <= preemptions < 2**32):
        _wrong("digest or preemptions")
    indices = _indices(count, coded)
    if len(checks) not in (0, 2 * len(checkpoint_positions(count))):
        _wrong("check values")
    return Counterexample(
        nodeid=nodeid,
        settings=ReplaySettings(
            granularity=_from_number(_GRANULARITIES, granularity, "granularity"),
            timeouts=_from_number(_TIMEOUTS, timeouts, "timeouts"),
            trace=tuple(trace),
            promoted=tuple(promoted),
            seed=seed,
        ),
        schedule=Schedule(
            choices=tuple(Choice(ChoiceKind.THREAD, index, 0, -1, 0) for index in indices),
            preemptions=preemptions,
        ),
        kind=_KINDS[kind],
        plugin="",
        python=f"{major}.{minor}",
        platform="",
        sources_digest=sources_digest,
        checks=tuple(int.from_bytes(checks[at : at + 2], "little") for at in range(0, len(checks), 2)),
        example="".join(drawn),
        inline=True,
    )


def _indices(count: int, coded: bytes | list[Any]) -> list[int]:
    if not 0 <= count <= _CHOICES_LIMIT:
        _wrong("number of choices")
    if isinstance(coded, bytes):
        if len(coded) != count:
            _wrong("choices")
        return list(coded)
    if len(coded) % 2 or not all(type(item) is int and 0 <= item < 2**32 for item in coded):
        _wrong("choices")
    if sum(coded[::2]) + len(coded) // 2 > count:
        _wrong("choices")
    indices: list[int] = []
    for gap, index in zip(coded[::2], coded[1::2], strict=True):
        if not index:
            _wrong("choices")
        indices += [0] * gap
        indices.append(index)
    return indices + [0] * (count - len(indices))


def _number_or_text(names: tuple[str, ...], value: str) -> int | str:
    return names.index(value) if value in names else _text(value)


def _from_number(names: tuple[str, ...], value: int | str, what: str) -> str:
    if isinstance(value, str):
        return value
    if not 0 <= value < len(names):
        _wrong(what)
    return sys.intern(names[value])


def _wrong(what: str) -> NoReturn:
    _fail(f"its {what} can't be right", "search again with this version")


def _text(value: str) -> str:
    return value.encode("utf-8", "backslashreplace").decode("utf-8")
