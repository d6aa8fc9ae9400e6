"""ignore() and view(): what they leave out is left out, and nothing else is.

Every program is explored three times: exactly, with merging, and with merging and a declaration. The
declared part records the whole history, so that without the declaration hardly any states meet.
"""

from __future__ import annotations

import _thread
import threading
from collections.abc import Callable
from typing import Any, ClassVar

import pytest
from support import driver

from pytest_statespace._native import _bridge

pytestmark = pytest.mark.skipif(not _bridge.supported()[0], reason=_bridge.supported()[1])


class Plain:
    total: ClassVar[Any] = 0

    def __init__(self) -> None:
        self.log: Any = 0
        self.value: Any = 0


class Slotted:
    __slots__ = ("__weakref__", "log", "value")

    def __init__(self) -> None:
        self.log: Any = 0
        self.value: Any = 0


class Derived(Plain):
    pass


class Both(Slotted):
    """Slots, and a dictionary."""


LOG: Any = 0
BASE = Plain()
BASE_WITH_DICT = Plain()
vars(BASE_WITH_DICT)["value"] = 0
BASE_SLOTTED = Slotted()
CACHE = Plain()
CACHE.log = {"entries": [[0]]}
SHARED = Plain()
SHARED.log = [0]
ELSEWHERE = [SHARED.log]
ESCAPING = Plain()
ESCAPING.log = [0]


def race(step: Callable[[int], object], times: int = 2) -> None:
    """Two threads that each take a step some times, under a lock."""
    lock, done, left = _thread.allocate_lock(), _thread.allocate_lock(), [2]
    done.acquire()

    def work(n: int) -> None:
        for _ in range(times):
            with lock:
                step(n)
        left[0] -= 1
        if not left[0]:
            done.release()

    for n in (0, 1):
        _thread.start_new_thread(work, (n,))
    done.acquire()


def declared(owner: object, name: str = "log") -> None:
    _bridge.ignore(owner, name, isinstance(owner, type), f"{name}")


def logging_on(make: Callable[[], Any], declare: Callable[[Any], object] | None) -> Callable[[], object]:
    """Count in `value`; the history goes to `log`."""

    def program() -> object:
        o = make()
        if declare is not None:
            declare(o)

        def step(n: int) -> None:
            o.log = o.log * 2 + n
            o.value += 1

        race(step, 3)
        return o.value

    return program


def explored(program: Callable[[], object], **settings: Any) -> tuple[driver.Report, list[str]]:
    report = driver.explore(program, fingerprint=True, prune=True, guard=False, **settings)
    return report, report.weakened


OWNERS: dict[str, tuple[Callable[[], Any], Callable[[Any], object]]] = {
    "object": (Plain, declared),
    "class": (Plain, lambda o: declared(Plain)),
    "base class": (Derived, lambda o: declared(Plain)),
    "slots": (Slotted, declared),
    "slots of the class": (Slotted, lambda o: declared(Slotted)),
    "slots of a base class": (Both, lambda o: declared(Slotted)),
    "object that was there before": (lambda: BASE, declared),
    "class of one that was there": (lambda: BASE, lambda o: declared(Plain)),
    "one that had a dictionary": (lambda: BASE_WITH_DICT, declared),
    "class of one that had a dictionary": (lambda: BASE_WITH_DICT, lambda o: declared(Plain)),
    "slots that were there before": (lambda: BASE_SLOTTED, declared),
}


@pytest.mark.parametrize("name", OWNERS)
def test_an_ignored_attribute_makes_no_states(name: str) -> None:
    make, declare = OWNERS[name]
    report, labels = explored(logging_on(make, declare))
    assert report.results == {"6"}
    assert labels == ["log"]
    assert report.states == 49  # of the same program without a log: see below


def test_the_same_program_without_a_log_has_as_many_states() -> None:
    report, labels = explored(logging_on(Plain, None))
    assert report.states > 150
    assert labels == []

    def program() -> object:
        o = Plain()

        def step(n: int) -> None:
            o.value += 1

        race(step, 3)
        return o.value

    assert explored(program)[0].states == 49


def test_other_attributes_and_objects_count_as_before() -> None:
    """The declaration is about `value` of one object; the history is in others."""

    def program() -> object:
        o, other = Plain(), Plain()
        declared(o, "value")

        def step(n: int) -> None:
            o.log = o.log * 2 + n
            other.value = other.value * 2 + n

        race(step)
        return o.log, other.value

    report, labels = explored(program)
    assert report.results == driver.explore(program, guard=False).results
    assert len(report.results) == 6
    assert labels == ["value"]


def test_the_declaration_itself_is_part_of_the_state() -> None:
    """With and without it: what is merged after one choice must not be lost after the other."""

    def program() -> object:
        o = Derived.__new__(Derived)  # no attribute yet
        if not _bridge.choose(2):  # so the declared one is explored first
            declared(o)
        race(lambda n: setattr(o, "log", [*getattr(o, "log", ()), n]))
        return o.log

    report, _ = explored(program)
    assert report.results == driver.explore(program, guard=False).results
    assert len(report.results) == 6


def test_what_had_no_effect_is_not_reported() -> None:
    def program() -> object:
        o = Plain()
        declared(o, "nothing")
        declared(Derived, "log")
        race(lambda n: setattr(o, "value", n))
        return None

    assert explored(program)[1] == []


