"""Random programs over many types: merging equal states loses no outcome, and invents none.

`equality_programs` says what the programs are, `equality_campaign` how they are compared: the outcomes
with the visited set against those of every interleaving. What differs is printed as the smallest program
that Hypothesis finds.

`STATESPACE_PROGRAMS=N pytest -m campaign tests/soundness/test_state_equality.py` compares at least N programs
wholly (10 000 by default), beginning with batch `STATESPACE_FIRST_BATCH`.
"""

from __future__ import annotations

import itertools
import json
import os
from dataclasses import asdict

import pytest
from soundness.equality_campaign import Report, check, shrunk
from support.search import STATES_ARE_COMPARED, WHY_NOT

pytestmark = pytest.mark.skipif(not STATES_ARE_COMPARED, reason=f"no states are recognised: {WHY_NOT}")


@pytest.mark.parametrize("number", range(3))
def test_merging_changes_no_outcome(number: int) -> None:
    report = check(number)
    assert not report.failures, shrunk(number) or report.failures[0]
    assert report.wholly > report.programs / 2
    assert report.varied > report.programs / 4


@pytest.mark.campaign
def test_campaign(capsys: pytest.CaptureFixture[str]) -> None:
    wanted = int(os.environ.get("STATESPACE_PROGRAMS", "10000"))
    total = Report()
    for number in itertools.count(int(os.environ.get("STATESPACE_FIRST_BATCH", "0"))):
        report = check(number)
        total.add(report)
        with capsys.disabled():
            print(json.dumps({"batch": number, **asdict(report)}), flush=True)
        if total.wholly >= wanted:
            break
    with capsys.disabled():
        print(total)
    assert not total.failures, "\n\n".join(total.failures)
