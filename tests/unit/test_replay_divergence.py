"""Divergence: it is noticed, placed, and explained."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import pytest

from pytest_statespace.errors import ReplayDivergence
from pytest_statespace.replay import (
    Counterexample,
    ReplaySettings,
    check,
    compare,
    decode_token,
    encode_token,
    likely_causes,
)
from pytest_statespace.types import Choice, ChoiceKind, Failure, FailureKind, Schedule

SETTINGS = ReplaySettings()
CHOICES = tuple(Choice(ChoiceKind.THREAD, n % 2, 2, n % 2, 1000 + n) for n in range(16))


@pytest.fixture
def saved(tmp_path: Path) -> Counterexample:
    tmp_path.joinpath("test_a.py").write_text("one = 1\n")
    tmp_path.joinpath("bank.py").write_text("two = 2\n")
    failure = Failure(FailureKind.ASSERTION, "assert 0", Schedule(CHOICES, 1), None, 1, 1, 0.0, len(CHOICES))
    return Counterexample.of(
        failure,
        nodeid="test_a.py::test_b",
        settings=SETTINGS,
        rootdir=tmp_path,
        files=[tmp_path / "bank.py", "<string>"],
    )


def changed(number: int, **values: object) -> tuple[Choice, ...]:
    choices = list(CHOICES)
    choices[number] = dataclasses.replace(choices[number], **values)  # type: ignore[arg-type]
    return tuple(choices)


def test_same_choices(saved: Counterexample, tmp_path: Path) -> None:
    check(saved, CHOICES, settings=SETTINGS, rootdir=tmp_path)
    check(decode_token(encode_token(saved)), CHOICES, settings=SETTINGS, rootdir=tmp_path)
    assert sorted(saved.sources) == ["bank.py", "test_a.py"]


@pytest.mark.parametrize(
    ("met", "where"),
    [
        (changed(4, label=7), "at choice 5 of 16: another operation"),
        (changed(0, alternatives=3), "at choice 1 of 16: there were 2 alternatives and are 3 now"),
        (changed(3, kind=ChoiceKind.DATA), "at choice 4 of 16: the choice was which thread"),
        (changed(3, thread=2), "at choice 4 of 16: thread 1 ran next and thread 2 does now"),
        (CHOICES[:7], "after choice 7 of 16: the test ended"),
        ((*CHOICES, CHOICES[0]), "after the last of 16 choices"),
    ],
)
def test_file_tells_the_choice(saved: Counterexample, met: tuple[Choice, ...], where: str) -> None:
    assert compare(saved, met).startswith(where)


@pytest.mark.parametrize(
    ("met", "where"),
    [
        (changed(4, label=7), "at choices 5 to 8 of 16: another operation"),
        (changed(15, label=7), "at choices 13 to 16 of 16: another operation"),
        (changed(3, alternatives=1), "at choice 4 of 16: alternative 1 was taken and there are"),
        (CHOICES[:7], "after choice 7 of 16: the test ended"),
    ],
)
def test_token_tells_the_quarter(saved: Counterexample, met: tuple[Choice, ...], where: str) -> None:
    assert compare(decode_token(encode_token(saved)), met).startswith(where)


def test_labels_that_are_unknown_are_not_compared(saved: Counterexample) -> None:
    met = tuple(dataclasses.replace(choice, label=0) for choice in CHOICES)
    assert compare(saved, met) == ""
    assert compare(decode_token(encode_token(saved)), met) == ""


def test_causes(saved: Counterexample, tmp_path: Path) -> None:
    def causes(**values: object) -> tuple[str, ...]:
        then = dataclasses.replace(saved, **values)  # type: ignore[arg-type]
        return likely_causes(then, settings=SETTINGS, rootdir=tmp_path)

    assert causes(python="3.2.1")[0].startswith("Python was 3.2.1 and is 3.")
    assert causes(platform="vax-vms")[0].startswith("the platform was vax-vms and is")
    assert causes(plugin="99")[0].startswith("pytest-statespace was 99 and is ")
    assert causes(settings=ReplaySettings(granularity="sync", seed=3)) == (
        "granularity was 'sync' and is 'access' now (--statespace-granularity)",
        "seed was 3 and is 0 now (--statespace-seed)",
    )
    assert "outside the exploration" in causes()[0]
    assert any("PYTHONHASHSEED" in cause for cause in causes()) == bool(sys.flags.hash_randomization)
    tmp_path.joinpath("bank.py").write_text("two = 3\n")
    assert causes() == ("the source changed since the schedule was saved: bank.py",)
    tmp_path.joinpath("bank.py").unlink()
    assert causes() == ("source files are missing: bank.py",)


def test_error_text(saved: Counterexample, tmp_path: Path) -> None:
    tmp_path.joinpath("test_a.py").write_text("one = 2\n")
    with pytest.raises(ReplayDivergence) as caught:
        check(saved, changed(4, label=7), settings=SETTINGS, rootdir=tmp_path)
    assert str(caught.value) == (
        "the replay left the saved schedule at choice 5 of 16: "
        "another operation or another source line is about to run\n"
        "The schedule does not fit the test as it is now. "
        "Search again: pytest test_a.py::test_b --statespace\n"
        "likely causes:\n"
        "  - the source changed since the schedule was saved: test_a.py"
    )
