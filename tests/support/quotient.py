"""How many states a program needs: the bisimulation quotient of its tree of interleavings.

The tree is that of a search without a visited set, so it owes nothing to fingerprints. It is finite, so
bisimilarity is equality from the leaves up: two choice points are one if the same threads may run, with the
same pending operations, and each leads to the same again, down to the same outcomes. No search that merges
by equality of what will happen could do with fewer states.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

from support.batch import Paths
from support.search import Program, explore_with

from pytest_statespace.sandbox.protocol import End

_SNAPSHOT = 1
_OUTCOMES = (End.FINISHED, End.FAILED, End.DEADLOCK)


@dataclass(frozen=True, slots=True)
class Quotient:
    """Choice points of the unmerged tree, classes of them, and all outcomes."""

    nodes: int
    classes: int
    outcomes: frozenset[str]


@dataclass(slots=True)
class _Node:
    state: int
    offers: tuple[tuple[Hashable, ...], ...]
    """Each alternative: thread and pending operation, or its number where data is chosen."""
    taken: int = 0
    children: dict[Hashable, int] = field(default_factory=dict)


class _Tree:
    def __init__(self, paths: Paths, most: int) -> None:
        self.paths = paths
        self.most = most
        self.numbers: dict[Hashable, int] = {}
        self.nodes = 0
        self.classes: set[int] = set()
        self.outcomes: set[str] = set()

    def walk(self) -> Quotient:
        """Depth first; a node is classified when its last child is."""
        stack: list[_Node] = []
        state, alternative = 0, 0
        while True:
            stack += [self._node(number) for number in self.paths.run(state, alternative, _SNAPSHOT)]
            if self.paths.end not in _OUTCOMES:
                raise ValueError(f"a path ended with {self.paths.end.name}: {self.paths.text}")
            self.outcomes.add(self.paths.text)
            last = self._number(("end", self.paths.text))
            while stack:
                node = stack[-1]
                node.children[node.offers[node.taken]] = last
                node.taken += 1
                if node.taken < len(node.offers):
                    state, alternative = node.state, node.taken
                    break
                last = self._number(frozenset(node.children.items()))
                self.classes.add(last)
                self.paths.release(stack.pop().state)
            else:
                return Quotient(self.nodes, len(self.classes), frozenset(self.outcomes))

    def _number(self, key: Hashable) -> int:
        return self.numbers.setdefault(key, len(self.numbers))

    def _node(self, number: int) -> _Node:
        self.nodes += 1
        if self.nodes > self.most:
            raise ValueError(f"the tree has more than {self.most} choice points")
        native = self.paths.lib.ss_get_state(self.paths.native, number)
        if native.kind in (1, 3):
            offered = [native.alternatives[i] for i in range(native.n)]
            offers = tuple((one.thread, one.operation, one.access) for one in offered)
        else:
            offers = tuple((i,) for i in range(native.n))
        assert len(set(offers)) == len(offers)
        return _Node(number, offers)


def quotient(program: Program, *, granularity: str = "sync", most: int = 20_000) -> Quotient:
    """Run every interleaving. ValueError if the tree has more than `most` choice points."""
    return explore_with(
        program, lambda subject: _Tree(Paths(subject.sandbox), most).walk(), granularity=granularity
    )
