"""Leaving out any one part of the fingerprint makes the campaign of random programs fail, and a mutation test.

`broken_bridge` says how parts are left out. What programs can do was found out by every interleaving before;
now they are searched with the visited set of the broken build, in the order of the campaign, until one loses an
outcome. To save time those that use the type in question come first; the position that is printed is that
of the program in the whole sequence, so the campaign would have failed there at the latest.
"""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path

import pytest
from broken_bridge import PARTS, build, run
from covered import COVERED
from soundness.equality_handled import HANDLED
from soundness.equality_subjects import Subject
from test_handlers import TYPES

from pytest_statespace._native import _bridge

pytestmark = [
    pytest.mark.campaign,
    pytest.mark.skipif(not _bridge.supported()[0], reason=_bridge.supported()[1]),
]

PROGRAMS = 1000
BATCHES = 10  # about a hundred programs each


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("broken")
    build(folder)
    return folder


@pytest.fixture(scope="module")
def outcomes(broken: Path) -> Path:
    """Programs and what they can do, by every interleaving; nothing is left out meanwhile."""
    kept = broken / "outcomes.json"
    done = run(broken, "", "soundness.equality_campaign", "0", str(BATCHES), "--outcomes", str(kept))
    assert done.returncode == 0, done.stdout + done.stderr
    assert sum(map(len, json.loads(kept.read_text()).values())) >= PROGRAMS
    return kept


def uses(subject: Subject) -> str:
    """A pattern of programs that take a step of the subject."""
    marks = {r"\$s": r"s\d", r"\$v": ".*", r"\$w": r"\d"}
    return "|".join(
        functools.reduce(lambda text, mark: text.replace(*mark), marks.items(), re.escape(step))
        for step in subject.steps
    )


SHOWS = {name: uses(HANDLED[name]) for name in TYPES}
SHOWS |= {part.name: part.shows for part in PARTS}


def searched(broken: Path, outcomes: Path, without: str, pattern: str) -> tuple[int, list[str]]:
    """Programs until the absence was noticed, and what was noticed."""
    arguments = ["0", str(BATCHES), "--outcomes", str(outcomes), "--again", pattern]
    done = run(broken, without, "soundness.equality_campaign", *arguments)
    last = json.loads(done.stdout.splitlines()[-1])
    return last["position"], last["failures"]


def test_nothing_is_noticed_when_nothing_is_left_out(broken: Path, outcomes: Path) -> None:
    assert searched(broken, outcomes, "", ".")[1] == []


@pytest.mark.parametrize("without", SHOWS)
def test_random_programs_notice(broken: Path, outcomes: Path, without: str, capsys: pytest.CaptureFixture[str]) -> None:
    position, failures = searched(broken, outcomes, without, SHOWS[without])
    if not failures or position > PROGRAMS:
        position, failures = searched(broken, outcomes, without, ".")
    with capsys.disabled():
        print(f"\n{without}: {position} programs", flush=True)
    assert failures
    assert "UNSOUND" in failures[0]
    assert position <= PROGRAMS


@pytest.mark.parametrize("without", TYPES)
def test_a_mutation_case_notices(broken: Path, without: str) -> None:
    arguments = [word for place in COVERED[without] for word in place]
    done = run(broken, without, "noticing", *arguments)
    assert done.returncode == 0, done.stderr
    assert "not seen" in done.stdout
