"""Find the code under test and build the tables preemption works from.

Runs in the child before the base snapshot. Everything here over-approximates: code that can't
be found now (made later by `exec`, hidden in a container) is classified when it first runs, by
the callable under the key ``classify``; names that are stored where nobody looked end the search
with a request to promote them, and the next search starts with them (`promoted`).
"""

from __future__ import annotations

import builtins
import importlib
import math
import operator
import os
import queue
import site
import sys
import sysconfig
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from types import CodeType, ModuleType
from typing import Any

from pytest_statespace.runtime import footprints
from pytest_statespace.runtime.classify import Classifier, instructions, nested_codes, rebound_cells

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

#: Modules whose functions begin with a visible operation, or are none of the program's business.
PLAIN_MODULES = ("threading", "queue", "concurrent.futures", "_pytest", "pluggy", "pytest_statespace")

#: Uses of these make reference counts say nothing about who can reach an object.
_INSPECTORS = frozenset({"get_objects", "get_referrers", "get_referents", "_current_frames", "_getframemodulename"})
#: Uses of these give an object's attributes a second name.
_ALIASES = frozenset({"__dict__", "vars", "__getstate__", "__setstate__", "__reduce_ex__"})
_GENERATORS = ("namedtuple_", "hypothesis_temporary_module_")
"""How namespaces are named for which libraries generate functions (`collections.namedtuple`, `hypothesis.given`)."""
#: Who stores these gives instances another class, functions other code.
_OF_CLASSES = frozenset({"__class__", "__bases__"})
_OF_FUNCTIONS = frozenset({"__code__", "__defaults__", "__kwdefaults__"})
#: Where these are used, global variables can be rebound by their names, in whatever way.
_NAMESPACES = frozenset({"globals", "vars", "__dict__"})
_SETTERS = frozenset({"setattr", "delattr", "__setattr__", "__delattr__"})


def _is_special(name: str) -> bool:
    return name.startswith("__") and name.endswith("__") and name not in {"__dict__", "__doc__", "__name__"}


_REAL_PATHS: dict[str, str] = {}  # filled in the parent only: a cache that grew on a path would be part of its state


def real_path(path: str) -> str:
    """The path without symbolic links, which are expected to stay as they are while pytest runs."""
    known = _REAL_PATHS.get(path)
    return os.path.realpath(path) if known is None else known


def prepare() -> None:
    """In the parent, before a survey: real paths that it will ask for."""
    if _KNOWN.has_modules(_bridge().module_stamp()):
        return
    paths = sysconfig.get_paths()
    for name in ("stdlib", "platstdlib", "purelib", "platlib"):
        _remember(paths[name])
    for module in _modules():
        _remember(vars(module).get("__file__"))


def _remember(path: object) -> None:
    if isinstance(path, str) and path not in _REAL_PATHS and os.path.isabs(path):
        _REAL_PATHS[path] = os.path.realpath(path)


@dataclass(frozen=True, slots=True)
class UnderTest:
    """Which files count as code under test."""

    roots: tuple[str, ...]
    trace_prefixes: tuple[str, ...]  #: importable names of further modules and packages
    excluded: tuple[str, ...]

    @classmethod
    def of(cls, roots: Iterable[str | os.PathLike[str]], trace_prefixes: Iterable[str]) -> UnderTest:
        paths = sysconfig.get_paths()
        library = {paths["stdlib"], paths["platstdlib"], paths["purelib"], paths["platlib"], *site.getsitepackages()}
        excluded = {real_path(path) + os.sep for path in library}
        return cls(
            roots=tuple(real_path(os.fspath(root)).rstrip(os.sep) + os.sep for root in roots),
            trace_prefixes=tuple(trace_prefixes),
            excluded=tuple(sorted(excluded | {_PACKAGE + os.sep})),
        )

    def has_file(self, filename: str) -> bool:
        if filename.startswith("<"):
            return False
        path = real_path(filename)
        if f"{os.sep}site-packages{os.sep}" in path or path.startswith(self.excluded):
            return False
        return path.startswith(self.roots)

    def has_module(self, name: object) -> bool:
        return isinstance(name, str) and any(
            name == prefix or name.startswith(prefix + ".") for prefix in self.trace_prefixes
        )

    def has_code(self, code: CodeType, namespace: object) -> bool:
        """Also generated code (file names like ``<string>``) that runs in the namespace of a module under test, or in
        one that belongs to no module, such as ``exec(text, {})`` in a test: nobody knows what it does.
        """
        if not isinstance(namespace, dict):
            return self.has_file(code.co_filename)
        if self.has_module(namespace.get("__name__")):
            return True
        if code.co_filename.startswith("<") and not code.co_filename.startswith("<frozen "):
            module = _module_of_namespace(namespace)
            if module is None:
                return not str(namespace.get("__name__")).startswith(_GENERATORS)
            file = module.get("__file__")
            return isinstance(file, str) and self.has_file(file)
        return self.has_file(code.co_filename)


