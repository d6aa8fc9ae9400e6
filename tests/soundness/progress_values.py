"""Values that choose when something is asked of them, and forget what they chose: what `progress.py` is made of."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

from pytest_statespace._native import _bridge


def either() -> int:
    chosen: int = _bridge.choose(2)
    return chosen


class Stream:
    """Yields chosen numbers and forgets them."""

    def __init__(self, left: int = 3) -> None:
        self.left = left

    def __iter__(self) -> Stream:
        return self

    def __next__(self) -> int:
        if not self.left:
            raise StopIteration
        self.left -= 1
        return either()


def stream_in_c() -> Iterator[int]:
    """The same without a frame of Python: C code calls C code that chooses."""
    return map(_bridge.choose, [2, 2, 2])


class InC:
    """What is asked of it is chosen by C code."""

    __hash__ = staticmethod(functools.partial(_bridge.choose, 2))  # type: ignore[assignment]
    __getstate__ = staticmethod(functools.partial(_bridge.choose, 2))  # type: ignore[assignment]
    __len__ = staticmethod(functools.partial(_bridge.choose, 2))


class Pairs(Stream):
    def __next__(self) -> Any:
        return self.left, super().__next__()


class Equal:
    """Equal or not, as chosen, whatever it is compared with."""

    def __eq__(self, other: object) -> bool:
        return bool(either())

    def __hash__(self) -> int:
        return 1


class EqualOrLess(Equal):
    def __lt__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


class Never:
    """Not equal to anything; a choice without consequence."""

    def __eq__(self, other: object) -> bool:
        either()
        return False

    def __hash__(self) -> int:
        return 1


class Less:
    def __lt__(self, other: object) -> bool:
        return bool(either())


class Shy:
    """Leaves every operator to the other operand, after a choice."""

    def __eq__(self, other: object) -> Any:
        either()
        return NotImplemented

    def __lt__(self, other: object) -> Any:
        either()
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __add__(self, other: object) -> Any:
        either()
        return NotImplemented

    __iadd__ = __add__
    __radd__ = __add__


class Number:
    def __index__(self) -> int:
        return either()

    def __str__(self) -> str:
        return str(either())

    __repr__ = __str__

    def __float__(self) -> float:
        return float(either())

    def __format__(self, spec: str) -> str:
        return str(either())

    def __bool__(self) -> bool:
        return bool(either())

    def __hash__(self) -> int:
        return either()

    def __eq__(self, other: object) -> bool:
        return self is other

    def __len__(self) -> int:
        return 1 + either()

    def __call__(self, *args: object) -> int:
        return either()

    @property
    def p(self) -> int:
        return either()

    def __getitem__(self, key: object) -> int:
        return either()

    def keys(self) -> list[str]:
        return ["a", "b", "c"]

    def __add__(self, other: int) -> int:
        return other + either()

    __radd__ = __add__


class Translator:
    def __getitem__(self, key: int) -> str:
        return str(either())


class Dying:
    """Chooses when it dies, and counts that."""

    dead = 0

    def __del__(self) -> None:
        chosen = either()
        Dying.dead += chosen


class Kind(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return bool(either())

    def __subclasscheck__(cls, subclass: type) -> bool:
        return bool(either())


class First(metaclass=Kind):
    pass


class Shelf:
    """Searched through the iterator of a list."""

    def __init__(self, *items: object) -> None:
        self.items = list(items)

    def __iter__(self) -> Iterator[object]:
        return iter(self.items)


class Made:
    def __init__(self, *args: object) -> None:
        self.args = args


class Forgetful:
    """The instance under construction is in C only."""

    made: Any = None

    def __init__(self) -> None:
        self.first = either()
        del self
        either()


class Anew:
    def __new__(cls, *args: object) -> Any:
        del args
        either()
        return super().__new__(cls)

    def __init__(self, *args: object) -> None:
        self.args = args


class Reduced:
    def __reduce__(self) -> Any:
        return (int, (either(),))


class Point:
    __match_args__ = ("p", "q", "r")

    @property
    def p(self) -> int:
        return either()

    q = p
    r = p
