"""What tests call: `choose`, `observe`, `always`, `sometimes`, `ignore` and `view`.

Outside an exploration `choose` returns its first alternative and the others do nothing, so
that a test stays runnable anywhere. Nothing here imports native code: the context is there
only in a process in which the exploration has imported it already.
"""

from __future__ import annotations

import linecache
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import TypeVar

from pytest_statespace.errors import InvalidArgument
from pytest_statespace.runtime import context as _contexts
from pytest_statespace.runtime.weakening import label_of

__all__ = ["always", "choose", "ignore", "observe", "sometimes", "view"]

T = TypeVar("T")

_MOST_ALTERNATIVES = 1 << 16


def choose(alternatives: Sequence[T]) -> T:
    """Return one of the alternatives; an exploration tries every one of them.

    The order must not depend on the run (lists, tuples, ranges and strings; no sets).
    Raises `InvalidArgument` if there is nothing to choose from.
    """
    if not isinstance(alternatives, Sequence):
        raise InvalidArgument(
            "alternatives", alternatives, "give a list or tuple: its order must be fixed"
        )
    count = len(alternatives)
    if count == 0:
        raise InvalidArgument("alternatives", alternatives, "give at least one alternative")
    if count > _MOST_ALTERNATIVES:
        raise InvalidArgument(
            "alternatives",
            f"{count} values",
            f"give at most {_MOST_ALTERNATIVES}; every one of them is a run of its own",
        )
    context = _contexts.current()
    if context is None or count == 1:
        return alternatives[0]
    index: int = context.bridge.choose(count)
    return alternatives[index]


def observe(value: object) -> None:
    """Record an outcome: the distinct outcomes over all executions are reported, by `repr`."""
    context = _contexts.current()
    if context is None:
        return
    with context.paused():
        text = repr(value)
        if text not in context.outcomes:
            context.outcomes.append(text)


def always(invariant: Callable[[], object]) -> None:
    """Check the invariant at every choice point from here to the end of the execution.

    It is violated when it raises, or returns something false other than None; that fails the
    test. It runs without choice points of its own and should only read.
    """
    if not callable(invariant):
        raise InvalidArgument("invariant", invariant, "give a callable without parameters")
    context = _contexts.current()
    if context is not None:
        context.invariants.append(_checked(invariant, context))


def sometimes(condition: object, label: str) -> None:
    """State that the condition holds here in at least one execution, else the test fails."""
    if not isinstance(label, str) or not label:
        raise InvalidArgument("label", label, "give a text that names the condition")
    context = _contexts.current()
    if context is None:
        return
    held = bool(condition)
    with context.paused():
        if held or label not in context.sometimes:
            context.sometimes[label] = held


def ignore(owner: object, attribute: str) -> None:
    """Leave an attribute out of state equality until the end of the execution.

    States that differ only in its value, or in what only it refers to, count as the same one and
    are explored once: for statistics, caches and logs that decide nothing. If they do decide
    something, outcomes are lost; the report therefore says that equality was weakened.

    ``owner`` is an object, a module, or a class: then the attribute of every instance and of the
    class itself. Raises `InvalidArgument` for an object that allows no weak references.
    """
    if not isinstance(attribute, str) or not attribute.isidentifier():
        raise InvalidArgument("attribute", attribute, "give the name of an attribute as a string")
    if type(owner).__weakrefoffset__ == 0:
        raise InvalidArgument(
            "owner", owner, f"its type {type(owner).__qualname__} allows no weak references: "
            "give the class instead"
        )
    context = _contexts.current()
    if context is None:
        return
    with context.paused():
        of_instances = isinstance(owner, type)
        context.bridge.ignore(owner, attribute, of_instances, label_of(owner, attribute))


def view(function: Callable[[], object], *objects: object) -> None:
    """Let what ``function()`` returns stand for ``objects`` in state equality.

    Without ``objects`` the function must be a bound method and speaks for its object:
    ``view(bank.balances)``. It is called at every choice point, without choice points of its
    own, must only read, and returns plain values (numbers, strings, tuples, ...). From then on
    states that differ only in the objects' own content, or in what only they refer to, count as
    the same if it returned the same. The report says that equality was weakened.
    """
    if not callable(function):
        raise InvalidArgument("function", function, "give a callable without parameters")
    covered = objects
    if not covered:
        bound = getattr(function, "__self__", None)
        if bound is None or isinstance(bound, ModuleType):
            raise InvalidArgument(
                "function", function, "give a bound method, or name the objects it speaks for"
            )
        covered = (bound,)
    for one in covered:
        if isinstance(one, type | ModuleType) or one is None:
            raise InvalidArgument("objects", one, "give objects that hold the test's data")
    context = _contexts.current()
    if context is None:
        return
    with context.paused():
        names = ", ".join(dict.fromkeys(type(one).__qualname__.rpartition(".")[2] for one in covered))
        label = f"view({names})"
        context.bridge.view(_evaluated(function, context), covered, label)


def _evaluated(function: Callable[[], object], context: _contexts.Context) -> Callable[[], object]:
    def evaluate() -> object:
        try:
            return function()
        except Exception as error:
            context.fail(error)

    return evaluate


def _checked(invariant: Callable[[], object], context: _contexts.Context) -> Callable[[], object]:
    def check() -> object:
        try:
            held = invariant()
            if held is None or held:
                return True
        except Exception as error:
            context.fail(error)
        context.fail(AssertionError(f"invariant violated: {_describe(invariant)}"))

    return check


def _describe(invariant: Callable[[], object]) -> str:
    code = getattr(invariant, "__code__", None)
    name = getattr(invariant, "__qualname__", None) or type(invariant).__qualname__
    if code is None:
        return str(name)
    file = code.co_filename.rpartition("/")[2]
    source = linecache.getline(code.co_filename, code.co_firstlineno).strip()
    return f"{source or name}  ({file}:{code.co_firstlineno})"
