"""What users leave out of state equality by name: ``package.module.Class.attribute``.

The lines of the ini key ``statespace_ignore`` are resolved here, to the object that has the
attribute. The class must exist; whether its instances ever have the attribute can't be known.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Iterable
from types import ModuleType

from pytest_statespace.errors import InvalidArgument

__all__ = ["HandlerRegistry", "check_ignored", "declarations", "label_of"]

Declaration = tuple[object, str, bool, str]  # owner, attribute, of instances too?, label


class HandlerRegistry:
    """What plugins declare about classes: `pytest_statespace_register_handlers`."""

    def __init__(self) -> None:
        self._paths: dict[str, None] = {}

    def ignore(self, cls: type, attribute: str) -> None:
        """Leave an attribute of all instances, and of the class itself, out of state equality.

        Raises `InvalidArgument` for a class that can't be found by its name.
        """
        if not isinstance(cls, type):
            raise InvalidArgument("cls", cls, "give a class")
        if not isinstance(attribute, str) or not attribute.isidentifier():
            raise InvalidArgument("attribute", attribute, "give the name of an attribute as a string")
        path = f"{cls.__module__}.{cls.__qualname__}.{attribute}"
        if "<" in path or _owner(path) is not cls:
            raise InvalidArgument("cls", cls, "its module has no class of this name: define it there")
        self._paths[path] = None

    @property
    def ignored(self) -> tuple[str, ...]:
        """The attributes declared so far, in the form of the ini key."""
        return tuple(self._paths)


def label_of(owner: object, attribute: str) -> str:
    """How reports name a declaration: ``ignore(Counter.hits)``."""
    if isinstance(owner, ModuleType):
        name = owner.__name__
    else:
        name = (owner if isinstance(owner, type) else type(owner)).__qualname__.rpartition(".")[2]
    return f"ignore({name}.{attribute})"


def check_ignored(paths: Iterable[str]) -> None:
    """Raise `InvalidArgument` for a path whose class or module can't be found."""
    declarations(paths)


def declarations(paths: Iterable[str]) -> list[Declaration]:
    """What the bridge wants to know of each path, in the order given."""
    found: list[Declaration] = []
    for path in paths:
        owner = _owner(path)
        attribute = path.rpartition(".")[2]
        found.append((owner, attribute, isinstance(owner, type), label_of(owner, attribute)))
    return found


def _owner(path: str) -> object:
    parts = path.split(".")[:-1]
    module, rest = _module(path, parts)
    owner: object = module
    for name in rest:
        try:
            owner = inspect.getattr_static(owner, name)
        except AttributeError:
            raise InvalidArgument(
                "ignore", path, f"{module.__name__} has no class {'.'.join(rest)}"
            ) from None
    if not isinstance(owner, type | ModuleType):
        raise InvalidArgument(
            "ignore", path, "name an attribute of a class or module; of one object: call ignore()"
        )
    return owner


def _module(path: str, parts: list[str]) -> tuple[ModuleType, list[str]]:
    """The longest importable prefix, and what follows it."""
    reason = ""
    for end in range(len(parts), 0, -1):
        name = ".".join(parts[:end])
        try:
            return sys.modules.get(name) or importlib.import_module(name), parts[end:]
        except ModuleNotFoundError as error:
            reason = reason or str(error)
        except Exception as error:  # whatever a module does when it is imported
            raise InvalidArgument("ignore", path, f"{name} can't be imported: {error}") from None
    raise InvalidArgument("ignore", path, f"can't be imported: {reason}")
