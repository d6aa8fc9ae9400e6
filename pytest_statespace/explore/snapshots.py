"""Which choice points have a snapshot, which of these are given up for want of memory, and how they come back.

A path is a function of its choices. So a snapshot can be dropped as long as one of an ancestor is
kept, at the latest that of the base state: restore the ancestor, make the choices that led from there
to the choice point once more, and take the snapshot again. Nothing is searched on the way, no state is
counted, and the visited set does not change: where the way leads to is visited already, which the agent
checks, as it checks the label of every choice point it passes.

When memory runs out, every second snapshot is dropped. What is left is spaced evenly, so the way back is
two steps long the first time, four the second, and so on; at the end only the base state and the one to go on from
remain. The path that ran out of memory goes on from its last choice point, so nothing is counted twice
and no path is cut.

Rejected: dropping the oldest first. A depth-first search needs them last, but then the way back is long for
all of them, and grows with the square of the depth.
"""

from __future__ import annotations

from collections.abc import Sequence

from pytest_statespace.explore.strategies.base import Node
from pytest_statespace.sandbox.protocol import Command, End, Engine, NewState, PathResult, RunFlag

__all__ = ["DROPPED", "RELEASED", "Snapshots"]

RELEASED = -1  # node.state: there is nothing to come back to
DROPPED = -2  # node.state: the snapshot is to be taken again when it is needed


class Snapshots:
    """Those of one search."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._kept: dict[int, Node] = {}  # by number of the state, oldest first
        self.dropped = 0
        self.rebuilt = 0
        self.repeated = 0  # transitions that were run again

    def keep(self, node: Node) -> None:
        """A new choice point with a snapshot."""
        self._kept[node.state] = node

    def release(self, node: Node) -> None:
        """No path starts here any more."""
        if self._kept.pop(node.state, None) is not None:
            self._engine.release(node.state)
        node.state = RELEASED

    def drop(self, spare: Node) -> bool:
        """Give up every second snapshot but this one; false if there was none to give up."""
        victims = [node for node in self._kept.values() if node is not spare][::2]
        for node in victims:
            del self._kept[node.state]
            self._engine.release(node.state)
            node.state = DROPPED
        self.dropped += len(victims)
        return bool(victims)

    def run(
        self,
        node: Node,
        alternative: int,
        flags: RunFlag,
        following: Sequence[tuple[int, int]],
        *,
        deadline: float,
        deepest: int = 0,
    ) -> PathResult:
        """Run one path from a choice point. What a rebuilt snapshot took is not part of the result."""
        if node.state >= 0:
            command = Command(node.state, alternative, flags, following=following, deepest=deepest)
            return self._engine.run(command, deadline=deadline)
        way = _way_back(node, alternative, flags)._replace(deepest=deepest)
        result = self._engine.run(way, deadline=deadline)
        steps = len(way.forced)
        passed = result.states[:steps]
        if len(passed) == steps:
            self._restore(node, passed[-1])
            passed = passed[:-1]
        for state in passed:
            self._engine.release(state.number)
        repeated = min(len(result.states), steps)
        self.repeated += repeated
        result = result._replace(states=result.states[steps:], transitions=result.transitions - repeated)
        if result.end is End.DIVERGED:
            detail = f"a dropped snapshot could not be rebuilt: {result.detail}"
            return result._replace(detail=detail)
        return result

    def _restore(self, node: Node, state: NewState) -> None:
        if not state.kept:
            self._engine.release(state.number)
            return
        self.rebuilt += 1
        node.state = state.number
        self.keep(node)


def _way_back(node: Node, alternative: int, flags: RunFlag) -> Command:
    """From the nearest kept ancestor to the node, and on with the alternative."""
    forced, labels = [alternative], [node.label]
    taken, at = node.arrived_by, node.parent
    while at is not None and at.state < 0:
        forced.append(taken)
        labels.append(at.label)
        taken, at = at.arrived_by, at.parent
    assert at is not None, "the base state is always kept"
    return Command(at.state, taken, flags | RunFlag.REBUILD, tuple(reversed(forced)), tuple(reversed(labels)))
