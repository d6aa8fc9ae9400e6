"""Tests that never end whatever runs next, told apart from loops that some thread ends.

That the tests can fail was tried by hand. In `endless.c`: where every visited state counts as one that reaches an end,
random programs that never end are not found. In `agent.c`: where an end marks nothing, all programs are livelocks.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from support.running import Run

from pytest_statespace._native import _bridge

pytestmark = pytest.mark.skipif(not _bridge.supported()[0], reason=_bridge.supported()[1])

PROGRAM = """\
import asyncio
import threading
import time
import pytest
from pytest_statespace import choose

class Shared:
    def __init__(self):
        self.a = self.b = self.c = 0

def run(*functions):
    threads = [threading.Thread(target=function) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

pytestmark = pytest.mark.statespace
"""

NEVER = {
    "nobody_sets_it": """
def test_nobody_sets_it():
    shared = Shared()
    def spin():
        while not shared.a:
            pass
    run(spin)
""",
    "each_waits_for_the_other": """
def test_each_waits_for_the_other():
    shared = Shared()
    def one():
        while not shared.a:
            pass
        shared.b = 1
    def two():
        while not shared.b:
            pass
        shared.a = 1
    run(one, two)
""",
    # Some executions end: without a look at the others this was `verified`.
    "only_if_it_comes_too_late": """
def test_only_if_it_comes_too_late():
    shared = Shared()
    def set_it():
        if not shared.b:
            shared.a = 1
        while not shared.a:
            pass
    def spoil():
        shared.b = 1
        while not shared.a:
            pass
    run(set_it, spoil)
""",
    "retries": """
def test_retries():
    first, second = threading.Lock(), threading.Lock()
    def take(one, other):
        one.acquire()
        while not other.acquire(blocking=False):
            pass
        other.release()
        one.release()
    run(lambda: take(first, second), lambda: take(second, first))
""",
    "await": """
async def test_await():
    shared = Shared()
    while not shared.a:
        await asyncio.sleep(0)
""",
    "alone": """
def test_alone():
    lock = threading.Lock()
    lock.acquire()
    while not lock.acquire(blocking=False):
        pass
""",
}

ENDS = {
    "spin": """
def test_spin():
    shared = Shared()
    def spin():
        while not shared.a:
            pass
    def set_it():
        shared.a = 1
    run(spin, set_it)
""",
    # The second choice only leads back to the first, which has an end behind it that is found later.
    "draws": """
def test_draws():
    first = True
    while choose([True, False]):
        if not first:
            choose([1, 2])
        first = False
""",
    "gives_way": """
def test_gives_way():
    first, second = threading.Lock(), threading.Lock()
    def take(one, other):
        while True:
            with one:
                if other.acquire(blocking=False):
                    other.release()
                    return
    run(lambda: take(first, second), lambda: take(second, first))
""",
    "daemon": """
def test_daemon():
    shared = Shared()
    def serve():
        while True:
            shared.a = 1 - shared.a
    threading.Thread(target=serve, daemon=True).start()
    shared.b = 1
""",
    "long_way_alone": """
def test_long_way_alone():
    shared = Shared()
    def count():
        for number in range(3000):
            shared.a = number
    run(count)
    assert shared.a == 2999
""",
}

TIME = {
    "sleeper": """
def test_sleeper():
    shared = Shared()
    def spin():
        while not shared.a:
            pass
    def set_it():
        time.sleep(1)
        shared.a = 1
    run(spin, set_it)
""",
    "clock": """
def test_clock():
    shared = Shared()
    def spin():
        end = time.monotonic() + 1
        while not shared.a and time.monotonic() < end:
            pass
    def other():
        shared.b = 1
    run(spin, other)
""",
    "timer": """
async def test_timer():
    done = []
    asyncio.get_running_loop().call_later(1, done.append, 1)
    while not done:
        await asyncio.sleep(0)
""",
}

WEAKENED = """
from pytest_statespace import ignore
def test_weakened():
    shared = Shared()
    ignore(shared, "a")
    def count():
        while shared.a < 5000:
            shared.a += 1
    run(count)
"""

Explored = Callable[..., dict[str, dict[str, Any]]]


def test_verdicts(pytester: pytest.Pytester, results: Explored) -> None:
    pytester.makepyfile(PROGRAM + "".join([*NEVER.values(), *ENDS.values(), *TIME.values(), WEAKENED]))
    tests = results()
    for name in NEVER:
        test = tests[f"test_{name}"]
        assert test["verdict"] == "failed", (name, test["reason"])
        (failure,) = test["failures"]
        assert failure["kind"] == "livelock"
        assert "a loop of " in failure["message"]
        assert all((failure["file"], failure["token"]))
    for name in ENDS:
        assert tests[f"test_{name}"]["verdict"] == "verified", (name, tests[f"test_{name}"]["reason"])
    for name in TIME:
        test = tests[f"test_{name}"]
        assert test["verdict"] == "incomplete", (name, test["reason"])
        assert "unless time passes" in test["reason"]
    assert tests["test_weakened"]["verdict"] == "incomplete"
    assert "with equality weakened by ignore(Shared.a)" in tests["test_weakened"]["reason"]


def test_time_may_pass_with_timeouts_any(pytester: pytest.Pytester, results: Explored) -> None:
    pytester.makepyfile(PROGRAM + TIME["sleeper"])
    assert results("--statespace-timeouts=any")["test_sleeper"]["verdict"] == "verified"


def test_report_and_replay(pytester: pytest.Pytester, run: Run, results: Explored) -> None:
    text = PROGRAM + NEVER["each_waits_for_the_other"]
    path = pytester.makepyfile(text)
    (failure,) = results()["test_each_waits_for_the_other"]["failures"]
    assert failure["preemptions"] == 0  # those of the loop count for nothing
    for saved in (failure["file"], failure["token"]):
        result = run(f"--statespace-replay={saved}", path.name)
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(
            [
                "livelock: whatever runs next, the test never ends",
                "*schedule: no preemption needed*",
                "*while not shared.a:*",
                "*while not shared.b:*",
                "── livelock ──*",
                "FAILED *livelock: w*",
            ]
        )
    path.write_text(text.replace("shared.b = 1", "shared.b = 1; shared.c = 1").replace("not shared.a", "shared.a"))
    changed = run(f"--statespace-replay={failure['file']}", path.name)
    changed.stdout.fnmatch_lines(["*ReplayDivergence*"])


# -- random programs against their graph ---------------------------------------------------------

Step = tuple[str, str, int]  # set, wait or test (the next step only if so); variable; value


def generate(seed: int) -> tuple[str, list[list[Step]]]:
    """Threads that set variables and spin until others have set them."""
    rng = random.Random(f"livelock {seed}")
    threads: list[list[Step]] = []
    source = [f"def test_{seed}():", "    shared = Shared()"]
    for number in range(2):
        steps: list[Step] = []
        source.append(f"    def worker{number}():")
        for _ in range(rng.randint(2, 3)):
            kind, variable, value = rng.choice(["set", "wait", "test"]), rng.choice("ab"), rng.randint(0, 1)
            steps.append((kind, variable, value))
            if kind == "set":
                source.append(f"        shared.{variable} = {value}")
            elif kind == "wait":
                # a loop of two states
                source += [f"        while shared.{variable} != {value}:", "            shared.c"]
            else:
                other, new = rng.choice("ab"), rng.randint(0, 1)
                steps.append(("set", other, new))
                source += [f"        if shared.{variable} == {value}:", f"            shared.{other} = {new}"]
        threads.append(steps)
    source.append("    run(worker0, worker1)")
    return "\n".join(source) + "\n", threads


World = tuple[tuple[int, ...], tuple[tuple[str, int], ...]]


def successors(threads: list[list[Step]], world: World) -> list[World]:
    at, values = world
    following = []
    for thread, reached in enumerate(at):
        if reached == len(threads[thread]):
            continue
        kind, variable, value = threads[thread][reached]
        after, step = dict(values), 1
        if kind == "set":
            after[variable] = value
        elif after[variable] != value:
            step = 0 if kind == "wait" else 2
        following.append(((*at[:thread], reached + step, *at[thread + 1 :]), tuple(after.items())))
    return following


def never_ends(threads: list[list[Step]]) -> bool:
    """Is there a state from which no end can be reached?"""
    start: World = ((0,) * len(threads), (("a", 0), ("b", 0)))
    before: dict[World, list[World]] = {start: []}
    pending = [start]
    while pending:
        world = pending.pop()
        for after in successors(threads, world):
            if after not in before:
                before[after] = []
                pending.append(after)
            before[after].append(world)
    ends = [world for world in before if not successors(threads, world)]
    seen = set(ends)
    while ends:
        for world in before[ends.pop()]:
            if world not in seen:
                seen.add(world)
                ends.append(world)
    return len(seen) < len(before)


def compare(pytester: pytest.Pytester, results: Explored, seeds: range, *arguments: str) -> None:
    generated = {seed: generate(seed) for seed in seeds}
    pytester.makepyfile(PROGRAM + "".join(source for source, _ in generated.values()))
    tests = results(*arguments)
    for seed, (_, threads) in generated.items():
        test = tests[f"test_{seed}"]
        expected = ("failed", ["livelock"]) if never_ends(threads) else ("verified", [])
        assert (test["verdict"], [failure["kind"] for failure in test["failures"]]) == expected, f"seed {seed}"


def test_random_programs(pytester: pytest.Pytester, results: Explored) -> None:
    assert {never_ends(generate(seed)[1]) for seed in range(8)} == {True, False}
    compare(pytester, results, range(8))


@pytest.mark.campaign
@pytest.mark.parametrize("strategy", ["exhaust", "dfs"])
def test_many_random_programs(pytester: pytest.Pytester, results: Explored, strategy: str) -> None:
    compare(pytester, results, range(8, 150), f"--statespace-strategy={strategy}")
