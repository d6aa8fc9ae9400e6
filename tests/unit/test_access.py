"""Static classification: which instructions of small functions are looked at, and how."""

from __future__ import annotations

import gc
import importlib
import struct
import sys
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

import pytest

from pytest_statespace._native import _bridge
from pytest_statespace.runtime import access
from pytest_statespace.runtime.classify import (
    RECORD,
    Check,
    Classifier,
    instructions,
    nested_codes,
    rebound_cells,
    stack_heights,
)

GIVEN_UP = (Check.RELEASE, Check.LEAVE, Check.DISCARD)

count = 0
stable = 0


def checks(code: CodeType, root: CodeType | None = None, **assumed: frozenset[str]) -> list[tuple[str, Check]]:
    """(name of the instruction, check) of everything that is looked at, but for what is given up."""
    defaults = {"rebound": frozenset({"count"}), "stored_names": frozenset({"value"}), "promoted_cells": frozenset()}
    records = Classifier(**(defaults | assumed)).records(code, rebound_cells(root or code))
    names = {i.offset // 2: i.opname for i in instructions(code)}
    found = []
    for unit, name in names.items():
        check = Check(RECORD.unpack_from(records, unit * RECORD.size)[0])
        if check not in (Check.NONE, *GIVEN_UP):
            found.append((name, check))
    return found


def increment_global() -> None:
    global count
    count += 1


def read_stable() -> int:
    return stable


def increment_attribute(box: Any) -> None:
    box.value += 1


def use_items(items: Any) -> None:
    items[0] = items[1]
    del items[2]


def local_only(n: int) -> int:
    m = n
    while m is not None:
        m = None  # type: ignore[assignment]
    return n


def test_globals() -> None:
    assert [check for _, check in checks(increment_global.__code__)] == [
        Check.GLOBAL_READ,
        Check.OPERANDS,
        Check.GLOBAL_WRITE,
    ]
    assert checks(read_stable.__code__) == []
    assert checks(read_stable.__code__, rebound=frozenset({"stable"})) == [("LOAD_GLOBAL", Check.GLOBAL_READ)]


def test_attributes_and_items() -> None:
    assert checks(increment_attribute.__code__) == [
        ("LOAD_ATTR", Check.ATTRIBUTE_READ),
        ("BINARY_OP", Check.OPERANDS),
        ("STORE_ATTR", Check.ATTRIBUTE_WRITE),
    ]
    assert checks(use_items.__code__) == [
        ("BINARY_SUBSCR" if sys.version_info < (3, 14) else "BINARY_OP", Check.ITEM_READ),
        ("STORE_SUBSCR", Check.ITEM_WRITE),
        ("DELETE_SUBSCR", Check.ITEM_WRITE),
    ]


def test_locals_need_nothing() -> None:
    assert checks(local_only.__code__) == []


def test_what_is_given_up() -> None:
    def give_up(value: Any) -> Any:
        other = value
        del other
        value()
        return value

    records = Classifier(frozenset(), frozenset(), frozenset()).records(give_up.__code__)
    found = [RECORD.unpack_from(records, i.offset // 2 * RECORD.size) for i in instructions(give_up.__code__)]
    assert [(check, operand) for check, _, operand, _ in found if check in GIVEN_UP] == [
        (Check.RELEASE, 1),
        (Check.RELEASE, 1),
        (Check.DISCARD, 0),
        (Check.LEAVE, 1),
    ]


def test_calls_are_looked_at_once() -> None:
    def call(f: Callable[..., object]) -> object:
        return f(1, key=2)

    expected = {(3, 11): ("PRECALL", Check.CALL), (3, 12): ("CALL", Check.CALL)}
    found = checks(call.__code__)
    assert found == [expected.get(sys.version_info[:2], ("CALL_KW", Check.CALL_KEYWORDS))]


def cells_of(function: Callable[..., object]) -> set[str]:
    return {name for _, name in rebound_cells(function.__code__)}


def test_cells() -> None:
    def argument(x: int) -> Callable[[], int]:
        return lambda: x

    def once() -> Callable[[], int]:
        x = 1
        return lambda: x

    def twice() -> Callable[[], int]:
        x = 1
        x = 2
        return lambda: x

    def in_a_loop() -> list[Callable[[], int]]:
        made = []
        for i in range(2):
            x = i
            made.append(lambda: x)  # noqa: B023
        return made

    def by_the_inner_one() -> Callable[[], None]:
        x = 1

        def work() -> None:
            nonlocal x
            x = 2

        return work

    def deleted() -> Callable[[], int]:
        x = 1
        del x
        return lambda: x  # type: ignore[name-defined]  # noqa: F821

    def argument_stored(x: int) -> Callable[[], int]:
        x = 1
        return lambda: x

    assert cells_of(argument) == set()
    assert cells_of(once) == set()
    assert cells_of(twice) == {"x"}
    assert cells_of(in_a_loop) == {"x"}
    assert cells_of(by_the_inner_one) == {"x"}
    assert cells_of(deleted) == {"x"}
    assert cells_of(argument_stored) == {"x"}
    inner = next(code for code in nested_codes(once.__code__) if code is not once.__code__)
    assert checks(inner, once.__code__) == [("LOAD_DEREF", Check.CELL_CONSTANT)]
    promoted = frozenset({"test_cells.<locals>.once.<locals>.<lambda>.x"})
    assert checks(inner, once.__code__, promoted_cells=promoted) == [("LOAD_DEREF", Check.CELL_READ)]


def test_cells_of_unknown_code_may_be_anybodys() -> None:
    x = 1

    def inner() -> int:
        return x

    records = Classifier(frozenset(), frozenset(), frozenset()).records(inner.__code__)
    assert Check.CELL_READ in {Check(records[at]) for at in range(0, len(records), RECORD.size)}


def test_heights_fit_every_function_of_the_library() -> None:
    """The control-flow walk agrees with itself at every join and with the compiler's own maximum."""
    import argparse
    import asyncio.base_events
    import dataclasses
    import typing

    seen = 0
    for module in (argparse, asyncio.base_events, dataclasses, typing):
        for value in vars(module).values():
            owners = vars(value).values() if isinstance(value, type) else (value,)
            for function in owners:
                for code in nested_codes(function.__code__) if hasattr(function, "__code__") else ():
                    heights = stack_heights(code)
                    assert 0 <= max(heights.values()) <= code.co_stacksize, code.co_qualname
                    seen += 1
    assert seen > 300


def test_many_names_use_the_prefix_instruction() -> None:
    source = "def f(o):\n" + "".join(f"    o.a{i}\n" for i in range(300))
    namespace: dict[str, Any] = {}
    exec(source, namespace)
    found = checks(namespace["f"].__code__)
    reads = [name for name, check in found if check is Check.ATTRIBUTE_READ]
    assert reads.count("LOAD_ATTR") == 300
    prefixes = reads.count("EXTENDED_ARG")
    assert prefixes > 0 if sys.version_info < (3, 12) else prefixes == 0


def test_tables_find_code_and_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sample_under_test.py").write_text(
        "total = 0\nclass C:\n    def set(self):\n        self.x = 1\n        setattr(self, 'dynamic', 2)\n"
        "def outer():\n    def inner():\n        global total\n        total = 1\n    return inner\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    gc.collect()  # functions that other tests generated
    import sample_under_test as module  # type: ignore[import-not-found]

    tables = access.build_tables([tmp_path])
    names = {code.co_qualname for code in tables["codes"]}
    assert names == {"C.set", "outer", "outer.<locals>.inner"}
    assert tables["rebound"] == {"total"}
    assert tables["stored_names"] >= {"x", "dynamic"}
    assert module.C in tables["classes"]
    assert all(len(records) == len(code.co_code) // 2 * RECORD.size for code, records in tables["codes"].items())
    again = access.build_tables([tmp_path], promoted=frozenset({"global other", "attribute y"}))
    assert "other" in again["rebound"]
    assert "y" in again["stored_names"]
    generated = compile("1", str(tmp_path / "later.py"), "eval")
    assert tables["classify"](generated, {}) is not None
    assert tables["classify"](compile("1", "/nowhere/else.py", "eval"), {}) is None


def test_installed_packages_and_the_plugin_are_not_under_test() -> None:
    everything = access.UnderTest.of(["/"], [])
    assert not everything.has_file(pytest.__file__)
    assert not everything.has_file(access.__file__)
    assert not everything.has_file(Path(sys.modules["threading"].__file__ or "").as_posix())
    assert everything.has_file(__file__)
    traced = access.UnderTest.of([], ["threading"])
    assert traced.has_code(threading.Event.set.__code__, vars(threading))


def test_generated_code_of_nobody_is_under_test() -> None:
    ours = access.UnderTest.of([Path(__file__).parent], [])
    generated = compile("x += 1", "<string>", "exec")
    assert ours.has_code(generated, {"x": 0})
    assert ours.has_code(generated, {"__name__": "not a module"})
    assert ours.has_code(generated, globals())
    assert ours.has_code(generated, {"__name__": __name__})
    assert ours.has_code(generated, {"__name__": "__main__"})
    assert not ours.has_code(generated, {"__name__": "threading"})
    assert not ours.has_code(generated, vars(threading))
    assert not ours.has_code(generated, vars(sys))  # a module without a file
    assert not ours.has_code(generated, {"__name__": "namedtuple_Point"})
    assert not ours.has_code(compile("x += 1", "<frozen importlib>", "exec"), {"x": 0})


def test_the_survey_agrees_with_the_collector() -> None:
    """Read without touching a reference count, but the same functions and classes."""

    def is_ours(code: CodeType, namespace: object) -> bool:
        return code.co_filename == __file__ or namespace is vars(threading)

    functions, others, kept_for, classes = _bridge.survey(is_ours, {"threading", __name__})
    assert kept_for == 0
    every = gc.get_objects()
    expected = [o for o in every if type(o) is FunctionType and is_ours(o.__code__, o.__globals__)]
    assert is_ours in functions
    assert {id(f) for f in functions} == {id(f) for f in expected}
    rest = {id(o.__code__) for o in every if type(o) is FunctionType} - {id(f.__code__) for f in expected}
    assert set(struct.unpack(f"{len(others) // 8}Q", others)) >= rest
    assert {threading.Thread, threading.Barrier} <= set(classes)
    assert {id(c) for c in every if isinstance(c, type) and c.__module__ == "threading"} <= {id(c) for c in classes}
    assert not any(type(c) is type and c.__module__ == "queue" for c in classes)


def test_the_survey_keeps_code_alive_if_asked() -> None:
    def survey() -> tuple[set[int], int]:
        _, others, number, _ = _bridge.survey(lambda code, namespace: False, set(), True)
        assert number == _bridge.kept_for()
        return set(struct.unpack(f"{len(others) // 8}Q", others)), number

    namespaces: list[dict[str, Any]] = [{} for _ in range(1000)]
    for one in range(len(namespaces)):
        exec("def f(): pass", namespaces[one])
    codes = [weakref.ref(namespace["f"].__code__) for namespace in namespaces]
    addresses = {id(code()) for code in codes}
    found, number = survey()
    assert addresses <= found
    namespaces.clear()
    gc.collect()
    assert all(code() is not None for code in codes)
    found, later = survey()
    assert later == number + 1
    assert not addresses & found
    gc.collect()
    assert not any(code() is not None for code in codes)


def test_tables_serve_until_others_are_made() -> None:
    first = access.build_tables(["/nowhere"], keep=True)
    assert access.may_be_used(first)
    access.build_tables(["/nowhere"])
    assert access.may_be_used(first)
    second = access.build_tables(["/nowhere"], keep=True)
    assert access.may_be_used(second)
    assert not access.may_be_used(first)


def test_the_stamp_of_modules_tells_names_and_files(monkeypatch: pytest.MonkeyPatch) -> None:
    stamps = [_bridge.module_stamp()]
    module = ModuleType("module_of_this_test")
    for change in (
        lambda: monkeypatch.setitem(sys.modules, "module_of_this_test", module),
        lambda: monkeypatch.setattr(module, "__file__", __file__, raising=False),
        lambda: monkeypatch.setattr(module, "__file__", str(Path("/elsewhere.py")), raising=False),
        lambda: monkeypatch.setattr(module, "__name__", str(Path("another"))),
        lambda: monkeypatch.setitem(sys.modules, "module_of_this_test", object()),
    ):
        assert _bridge.module_stamp() == stamps[-1]
        change()
        assert _bridge.module_stamp() not in stamps
        stamps.append(_bridge.module_stamp())


def test_what_is_remembered_of_code_changes_no_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = [
        "def plain(o):\n    return o.x + o.y\n",
        "total = 0\ndef outer():\n    n = 0\n    def inner():\n        nonlocal n\n        n += 1\n"
        "        return total\n    return inner\n",
        "def outer():\n    n = 0\n    def inner():\n        return n\n    return inner\n",
        "total = 0\ndef store(o):\n    global total\n    total = 1\n    o.x = 2\n",
        "def aliased(o):\n    return vars(o)\n",
        "def opened(c):\n    c.cell_contents = 1\n",
    ]
    monkeypatch.syspath_prepend(tmp_path)
    names: list[str] = []

    def compare() -> None:
        tables = access.build_tables([tmp_path])
        with monkeypatch.context() as patch:
            patch.setattr(access, "_KNOWN", access._Known())
            fresh = access.build_tables([tmp_path])
        assert {id(code) for code in tables["codes"]} == {id(code) for code in fresh["codes"]}
        for key in ("codes", "rebound", "stored_names", "locality", "slots_stored", "aliased"):
            assert tables[key] == fresh[key], (names, key)

    for number, source in enumerate(sources):
        names.append(f"remembered_{number}")
        (tmp_path / f"{names[-1]}.py").write_text(source)
        importlib.import_module(names[-1])
        compare()
    assert len(access._KNOWN._records) == 8
    while names:  # what is gone is forgotten, and its address may be somebody else's
        del sys.modules[names.pop()]
        gc.collect()
        compare()
    gc.collect()  # what is remembered of modules kept the last one alive until the others were asked for
    compare()
    assert not access._KNOWN._records


def test_classes_need_not_say_where_they_come_from() -> None:
    class Mute(type):
        @property
        def __module__(cls) -> str:  # type: ignore[override]
            raise AttributeError("__module__")

    silent = Mute("silent", (), {})
    tables = access.build_tables([Path(__file__).parent])
    assert silent not in tables["classes"]
    assert sys.modules[__name__] in tables["classes"]


def test_the_survey_passes_errors_on() -> None:
    def broken(code: CodeType, namespace: object) -> bool:
        raise LookupError("asked")

    with pytest.raises(LookupError, match="asked"):
        _bridge.survey(broken, set())
    with pytest.raises(TypeError, match="a set of their names"):
        _bridge.survey(lambda code, namespace: False, ["threading"])
