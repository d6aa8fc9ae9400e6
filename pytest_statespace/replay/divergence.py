"""Does a replay follow the saved schedule? If not: where did it leave, and why, most likely."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from pytest_statespace.errors import ReplayDivergence
from pytest_statespace.replay.counterexample import (
    Counterexample,
    ReplaySettings,
    checkpoint_positions,
    checkpoints,
)
from pytest_statespace.replay.environment import (
    combined_digest,
    platform_name,
    plugin_version,
    python_version,
    source_digests,
)
from pytest_statespace.types import Choice, ChoiceKind

__all__ = ["check", "compare", "divergence_error", "likely_causes"]

_KINDS = {
    ChoiceKind.BEGIN: "the beginning",
    ChoiceKind.THREAD: "which thread runs next",
    ChoiceKind.DATA: "a value of choose() or the order of a set",
    ChoiceKind.TIMEOUT: "which timeout ends",
}


def check(
    expected: Counterexample,
    met: Sequence[Choice],
    *,
    settings: ReplaySettings,
    rootdir: Path,
) -> None:
    """Raise ReplayDivergence unless the choices that a replay met are those that were saved."""
    where = compare(expected, met)
    if where:
        raise divergence_error(expected, where, settings=settings, rootdir=rootdir)


def compare(expected: Counterexample, met: Sequence[Choice]) -> str:
    """Where and how the choices met differ from the saved ones, ``""`` if they agree.

    What the saved side does not know (a token has neither labels nor numbers of
    alternatives) is not compared; the digests of a token tell the quarter of the schedule.
    """
    saved = expected.schedule.choices
    for number, (old, new) in enumerate(zip(saved, met, strict=False), 1):
        difference = _difference(old, new, inline=expected.inline)
        if difference:
            return f"at choice {number} of {len(saved)}: {difference}"
    if len(met) < len(saved):
        return f"after choice {len(met)} of {len(saved)}: the test ended before the schedule did"
    if len(met) > len(saved):
        return f"after the last of {len(saved)} choices: the test went on to a further choice"
    return _compare_checks(expected, met)


def divergence_error(
    expected: Counterexample,
    where: str,
    *,
    settings: ReplaySettings,
    rootdir: Path,
) -> ReplayDivergence:
    """The error to raise: where the replay left, what to do, and what is likely to blame.

    ``where`` is what `compare` said, or what the engine said when it stopped early.
    """
    message = (
        f"the replay left the saved schedule {where}".rstrip() + f"\nThe schedule does not fit the test as it is now. "
        f"Search again: pytest {shlex.quote(expected.nodeid)} --statespace"
    )
    return ReplayDivergence(message, likely_causes(expected, settings=settings, rootdir=rootdir))


def likely_causes(expected: Counterexample, *, settings: ReplaySettings, rootdir: Path) -> tuple[str, ...]:
    """What differs between then and now, most telling first; never empty."""
    causes = _source_causes(expected, rootdir)
    old = expected.settings
    for name, option, then, now in (
        ("granularity", "--statespace-granularity", old.granularity, settings.granularity),
        ("timeouts", "--statespace-timeouts", old.timeouts, settings.timeouts),
        ("trace", "--statespace-trace", list(old.trace), list(settings.trace)),
        ("seed", "--statespace-seed", old.seed, settings.seed),
    ):
        if then != now:
            causes.append(f"{name} was {then!r} and is {now!r} now ({option})")
    python = python_version()
    if expected.inline:
        python = ".".join(python.split(".")[:2])
    for name, then, now in (
        ("Python", expected.python, python),
        ("the platform", expected.platform, platform_name()),
        ("pytest-statespace", expected.plugin, plugin_version()),
    ):
        if then and then != now:
            causes.append(f"{name} was {then} and is {now} now")
    if causes:
        return tuple(causes)
    causes.append(
        "the source, the settings and the versions are the same, so the test depends on something "
        "outside the exploration: fixtures, files, environment variables, other tests, the date"
    )
    if sys.flags.hash_randomization:
        causes.append(
            "hashes of strings are random in each process, and with them the order of sets: "
            "set PYTHONHASHSEED=0 when searching and when replaying"
        )
    return tuple(causes)


def _source_causes(expected: Counterexample, rootdir: Path) -> list[str]:
    if expected.sources:
        now = source_digests(rootdir, expected.sources)
        changed = [name for name in expected.sources if now.get(name, 0) not in (0, expected.sources[name])]
        missing = [name for name in expected.sources if name not in now]
        causes = []
        if changed:
            causes.append(f"the source changed since the schedule was saved: {_listed(changed)}")
        if missing:
            causes.append(f"source files are missing: {_listed(missing)}")
        return causes
    if expected.sources_digest:
        test_file = expected.nodeid.partition("::")[0]
        if combined_digest(source_digests(rootdir, [test_file])) != expected.sources_digest:
            return [f"{test_file}, or code that it uses, may have changed since the token was made"]
    return []


def _difference(old: Choice, new: Choice, *, inline: bool) -> str:
    if not inline and old.kind != new.kind:
        return f"the choice was {_KINDS[old.kind]} and is {_KINDS[new.kind]} now"
    if old.alternatives and old.alternatives != new.alternatives:
        return f"there were {old.alternatives} alternatives and are {new.alternatives} now"
    if old.index >= new.alternatives:
        return f"alternative {old.index} was taken and there are only {new.alternatives} now"
    if old.index != new.index:
        return f"alternative {old.index} was taken and {new.index} is taken now"
    if not inline and old.thread != new.thread:
        return f"thread {old.thread} ran next and thread {new.thread} does now"
    if old.label and new.label and old.label != new.label:
        return "another operation or another source line is about to run"
    return ""


def _compare_checks(expected: Counterexample, met: Sequence[Choice]) -> str:
    if not expected.checks:
        return ""
    now = checkpoints(met)
    if not now:
        return ""
    first = 1
    for position, old, new in zip(checkpoint_positions(len(met)), expected.checks, now, strict=True):
        if old != new:
            span = f"choice {position}" if first == position else f"choices {first} to {position}"
            return f"at {span} of {len(met)}: another operation or another source line is about to run"
        first = position + 1
    return ""


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"
