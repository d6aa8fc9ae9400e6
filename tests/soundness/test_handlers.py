"""Every handler that the bridge registers has mutation cases of its own, and random programs that use it."""

from __future__ import annotations

import asyncio  # noqa: F401  (types are registered when their modules are loaded)
import gc
import re
import types
from collections.abc import Iterator
from pathlib import Path

import pytest
from covered import COVERED
from mutations import Case, histories, steps_on_existing
from soundness import equality_prelude  # noqa: F401
from soundness.equality_handled import HANDLED
from test_equal_and_changed import FAMILIES, cases

from pytest_statespace._native import _bridge

pytestmark = pytest.mark.skipif(not _bridge.supported()[0], reason=_bridge.supported()[1])

CASES: dict[tuple[str, str], Case] = {(family, case.name): case for family in FAMILIES for case in cases(family)}
NAMES = {"Union": "UnionType"}
"""Names that a type has had since 3.14, and before."""
TYPES: dict[str, type] = {NAMES.get(kind.__name__, kind.__name__): kind for kind, _ in _bridge.handlers()}
OF_ONE_VERSION = {"_local" if "_ThreadHandle" in TYPES else "_ThreadHandle", "frozendict"}
"""From 3.13 on handles of threads need a handler, and locals need none. 3.15 has frozen dictionaries."""


def reached(root: object, depth: int = 6) -> Iterator[object]:
    """What an object refers to, directly or not, short of modules."""
    seen: set[int] = set()
    level = [root]
    for _ in range(depth):
        level = [o for o in level if id(o) not in seen and not isinstance(o, types.ModuleType)]
        seen.update(map(id, level))
        yield from level
        level = gc.get_referents(*level)


def test_every_handler_has_cases_and_random_programs() -> None:
    assert TYPES.keys() - COVERED.keys() == set()
    assert TYPES.keys() - HANDLED.keys() == set()
    assert COVERED.keys() - TYPES.keys() <= OF_ONE_VERSION


def test_the_registry_has_every_handler_of_the_sources() -> None:
    sources = (Path(__file__).parents[2] / "native" / "bridge").glob("handlers*.c")
    written = {name for path in sources for name in re.findall(r'ssbf_handler \w+ = {"([^"]+)"', path.read_text())}
    assert written - {name for _, name in _bridge.handlers()} <= {"_ThreadHandle", "local", "frozendict"}


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")
@pytest.mark.parametrize("name", TYPES)
def test_cases_are_about_the_type(name: str) -> None:
    same = changed = 0
    for place in COVERED[name]:
        case = CASES[place]
        assert any(isinstance(o, TYPES[name]) for o in reached(case.build())), place
        for ways in (histories(case), steps_on_existing(case)):
            same += max(ways[1] - 1, 0)
            changed += len(ways[0]) - ways[1]
    assert same, "no case rebuilds an equal object"
    assert changed, "no case changes the object"
