"""The decorators `explore` and `reproduce`: markers whose arguments are checked at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, overload

import pytest

from pytest_statespace.errors import FormatError, InvalidArgument
from pytest_statespace.settings import check_keywords

__all__ = ["explore", "reproduce"]

F = TypeVar("F", bound=Callable[..., object])


@overload
def explore(function: F, /) -> F: ...
@overload
def explore(**settings: object) -> pytest.MarkDecorator: ...
def explore(function: Any = None, /, **settings: Any) -> Any:
    """Mark a test for exploration: the same as ``@pytest.mark.statespace(...)``.

    Raises `InvalidArgument` for keywords or values that make no sense.
    """
    if function is not None:
        if not callable(function):
            raise InvalidArgument("function", function, "give settings by keyword")
        return pytest.mark.statespace(function)
    return pytest.mark.statespace(**check_keywords(settings))


def reproduce(token: str) -> pytest.MarkDecorator:
    """Run one saved schedule of this test and nothing else, also without ``--statespace``.

    Raises `InvalidArgument` if the token is damaged.
    """
    from pytest_statespace import replay

    if not isinstance(token, str):
        raise InvalidArgument("token", token, 'give the text "ssp1:..." of a failure report')
    try:
        replay.load(token)
    except FormatError as error:
        raise InvalidArgument("token", token, str(error)) from None
    return pytest.mark.statespace_reproduce(token)
