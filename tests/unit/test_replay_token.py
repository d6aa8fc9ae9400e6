"""The inline form: short, safe to paste, and never believed when damaged."""

from __future__ import annotations

import ast
import base64
import contextlib
import dataclasses
import random
import shlex
import string
import zlib

import hypothesis
import msgpack
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st
from replay_values import counterexamples

from pytest_statespace.errors import FormatError
from pytest_statespace.replay import (
    Counterexample,
    ReplaySettings,
    decode_token,
    encode_token,
    is_token,
    load,
)
from pytest_statespace.types import Choice, ChoiceKind, Schedule

ALPHABET = string.digits + string.ascii_letters + "!#$%&()*+-;<=>?@^_`{|}~"


def example(indices: list[int], labels: bool = True) -> Counterexample:
    from pytest_statespace.replay.counterexample import checkpoints

    choices = tuple(
        Choice(ChoiceKind.THREAD, index, 3, index, number * 977 if labels else 0)
        for number, index in enumerate(indices, 1)
    )
    return Counterexample(
        nodeid="tests/test_bank.py::test_transfer",
        settings=ReplaySettings(),
        schedule=Schedule(choices, 1),
        python="3.11.7",
        sources_digest=0xDEADBEEF,
        checks=checkpoints(choices),
    )


def token_of(payload: bytes) -> str:
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = deflater.compress(payload) + deflater.flush()
    check = (xxhash.xxh3_64_intdigest(body) & 0xFFFFFFFF).to_bytes(4, "little")
    return "ssp1:" + base64.b85encode(check + body).decode()


@settings(deadline=None)
@given(counterexamples())
def test_round_trip(original: Counterexample) -> None:
    read = decode_token(encode_token(original))
    assert [c.index for c in read.schedule.choices] == [c.index for c in original.schedule.choices]
    assert read.schedule.preemptions == original.schedule.preemptions
    assert read.nodeid == original.nodeid
    assert read.settings == original.settings
    assert read.kind == original.kind
    assert read.checks == original.checks
    assert read.sources_digest == original.sources_digest
    assert read.inline


@settings(deadline=None)
@given(counterexamples())
@hypothesis.example(dataclasses.replace(example([]), python="2" + "0" * 19))  # more than a word holds
def test_token_of_a_token_is_the_same(original: Counterexample) -> None:
    token = encode_token(original)
    assert encode_token(decode_token(token)) == token


@pytest.mark.parametrize(
    ("count", "limit", "weights"),
    [
        (20, 120, (9, 1, 0)),
        (2000, 160, (499, 1, 0)),
        (2000, 850, (6, 3, 1)),
        (2000, 850, (1, 1, 0)),
    ],
)
def test_length(count: int, limit: int, weights: tuple[int, ...]) -> None:
    chance = random.Random(count)
    indices = chance.choices(range(3), weights, k=count)
    assert len(encode_token(example(indices))) <= limit


@settings(deadline=None)
@given(counterexamples())
def test_survives_literals_and_shells(original: Counterexample) -> None:
    token = encode_token(original)
    assert set(token.removeprefix("ssp1:")) <= set(ALPHABET)
    for quote in ("'", '"', "'''"):
        assert ast.literal_eval(quote + token + quote) == token
    assert shlex.split(f"pytest --statespace-replay '{token}'")[-1] == token
    assert shlex.quote(token) in (f"'{token}'", token)


def test_white_space_of_wrapped_lines_is_dropped() -> None:
    token = encode_token(example([0, 1, 2] * 40, labels=False))
    wrapped = "  " + "\n    ".join(token[at : at + 40] for at in range(0, len(token), 40)) + "\n"
    assert decode_token(wrapped) == decode_token(token) == load(wrapped)


def test_every_changed_character() -> None:
    token = encode_token(example([0, 1, 0, 2]))
    for position in range(len(token)):
        for character in ALPHABET + " \"'\\/é":
            damaged = token[:position] + character + token[position + 1 :]
            if damaged.split() == token.split():
                continue
            with pytest.raises(FormatError):
                decode_token(damaged)


def test_every_truncation() -> None:
    token = encode_token(example([0, 1, 0, 2]))
    for length in range(len(token)):
        with pytest.raises(FormatError):
            decode_token(token[:length])


@settings(deadline=None)
@given(st.text(max_size=80) | st.text(ALPHABET, max_size=80).map("ssp1:".__add__))
def test_arbitrary_text(text: str) -> None:
    with pytest.raises(FormatError):
        decode_token(text)


@settings(deadline=None)
@given(st.binary(max_size=100))
def test_arbitrary_payload_with_valid_check(payload: bytes) -> None:
    with pytest.raises(FormatError):
        decode_token(token_of(payload))


VALUES = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(max_size=5)
    | st.binary(max_size=5) | st.lists(st.integers(-5, 2**40) | st.text(max_size=3), max_size=4)
)  # fmt: skip


@settings(deadline=None)
@given(st.integers(0, 12), VALUES)
def test_one_value_replaced(position: int, value: object) -> None:
    """Either it is still a valid counterexample or a FormatError."""
    content = ["a.py::t", 0, 0, [], [], 0, 1, [3, 11], 5, b"", 1, 3, [1, 1]]
    assert decode_token(token_of(msgpack.packb(content))).schedule.preemptions == 1
    content[position] = value
    with contextlib.suppress(FormatError):
        decode_token(token_of(msgpack.packb(content)))


def test_a_bomb_does_not_fill_the_memory() -> None:
    with pytest.raises(FormatError):
        decode_token(token_of(b"\0" * (1 << 26)))
    content = ["a.py::t", 0, 0, [], [], 0, 1, [3, 11], 5, b"", 1, 2**60, [2**31, 1]]
    with pytest.raises(FormatError):
        decode_token(token_of(msgpack.packb(content)))


def sealed(body: bytes) -> str:
    check = (xxhash.xxh3_64_intdigest(body) & 0xFFFFFFFF).to_bytes(4, "little")
    return "ssp1:" + base64.b85encode(check + body).decode()


def test_the_deflated_part_ends_where_it_should() -> None:
    body = base64.b85decode(encode_token(example([0, 1, 0])).removeprefix("ssp1:"))[4:]
    assert decode_token(sealed(body)).nodeid
    flushed = zlib.compressobj(9, zlib.DEFLATED, -15)
    payload = zlib.decompressobj(-15).decompress(body)
    unfinished = flushed.compress(payload) + flushed.flush(zlib.Z_SYNC_FLUSH)
    for damaged in (body + b"x", unfinished):
        with pytest.raises(FormatError, match="does not end where it should"):
            decode_token(sealed(damaged))


@pytest.mark.parametrize("coded", [[1, 1, 5, 1], [1, 0], [1], [-1, 1], [0, 2**32], b"\0\0", ["a", 1]])
def test_runs_that_do_not_fit_the_count(coded: object) -> None:
    content = ["a.py::t", 0, 0, [], [], 0, 1, [3, 11], 5, b"", 1, 3, coded]
    with pytest.raises(FormatError, match="choices can't be right"):
        decode_token(token_of(msgpack.packb(content)))


def test_newer_version() -> None:
    with pytest.raises(FormatError, match=r"version 2.*upgrade"):
        decode_token("ssp2:abc")


def test_file_names_are_not_tokens() -> None:
    assert is_token("ssp1:xyz")
    assert is_token("\n ssp12:xyz")
    assert not is_token("saved.ssp")
    assert not is_token("/tmp/ssp1:xyz")
