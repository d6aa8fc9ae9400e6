"""Whole pytest sessions whose children are killed at random moments: each death is reported as what it is.

One process explores many tests. Next to each a killer picks one of the children that there are at a random moment: the
one that searches or that replays for the report, or the copy that keeps the base state; sometimes all of them. The
session is watched from inside (`_CONFTEST`): no verdict without a child that lived, no failure that was none, no
process left, no arena in disorder. It says for each test what was wrong, and this module asserts that nothing was.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from support.running import Run

_TESTS = """
import os, threading
import pytest

KILLS = int(os.environ["KILLS"])

class Counter:
    def __init__(self):
        self.value = 0
        self.lock = threading.Lock()

    def lose(self):
        self.value += 1

    def add(self, times):
        for _ in range(times):
            with self.lock:
                self.value += 1

def together(function, threads, *arguments):
    workers = [threading.Thread(target=function, args=arguments) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

@pytest.mark.statespace(timeout=2)
@pytest.mark.parametrize("number", range(KILLS // 2))
def test_endless(number):
    counter = Counter()
    together(counter.add, 5, 4)

@pytest.mark.statespace
@pytest.mark.parametrize("number", range(KILLS // 4))
def test_fails(number):
    counter = Counter()
    together(counter.lose, 2)
    assert counter.value == 2

@pytest.mark.statespace
@pytest.mark.parametrize("number", range(KILLS - KILLS // 2 - KILLS // 4))
def test_passes(number):
    counter = Counter()
    together(counter.add, 2, 1)
    assert counter.value == 2
"""

_CONFTEST = '''
import json, os, random, re, signal, time
from pathlib import Path

import pytest

from pytest_statespace.running import RESULT_KEY
from pytest_statespace.sandbox.arena import Arena
from pytest_statespace.sandbox.protocol import End
from pytest_statespace.sandbox.session import Sandbox

FATAL = [signal.Signals[name] for name in """SIGSEGV SIGBUS SIGFPE SIGILL SIGABRT SIGSYS SIGTRAP SIGTERM SIGQUIT SIGHUP
    SIGALRM SIGVTALRM SIGPROF SIGUSR1 SIGUSR2 SIGXCPU SIGIO SIGPWR SIGSTKFLT""".split()]
LOST = "the process that keeps the base state was killed from outside"
LONGEST = 30.0
TIMEOUT = 2.0  # of test_endless

# What happens in one test: (child, when, how it ended) of its paths; children that died while they ran for a report,
# and had sent it or not; defects of arenas.
runs, dead_with, dead_without, defects = [], set(), set(), []

def watched(self, *arguments):
    entry = [self._child.pid, time.monotonic_ns(), None]
    runs.append(entry)
    result = run(self, *arguments)
    entry[2] = result.end
    if self._between:
        self.drain()
        if result.end is End.CRASHED:
            (dead_with if any("report" in message for message in self.messages) else dead_without).add(self._child.pid)
    return result

def checked(self):
    if self._arena != self._ffi.NULL and self._lib.ss_arena_is_valid(self._arena) != 0:
        if not self.last_error().startswith("the child died while it changed the store"):
            defects.append("arena: " + self.last_error())
    destroy(self)

run, destroy = Sandbox._run, Arena.destroy
Sandbox._run, Arena.destroy = watched, checked


def children(pid):
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return {int(child) for task in tasks for child in (task / "children").read_text().split()}

def is_copy(pid):
    """It has closed all files, so that nobody waits for the end of a pipe because of it."""
    try:
        return not os.listdir(f"/proc/{pid}/fd")
    except OSError:
        return False

def kill_one(kind, number, out):
    rng = random.Random(f"{os.environ['BATCH']} {kind} {number}")

    def there(is_enough):
        while not is_enough(found := children(os.getppid()) - {os.getpid()}):
            time.sleep(0.0005)  # not yet forked, or between two children
        return found

    when = rng.random()
    if when < 0.25:  # at any moment of the set-up
        there(bool)
        time.sleep(rng.random() * 0.1)
    else:
        searching = there(lambda found: any(map(is_copy, found)))
        if kind == "fails" and when < 0.7:  # the replay for the report, or what follows it
            there(lambda found: found and not found & searching)
        time.sleep(rng.random() ** 2 * {"endless": 0.8, "fails": 0.2, "passes": 0.1}[kind])
    found = there(bool)
    copies = set(filter(is_copy, found))
    some = copies if copies and rng.random() < 0.2 else found - copies or found
    for pid in sorted(found if rng.random() < 0.1 else rng.sample(sorted(some), 1)):
        number = signal.SIGKILL if rng.random() < 0.5 or pid in copies and rng.random() < 0.8 else rng.choice(FATAL)
        os.write(out, f"{pid} {number} {time.monotonic_ns()} ".encode())
        os.kill(pid, number)
        os.write(out, f"{time.monotonic_ns()}\\n".encode())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    [kept.clear() for kept in (runs, dead_with, dead_without, defects)]
    before, started = children(os.getpid()), time.monotonic()
    read_end, write_end = os.pipe()
    killer = os.fork()
    if killer == 0:
        try:
            kill_one(item.originalname.removeprefix("test_"), item.callspec.params["number"], write_end)
        finally:
            os._exit(0)
    os.close(write_end)
    text = ""
    try:
        return (yield)
    except BaseException as error:
        text = f"{type(error).__name__}: {error}"
        raise
    finally:
        seconds = time.monotonic() - started
        os.kill(killer, signal.SIGKILL)
        os.waitpid(killer, 0)
        kills = [list(map(int, line.split())) for line in os.fdopen(read_end).read().splitlines()]
        left = children(os.getpid()) - before
        wrong = list(defects)
        wrong += [f"processes left: {left}"] * bool(left) + [f"took {seconds:.1f} s"] * (seconds > LONGEST)
        what = judge(item, item.stash.get(RESULT_KEY, None), text, kills, seconds, wrong)
        line = {"test": item.name, "what": what, "wrong": wrong, "kills": kills, "runs": runs[-3:], "text": text[:600]}
        with open("kills.jsonl", "a") as file:
            file.write(json.dumps(line, default=str) + "\\n")

def judge(item, result, text, kills, seconds, wrong):
    """What became of the test, in a few words; adds to `wrong` what can't be."""
    kind = item.originalname.removeprefix("test_")
    names = {signal.Signals(number).name for _, number, *_ in kills}
    copies = [pid for pid, number, *_ in kills if number == signal.SIGKILL and pid not in {run[0] for run in runs}]
    # A child that was dead when a path was asked for, or died on one.
    noticed = {pid for pid, _, _, *dead in kills for run in runs
               if dead and run[0] == pid and (run[1] > dead[0] or run[2] is End.CRASHED)}
    crashed = {run[0] for run in runs if run[2] is End.CRASHED}
    if crashed - {pid for pid, *_ in kills}:
        wrong.append("a child that nobody killed is taken for dead")
    if noticed - crashed:
        wrong.append("a path of a dead child came to an end")
    if result is None:
        if not re.match("StatespaceError: the exploration could not be set up: ", text) or not kills:
            wrong.append("no result")
        elif not any(name in text for name in names) and not (LOST in text and copies):
            wrong.append("the set-up failed for another reason")
        return "set-up"
    said = [result.reason, *result.notes, *(f"{f.message} {f.gil_reason}" for f in result.failures)]
    told = set(re.findall("SIG[A-Z0-9]+", " ".join(said)))
    if told - names:
        wrong.append(f"a signal that nobody sent: {told - names}")
    if noticed - dead_with and not told and not any(run[2] is End.LOST for run in runs):
        wrong.append("a death is not reported")
    if result.verdict.value == "verified":
        if kind != "passes" or noticed:
            wrong.append("verified")
        return "verified"
    if result.verdict.value == "incomplete":
        if LOST in result.reason:
            wrong += [] if copies else ["the copy was not killed"]
            return "lost"
        if kind != "endless" or "timeout" not in result.reason or noticed or seconds < TIMEOUT:
            wrong.append(f"incomplete: {result.reason}")
        return "timeout"
    failure = result.failures[0]
    if failure.kind.value == "crash":
        if failure.message not in names:
            wrong.append(f"crash: {failure.message}")
        return "crash"
    if kind != "fails" or failure.kind.value != "assertion" or not failure.message.startswith("assert 1 == 2"):
        wrong.append(f"failed: {failure.kind.value} {failure.message}")
    unsure = any("could not be reproduced" in note for note in result.notes)
    if dead_without and not unsure:
        wrong.append("the report does not say that its replay died")
    return "failed" + (", not reproduced" if unsure else "")
'''


def _killed(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, run: Run, times: int, batches: int = 1
) -> list[dict[str, Any]]:
    """Explore so many tests in each of so many sessions; what `_CONFTEST` wrote about each."""
    monkeypatch.setenv("KILLS", str(times))
    pytester.makeconftest(_CONFTEST)
    pytester.makepyfile(_TESTS)
    for batch in range(batches):
        monkeypatch.setenv("BATCH", str(batch))
        result = run("--statespace", "-q", "--no-header", "--tb=no", "-p", "no:cacheprovider")
        assert result.ret in (pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.OK)
    lines = [json.loads(line) for line in (pytester.path / "kills.jsonl").read_text().splitlines()]
    assert len(lines) == times * batches
    wrong = [line for line in lines if line["wrong"]]
    assert not wrong, f"{len(wrong)} of {len(lines)}: {json.dumps(wrong[:5], indent=1)}"
    return lines


def test_children_of_a_session_are_killed(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    lines = _killed(pytester, monkeypatch, run, 8)
    assert sum(bool(line["kills"]) for line in lines) >= 4


@pytest.mark.campaign
def test_a_thousand_children_of_a_session_are_killed(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    lines = _killed(pytester, monkeypatch, run, 40, batches=29)
    became = Counter(line["what"] for line in lines)
    killed, signals = sum(bool(line["kills"]) for line in lines), sum(len(line["kills"]) for line in lines)
    print(f"{killed} of {len(lines)} tests had children killed, by {signals} signals: {became}")
    assert killed >= 1000
    assert {"set-up", "lost", "crash", "failed, not reproduced"} <= set(became)
