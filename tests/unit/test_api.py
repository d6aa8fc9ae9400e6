"""The public functions outside an exploration, and what they refuse anywhere."""

from __future__ import annotations

import pytest

from pytest_statespace import InvalidArgument, always, choose, observe, sometimes


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


def test_the_others_check_their_arguments() -> None:
    with pytest.raises(InvalidArgument, match="invariant=3"):
        always(3)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument, match="label=''"):
        sometimes(True, "")


def test_the_decorator_is_not_hidden_by_the_package_of_its_name() -> None:
    import pytest_statespace
    import pytest_statespace.explore.explorer

    assert callable(pytest_statespace.explore)
    assert pytest_statespace.explore(seed=1).mark.kwargs == {"seed": 1}
