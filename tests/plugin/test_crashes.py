"""Children that die, hang or are interrupted: a result every time, and nothing left behind."""

from __future__ import annotations

import importlib.metadata
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.running import PACKAGES, Run


def test_crash(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        """
    import ctypes, os, pytest
    from pytest_statespace import choose

    @pytest.mark.statespace
    def test_segfault():
        if choose([0, 1]):
            ctypes.string_at(0)

    @pytest.mark.statespace
    def test_exit():
        if choose([0, 1]):
            os._exit(3)

    @pytest.mark.statespace
    def test_abort():
        if choose([0, 1]):
            os.abort()

    def test_the_session_goes_on():
        pass
    """
    )
    result = run("--statespace")
    result.assert_outcomes(failed=3, passed=1)
    result.stdout.fnmatch_lines(
        [
            "*Segmentation fault*",
            "*line 7 in test_segfault*",
            "*chose 1*",
            "*crash*SIGSEGV*",
            "*crash*os._exit(3)*",
            "*crash*SIGABRT*",
        ]
    )
    assert "child.py" not in result.stdout.str()


def test_an_execution_that_is_only_compared_with_the_failing_one_crashes(
    pytester: pytest.Pytester, run: Run
) -> None:
    pytester.makepyfile(
        """
    import os, threading
    import pytest

    @pytest.mark.statespace
    def test_it():
        order = []
        threads = [threading.Thread(target=order.append, args=(n,)) for n in (1, 2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if order == [2, 1]:
            os.abort()
        assert order == []
    """
    )
    result = run("--statespace")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*assert [[]1, 2] == []*", "*note: the child ended (SIGABRT) while other executions*"])


def test_hang(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        """
    import pytest
    from pytest_statespace import choose

    @pytest.mark.statespace(hang_seconds=1)
    def test_it():
        if choose([0, 1]):
            while True:
                pass
    """
    )
    result = run("--statespace")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*hang*no choice point for 1 second*"])


def test_the_time_budget_ends_a_path_that_does_not_end(
    pytester: pytest.Pytester, run: Run
) -> None:
    pytester.makepyfile(
        """
    import pytest

    @pytest.mark.statespace(timeout=1)
    def test_it():
        while True:
            pass
    """
    )
    result = run("--statespace")
    assert result.parseoutcomes() == {"incomplete": 1}
    result.stdout.fnmatch_lines(["*cut by timeout (1 s)*"])


def children_of(pid: int) -> list[int]:
    found = []
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            try:
                fields = (path / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == pid:
                found.append(int(path.name))
    return found


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_no_process_is_left(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    pytester.makepyfile(
        """
    import pytest

    @pytest.mark.statespace(hang_seconds=100)
    def test_it():
        while True:
            pass
    """
    )
    installed = importlib.metadata.entry_points(group="pytest11", name="statespace")
    load = [] if installed else ["-p", "pytest_statespace.plugin"]
    monkeypatch.setenv("PYTHONPATH", str(PACKAGES), prepend=":")
    parent = subprocess.Popen(
        [sys.executable, "-m", "pytest", *load, "--statespace"],
        cwd=pytester.path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # it is ignored in a shell's background jobs
    )
    try:
        deadline = time.monotonic() + 60
        children: list[int] = []
        while not children and time.monotonic() < deadline:
            children = [pid for pid in children_of(parent.pid) if busy(pid)]
            if not children:
                os.sched_yield()
        assert children, "no child was started"
        os.kill(parent.pid, number)
        text, _ = parent.communicate(timeout=30)
        ended = time.monotonic() + 10
        while any(map(alive, children)) and time.monotonic() < ended:
            os.sched_yield()
        assert not any(map(alive, children))
        if number == signal.SIGINT:
            assert "KeyboardInterrupt" in text
            assert parent.returncode == pytest.ExitCode.INTERRUPTED
    finally:
        parent.kill()
        parent.wait()


def busy(pid: int) -> bool:
    """Has this process used a second of processor time? Then it is past its set-up."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return False
    return int(fields[11]) >= os.sysconf("SC_CLK_TCK")