def _module_of_namespace(namespace: dict[str, Any]) -> dict[str, Any] | None:
    """The namespace of the module that it is or says it is part of. Anybody may say ``__main__``."""
    if isinstance(namespace.get("__file__"), str):
        return namespace
    name = namespace.get("__name__")
    module = sys.modules.get(name) if isinstance(name, str) else None
    if not isinstance(module, ModuleType) or (name == "__main__" and vars(module) is not namespace):
        return None
    return vars(module)


@dataclass(slots=True)
class _Found:
    traced: dict[CodeType, None]
    untraced: bytes  #: packed addresses of the code of other functions
    kept_for: int  #: number under which that code is kept alive, or 0
    classes: list[object]
    namespaces: list[dict[str, Any]]


def _modules() -> Iterator[ModuleType]:
    for module in list(sys.modules.values()):
        if isinstance(module, ModuleType):
            yield module


def _bridge() -> ModuleType:
    return importlib.import_module("pytest_statespace._native._bridge")


@dataclass(frozen=True, slots=True)
class _Modules:
    """The modules of a process; an entry keeps alive what its stamp is made of."""

    stamp: int
    under_test: UnderTest
    namespaces: list[dict[str, Any]]
    traced: list[ModuleType]
    traced_names: frozenset[str]
    others: list[object]

    @classmethod
    def of(cls, under_test: UnderTest, stamp: int) -> _Modules:
        modules = list(_modules())
        namespaces = [vars(module) for module in modules]
        named = [(namespace.get("__name__"), namespace.get("__file__")) for namespace in namespaces]
        traced = [
            (module, str(name))
            for module, (name, file) in zip(modules, named, strict=True)
            if under_test.has_module(name) or (isinstance(file, str) and under_test.has_file(file))
        ]
        return cls(
            stamp=stamp,
            under_test=under_test,
            namespaces=namespaces,
            traced=[module for module, _ in traced],
            traced_names=frozenset(name for _, name in traced),
            others=[list(sys.modules.values()), named],
        )


def _module_of(candidate: object) -> object:
    """None for types of C extensions that do not say."""
    return getattr(candidate, "__module__", None)


def find(under_test: UnderTest, *, keep: bool = False) -> _Found:
    """All code objects of functions that exist, classes under test, namespaces of modules."""
    bridge = _bridge()
    modules = _KNOWN.modules(under_test, bridge.module_stamp())
    functions, others, kept_for, candidates = bridge.survey(under_test.has_code, modules.traced_names, keep)
    classes = [*modules.traced, *(c for c in candidates if _module_of(c) in modules.traced_names)]
    traced: dict[CodeType, None] = {}
    for function in functions:
        traced.update(dict.fromkeys(nested_codes(function.__code__)))
    return _Found(traced, others, kept_for, classes, modules.namespaces)


@dataclass(frozen=True, slots=True)
class _Facts:
    """What a code object says by itself, whatever the rest of the program does."""

    code: CodeType
    rebound: frozenset[str]  #: names of globals stored
    attributes: frozenset[str]  #: names of attributes stored
    cells: frozenset[tuple[CodeType, str]]  #: cells of its nest that are not provably bound once

    @classmethod
    def of(cls, code: CodeType) -> _Facts:
        rebound: set[str] = set()
        attributes: set[str] = set()
        for instruction in instructions(code):
            if instruction.opname in ("STORE_GLOBAL", "DELETE_GLOBAL"):
                rebound.add(str(instruction.argval))
            elif instruction.opname in ("STORE_ATTR", "DELETE_ATTR"):
                attributes.add(str(instruction.argval))
        if _SETTERS.intersection(code.co_names):
            attributes.update(_identifiers(code.co_consts))
        if _NAMESPACES.intersection(code.co_names):
            rebound.update(_identifiers(code.co_consts))
        cells = rebound_cells(code) if code.co_cellvars else ()
        return cls(code, frozenset(rebound), frozenset(attributes), frozenset(cells))


