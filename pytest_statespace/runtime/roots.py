"""Below which directories code is the user's: code under test, but for installed packages."""

from __future__ import annotations

import pytest

__all__ = ["roots_of"]


def roots_of(item: pytest.Item) -> tuple[str, ...]:
    """pytest's root directory; if the test lies elsewhere (``-c FILE``, ``--rootdir``), what is around it as well."""
    root, start = item.config.rootpath, item.config.invocation_params.dir
    if item.path.is_relative_to(root):
        return (str(root),)
    return str(root), str(start if item.path.is_relative_to(start) else item.path.parent)
