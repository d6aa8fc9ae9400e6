"""Are the names of ``--statespace-trace`` modules or packages whose code can be preempted?"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable

from pytest_statespace.errors import InvalidArgument

__all__ = ["check_traceable"]


def check_traceable(names: Iterable[str]) -> None:
    """Raise `InvalidArgument` for a name that can't be found or has no Python source."""
    for name in names:
        try:
            spec = importlib.util.find_spec(name)
        except (ImportError, ValueError) as error:
            raise InvalidArgument("trace", name, f"can't be imported: {error}") from None
        if spec is None:
            raise InvalidArgument("trace", name, "there is no module or package of this name")
        is_source = spec.origin is not None and spec.origin.endswith(".py")
        if not is_source and not spec.submodule_search_locations and spec.origin != "frozen":
            raise InvalidArgument(
                "trace", name, "has no Python source: only Python code can be preempted"
            )
