"""Hooks that other plugins may implement. They run in the parent process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_statespace.explore.strategies import StrategyRegistry
    from pytest_statespace.runtime.weakening import HandlerRegistry
    from pytest_statespace.settings import Settings
    from pytest_statespace.types import ExplorationResult, Failure


@pytest.hookspec
def pytest_statespace_register_strategies(registry: StrategyRegistry) -> None:
    """Register search strategies: ``registry.register(name, factory)``.

    The factory gets the test's `Settings` and returns a new `Strategy` (it orders the search) or
    a new `Sampler` (it decides whole executions, choice by choice).
    """


@pytest.hookspec
def pytest_statespace_register_handlers(registry: HandlerRegistry) -> None:
    """Say what counts for state equality in a library's classes: ``registry.ignore(cls, "hits")``.

    The attribute is left out for every instance, as with the ini key ``statespace_ignore``; the
    report names it if that had an effect. No Python can run while states are compared, so a
    handler is a declaration and not a function.
    """


@pytest.hookspec
def pytest_statespace_search_started(item: pytest.Item, settings: Settings) -> None:
    """Called before a test is explored."""


@pytest.hookspec
def pytest_statespace_search_finished(item: pytest.Item, result: ExplorationResult) -> None:
    """Called when the result of a test is there."""


@pytest.hookspec(firstresult=True)
def pytest_statespace_render_failure(item: pytest.Item, failure: Failure) -> str | None:
    """Return the text of the failure report, or None to leave it to the next plugin."""
