"""What the sampling strategies share: seeds, fairness, and the uniform random walk.

`RandomWalk` takes every alternative of a choice point with the same chance. It is the baseline
that the others are measured against, and what they turn into late in an execution: a strategy
with priorities may run a thread that spins for ever while the one it waits for never gets on.
After ``fair_after`` choice points the rest of an execution is therefore a random walk, which
leaves such a loop with probability one. (The same is done by Coyote and others.)
"""

from __future__ import annotations

import random
from abc import abstractmethod
from collections.abc import Sequence

from pytest_statespace.explore.strategies.base import Sampler
from pytest_statespace.sandbox.protocol import Alternative, Point
from pytest_statespace.types import ChoiceKind

__all__ = ["RandomWalk", "Seeded", "pick_of_thread"]


class Seeded(Sampler):
    """A sampler whose choices follow from its seed, the number of the execution and the program."""

    name = ""
    fair_after = 2000

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self.random = random.Random()

    def describe(self) -> str:
        return f"{self.name} ({self.parameters()}seed {self._seed})"

    def parameters(self) -> str:
        """The strategy's own parameters as ``depth 3, ``."""
        return ""

    def begin(self, execution: int) -> None:
        self.random = random.Random(f"{self.name} {self._seed} {execution}")
        self.start()

    def choose(self, point: Point) -> int:
        if point.kind == ChoiceKind.DATA or point.depth > self.fair_after:
            return self.random.randrange(point.count)
        return self.decide(point.depth, point.alternatives)

    @abstractmethod
    def start(self) -> None:
        """Prepare for an execution."""

    @abstractmethod
    def decide(self, depth: int, alternatives: Sequence[Alternative]) -> int:
        """Which thread runs next; ``depth`` counts the choice points of this execution."""


class RandomWalk(Seeded):
    """Every alternative with the same chance."""

    name = "random"

    def start(self) -> None:
        pass

    def decide(self, depth: int, alternatives: Sequence[Alternative]) -> int:
        return self.random.randrange(len(alternatives))


def pick_of_thread(random: random.Random, alternatives: Sequence[Alternative], thread: int) -> int:
    """One of a thread's alternatives: it has two if its wait may also end by a timeout."""
    return random.choice([i for i, a in enumerate(alternatives) if a.thread == thread])
