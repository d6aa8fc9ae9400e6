"""The counterexample file: what is written is read, and damage of any kind is FormatError."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import msgpack
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st
from replay_values import counterexamples

from pytest_statespace.errors import FormatError
from pytest_statespace.replay import Counterexample, ReplaySettings, decode, encode, load
from pytest_statespace.replay.format import FORMAT, MAGIC
from pytest_statespace.types import Choice, ChoiceKind, FailureKind, Schedule

EXAMPLE = Counterexample(
    nodeid="tests/test_bank.py::test_transfer[a-1]",
    settings=ReplaySettings(trace=("queue",), promoted=("global BANK",), seed=7),
    schedule=Schedule(
        (
            Choice(ChoiceKind.THREAD, 1, 2, 1, 2**64 - 1),
            Choice(ChoiceKind.DATA, 0, 3, -1, 0),
        ),
        preemptions=1,
    ),
    kind=FailureKind.ASSERTION,
    message="assert 1 == 2",
    exception_type="AssertionError",
    sources={"tests/test_bank.py": 123},
)


def framed(payload: bytes, number: int = FORMAT) -> bytes:
    head = struct.pack("<8sHI", MAGIC, number, len(payload)) + payload
    return head + struct.pack("<Q", xxhash.xxh3_64_intdigest(head))


def payload_of(data: bytes) -> dict[str, Any]:
    content: dict[str, Any] = msgpack.unpackb(data[14:-8])
    return content


@settings(deadline=None)
@given(counterexamples())
def test_round_trip(example: Counterexample) -> None:
    assert decode(encode(example)) == example


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_arbitrary_bytes(data: bytes) -> None:
    with pytest.raises(FormatError):
        decode(data)


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_arbitrary_payload_with_valid_checksum(payload: bytes) -> None:
    with pytest.raises(FormatError):
        decode(framed(payload))


def test_every_truncation() -> None:
    data = encode(EXAMPLE)
    for length in range(len(data)):
        with pytest.raises(FormatError):
            decode(data[:length])


def test_every_changed_bit() -> None:
    data = encode(EXAMPLE)
    for position in range(len(data)):
        for bit in range(8):
            damaged = bytearray(data)
            damaged[position] ^= 1 << bit
            with pytest.raises(FormatError):
                decode(bytes(damaged))


PLAIN = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=5)
    | st.binary(max_size=5) | st.builds(msgpack.Timestamp, st.integers(0, 2**32))
    | st.builds(msgpack.ExtType, st.integers(0, 127), st.binary(max_size=4))
)  # fmt: skip
VALUES = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@settings(deadline=None)
@given(st.data())
def test_one_value_replaced(data: st.DataObject) -> None:
    """With a valid checksum: either it is still a valid counterexample or a FormatError."""
    content = payload_of(encode(EXAMPLE))
    holder: Any = content
    key: Any = data.draw(st.sampled_from(sorted(content)))
    while isinstance(holder[key], (dict, list)) and holder[key] and data.draw(st.booleans()):
        holder = holder[key]
        keys = sorted(holder) if isinstance(holder, dict) else range(len(holder))
        key = data.draw(st.sampled_from(list(keys)))
    holder[key] = data.draw(VALUES)
    try:
        example = decode(framed(msgpack.packb(content)))
    except FormatError:
        return
    assert decode(encode(example)) == example


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("nodeid", b"bytes"),
        ("nodeid", None),
        ("preemptions", -1),
        ("preemptions", True),
        ("choices", [[1, 2, 2, 0, 0]]),
        ("choices", [[1, 0, 0, 0, 0]]),
        ("choices", [[9, 0, 2, 0, 0]]),
        ("choices", [[1, 0, 2, -2, 0]]),
        ("choices", [[1, 0, 2, 0, -1]]),
        ("choices", [[1, 0, 2, 0, False]]),
        ("choices", [[1, 0, 2, 0]]),
        ("choices", {"a": 1}),
        ("sources", {"a": "b"}),
        ("sources", {b"a": 1}),
        ("failure", {"kind": "boredom", "message": "", "exception_type": ""}),
        ("failure", {}),
    ],
)
def test_wrong_types_and_ranges(field: str, value: object) -> None:
    content = payload_of(encode(EXAMPLE))
    content[field] = value
    with pytest.raises(FormatError, match="wrong type or range"):
        decode(framed(msgpack.packb(content)))


def test_missing_and_extra_fields() -> None:
    for change in ({"extra": 1}, {"nodeid": ...}):
        content = payload_of(encode(EXAMPLE))
        for key, value in change.items():
            if value is ...:
                del content[key]
            else:
                content[key] = value
        with pytest.raises(FormatError, match="payload has the wrong type"):
            decode(framed(msgpack.packb(content)))


def test_errors_say_what_and_what_to_do() -> None:
    data = encode(EXAMPLE)
    with pytest.raises(FormatError, match=r"wrong magic"):
        decode(b"#!/usr/bin/python\n" * 4)
    with pytest.raises(FormatError, match=r"format 2, this version reads up to 1.*upgrade"):
        decode(framed(data[14:-8], number=FORMAT + 1))
    with pytest.raises(FormatError, match=r"unknown format 0"):
        decode(framed(data[14:-8], number=0))
    with pytest.raises(FormatError, match=rf"cut short: {len(data) - 1} of {len(data)} bytes"):
        decode(data[:-1])
    with pytest.raises(FormatError, match=r"3 bytes follow"):
        decode(data + b"abc")


def test_lone_surrogates_are_escaped() -> None:
    example = Counterexample(nodeid="a.py::t", settings=ReplaySettings(), schedule=Schedule(), message="x\udc80y")
    assert decode(encode(example)).message == "x\\udc80y"


def test_load_from_path(tmp_path: Path) -> None:
    path = tmp_path / "saved.ssp"
    path.write_bytes(encode(EXAMPLE))
    assert load(path).nodeid == load(str(path)).nodeid == EXAMPLE.nodeid
    with pytest.raises(FormatError, match="No such file"):
        load(tmp_path / "absent.ssp")
    with pytest.raises(FormatError, match="can't read"):
        load(tmp_path)
    with pytest.raises(FormatError, match="can't read"):
        load("a\0b")
