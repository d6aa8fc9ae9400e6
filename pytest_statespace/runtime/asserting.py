"""Does a teardown assert anything? Read off its source, and the sources of what it is seen to call.

Seen is what a name stands for: a function, a class, a method of an object whose type is known. Nothing is run.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator, Mapping
from types import CodeType, FunctionType, MethodType
from typing import Any

__all__ = ["asserts", "mentions_after_yield"]

_UNKNOWN = object()
_OF_CLASSES = ("__init__", "__enter__", "__exit__", "__call__")

Chosen = Callable[[CodeType], bool]
Names = Mapping[str, Any]


def asserts(function: FunctionType, is_users: Chosen, names: Names, *, after_yield: bool) -> bool:
    """Does the function assert something, behind its first ``yield`` if ``after_yield``, itself or by a call?

    Only code that ``is_users`` accepts is read. ``names``: what its local names stand for, as far as that is known.
    Code whose source can't be read counts as asserting.
    """
    return _Reader(is_users).asserts(function, names, after_yield=after_yield)


def mentions_after_yield(function: FunctionType, attributes: frozenset[str]) -> bool:
    """Is one of these looked up, behind the first ``yield``? True as well if the source can't be read."""
    tree = _tree(function)
    if tree is None:
        return True
    return any(isinstance(node, ast.Attribute) and node.attr in attributes for node in _after_yield(tree))


class _Reader:
    def __init__(self, is_users: Chosen) -> None:
        self._is_users = is_users
        self._read: set[CodeType] = set()

    def asserts(self, function: FunctionType, names: Names, *, after_yield: bool, called: bool = False) -> bool:
        if not self._is_users(function.__code__) or function.__code__ in self._read:
            return False
        self._read.add(function.__code__)
        tree = _tree(function)
        if tree is None:
            return True
        known = {**function.__globals__, **_cells(function), **names}
        nodes = list(_after_yield(tree) if after_yield else ast.walk(tree))
        if any(_is_assertion(node, called=called) for node in nodes):
            return True
        return any(self._call_asserts(node, known) for node in nodes if isinstance(node, ast.Call))

    def _call_asserts(self, call: ast.Call, known: Names) -> bool:
        target = _value(call.func, known)
        if isinstance(target, type):
            methods = [inspect.getattr_static(target, name, None) for name in _OF_CLASSES]
            targets: list[Any] = [MethodType(method, target) for method in methods if isinstance(method, FunctionType)]
        else:
            targets = [target]
        return any(self._function_asserts(one) for one in targets)

    def _function_asserts(self, target: Any) -> bool:
        names: Names = {}
        if isinstance(target, MethodType):
            owner, target = target.__self__, target.__func__
            code = getattr(target, "__code__", None)
            names = {code.co_varnames[0]: owner} if code and code.co_argcount else {}
        function = inspect.unwrap(target) if callable(target) else target
        return isinstance(function, FunctionType) and self.asserts(function, names, after_yield=False, called=True)


def _tree(function: FunctionType) -> ast.AST | None:
    try:
        return ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, SyntaxError):
        return None


def _cells(function: FunctionType) -> dict[str, Any]:
    found = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            found[name] = cell.cell_contents
        except ValueError:  # empty
            continue
    return found


def _after_yield(tree: ast.AST) -> Iterator[ast.AST]:
    """What stands behind the first ``yield``, and the context managers that end there."""
    yields = [node for node in ast.walk(tree) if isinstance(node, ast.Yield | ast.YieldFrom)]
    if not yields:
        return
    first = min((node.lineno, node.col_offset) for node in yields)
    for node in ast.walk(tree):
        if isinstance(node, ast.With | ast.AsyncWith) and not set(yields).isdisjoint(ast.walk(node)):
            for item in node.items:
                yield from ast.walk(item.context_expr)
        elif (getattr(node, "lineno", 0), getattr(node, "col_offset", 0)) > first:
            yield node


def _is_assertion(node: ast.AST, *, called: bool) -> bool:
    """``assert``, and what fails under another name; ``raise`` only in the teardown itself, not where it calls."""
    match node:
        case ast.Assert() | ast.Name(id="AssertionError"):
            return True
        case ast.Raise(exc=exception):
            return exception is not None and not called
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
            return name == "fail" or name.startswith("assert")
    return False


def _value(node: ast.expr, known: Names) -> Any:
    """What an expression stands for; for a call of a class, the class; for a method, the bound one."""
    match node:
        case ast.Name(id=name):
            return known.get(name, _UNKNOWN)
        case ast.Call(func=function):
            made = _value(function, known)
            return made if isinstance(made, type) else _UNKNOWN
        case ast.Attribute(value=inner, attr=name):
            owner = _value(inner, known)
            if owner is _UNKNOWN:
                return _UNKNOWN
            found = inspect.getattr_static(owner, name, _UNKNOWN)
            if isinstance(found, staticmethod | classmethod):
                found = found.__func__
            is_method = isinstance(found, FunctionType) and not inspect.ismodule(owner)
            return MethodType(found, owner) if is_method else found
    return _UNKNOWN
