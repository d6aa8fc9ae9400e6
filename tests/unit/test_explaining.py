"""From notes of states to the places in which they differ."""

from __future__ import annotations

from pytest_statespace.explore.explaining import Entry, compare_states, places

FRAME, NEW = 2, 3
KEY, LOCAL, REST = 1, 3, 4


def new(number: int) -> tuple[int, int, int]:
    return (2 << 56 | number, 0, 0)


def integer(value: int) -> tuple[int, int, int]:
    return (5 << 56 | 8 << 48 | 4, value, 0)


def text(value: bytes) -> tuple[int, int, int]:
    return (5 << 56 | 1 << 48 | len(value), int.from_bytes(value, "little"), 0)


def state(hits: int, *, name: bytes = b"one", junk: bool = False) -> list[Entry]:
    """A frame with a counter, and perhaps another object before it, which shifts the numbers."""
    number = 2 if junk else 1
    entries: list[Entry] = [(FRAME, 1 << 16, LOCAL, "junk", "list", new(1))] if junk else []
    entries += [
        (FRAME, 1 << 16, LOCAL, "counter", "Counter", new(number)),
        (FRAME, 1 << 16, REST, 0, "work", (7, 0, 0)),
        (NEW, number, KEY, "hits", "", integer(hits)),
        (NEW, number, KEY, "name", "", text(name)),
        (NEW, number, REST, 0, "Counter", (9, 0, 0)),
    ]
    if junk:
        entries.append((NEW, 1, REST, 0, "list", (3, 0, 0)))
    return entries


def test_places_are_named_by_the_way_to_them() -> None:
    found = {path: shown for path, (_, shown) in places(state(3)).items()}
    assert found["thread 1, work(): counter.hits"] == "3"
    assert found["thread 1, work(): counter.name"] == "'one'"
    assert found["thread 1, work(): counter"] == "the Counter of thread 1, work(): counter"


def test_only_what_differs_is_told_and_shifted_numbers_do_not() -> None:
    pairs, differences = compare_states([(1, state(3)), (1, state(4, junk=True)), (2, state(9))])
    assert pairs == 1
    told = {d.path: (d.first, d.second) for d in differences}
    assert told.pop("thread 1, work(): counter.hits") == ("3", "4")
    assert told
    assert all("junk" in path for path in told)


def test_the_most_frequent_comes_first() -> None:
    _, differences = compare_states([(1, state(3)), (1, state(4)), (1, state(5, name=b"two"))])
    assert [(d.path.rpartition(".")[2], d.pairs) for d in differences] == [("hits", 2), ("name", 1)]


def test_states_that_do_not_look_alike_are_not_compared() -> None:
    assert compare_states([(1, state(3)), (2, state(4))]) == (0, ())
    assert compare_states([]) == (0, ())


def test_what_has_a_name_is_called_by_it() -> None:
    before = (1 << 56 | 0x7F00, 0, 0)
    long = (5 << 56 | 1 << 48 | 30, 1, 2)
    entries: list[Entry] = [
        (FRAME, 1 << 16, LOCAL, "handler", "function on_error", before),
        (FRAME, 1 << 16, LOCAL, "text", "'thirty characters of some text'", long),
        (FRAME, 1 << 16, LOCAL, "number", "", long),
        (FRAME, 1 << 16, REST, 0, "work", (7, 0, 0)),
    ]
    found = {path.rpartition(" ")[2]: shown for path, (_, shown) in places(entries).items()}
    assert found["handler"] == "function on_error"
    assert found["text"] == "'thirty characters of some text'"
    assert found["number"].startswith("a value of 30 bytes")
