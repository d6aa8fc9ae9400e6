"""The public functions outside an exploration, and what they refuse anywhere."""

from __future__ import annotations

import pytest

from pytest_statespace import InvalidArgument, always, choose, ignore, observe, sometimes, view


class Ordinary:
    def method(self) -> int:
        return 1


class Slotted:
    __slots__ = ("x",)


def test_choose_returns_the_first_alternative() -> None:
    assert choose([3, 1, 2]) == 3
    assert choose("ab") == "a"
    assert choose(range(5, 9)) == 5


@pytest.mark.parametrize("bad", [[], (), "", {1, 2}, iter([1]), None, range(1 << 17)])
def test_choose_refuses(bad: object) -> None:
    with pytest.raises(InvalidArgument, match="alternatives="):
        choose(bad)  # type: ignore[arg-type]


def test_the_others_do_nothing() -> None:
    observe(object())
    sometimes(False, "never")
    always(lambda: False)
    ignore(Ordinary(), "anything")
    ignore(Ordinary, "anything")
    view(lambda: 1 / 0, Ordinary())
    view(Ordinary().method)


def test_the_others_check_their_arguments() -> None:
    with pytest.raises(InvalidArgument, match="invariant=3"):
        always(3)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument, match="label=''"):
        sometimes(True, "")
    with pytest.raises(InvalidArgument, match="attribute='a b'"):
        ignore(Ordinary(), "a b")
    with pytest.raises(InvalidArgument, match="weak references: give the class"):
        ignore(Slotted(), "x")
    with pytest.raises(InvalidArgument, match="function=3"):
        view(3)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument, match="name the objects it speaks for"):
        view(lambda: 1)
    with pytest.raises(InvalidArgument, match="name the objects it speaks for"):
        view(len)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument, match="objects="):
        view(lambda: 1, Ordinary)


def test_the_decorator_is_not_hidden_by_the_package_of_its_name() -> None:
    import pytest_statespace
    import pytest_statespace.explore.explorer

    assert callable(pytest_statespace.explore)
    assert pytest_statespace.explore(seed=1).mark.kwargs == {"seed": 1}