def _identifiers(constants: Iterable[object]) -> Iterator[str]:
    """The texts among them that may be names, also inside tuples: those of keyword arguments are."""
    for constant in constants:
        if isinstance(constant, tuple):
            yield from _identifiers(constant)
        elif isinstance(constant, str) and constant.isidentifier():
            yield constant


class _Known:
    """What was found out for the tests before, about modules and, by address, code; an entry keeps its code alive."""

    def __init__(self) -> None:
        self._modules: _Modules | None = None
        self._facts: dict[int, _Facts] = {}
        self._classifier: Classifier | None = None
        self._open_cells: set[tuple[CodeType, str]] | None = None
        self._records: dict[int, tuple[CodeType, bytes]] = {}

    def has_modules(self, stamp: int) -> bool:
        """Are the modules of the process still those that were asked for last?"""
        return self._modules is not None and self._modules.stamp == stamp

    def modules(self, under_test: UnderTest, stamp: int) -> _Modules:
        """Those of the process, which have this stamp."""
        known = self._modules
        if known is None or known.stamp != stamp or known.under_test != under_test:
            known = self._modules = _Modules.of(under_test, stamp)
        return known

    def facts(self, codes: Iterable[CodeType]) -> list[_Facts]:
        """In the order of `codes`; all others are forgotten."""
        found = [self._facts.get(id(code)) or _Facts.of(code) for code in codes]
        self._facts = {id(facts.code): facts for facts in found}
        return found

    def records(
        self, classifier: Classifier, codes: Iterable[CodeType], open_cells: set[tuple[CodeType, str]] | None
    ) -> dict[CodeType, bytes]:
        """The records of `codes`; all others are forgotten."""
        if classifier != self._classifier or open_cells != self._open_cells:
            self._records = {}
            self._classifier, self._open_cells = classifier, open_cells
        found: dict[CodeType, bytes] = {}
        for code in codes:
            known = self._records.get(id(code))
            found[code] = known[1] if known is not None else classifier.records(code, open_cells)
        self._records = {id(code): (code, records) for code, records in found.items()}
        return found


_KNOWN = _Known()  # nothing that runs on a path asks it


def _present(owner: object, names: str) -> list[object]:
    return [getattr(owner, name) for name in names.split() if hasattr(owner, name)]


def plain_calls() -> frozenset[object]:
    """Callables that touch no data, whatever their arguments."""
    fresh = _present(threading, "Lock RLock Condition Event Semaphore BoundedSemaphore Barrier local get_ident")
    fresh += _present(queue, "Queue LifoQueue PriorityQueue SimpleQueue")
    simple = _present(builtins, "isinstance issubclass id callable object super property staticmethod classmethod")
    simple += [object.__init__, object.__new__, object.__init_subclass__]
    return frozenset([*fresh, *simple])


def pure_calls() -> frozenset[object]:
    """Builtin functions that touch nothing but their arguments."""
    names = (
        "abs all any ascii bin chr divmod format getattr hasattr hash hex iter len max min next oct ord pow repr round"
        " sorted sum __build_class__"
    )
    pure = _present(builtins, names)
    for module in (math, operator):
        pure += [value for value in vars(module).values() if type(value) is type(len)]
    return frozenset(pure)


def readers() -> frozenset[object]:
    """Functions of plain modules that read shared data before any visible operation."""
    found = _present(threading.Event, "is_set isSet")
    found += _present(threading.Thread, "is_alive getName isDaemon setName setDaemon __init__ __repr__")
    found += _accessors(threading.Thread)
    found += [threading.Timer.__init__]
    found += _present(threading.Barrier, "_break __repr__")
    found += _accessors(threading.Barrier)
    for module, kind, names in _FOREIGN_READERS:
        owner = getattr(sys.modules.get(module), kind, None)
        if owner is not None:
            found += [*_present(owner, names), *_accessors(owner)]
    return frozenset(found)


