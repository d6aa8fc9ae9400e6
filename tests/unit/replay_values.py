"""Hypothesis strategies for counterexamples, shared by the tests of replay."""

from __future__ import annotations

from hypothesis import strategies as st

from pytest_statespace.replay import Counterexample, ReplaySettings
from pytest_statespace.replay.counterexample import checkpoints
from pytest_statespace.replay.environment import combined_digest
from pytest_statespace.types import Choice, ChoiceKind, FailureKind, Schedule

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
labels = st.integers(0, 2**64 - 1)


@st.composite
def choices(draw: st.DrawFn) -> Choice:
    alternatives = draw(st.integers(1, 4) | st.integers(1, 2**32 - 1))
    return Choice(
        kind=draw(st.sampled_from(ChoiceKind)),
        index=draw(st.integers(0, min(alternatives - 1, 3)) | st.integers(0, alternatives - 1)),
        alternatives=alternatives,
        thread=draw(st.integers(-1, 40)),
        label=draw(labels),
    )


@st.composite
def counterexamples(draw: st.DrawFn) -> Counterexample:
    schedule = draw(st.lists(choices(), max_size=40).map(tuple))
    sources = draw(st.dictionaries(texts, labels, max_size=3))
    return Counterexample(
        nodeid=draw(texts),
        settings=ReplaySettings(
            granularity=draw(st.sampled_from(["sync", "access", "line", "opcode"]) | texts),
            timeouts=draw(st.sampled_from(["idle", "any"]) | texts),
            trace=draw(st.lists(texts, max_size=3).map(tuple)),
            promoted=draw(st.lists(texts, max_size=3).map(tuple)),
            seed=draw(st.integers(0, 2**63 - 1)),
        ),
        schedule=Schedule(schedule, draw(st.integers(0, 2**32 - 1))),
        kind=draw(st.none() | st.sampled_from(FailureKind)),
        message=draw(texts),
        exception_type=draw(texts),
        plugin=draw(texts),
        python=draw(st.sampled_from(["3.11.7", "3.13.1t", ""]) | texts),
        platform=draw(texts),
        sources=sources,
        sources_digest=combined_digest(sources),
        checks=checkpoints(schedule),
    )
