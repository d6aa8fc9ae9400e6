"""Pages of the store that are kept as differences: native tests, and a model in Python."""

from __future__ import annotations

import ctypes
from collections.abc import Callable

import pytest
import xxhash._xxhash
from building import Builder
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

RunNative = Callable[..., None]
PAGE = 4096
PLACES = 16
NONE = 0xFFFFFFFF
PACKED = 2
LIMIT = 2 << 20


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", ["code", "store", "collisions", "near", "bases", "validator"])
def test_packing(run_native: RunNative, name: str, seed: int) -> None:
    run_native("pack", name, seed)


@pytest.mark.parametrize("tracker", ["wpasync", "softdirty", "mprotect", "compare"])
def test_restores_from_packed_pages_are_exact(run_native: RunNative, tracker: str) -> None:
    run_native("pack", f"search:{tracker}")


@pytest.mark.parametrize("tracker", ["wpasync", "mprotect"])
def test_no_room_for_two_snapshots(run_native: RunNative, tracker: str) -> None:
    run_native("pack", f"brim:{tracker}")


# ---- against a model ----------------------------------------------------------------------------

_words = st.integers(0, 2**64 - 1) | st.integers(0, 255) | st.sampled_from([1 << 63, 0x0100, 0xFF << 32])
_edits = st.lists(st.tuples(st.integers(0, PAGE // 8 - 1), _words), max_size=12)
_sweeps = st.tuples(st.integers(0, PAGE - 1), st.integers(1, PAGE), st.integers(0, 255))


class Contents:
    """Pages by what was done to a page of zeroes, or to another one."""

    def __init__(self) -> None:
        self.all = [bytes(PAGE)]

    def make(self, start: int, edits: list[tuple[int, int]], sweep: tuple[int, int, int] | None) -> bytes:
        page = bytearray(self.all[start % len(self.all)])
        if sweep is not None:
            at, size, byte = sweep
            page[at : at + size] = bytes((byte * i + byte) % 256 for i in range(len(page[at : at + size])))
        for at, word in edits:
            page[8 * at : 8 * at + 8] = word.to_bytes(8, "little")
        made = bytes(page)
        if made not in self.all:
            self.all.append(made)
        return made


class Store(RuleBasedStateMachine):
    """The store, and beside it what each number that is held should contain."""

    library: ctypes.CDLL

    @initialize()
    def begin(self) -> None:
        hashes = ctypes.CDLL(xxhash._xxhash.__file__)
        borrowed = [ctypes.cast(getattr(hashes, f"XXH3_{bits}bits_dispatch"), ctypes.c_void_p) for bits in (64, 128)]
        self.arena = ctypes.c_void_p(self.library.model_new(*borrowed, ctypes.c_size_t(LIMIT)))
        assert self.arena.value
        self.contents = Contents()
        self.held: list[tuple[int, bytes]] = []  # a reference each
        self.roots: list[tuple[int, list[tuple[int, bytes]]]] = []  # base, present

    def teardown(self) -> None:
        if hasattr(self, "arena"):
            assert self.library.ss_arena_destroy(self.arena) == 0

    @rule(start=st.integers(0, 9), edits=_edits, sweep=st.none() | _sweeps, place=st.integers(0, PLACES - 1))
    def intern(self, start: int, edits: list[tuple[int, int]], sweep: tuple[int, int, int] | None, place: int) -> None:
        content = self.contents.make(start, edits, sweep)
        page = self.library.model_intern(self.arena, ctypes.create_string_buffer(content, PAGE), place)
        assert page != NONE
        assert (page == 0) == (not any(content))
        for other, its in [*self.held, *(pair for _, pairs in self.roots for pair in pairs)]:
            assert (other == page) == (its == content)
        self.held.append((page, content))

    @precondition(lambda self: self.held)
    @rule(which=st.integers(0, 999))
    def release(self, which: int) -> None:
        page, _ = self.held.pop(which % len(self.held))
        self.library.model_release(self.arena, page)

    @precondition(lambda self: self.held)
    @rule(which=st.integers(0, 999), other=st.integers(-1, 9))
    def pack(self, which: int, other: int) -> None:
        page = self.held[which % len(self.held)][0]
        reference = self.held[(which + 1 + other) % len(self.held)][0] if other >= 0 else 0
        before, stored = self.form(page), self.library.model_stored(self.arena)
        if self.library.model_pack(self.arena, page, reference):
            assert before != PACKED
            assert page != reference
            assert self.form(page) == PACKED
            assert self.library.model_stored(self.arena) < stored
        else:
            assert self.library.model_stored(self.arena) == stored

    @precondition(lambda self: self.held)
    @rule(which=st.integers(0, 999))
    def fix(self, which: int) -> None:
        page = self.held[which % len(self.held)][0]
        assert self.library.model_fix(self.arena, page) == 0
        assert self.form(page) != PACKED

    @precondition(lambda self: self.held)
    @rule(which=st.integers(0, 999), base=st.booleans())
    def set_root(self, which: int, base: bool) -> None:
        """What is held becomes the base state, which is never packed, or the present one."""
        pages = [self.held[(which + i) % len(self.held)] for i in range(min(PLACES, len(self.held)))]
        if base:
            for page, _ in pages:
                assert self.library.model_fix(self.arena, page) == 0
        numbers = (ctypes.c_uint32 * len(pages))(*[page for page, _ in pages])
        root = self.library.model_root(self.arena, numbers, len(pages))
        assert root != NONE
        if not self.roots:
            self.roots = [(0, []), (0, [])]
        old = self.roots[not base][0]
        (self.library.model_set_base if base else self.library.model_set_current)(self.arena, root)
        self.roots[not base] = (root, pages)
        self.library.model_release_root(self.arena, old)

    @rule(share=st.integers(0, 100))
    def pack_what_is_cold(self, share: int) -> None:
        stored = self.library.model_stored(self.arena)
        until = stored * share // 100
        forms = {page: self.form(page) for page, _ in self.held}
        packed = self.library.model_pack_all(self.arena, ctypes.c_uint64(until))
        assert packed or self.library.model_stored(self.arena) == stored
        base = {page for page, _ in self.roots[0][1]} if self.roots else set()
        present = {page for page, _ in self.roots[1][1]} if self.roots else set()
        for page in present - base:
            assert self.form(page) == forms.get(page, self.form(page))

    @invariant()
    def contents_are_right(self) -> None:
        if not hasattr(self, "arena"):
            return
        for page, content in self.held:
            assert ctypes.string_at(self.library.ss_page_data(self.arena, page), PAGE) == content

    @invariant()
    def is_valid(self) -> None:
        if not hasattr(self, "arena"):
            return
        numbers = (ctypes.c_uint32 * len(self.held))(*[page for page, _ in self.held])
        assert self.library.model_is_valid(self.arena, numbers, len(self.held)) == 0

    def form(self, page: int) -> int:
        return int(self.library.model_form(self.arena, page))


def _search(builder: Builder, examples: int, steps: int) -> None:
    library = ctypes.CDLL(str(builder.library("pack")))
    library.model_new.restype = library.ss_page_data.restype = ctypes.c_void_p
    library.model_stored.restype = ctypes.c_uint64
    for name in ("model_intern", "model_root", "model_pack_all", "model_form"):
        getattr(library, name).restype = ctypes.c_uint32
    Store.library = library
    run_state_machine_as_test(Store, settings=settings(max_examples=examples, stateful_step_count=steps, deadline=None))


def test_model(builder: Builder) -> None:
    _search(builder, 60, 30)


@pytest.mark.campaign
def test_model_at_length(builder: Builder) -> None:
    _search(builder, 3000, 60)
