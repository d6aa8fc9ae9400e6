"""Published bugs of packages on PyPI: found with default options in one release, gone in the one that mends them.

Releases are installed from the package index; without it these tests fail. The normal run has two bugs, the campaign
all of them. `benchmarks/bench_published.py` writes the table.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from published.catalog import BUGS, Bug
from published.trying import CASES, explore

from pytest_statespace.types import FailureKind

DOSE = ("async_timeout_cancel", "pyee_once")


@pytest.fixture(scope="session")
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where releases are installed: kept in pytest's cache, if there is one."""
    cache = getattr(request.config, "cache", None)
    return Path(cache.mkdir("published")) if cache is not None else tmp_path_factory.mktemp("published")


def bugs(names: tuple[str, ...] | None = None) -> pytest.MarkDecorator:
    chosen = [bug for bug in BUGS if names is None or bug.case in names]
    return pytest.mark.parametrize("bug", chosen, ids=lambda bug: bug.case)


def check(bug: Bug, store: Path) -> None:
    found = explore(bug, bug.broken, store)
    assert (found.verdict, found.kind) == ("failed", bug.kind.value), found
    assert found.reproduced, found
    mended = explore(bug, bug.fixed, store)
    assert mended.verdict == "verified" or (mended.verdict == "incomplete" and mended.reason), mended


@bugs(DOSE)
def test_dose(bug: Bug, store: Path) -> None:
    check(bug, store)


@pytest.mark.campaign
@bugs()
def test_found_and_mended(bug: Bug, store: Path) -> None:
    check(bug, store)


def test_catalog() -> None:
    assert sorted(bug.case for bug in BUGS) == sorted(case.stem for case in CASES.glob("*.py"))
    assert len({bug.issue for bug in BUGS}) == len(BUGS) >= 10
    assert len({bug.package for bug in BUGS}) >= 10
    assert sum(bug.world == "asyncio" for bug in BUGS) >= 3
    assert sum(bug.kind is FailureKind.DEADLOCK for bug in BUGS) >= 3
