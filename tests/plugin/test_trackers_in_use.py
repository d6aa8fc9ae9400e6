"""Which tracker is used where, and that pytest says so."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from support.running import PACKAGES, Run

COUNTER = """
    import threading
    import pytest

    class Counter:
        value = 0

    @pytest.mark.statespace
    def test_lost_update():
        counter = Counter()

        def add():
            counter.value += 1

        threads = [threading.Thread(target=add) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert counter.value == 2

    @pytest.mark.statespace
    def test_counted_under_a_lock():
        counter, lock = Counter(), threading.Lock()

        def add():
            with lock:
                counter.value += 1

        threads = [threading.Thread(target=add) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert counter.value == 2
"""

# As container profiles do: userfaultfd is refused, in this process and all that come after it.
WITHOUT_USERFAULTFD = """
import ctypes, os, struct, sys

number = {"x86_64": 323, "aarch64": 282}[os.uname().machine]
code = ((0x20, 0, 0, 0), (0x15, 0, 1, number), (0x06, 0, 0, 0x00050000 | 1), (0x06, 0, 0, 0x7FFF0000))
instructions = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *one) for one in code))
program = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(code), ctypes.addressof(instructions)))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, program, 0, 0) == 0
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


@pytest.mark.parametrize("tracker", ["auto", "wpasync"])
def test_userfaultfd_may_be_refused(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, tracker: str) -> None:
    pytester.makepyfile(COUNTER)
    monkeypatch.setenv("PYTHONPATH", str(PACKAGES), prepend=":")
    pytest_command = ["-m", "pytest", "-p", "pytest_statespace.plugin", "--statespace"]
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_USERFAULTFD, *pytest_command, f"--statespace-tracker={tracker}"],
        cwd=pytester.path,
        env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    header = next(line for line in done.stdout.splitlines() if line.startswith("statespace: "))
    if tracker == "wpasync":
        assert "wpasync: userfaultfd: EPERM" in header
        assert "2 failed" in done.stdout
        return
    assert header.endswith("tracker mprotect")
    assert "1 failed, 1 passed" in done.stdout
    assert "assert 1 == 2" in done.stdout


@pytest.mark.parametrize("tracker", ["mprotect", "wpasync", "compare"])
def test_a_tracker_can_be_chosen(pytester: pytest.Pytester, run: Run, tracker: str) -> None:
    pytester.makepyfile(COUNTER)
    result = run("--statespace", f"--statespace-tracker={tracker}")
    result.stdout.fnmatch_lines([f"statespace: *, tracker {tracker}"])
    result.assert_outcomes(passed=1, failed=1)


def test_a_tracker_that_does_not_work_here_says_why(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(COUNTER)
    result = run("--statespace", "--statespace-tracker=softdirty")
    header = next(line for line in result.outlines if line.startswith("statespace: "))
    if "tracker none" in header:
        result.assert_outcomes(failed=2)
        result.stdout.fnmatch_lines(["*could not be set up: *softdirty: *"])
    else:
        assert header.endswith("tracker softdirty")
        result.assert_outcomes(passed=1, failed=1)