_FOREIGN_READERS = (
    ("concurrent.futures.thread", "ThreadPoolExecutor", "__init__"),
    ("_pytest.monkeypatch", "MonkeyPatch", "setattr delattr setitem delitem setenv delenv undo context"),
    ("_pytest.logging", "LogCaptureFixture", "clear get_records"),
    ("_pytest.capture", "CaptureFixture", "readouterr"),
    ("_pytest.recwarn", "WarningsRecorder", "pop clear __len__ __getitem__ __iter__"),
)


def _accessors(owner: type) -> list[object]:
    """The functions behind its properties."""
    properties = [value for value in vars(owner).values() if isinstance(value, property)]
    return [function for value in properties for function in (value.fget, value.fset, value.fdel) if function]


def build_tables(
    roots: Sequence[str | os.PathLike[str]],
    *,
    trace_prefixes: Sequence[str] = (),
    promoted: frozenset[str] = frozenset(),
    keep: bool = False,
) -> dict[str, Any]:
    """The tables the native side is installed with, for the process as it is and for children forked from it.

    Args:
        roots: directories whose Python files are under test, minus installed packages, the standard
            library and this package.
        trace_prefixes: importable names of modules and packages that are under test as well.
        promoted: details of earlier searches that ended because an assumption was broken: "global NAME",
            "attribute NAME", "cell QUALNAME.NAME", or "name NAME" of what code used that only showed up then.
        keep: all code that the tables name by its address stays alive until somebody else asks for that (see
            `may_be_used`). Otherwise no code may die before they are installed.
    """
    under_test = UnderTest.of(roots, trace_prefixes)
    found = find(under_test, keep=keep)
    facts = _KNOWN.facts(found.traced)
    rebound = {name for known in facts for name in known.rebound}
    attributes = {name for known in facts for name in known.attributes}
    used = {name for code in found.traced for name in code.co_names}
    cells = set()
    for detail in promoted:
        kind, _, name = detail.partition(" ")
        if kind == "global":
            rebound.add(name)
        elif kind == "attribute":
            attributes.add(name)
        elif kind == "cell":
            cells.add(name)
        elif kind == "name":
            used.add(name)
    classifier = Classifier(
        rebound=frozenset(map(sys.intern, rebound)),
        stored_names=frozenset(map(sys.intern, attributes)),
        promoted_cells=frozenset(cells),
    )
    open_cells = None if "cell_contents" in attributes else {cell for known in facts for cell in known.cells}
    return {
        "codes": _KNOWN.records(classifier, found.traced, open_cells),
        "untraced": found.untraced,
        "kept_for": found.kept_for,
        "classify": _classify(under_test, classifier),
        "promoted": promoted,
        "rebound": classifier.rebound,
        "stored_names": classifier.stored_names,
        "plain_calls": plain_calls(),
        "pure_calls": pure_calls(),
        "readers": readers(),
        "classes": found.classes,
        "namespaces": found.namespaces,
        "plain_modules": PLAIN_MODULES,
        "locality": not _INSPECTORS.intersection(used),
        "watched": (_INSPECTORS | _ALIASES) - used,
        "classes_stored": not _OF_CLASSES.isdisjoint(attributes),
        "functions_stored": not _OF_FUNCTIONS.isdisjoint(attributes),
        "slots_stored": any(_is_special(name) for name in attributes),
        "aliased": bool(_ALIASES.intersection(used)),
        **footprints.tables(),
    }


def may_be_used(tables: dict[str, Any]) -> bool:
    """Is the code that these tables name by its address, made with ``keep``, sure to be alive?"""
    return bool(tables["kept_for"] == _bridge().kept_for())


def _classify(under_test: UnderTest, classifier: Classifier) -> Callable[[CodeType, object], bytes | None]:
    """For code that shows up later: its cells may be anybody's."""

    def classify(code: CodeType, namespace: object) -> bytes | None:
        return classifier.records(code) if under_test.has_code(code, namespace) else None

    return classify
