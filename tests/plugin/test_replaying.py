"""Saved schedules: by file, by token, by decorator; with -s and --pdb; and when they don't fit."""

from __future__ import annotations

import json
import re

import pytest
from support.running import Run

LOST = """
    import threading
    import pytest

    class Counter:
        def __init__(self):
            self.value = 0
        def add(self):
            self.value += 1

    @pytest.mark.statespace
    def test_it():
        counter = Counter()
        threads = [threading.Thread(target=counter.add) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        print("the value is", counter.value)
        assert counter.value == 2

    def test_other():
        pass
"""


@pytest.fixture
def found(pytester: pytest.Pytester, run: Run) -> tuple[str, str]:
    """File and token of the lost update."""
    pytester.makepyfile(test_lost=LOST)
    run("--statespace", "--statespace-json=results.json").assert_outcomes(failed=1, passed=1)
    document = json.loads((pytester.path / "results.json").read_text())
    (failure,) = document["tests"][0]["failures"]
    return failure["file"], failure["token"]


@pytest.mark.parametrize("which", [0, 1])
def test_replay(run: Run, found: tuple[str, str], which: int) -> None:
    result = run("--statespace-replay", found[which])
    result.assert_outcomes(failed=1, deselected=1)
    result.stdout.fnmatch_lines(
        ["E*assert 1 == 2", "the value is 1", "*schedule: 1 preemption*", "*both read*"]
    )


def test_output_is_live_with_s(run: Run, found: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if it goes through a pipe, where Python keeps it back; and nothing that was kept back is written twice."""
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    result = run("-s", "--statespace-replay", found[0])
    lines = result.stdout.lines
    live = next(i for i, line in enumerate(lines) if "the value is 1" in line)
    assert live < next(i for i, line in enumerate(lines) if "FAILURES" in line)
    assert sum("test session starts" in line for line in lines) == 1


def test_the_debugger_opens_in_the_execution(
    pytester: pytest.Pytester, run: Run, found: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    pytester.makeconftest(
        """
        def pytest_exception_interact(node, call, report):
            print("interacting with", call.excinfo.value, node.name)
        """
    )
    result = run("-s", "--pdb", "--pdbcls=pytester_pdb:Recorder", "--statespace-replay", found[0])
    assert "pytester_pdb" in result.stderr.str() + result.stdout.str()
    pytester.makepyfile(
        pytester_pdb="""
        import pdb
        class Recorder(pdb.Pdb):
            def interaction(self, frame, failed):
                traceback = getattr(failed, "__traceback__", failed)  # the exception itself from 3.13 on
                while traceback.tb_next is not None:
                    traceback = traceback.tb_next
                print("DEBUGGING", traceback.tb_frame.f_locals["counter"].value)
        """
    )
    result = run("-s", "--pdb", "--pdbcls=pytester_pdb:Recorder", "--statespace-replay", found[0])
    result.stdout.fnmatch_lines(["DEBUGGING 1"])


def test_a_test_that_is_not_collected(pytester: pytest.Pytester, run: Run, found: tuple[str, str]) -> None:
    pytester.makepyfile(test_more="def test_more(): pass\ndef test_most(): pass\n")
    result = run("test_more.py", "--statespace-replay", found[0])
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*test_lost.py::test_it was not collected*"])


def test_a_test_that_moved(pytester: pytest.Pytester, run: Run, found: tuple[str, str]) -> None:
    (pytester.path / "test_lost.py").rename(pytester.path / "test_moved.py")
    result = run("test_moved.py::test_it", "--statespace-replay", found[1])
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E*assert 1 == 2"])


def test_reproduce_runs_the_schedule_alone(
    pytester: pytest.Pytester, run: Run, found: tuple[str, str]
) -> None:
    source = (pytester.path / "test_lost.py").read_text()
    source = source.replace(
        "@pytest.mark.statespace\n",
        f"from pytest_statespace import reproduce\n@reproduce({found[1]!r})\n",
    )
    (pytester.path / "test_lost.py").write_text(source)
    result = run()
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["E*assert 1 == 2"])


def test_a_changed_test_diverges(pytester: pytest.Pytester, run: Run, found: tuple[str, str]) -> None:
    path = pytester.path / "test_lost.py"
    source = path.read_text()
    path.write_text(source.replace("        self.value += 1", "        pass"))
    result = run("--statespace-replay", found[0])
    result.assert_outcomes(failed=1, deselected=1)
    result.stdout.fnmatch_lines(
        ["ReplayDivergence: *", "likely causes:", "*the source changed*test_lost.py*"]
    )


def test_every_damage_is_a_usage_error(pytester: pytest.Pytester, run: Run, found: tuple[str, str]) -> None:
    token = re.sub("^ssp1:...", "ssp1:xyz", found[1])
    result = run("--statespace-replay", token)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--statespace-replay: *"])


PRIVATE = """
    import threading
    import pytest

    class Box:
        def __init__(self):
            self.lock = threading.Lock()
            self.items = [0]
            self.seen = 0

        def fill(self):
            self.items[0] = 1
            batch = []
            with self.lock:
                taken, self.items = self.items, [0]
            batch.append(1)
            taken[0] = 2
            self.seen += 1

    @pytest.mark.statespace
    def test_it():
        box = Box()
        threads = [threading.Thread(target=box.fill) for _ in range(2)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        assert box.seen == 2
"""


def test_watching_makes_nothing_shared(pytester: pytest.Pytester, run: Run) -> None:
    """What only one thread refers to has no choice points; it had them once the recorder had looked at it."""
    pytester.makepyfile(PRIVATE)
    result = run("--statespace")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*schedule: 1 preemption*"])
    result.stdout.no_fnmatch_line("*could not be reproduced*")


WARM = """
    import os
    import threading
    import pytest

    def take_turns(lock):
        lock.acquire()
        lock.release()

    for _ in range(int(os.environ.get("WARM", "0"))):
        take_turns(threading.Lock())

    @pytest.mark.statespace(granularity="sync")
    def test_it():
        lock = threading.Lock()
        threads = [threading.Thread(target=take_turns, args=(lock,)) for _ in range(2)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        assert False
"""


def test_a_warm_interpreter(pytester: pytest.Pytester, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Specialised instructions stand elsewhere while they call: a schedule must not know."""
    pytester.makepyfile(WARM)
    run("--statespace", "--statespace-json=results.json").assert_outcomes(failed=1)
    document = json.loads((pytester.path / "results.json").read_text())
    monkeypatch.setenv("WARM", "100")
    result = run("--statespace-replay", document["tests"][0]["failures"][0]["file"])
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E*assert False"])
    result.stdout.no_fnmatch_line("*diverged*")
