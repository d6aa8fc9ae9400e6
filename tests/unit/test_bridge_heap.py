"""The heap of the bridge: no block lies on another, and where the next one lies depends on the live ones alone.

Tried by hand in `heap.c`: one block more in a run (`new_run`) spoils contents; units that are not used again once their
run is gone (`take_unit_of` from `end` on) and room in a run that is not noticed (`release`) leave traces.
"""

from __future__ import annotations

import ctypes
import random
from collections.abc import Callable

import pytest
from support.driver import explore

from pytest_statespace._native import _bridge

SMALL = (1, 15, 16, 17, 48, 100, 250, 500, 511, 512, 513, 1000, 1023, 1024)
LARGE = (1025, 4096, 16383, 16384, 16385, 40_000, 100_000)
SLOTS = 120


def _sizes(rng: random.Random, count: int) -> list[int]:
    return [rng.choice(SMALL if rng.random() < 0.9 else LARGE) for _ in range(count)]


def _address_of(block: bytearray) -> int:
    return ctypes.addressof(ctypes.c_char.from_buffer(block))


def _spoiled(blocks: list[bytearray | None]) -> list[int]:
    """Those that do not have the content any more that they were given."""
    return [number for number, block in enumerate(blocks) if block is not None and block.strip(bytes([number + 1]))]


def _filling(steps: list[tuple[int, int]]) -> Callable[[], object]:
    def program() -> object:
        blocks: list[bytearray | None] = [None] * SLOTS
        for slot, size in steps:
            if blocks[slot] is None:
                blocks[slot] = bytearray([slot + 1]) * size
            elif size % 3:
                blocks[slot] = None
            else:
                blocks[slot] *= 2  # type: ignore[operator]
        return _spoiled(blocks)

    return program


@pytest.mark.parametrize("seed", range(4))
def test_blocks_of_all_sizes_keep_their_content(seed: int) -> None:
    rng = random.Random(seed)
    steps = [(rng.randrange(SLOTS), size) for size in _sizes(rng, 3000)]
    assert explore(_filling(steps)).results == {"[]"}


def _after_other_blocks(
    histories: list[tuple[list[int], list[int]]], kept: list[int], then: list[int]
) -> Callable[[], object]:
    def program() -> object:
        stay = [bytearray(size) for size in kept]
        gone: list[bytearray | None] = [None] * SLOTS
        sizes, order = histories[_bridge.choose(len(histories))]
        for slot, size in enumerate(sizes):
            gone[slot] = bytearray(size)
        for slot in order:
            gone[slot] = None
        later = [bytearray(size) for size in then]
        return [_address_of(block) for block in (*stay, *later)]

    return program


@pytest.mark.parametrize("seed", range(4))
def test_what_was_freed_leaves_no_trace(seed: int) -> None:
    """Also at the start of a slice, where runs are short: where they begin must not depend on what was there."""
    rng = random.Random(seed)
    histories = []
    for blocks in (0, 1, 5, 20, SLOTS // 2, SLOTS):
        order = list(range(blocks))
        rng.shuffle(order)
        histories.append((_sizes(rng, blocks), order))
    report = explore(_after_other_blocks(histories, _sizes(rng, 4), _sizes(rng, 30)))
    assert len(report.results) == 1, report.results
    assert report.executions == len(histories)