def test_the_price_of_a_wrong_declaration() -> None:
    """What is left out and decides an outcome loses outcomes: why the report says so."""

    def program() -> object:
        o = Plain()
        declared(o)
        race(lambda n: setattr(o, "log", o.log * 2 + n))
        return o.log

    report, labels = explored(program)
    assert labels == ["log"]
    assert report.results < driver.explore(program, guard=False).results


def test_globals_of_a_module_and_attributes_of_a_class() -> None:
    import sys

    module = sys.modules[__name__]

    def program() -> object:
        declared(module, "LOG")
        declared(Plain, "total")

        def step(n: int) -> None:
            global LOG
            LOG = LOG * 2 + n
            Plain.total = Plain.total * 2 + n

        race(step)
        return None

    report, labels = explored(program)
    assert labels == ["LOG", "total"]
    assert report.states < 40


def test_declared_before_the_exploration() -> None:
    driver.set_hash()
    for make in (Plain, lambda: BASE_WITH_DICT):
        report, labels = explored(
            logging_on(make, None), tables=driver.empty_tables(), ignored=[(Plain, "log", True, "by name")]
        )
        assert labels == ["by name"]
        assert report.states == 49


# ---- base objects that only an ignored attribute reaches ------------------------------------------------


def changing(make: Callable[[], Any], change: Callable[[Any, int], object], declare: bool) -> Callable[[], object]:
    def program() -> object:
        o = make()
        if declare:
            declared(o)
        race(lambda n: change(o, n))
        return None

    return program


def append_deep(o: Any, n: int) -> None:
    o.log["entries"][0].append(n)


def append(o: Any, n: int) -> None:
    o.log.append(n)


def test_what_only_the_attribute_reaches_is_left_out_with_it() -> None:
    assert explored(changing(lambda: CACHE, append_deep, False))[0].states > 60
    report, labels = explored(changing(lambda: CACHE, append_deep, True))
    assert labels == ["log"]
    assert report.states == 34  # of two times two steps that leave no trace


def test_what_something_else_reaches_counts() -> None:
    """ELSEWHERE refers to the list as well, and the outcome is read through it."""

    def program() -> object:
        declared(SHARED)
        race(lambda n: append(SHARED, n))
        return list(ELSEWHERE[0])

    report, _ = explored(program)
    assert report.results == driver.explore(program, guard=False).results
    assert len(report.results) == 6


def test_what_is_stored_elsewhere_later_counts() -> None:
    """The list is hidden at first; then a thread makes it reachable another way."""

    def program() -> object:
        kept = Plain()
        declared(ESCAPING)

        def step(n: int) -> None:
            kept.value = ESCAPING.log
            append(ESCAPING, n)

        race(step)
        return list(kept.value)

    report, _ = explored(program)
    assert report.results == driver.explore(program, guard=False).results
    assert len(report.results) == 6


# ---- views -----------------------------------------------------------------------------------------------


def viewed(see: Callable[[Any], object]) -> Callable[[Any], object]:
    return lambda o: _bridge.view(lambda: see(o), (o,), "view")


@pytest.mark.parametrize("make", [Slotted, lambda: BASE_WITH_DICT])
def test_a_view_stands_for_the_object(make: Callable[[], Any]) -> None:
    report, labels = explored(logging_on(make, viewed(lambda o: o.value)))
    assert report.results == {"6"}
    assert labels == ["view"]
    assert report.states < 65


def test_a_view_of_everything_loses_nothing() -> None:
    def program() -> object:
        o = Plain()
        o.log = []
        _bridge.view(lambda: tuple(o.log), (o,), "view")
        race(lambda n: o.log.append(n))
        return tuple(o.log)

    report, labels = explored(program)
    assert report.results == driver.explore(program, guard=False).results
    assert labels == ["view"]


class AtEnd:
    """Appends to a log when its thread's local storage goes: after the thread's last operation."""

    def __init__(self, o: Plain, n: int) -> None:
        self.o, self.n = o, n

    def __del__(self) -> None:
        self.o.log.append(self.n)


def test_a_view_that_could_not_be_asked_again_is_not_believed() -> None:
    """When the first thread has ended, two can go on, and only the log knows what it chose."""

    def program() -> object:
        o, local = Plain(), threading.local()
        o.log = []
        _bridge.view(lambda: None, (o,), "view")

        def choose() -> None:
            local.kept = AtEnd(o, _bridge.choose(2))

        first = threading.Thread(target=choose)
        second = threading.Thread(target=first.join)
        first.start()
        second.start()
        first.join()
        second.join()
        return tuple(o.log)

    report, labels = explored(program)
    assert report.results == {"(0,)", "(1,)"}
    assert labels == ["view"]


def test_a_view_that_raises_fails_the_execution() -> None:
    def program() -> object:
        o = Plain()
        _bridge.view(lambda: 1 // o.value, (o,), "view")
        race(lambda n: None)
        return None

    assert any("ZeroDivisionError" in text for text in explored(program)[0].results)


# ---- limits ------------------------------------------------------------------------------------------------


def test_the_dead_are_forgotten() -> None:
    def program() -> object:
        for _ in range(200):
            declared(Plain())
        race(lambda n: None)
        return None

    assert explored(program)[0].results == {"None"}


def test_too_many_declarations_are_refused() -> None:
    def program() -> object:
        kept = [Plain() for _ in range(65)]
        for o in kept:
            declared(o)
        return None

    (text,) = explored(program)[0].results
    assert "more than 64 objects" in text
