"""Every error this package raises on purpose, each naming what was wrong and what helps.

Two families live here. `StatespaceError` and its children are ordinary exceptions: a test
may catch them, a traceback may show them. `StatespaceFailure` is an outcome in pytest's
sense (like `pytest.fail`): it passes through ``except Exception`` of user code and its text
is the whole report, without a Python traceback of our own around it.
"""

from __future__ import annotations

from collections.abc import Sequence

from _pytest.outcomes import Failed

__all__ = [
    "FormatError",
    "InternalError",
    "InvalidArgument",
    "ReplayDivergence",
    "StatespaceError",
    "StatespaceFailure",
    "UnsupportedOperation",
]


class StatespaceError(Exception):
    """Base of all errors of pytest-statespace."""


class InvalidArgument(StatespaceError, ValueError):
    """An argument of the public interface does not make sense.

    The message names the argument, the value it got and the remedy.
    """

    def __init__(self, argument: str, value: object, remedy: str) -> None:
        super().__init__(f"{argument}={value!r}: {remedy}")
        self.argument = argument
        self.value = value
        self.remedy = remedy


class UnsupportedOperation(StatespaceError):
    """The test does something that can't be explored: which call, where, what to do instead."""

    def __init__(self, call: str, *, where: str = "", remedy: str = "") -> None:
        lines = [f"{call} can't be explored"]
        if where:
            lines.append(f"  at:     {where}")
        if remedy:
            lines.append(f"  remedy: {remedy}")
        super().__init__("\n".join(lines))
        self.call = call
        self.where = where
        self.remedy = remedy


class ReplayDivergence(StatespaceError):
    """A saved schedule does not fit the program any more; `causes` lists likely reasons."""

    def __init__(self, message: str, causes: Sequence[str] = ()) -> None:
        text = message
        if causes:
            text += "\nlikely causes:\n" + "\n".join(f"  - {cause}" for cause in causes)
        super().__init__(text)
        self.causes = tuple(causes)


class FormatError(StatespaceError, ValueError):
    """A counterexample file or token is damaged, or of a version this plugin can't read."""


class InternalError(StatespaceError):
    """The plugin contradicts itself: a bug of pytest-statespace, please report it."""


class StatespaceFailure(Failed):
    """A test failed under exploration; the message is the finished report.

    ``rendering`` is what `TestReport.longrepr` becomes: it fits the terminal it is shown on.
    """

    def __init__(self, report: str, rendering: object) -> None:
        super().__init__(report, pytrace=False)
        self.rendering = rendering
