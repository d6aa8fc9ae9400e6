"""Tests with Hypothesis's ``@given``: inputs are drawn here, in the parent, and each example is explored by itself.

Hypothesis calls what it takes for the test with the arguments of an example, as often as it likes: until one fails,
to make that one smaller, and once more at the end. Plugins may put a function of theirs in that place
(``inner_test``); ours explores the example. What Hypothesis does around it, its database and its reports among that,
stays in this process.

An example has a name by which a saved schedule finds it again: ``explicit N`` for the N-th ``@example``, else the
version of Hypothesis and the text that its ``@reproduce_failure`` takes.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import itertools
import re
from collections import Counter
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any

import pytest

from pytest_statespace.errors import ReplayDivergence, UnsupportedOperation
from pytest_statespace.explore.session import Exploration
from pytest_statespace.reporting.text import plural
from pytest_statespace.runtime.child import EXAMPLE
from pytest_statespace.sandbox.recording import Recorded
from pytest_statespace.settings import Settings
from pytest_statespace.types import ExplorationResult, Verdict

__all__ = ["explore_examples", "is_given", "replay_example"]

_EXPLICIT = "explicit "
_SHARE = 10  # an example gets at most this part of the time that is left
_LEAST = 1.0  # seconds, if they are left
_LOOSE = r"(?<=[(\[{]) |,? (?=[)\]}])|self=<[^>]*>, "  # of "test_sum( self=<Test object at 0x7f>, n=1, )"


def is_given(item: pytest.Function) -> bool:
    """Does Hypothesis draw the arguments of this test?"""
    return bool(getattr(item.obj, "is_hypothesis_test", False))


class _Falsified(Exception):
    """An example does not pass. Hypothesis raises it again in the end, with what it has to say in its notes."""

    def __init__(self, exploration: Exploration) -> None:
        self.exploration = exploration


def explore_examples(
    item: pytest.Function, settings: Settings, explore: Callable[[Settings, bool], Exploration]
) -> Exploration:
    """Explore examples until one fails, and that one in its smallest form; or as many as Hypothesis wants.

    Args:
        explore: explores the one example that the child is to run; if the flag is set, without a report of its failure.

    What passes is ``incomplete``: there are other inputs.
    """
    tried: list[ExplorationResult] = []
    falsified: dict[str, _Falsified] = {}
    latest: Exploration | None = None
    left_out = 0
    started = monotonic()

    def run(example: str, final: bool) -> None:
        nonlocal latest, left_out, settings
        if example in falsified and not final:
            raise falsified[example]
        left = settings.timeout - (monotonic() - started)
        if left <= 0 and tried and not final:
            left_out += 1
            return
        timeout = max(left if final else left / _SHARE, min(_LEAST, settings.timeout))
        exploration = explore(dataclasses.replace(settings, timeout=timeout), not final)
        if exploration.result is None:  # a skip, an exit
            raise _Falsified(exploration)
        settings = dataclasses.replace(settings, promoted=exploration.settings.promoted)
        if exploration.result.verdict in (Verdict.FAILED, Verdict.UNSUPPORTED):
            falsified[example] = _Falsified(_named(exploration, example))
        elif exploration.search.skipped and not exploration.search.finished:  # assume() let no execution pass
            importlib.import_module("hypothesis").reject()
        if example in falsified:  # also if it took longer this time, and was cut
            raise falsified[example]
        latest = exploration
        tried.append(exploration.result)

    try:
        _each_example(item, run)
    except _Falsified as error:
        return _with_notes(error.exploration, getattr(error, "__notes__", []))
    if latest is None:
        raise UnsupportedOperation("a test of @given without examples", remedy="let Hypothesis draw at least one")
    return dataclasses.replace(latest, result=_together(tried, left_out))


class _Replayed(Exception):
    """The example was run; Hypothesis need not draw more."""

    def __init__(self, recorded: Recorded) -> None:
        self.recorded = recorded


def replay_example(item: pytest.Function, name: str, replay: Callable[[], Recorded]) -> Recorded:
    """What `replay` returns when it is called for the example of that name.

    Raises ReplayDivergence if the test has no such example.
    """

    def run(example: str, final: bool) -> None:
        raise _Replayed(replay())

    if not name:
        raise ReplayDivergence(f"{item.nodeid} has inputs of @given now, and the schedule names none. Search again.")
    why = ""
    try:
        _each_example(item, run, only=name)
    except _Replayed as done:
        return done.recorded
    except importlib.import_module("hypothesis.errors").HypothesisException as error:
        why = f" ({error})"
    raise ReplayDivergence(f"{item.nodeid} has the example {name!r} of @given no longer{why}. Search again.")


def _each_example(item: pytest.Function, run: Callable[[str, bool], None], *, only: str = "") -> None:
    """Let Hypothesis draw, and call `run` for each example with its name and whether it is the last word on that one.

    While `run` is called, a child that is forked runs the example (`EXAMPLE`). ``only``: the name of the one to run.
    """
    if not hasattr(item.obj, "hypothesis") or _is_unittest(item):
        raise UnsupportedOperation(
            "@given on a method of unittest, or a stateful test",
            where=f"{item.location[0]}:{(item.location[1] or 0) + 1}",
            remedy="write a test function with @given",
        )
    hypothesis: Any = importlib.import_module("hypothesis")
    function = getattr(item.obj, "__func__", item.obj)
    handle = item.obj.hypothesis
    original = handle.inner_test
    parent = function._hypothesis_internal_use_settings
    phases = [phase for phase in parent.phases if phase is not hypothesis.Phase.explain]  # it runs many more examples
    if only:
        phases = [hypothesis.Phase.explicit] if only.startswith(_EXPLICIT) else []
    explicit = len(getattr(function, "hypothesis_explicit_examples", ())) if hypothesis.Phase.explicit in phases else 0
    if only.startswith(_EXPLICIT) and not explicit:  # Hypothesis would skip the test
        return
    numbers = itertools.count(1)

    @functools.wraps(original)
    def inner_test(*args: Any, **kwargs: Any) -> None:
        __tracebackhide__ = True
        _refuse_data(item, (*args, *kwargs.values()))
        number = next(numbers)
        example, final = (f"{_EXPLICIT}{number}", True) if number <= explicit else _drawn(hypothesis)
        if not only or example == only:
            call: Callable[[], object] = functools.partial(original, *args, **kwargs)
            item.stash[EXAMPLE] = call
            run(example, final)

    settings = hypothesis.settings(parent, deadline=None, phases=phases, report_multiple_bugs=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(handle, "inner_test", inner_test)
        patch.setattr(function, "_hypothesis_internal_use_settings", settings)
        if only and not only.startswith(_EXPLICIT):
            version, _, blob = only.partition(" ")
            patch.setattr(function, "_hypothesis_internal_use_reproduce_failure", (version, blob.encode("ascii")))
        try:
            item.obj(**{name: item.funcargs[name] for name in item._fixtureinfo.argnames})
        finally:
            if EXAMPLE in item.stash:
                del item.stash[EXAMPLE]


def _is_unittest(item: pytest.Function) -> bool:
    return any(cls.__name__ == "TestCaseFunction" for cls in type(item).__mro__)


def _drawn(hypothesis: Any) -> tuple[str, bool]:
    """Name of the example that is being run, and whether Hypothesis has found its smallest form."""
    context = importlib.import_module("hypothesis.control").current_build_context()
    blob = importlib.import_module("hypothesis.core").encode_failure(context.data.choices)
    return f"{hypothesis.__version__} {blob.decode('ascii')}", context.is_final


def _refuse_data(item: pytest.Function, arguments: Sequence[object]) -> None:
    if any(type(argument).__name__ == "DataObject" for argument in arguments):
        raise UnsupportedOperation(
            "st.data(), which draws in the middle of an execution",
            where=f"{item.location[0]}:{(item.location[1] or 0) + 1}",
            remedy="draw all values in @given, with st.composite where one depends on another",
        )


def _named(exploration: Exploration, example: str) -> Exploration:
    assert exploration.result is not None
    failures = tuple(dataclasses.replace(failure, example=example) for failure in exploration.result.failures)
    return dataclasses.replace(exploration, result=dataclasses.replace(exploration.result, failures=failures))


def _with_notes(exploration: Exploration, notes: Sequence[str]) -> Exploration:
    if exploration.result is None:
        return exploration
    told = tuple(re.sub(_LOOSE, "", " ".join(note.split())) for note in notes)
    return dataclasses.replace(
        exploration, result=dataclasses.replace(exploration.result, notes=(*told, *exploration.result.notes))
    )


def _together(tried: Sequence[ExplorationResult], left_out: int) -> ExplorationResult:
    """One result for examples of which none has failed."""
    outcomes: Counter[str] = Counter()
    for result in tried:
        outcomes.update(dict(result.outcomes))
    cut = [result.reason for result in tried if result.verdict is not Verdict.VERIFIED]
    reason = f"{plural(len(tried) + left_out, 'example')} drawn by Hypothesis, {len(tried) - len(cut)} explored in full"
    if cut:
        reason += f"; {len(cut)} not: {cut[0]}"
    if left_out:
        reason += f"; {left_out} left out for want of time"
    return dataclasses.replace(
        tried[-1],
        verdict=Verdict.INCOMPLETE,
        reason=reason,
        executions=sum(result.executions for result in tried),
        transitions=sum(result.transitions for result in tried),
        states=sum(result.states for result in tried),
        seconds=sum(result.seconds for result in tried),
        outcomes=tuple(outcomes.items()),
        races=tuple(dict.fromkeys(race for result in tried for race in result.races)),
        notes=tuple(dict.fromkeys(note for result in tried for note in result.notes)),
        weakened=tuple(dict.fromkeys(name for result in tried for name in result.weakened)),
        reductions=tuple(dict.fromkeys(name for result in tried for name in result.reductions)),
    )
