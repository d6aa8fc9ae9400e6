"""One line on a terminal that tells how far a search is, and leaves no trace.

It stands to the right of whatever pytest has written (``tests/test_bank.py ..``): the
cursor is saved, the text written, the cursor restored. So pytest's own line needs no
repair, and a search that ends before the first update writes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from pytest_statespace.reporting.text import cut, plural
from pytest_statespace.types import ProgressSnapshot

if TYPE_CHECKING:
    import pytest
    from _pytest._io import TerminalWriter

__all__ = ["Progress", "progress_text"]

_SAVE, _RESTORE, _ERASE = "\x1b7", "\x1b8", "\x1b[K"
_INTERVAL = 0.2  # seconds between two updates
_DELAY = 0.5  # a search that is over by then shows nothing


class Progress:
    """The progress line of one session.

    Without a writer, or when it is no terminal that understands cursor movement, all
    methods do nothing.
    """

    def __init__(self, writer: TerminalWriter | None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._writer = writer if writer is not None and _movable(writer) else None
        self._clock = clock
        self._next = clock() + _DELAY
        self._shown = False

    @classmethod
    def of(cls, config: pytest.Config) -> Progress:
        """The progress line of a session; silent under xdist, ``-qq`` or without a terminal."""
        reporter = config.pluginmanager.get_plugin("terminalreporter")
        if reporter is None or hasattr(config, "workerinput") or config.get_verbosity() < -1:
            return cls(None)
        return cls(config.get_terminal_writer())

    def start(self) -> None:
        """Another search begins."""
        self.finish()
        self._next = self._clock() + _DELAY

    def update(self, snapshot: ProgressSnapshot) -> None:
        """Show the numbers, at most five times a second."""
        if self._writer is None or self._clock() < self._next:
            return
        self._next = self._clock() + _INTERVAL
        room = self._writer.fullwidth - self._writer.width_of_current_line - 3
        if room >= 20:
            self._put(f"{_SAVE}{_ERASE}  {cut(progress_text(snapshot), room)}{_RESTORE}")
            self._shown = True

    def finish(self) -> None:
        """Erase the line. Safe to call at any time and more than once."""
        if self._shown:
            self._shown = False
            self._put(_ERASE)

    def _put(self, text: str) -> None:
        """Write without the writer believing that its line has grown."""
        assert self._writer is not None
        before = getattr(self._writer, "_current_line", None)
        try:
            self._writer.write(text, flush=True)
        finally:
            if before is not None:
                self._writer._current_line = before


def progress_text(snapshot: ProgressSnapshot) -> str:
    """``bound 1 · about 40 % left · 1 204 states · 87 executions · depth 31 · 12 pending · 3 s``."""
    bound = "no bound" if snapshot.bound is None else f"bound {snapshot.bound}"
    left = [] if snapshot.remaining is None else [_left(snapshot.remaining)]
    return " · ".join(
        (
            bound,
            *left,
            plural(snapshot.states, "state"),
            plural(snapshot.executions, "execution"),
            f"depth {snapshot.depth}",
            f"{snapshot.pending:,} pending".replace(",", " "),
            f"{snapshot.seconds:.0f} s",
        )
    )


def _left(share: float) -> str:
    """Of this round; two digits while there is much, and never 0 % before the end."""
    percent = 100 * share
    return f"about {percent:.0f} % left" if percent >= 1 else "less than 1 % left"


def _movable(writer: TerminalWriter) -> bool:
    file = getattr(writer, "_file", None)
    isatty = getattr(file, "isatty", None)
    return bool(writer.hasmarkup and isatty is not None and isatty())
