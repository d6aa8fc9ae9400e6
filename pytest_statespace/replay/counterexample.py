"""A counterexample: a schedule together with all that is needed to run it again elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import xxhash

from pytest_statespace.replay import environment
from pytest_statespace.settings import Settings
from pytest_statespace.types import Choice, Failure, FailureKind, Schedule

__all__ = ["CHECKPOINTS", "Counterexample", "ReplaySettings", "checkpoint_positions", "checkpoints"]

CHECKPOINTS = 4


@dataclass(frozen=True, slots=True)
class ReplaySettings:
    """The settings that decide which choice points exist: a replay must use the same.

    ``promoted`` holds the names that the search had to treat as rebound (``global NAME``,
    ``cell NAME``), in the order in which they were found.
    """

    granularity: str = "access"
    timeouts: str = "idle"
    trace: tuple[str, ...] = ()
    promoted: tuple[str, ...] = ()
    seed: int = 0

    @classmethod
    def of(cls, settings: Settings) -> ReplaySettings:
        """The part of a test's settings that a replay needs."""
        return cls(
            granularity=settings.granularity,
            timeouts=settings.timeouts,
            trace=settings.trace,
            promoted=settings.promoted,
            seed=settings.seed,
        )


@dataclass(frozen=True, slots=True)
class Counterexample:
    """One saved schedule.

    Read from a file it is complete. Read from a token the choices have ``alternatives`` 0,
    ``thread`` -1 and ``label`` 0 (all unknown) and kind THREAD; ``checks`` (digests of the
    labels of prefixes, see `checkpoints`) take the place of the labels, ``sources`` is empty
    and ``sources_digest`` stands for it.
    """

    nodeid: str
    settings: ReplaySettings
    schedule: Schedule
    kind: FailureKind | None = None  # None: a schedule that passes
    message: str = ""
    exception_type: str = ""
    plugin: str = field(default_factory=environment.plugin_version)
    python: str = field(default_factory=environment.python_version)
    platform: str = field(default_factory=environment.platform_name)
    sources: dict[str, int] = field(default_factory=dict)
    sources_digest: int = 0
    checks: tuple[int, ...] = ()
    example: str = ""  # the inputs that Hypothesis drew (`given`); "": the test has none
    inline: bool = False  # it came from a token

    @classmethod
    def of(
        cls,
        failure: Failure,
        *,
        nodeid: str,
        settings: ReplaySettings,
        rootdir: Path,
        files: Iterable[str | Path] = (),
    ) -> Counterexample:
        """The counterexample of a failure found in this process.

        ``files`` are the source files under test besides the test's own (taken from
        ``nodeid``) and those that the failure's report mentions; relative ones are relative
        to ``rootdir``.
        """
        mentioned = {step.file for step in failure.report.steps} if failure.report else set()
        sources = environment.source_digests(rootdir, [nodeid.partition("::")[0], *map(str, files), *mentioned])
        return cls(
            nodeid=nodeid,
            settings=settings,
            schedule=failure.schedule,
            kind=failure.kind,
            message=failure.message,
            exception_type=failure.report.exception_type if failure.report else "",
            sources=sources,
            sources_digest=environment.combined_digest(sources),
            checks=checkpoints(failure.schedule.choices),
            example=failure.example,
        )


def checkpoint_positions(count: int) -> tuple[int, ...]:
    """Lengths of the prefixes that a token vouches for: at most four, the last is the whole."""
    return tuple(sorted({-(-count * part // CHECKPOINTS) for part in range(1, CHECKPOINTS + 1)} - {0}))


def checkpoints(choices: Sequence[Choice]) -> tuple[int, ...]:
    """16-bit digests of the labels of growing prefixes: they tell where a replay left.

    Empty if no choice has a label.
    """
    if not any(choice.label for choice in choices):
        return ()
    hasher = xxhash.xxh3_64()
    digests: list[int] = []
    positions = checkpoint_positions(len(choices))
    for number, choice in enumerate(choices, 1):
        hasher.update(choice.label.to_bytes(8, "little"))
        if number in positions:
            digests.append(hasher.intdigest() & 0xFFFF)
    return tuple(digests)
