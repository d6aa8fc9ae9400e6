"""Strategies by name; plugins add theirs with ``pytest_statespace_register_strategies``."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from pytest_statespace.errors import InvalidArgument
from pytest_statespace.explore.strategies.base import Sampler, Strategy
from pytest_statespace.explore.strategies.dfs import DepthFirstSearch
from pytest_statespace.explore.strategies.dpor import PartialOrderReduction
from pytest_statespace.explore.strategies.exhaust import Exhaust
from pytest_statespace.explore.strategies.pct import Pct
from pytest_statespace.explore.strategies.pos import Pos
from pytest_statespace.explore.strategies.sampling import RandomWalk
from pytest_statespace.explore.strategies.surw import Surw
from pytest_statespace.settings import Settings

__all__ = ["StrategyFactory", "StrategyRegistry"]

StrategyFactory = Callable[[Settings], Strategy | Sampler]


def _exhaust(settings: Settings) -> Strategy:
    # Under a bound that the user gave, a failure beyond it is not what was asked for.
    sampler = Surw(settings.seed) if settings.preemptions is None else None
    return Exhaust(settings.preemptions, sampler)


def _dpor(settings: Settings, *, compares: bool) -> Strategy:
    if settings.granularity not in ("access", "opcode"):
        raise InvalidArgument(
            "granularity",
            settings.granularity,
            f"strategy {settings.strategy} must know what every step touches, which is so at access and opcode only; "
            "use one of these, or another strategy",
        )
    if settings.preemptions is not None:
        raise InvalidArgument(
            "preemptions",
            settings.preemptions,
            f"under a bound strategy {settings.strategy} would lose interleavings; use it with exhaust or dfs",
        )
    return PartialOrderReduction(compares=compares)


class StrategyRegistry:
    """Names of strategies and how to make one for a test's settings."""

    def __init__(self) -> None:
        self._factories: dict[str, StrategyFactory] = {}

    @classmethod
    def with_builtins(cls) -> StrategyRegistry:
        """A registry that knows the strategies of this package."""
        registry = cls()
        registry.register("exhaust", _exhaust)
        registry.register("dfs", lambda settings: DepthFirstSearch(settings.preemptions))
        registry.register("dpor", partial(_dpor, compares=True))
        registry.register("source-dpor", partial(_dpor, compares=False))
        registry.register("random", lambda settings: RandomWalk(settings.seed))
        registry.register("pct", lambda settings: Pct(settings.seed))
        registry.register("pos", lambda settings: Pos(settings.seed))
        registry.register("surw", lambda settings: Surw(settings.seed))
        return registry

    def register(self, name: str, factory: StrategyFactory) -> None:
        """Add a strategy. Raises `InvalidArgument` if the name is taken."""
        if name in self._factories:
            raise InvalidArgument("name", name, "this strategy is registered already")
        self._factories[name] = factory

    def names(self) -> tuple[str, ...]:
        """All registered names, in order of registration."""
        return tuple(self._factories)

    def check(self, name: str) -> None:
        """Raise `InvalidArgument` listing the registered names unless this is one."""
        if name not in self._factories:
            raise InvalidArgument(
                "strategy", name, "not registered; use one of " + ", ".join(self._factories)
            )

    def create(self, settings: Settings) -> Strategy | Sampler:
        """A new instance of the strategy that the settings name.

        Raises `InvalidArgument` for a preemption bound that the strategy would ignore.
        """
        self.check(settings.strategy)
        strategy = self._factories[settings.strategy](settings)
        if isinstance(strategy, Sampler) and settings.preemptions is not None:
            raise InvalidArgument(
                "preemptions",
                settings.preemptions,
                f"strategy {settings.strategy} samples whole executions and knows no bound; "
                "use it with exhaust or dfs",
            )
        return strategy
