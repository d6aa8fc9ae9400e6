"""Data races: found where two accesses are co-enabled, nowhere else, and reported with both lines.

That the tests can fail was tried by hand, in `races.c` unless said otherwise. With the parts of objects not compared,
different attributes are reported, and random programs fail; without the question for a writer, pairs of reads are, and
random programs fail; with the place kept after the access was made (`suspend` in `preempt.c`), locked programs race.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from support.running import Run

PROGRAM = """\
import threading
import pytest

class Counter:
    total = 0

    def __init__(self):
        self.value = 0
        self.other = 0
        self.items = [0, 0]
        self.table = {"a": 1}
        self.lock = threading.Lock()

TOTAL = 0

def run(*functions):
    threads = [threading.Thread(target=function) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

pytestmark = pytest.mark.statespace
"""

Explored = Callable[..., dict[str, dict[str, Any]]]


def sources(bodies: dict[str, str]) -> tuple[str, dict[str, int]]:
    """One file of all tests: the functions test_it with names of their own, and the line above each."""
    text, starts = PROGRAM, {}
    for name, body in bodies.items():
        starts[name] = text.count("\n")
        text += body.replace("def test_it(", f"def test_{name}(")
    return text, starts


def races(test: dict[str, Any], start: int) -> list[tuple[str, ...]]:
    """Location and accesses such as ``write 4``, lines counted from `start`, by line and the read first."""
    found = []
    for race in test["races"]:
        accesses = []
        for access in race["accesses"]:
            place, _, kind = access.partition(" ")
            name, _, line = place.partition(":")
            assert name == "test_file.py"
            accesses.append(f"{kind} {int(line) - start}")
        found.append(sorted_sides((race["location"].removeprefix("test_file."), *accesses)))
    return sorted(found)


def sorted_sides(race: tuple[str, ...]) -> tuple[str, ...]:
    return (race[0], *sorted(race[1:], key=lambda access: (int(access.split()[1]), access)))


CASES: dict[str, tuple[str, list[tuple[str, ...]]]] = {
    "lost_update": (
        """
def test_it():
    counter = Counter()
    def add():
        counter.value += 1
    run(add, add)
""",
        [("Counter.value", "read 5", "write 5"), ("Counter.value", "write 5", "write 5")],
    ),
    "two_lines": (
        """
def test_it():
    counter = Counter()
    def add():
        value = counter.value
        counter.value = value + 1
    run(add, add)
""",
        [("Counter.value", "read 5", "write 6"), ("Counter.value", "write 6", "write 6")],
    ),
    "locked": (
        """
def test_it():
    counter = Counter()
    def add():
        with counter.lock:
            counter.value += 1
    run(add, add)
    assert counter.value == 2
""",
        [],
    ),
    "one_of_them_locks": (
        """
def test_it():
    counter = Counter()
    def add():
        with counter.lock:
            counter.value += 1
    def look():
        return counter.value
    run(add, look)
""",
        [("Counter.value", "write 6", "read 8")],
    ),
    "published_flag": (
        """
def test_it():
    counter = Counter()
    def publish():
        counter.value = 1
    def look():
        return counter.value
    run(publish, look)
""",
        [("Counter.value", "write 5", "read 7")],
    ),
    "handed_over_by_an_event": (
        """
def test_it():
    counter, ready = Counter(), threading.Event()
    def publish():
        counter.value = 1
        ready.set()
    def look():
        ready.wait()
        return counter.value
    run(publish, look)
    assert counter.value == 1
""",
        [],
    ),
    "readers": (
        """
def test_it():
    counter = Counter()
    counter.value = 3
    def look():
        return counter.value
    run(look, look)
""",
        [],
    ),
    "two_attributes": (
        """
def test_it():
    counter = Counter()
    def one():
        counter.value = 1
    def two():
        counter.other = 1
    run(one, two)
""",
        [],
    ),
    "two_instances": (
        """
def test_it():
    first, second = Counter(), Counter()
    def add(counter):
        counter.value += 1
    run(lambda: add(first), lambda: add(second))
""",
        [],
    ),
    "attribute_of_a_class": (
        """
def test_it():
    def add():
        Counter.total += 1
    run(add, add)
""",
        [("Counter.total", "read 4", "write 4"), ("Counter.total", "write 4", "write 4")],
    ),
    "global": (
        """
def test_it():
    def one():
        global TOTAL
        TOTAL = 1
    def two():
        return TOTAL
    run(one, two)
""",
        [("TOTAL", "write 5", "read 7")],
    ),
    "cell": (
        """
def test_it():
    done = False
    def one():
        nonlocal done
        done = True
    def two():
        return done
    run(one, two)
""",
        [("done", "write 6", "read 8")],
    ),
    "items": (
        """
def test_it():
    counter = Counter()
    def one():
        counter.items[0] = 1
    def two():
        return counter.items[-2]
    def three():
        return counter.items[1]
    run(one, lambda: (two(), three()))
""",
        [("counter.items[0]", "write 5", "read 7")],
    ),
    "keys": (
        """
def test_it():
    counter = Counter()
    def one():
        counter.table["a"] = 1
    def two():
        counter.table["b"] = 2
        return "a" in counter.table
    run(one, two)
""",
        [("counter.table['a']", "write 5", "read 8")],
    ),
    "method_names_its_class": (
        """
class Store:
    def __init__(self):
        self.entries = {}
    def put(self, key):
        self.entries[key] = len(self.entries)
def test_it():
    store = Store()
    run(lambda: store.put("x"), lambda: store.put("x"))
""",
        [("Store.entries['x']", "read 6", "write 6"), ("Store.entries['x']", "write 6", "write 6")],
    ),
    "methods_of_one_list": (
        """
def test_it():
    seen = []
    def add():
        seen.append(1)
    run(add, add)
""",
        [],
    ),
    "check_then_act": (
        """
def test_it():
    seen = [1, 2]
    def take():
        if seen:
            seen.pop()
    run(take, take)
""",
        [("seen", "read 5", "write 6")],
    ),
    "after_the_threads": (
        """
def test_it():
    counter = Counter()
    def add():
        counter.value += 1
    counter.value = 5
    run(add)
    counter.value = 6
""",
        [],
    ),
}


def test_known_races(pytester: pytest.Pytester, results: Explored) -> None:
    text, starts = sources({name: body for name, (body, _) in CASES.items()})
    pytester.makepyfile(test_file=text)
    tests = results()
    for name, (_, expected) in CASES.items():
        test = tests[f"test_{name}"]
        assert test["verdict"] == "verified", test["reason"]
        assert races(test, starts[name]) == sorted(map(sorted_sides, expected)), name


LOST, STARTS = sources({"lost": CASES["lost_update"][0], "locked": CASES["locked"][0]})
FOUND = CASES["lost_update"][1]


def test_attributes_by_other_names(pytester: pytest.Pytester, results: Explored) -> None:
    pytester.makepyfile(test_file=LOST + "    assert vars(counter)\n")
    assert races(results()["test_lost"], STARTS["lost"]) == FOUND


@pytest.mark.campaign
def test_opcode_finds_the_same(pytester: pytest.Pytester, results: Explored) -> None:
    pytester.makepyfile(test_file=LOST)
    found = results("--statespace-granularity=opcode")
    assert races(found["test_lost"], STARTS["lost"]) == FOUND
    assert (found["test_locked"]["races"], found["test_locked"]["verdict"]) == ([], "verified")


def test_off(pytester: pytest.Pytester, results: Explored) -> None:
    pytester.makepyfile(test_file=LOST)
    assert results("--statespace-races=off")["test_lost"]["races"] == []


def test_fail(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(test_file=LOST)
    result = run("--statespace", "--statespace-races=fail")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "2 data races (the search by itself: verified)",
            "data race on Counter.value: test_file.py:* read, test_file.py:* write",
            "*lock*",
            "verified *::test_lost*",
            "*data race on Counter.value: test_file.py:* read, test_file.py:* write",
            "2 verified*",
        ]
    )


def test_races_of_a_failing_test(pytester: pytest.Pytester, results: Explored) -> None:
    pytester.makepyfile(test_file=sources({"lost": CASES["lost_update"][0] + "    assert counter.value == 2\n"})[0])
    failed = results()["test_lost"]
    assert failed["verdict"] == "failed"
    assert FOUND[0] in races(failed, STARTS["lost"])


def test_fail_needs_a_granularity_that_sees_races(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(LOST)
    result = run("--statespace", "--statespace-races=fail", "--statespace-granularity=sync")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*races='fail'*granularity sync*access or opcode*"])


# -- random programs against a model that knows every access --------------------------------------

Step = tuple[str, str, int]  # acquire, release, read or write; what; line
PLACES = {"counter.value": "Counter.value", "counter.other": "Counter.other"}
PLACES |= {f"counter.items[{i}]": f"counter.items[{i}]" for i in range(2)}
PLACES |= {"counter.table['a']": "counter.table['a']", "TOTAL": "TOTAL"}


def generate(seed: int) -> tuple[str, list[list[Step]]]:
    """Source of a test, and the steps of each of its threads: no step depends on data."""
    rng = random.Random(f"races {seed}")
    threads: list[list[Step]] = []
    source, line = ["def test_it():", "    counter, other_lock = Counter(), threading.Lock()"], 2
    for number in range(rng.choice([2, 2, 3])):
        source += [f"    def worker{number}():", "        global TOTAL"]
        line += 2
        steps: list[Step] = []
        for _ in range(rng.randint(1, 2)):
            lock = rng.choice(["", "counter.lock", "counter.lock", "other_lock"])
            if lock:
                source.append(f"        with {lock}:")
                line += 1
                steps.append(("acquire", lock, line))
            for _ in range(rng.randint(1, 2)):
                place = rng.choice([*PLACES])
                line += 1
                what = rng.choice(["read", "write", "add"])
                text = {"read": f"_ = {place}", "write": f"{place} = {number}", "add": f"{place} += 1"}[what]
                source.append(("            " if lock else "        ") + text)
                steps += [(kind, place, line) for kind in ("read", "write") if what in (kind, "add")]
            if lock:
                steps.append(("release", lock, line))
        threads.append(steps)
    source.append(f"    run({', '.join(f'worker{number}' for number in range(len(threads)))})")
    return "\n".join(source) + "\n", threads


def racing(threads: list[list[Step]]) -> set[tuple[str, ...]]:
    """All pairs of accesses that are enabled together in some state, at least one a write."""
    found: set[tuple[str, ...]] = set()
    start = (0,) * len(threads)
    seen, pending = {start}, [start]
    while pending:
        at = pending.pop()
        # A lock is held by the thread that has passed its acquire and not yet its release.
        owned = {
            what
            for steps, reached in zip(threads, at, strict=True)
            for what in {step[1] for step in steps}
            if sum((step[0] == "acquire") - (step[0] == "release") for step in steps[:reached] if step[1] == what)
        }
        enabled = [
            thread
            for thread, reached in enumerate(at)
            if reached < len(threads[thread])
            and not (threads[thread][reached][0] == "acquire" and threads[thread][reached][1] in owned)
        ]
        for first in enabled:
            for second in enabled:
                one, two = threads[first][at[first]], threads[second][at[second]]
                if first < second and one[1] == two[1] and {one[0], two[0]} in ({"read", "write"}, {"write"}):
                    found.add(sorted_sides((PLACES[one[1]], f"{one[0]} {one[2]}", f"{two[0]} {two[2]}")))
            after = (*at[:first], at[first] + 1, *at[first + 1 :])
            if after not in seen:
                seen.add(after)
                pending.append(after)
    return found


def compare(pytester: pytest.Pytester, results: Explored, seeds: range) -> None:
    generated = {str(seed): generate(seed) for seed in seeds}
    text, starts = sources({seed: source for seed, (source, _) in generated.items()})
    pytester.makepyfile(test_file=text)
    tests = results("--statespace-strategy=dfs")
    for seed, (_, threads) in generated.items():
        test = tests[f"test_{seed}"]
        assert test["verdict"] == "verified", test["reason"]
        assert races(test, starts[seed]) == sorted(racing(threads)), f"seed {seed}"


def test_random_programs(pytester: pytest.Pytester, results: Explored) -> None:
    compare(pytester, results, range(10))


@pytest.mark.campaign
def test_many_random_programs(pytester: pytest.Pytester, results: Explored) -> None:
    for first in range(10, 130, 20):
        compare(pytester, results, range(first, first + 20))
