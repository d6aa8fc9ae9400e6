"""The child process: whether it lives, how it died, and that nothing is left of it."""

from __future__ import annotations

import contextlib
import os
import signal
from dataclasses import dataclass

__all__ = ["ChildProcess", "ExitStatus"]


@dataclass(frozen=True, slots=True)
class ExitStatus:
    """How a process ended: by ``signal`` (0: none) or with ``code``."""

    code: int
    signal: int

    def describe(self) -> str:
        """Such as ``SIGSEGV`` or ``exit status 3``."""
        if not self.signal:
            return f"exit status {self.code}"
        try:
            return signal.Signals(self.signal).name
        except ValueError:
            return f"signal {self.signal}"


_kill, _killpg, _waitid, _waitpid = os.kill, os.killpg, os.waitid, os.waitpid  # a fixture may have replaced them


class ChildProcess:
    """A forked child that this process must reap. `close` is safe at any time, and twice.

    What the child started itself ends with it, unless that has left the child's process group.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.status: ExitStatus | None = None

    def poll(self) -> ExitStatus | None:
        """The exit status if it has ended, else None. Reaps it."""
        return self._wait(os.WNOHANG)

    def kill(self) -> ExitStatus:
        """End it now, whatever it does, and reap it."""
        if self.status is None:
            with contextlib.suppress(ProcessLookupError):
                _kill(self.pid, signal.SIGKILL)
            while self._wait(0) is None:
                pass
        assert self.status is not None
        return self.status

    def close(self) -> None:
        """Make sure that it is gone."""
        self.kill()

    def _wait(self, options: int) -> ExitStatus | None:
        if self.status is not None:
            return self.status
        try:
            if _waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT | options) is None:
                return None
            with contextlib.suppress(ProcessLookupError, PermissionError):  # not reaped: nobody else has this number
                _killpg(self.pid, signal.SIGKILL)
            _, raw = _waitpid(self.pid, 0)
        except ChildProcessError:  # reaped by somebody else, who did not tell us how it ended
            self.status = ExitStatus(-1, 0)
            return self.status
        code = os.waitstatus_to_exitcode(raw)
        self.status = ExitStatus(code, 0) if code >= 0 else ExitStatus(0, -code)
        return self.status
