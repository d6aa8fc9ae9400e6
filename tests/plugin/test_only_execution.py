"""Where one execution is all that is allowed nothing is rewound, and it may do what no search may."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.running import Run

OUTSIDE = """
    import os, socket, subprocess, sys, threading, time, pytest

    @pytest.mark.statespace
    def test_process():
        assert subprocess.run([sys.executable, "-c", "print(41 + 1)"], capture_output=True).stdout == b"42\\n"

    @pytest.mark.statespace
    def test_wait():  # it polls, with sleeps on virtual time
        process = subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"])
        assert process.wait(timeout=1000) == 3

    @pytest.mark.statespace
    def test_sockets_and_threads():
        ours, theirs = socket.socketpair()
        with ours, theirs:
            thread = threading.Thread(target=theirs.sendall, args=(b"text",))
            thread.start()
            thread.join()
            assert ours.recv(4) == b"text"

    @pytest.mark.statespace
    def test_file(tmp_path):
        (tmp_path / "file").write_text("text")
        assert (tmp_path / "file").read_text() == "text"

    @pytest.mark.statespace
    def test_memory():
        lock = threading.Lock()
        with lock:
            pass
"""


def test_nothing_is_refused_and_nothing_verified(pytester: pytest.Pytester, results: Any) -> None:
    pytester.makepyfile(OUTSIDE)
    refused = results("--statespace")
    found = results("--statespace", "--statespace-max-executions=1")
    assert found.keys() == refused.keys()
    for name in ("test_process", "test_wait", "test_sockets_and_threads", "test_file"):
        assert refused[name]["verdict"] == "unsupported"
        assert (found[name]["verdict"], found[name]["executions"]) == ("incomplete", 1)
    # One thread and one way to go: nothing but what was let through keeps it from being verified.
    assert found["test_file"]["reason"].startswith("an execution that does what can't be rewound")
    assert found["test_memory"]["verdict"] == "verified"


def test_the_report_says_what_was_let_through(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(OUTSIDE)
    result = run("--statespace", "--statespace-max-executions=1", "-k", "test_file or test_memory")
    text = " ".join(result.stdout.str().split())
    assert text.count("calls that can't be rewound were let through") == 1
    assert "the first: openat (opening for writing" in text


def test_a_failure_is_reported_and_reproduced(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        """
    import subprocess, sys, threading, pytest

    @pytest.mark.statespace(max_executions=1)
    def test_process():
        threads = [threading.Thread(target=subprocess.run, args=([sys.executable, "-c", ""],)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        process = subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"])
        assert process.wait(timeout=1000) == 4, "another status"
    """
    )
    result = run("--statespace")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*AssertionError: another status*"])
    result.stdout.no_fnmatch_line("*could not be reproduced*")


FORKS = """
    import os, threading, time, pytest

    def status(what):
        pid = os.fork()
        if not pid:
            what()
            os._exit(7)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def started():
        thread = threading.Thread(target=print)
        thread.start()
        thread.join()

    @pytest.mark.statespace(max_executions=1)
    def test_a_copy_is_an_ordinary_process():
        lock, stop = threading.Lock(), threading.Event()
        others = [threading.Thread(target=stop.wait) for _ in range(3)]
        for other in others:
            other.start()

        def copy():
            assert threading.active_count() == 1
            assert not any(other.is_alive() for other in others)
            for other in others:
                other.join()
            started()  # a thread of the system's
            before = time.monotonic()
            time.sleep(0.01)  # real time
            assert 0 < time.monotonic() - before < 1000
            with lock:
                assert not lock.acquire(timeout=0.01)

        assert status(copy) == 7
        stop.set()
        for other in others:
            other.join()
        started()

    @pytest.mark.statespace(max_executions=1)
    def test_a_copy_that_goes_on():
        pid = os.fork()
        if pid:
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0

    @pytest.mark.statespace(max_executions=1)
    def test_a_copy_that_fails():
        pid = os.fork()
        assert pid, "the copy fails"
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 1

    @pytest.mark.statespace(max_executions=1)
    def test_of_the_exit_status():
        assert status(lambda: None) == 8, "it is 7"
"""


def test_what_it_forks_is_not_explored(pytester: pytest.Pytester, results: Any) -> None:
    pytester.makepyfile(FORKS)
    found = results("--statespace")
    assert {name: entry["verdict"] for name, entry in found.items()} == {
        "test_a_copy_is_an_ordinary_process": "incomplete",
        "test_a_copy_that_goes_on": "incomplete",
        "test_a_copy_that_fails": "incomplete",
        "test_of_the_exit_status": "failed",
    }
    assert all(entry["executions"] == 1 for entry in found.values())


@pytest.mark.parametrize("options", [("--statespace-max-executions=2",), ("--statespace-strategy=dpor",)])
def test_where_something_is_rewound_it_is_refused(
    pytester: pytest.Pytester, results: Any, options: tuple[str, ...]
) -> None:
    """Also under `dpor`, which has to be told of every state."""
    pytester.makepyfile(
        """
    import pytest

    @pytest.mark.statespace
    def test_file(tmp_path):
        (tmp_path / "file").write_text("text")
    """
    )
    most = () if "executions" in options[0] else ("--statespace-max-executions=1",)
    assert results("--statespace", *options, *most)["test_file"]["verdict"] == "unsupported"


LEAVES = """
    import os, time, pytest

    def leave(path):
        if not os.fork():
            path.with_suffix(".new").write_text(str(os.getpid()))
            path.with_suffix(".new").rename(path)
            time.sleep(1e6)
        while not path.exists():
            time.sleep(0.01)

    @pytest.mark.statespace(max_executions=1)
    def test_finishes(request):
        leave(request.config.rootpath / "finishes")

    @pytest.mark.statespace(max_executions=1)
    def test_exits(request):
        leave(request.config.rootpath / "exits")
        os._exit(0)

    @pytest.mark.statespace(max_executions=1, timeout=2)
    def test_takes_too_long(request):
        leave(request.config.rootpath / "takes_too_long")
        while True:
            time.sleep(1)
"""


def test_what_it_leaves_behind_ends_with_it(pytester: pytest.Pytester, results: Any) -> None:
    pytester.makepyfile(LEAVES)
    found = results("--statespace")
    assert [entry["verdict"] for entry in found.values()] == ["incomplete", "failed", "incomplete"]
    left = [int((pytester.path / name).read_text()) for name in ("finishes", "exits", "takes_too_long")]
    assert not [pid for pid in left if _is_running(pid)]


def _is_running(pid: int) -> bool:
    """Is it more than an entry that waits to be reaped?"""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False
