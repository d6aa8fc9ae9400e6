"""Leaving choice points out loses no outcome: granularity "access" against every instruction."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support import driver, preempt_programs

from pytest_statespace._native import _bridge
from pytest_statespace.runtime import access, bookkeeping
from pytest_statespace.runtime.classify import RECORD, Check

TESTS = Path(__file__).resolve().parents[1]
CAN_MERGE = _bridge.supported()[0]


def tables(promoted: frozenset[str] = frozenset()) -> dict[str, Any]:
    built = access.build_tables([TESTS / "support"], promoted=promoted)
    built["bookkeeping"] = bookkeeping.build_table()
    return built


def all_data_instructions(built: dict[str, Any]) -> dict[str, Any]:
    """The same tables, with a choice point before every instruction that any check looks at."""
    always = int(Check.ALWAYS)

    def open_up(records: bytes) -> bytes:
        entries = (RECORD.unpack_from(records, at) for at in range(0, len(records), RECORD.size))
        return b"".join(
            RECORD.pack(always if check else 0, flags, operand, height) for check, flags, operand, height in entries
        )

    return {**built, "codes": {code: open_up(records) for code, records in built["codes"].items()}}


def explore(program: Any, granularity: str, **changes: object) -> driver.Report:
    """Explore as the real explorer does: again and again until no assumption is broken."""
    promoted: frozenset[str] = frozenset()
    while True:
        built = tables(promoted) | changes
        if granularity == "every":
            built = all_data_instructions(built)
        report = driver.explore(
            program,
            granularity="access" if granularity == "every" else granularity,
            tables=built,
            fingerprint=CAN_MERGE,
            prune=CAN_MERGE,
            max_executions=500_000,
        )
        restarts = [text.removeprefix("restart: ") for text in report.results if text.startswith("restart: ")]
        broken = {assumption for restart in restarts for assumption in restart.split(", ")}
        if not broken:
            return report
        assert not broken <= promoted, f"promoting {broken} did not help"
        promoted |= broken


@pytest.mark.parametrize("name", preempt_programs.PROGRAMS)
def test_access_finds_every_outcome(name: str) -> None:
    program = preempt_programs.PROGRAMS[name]
    found = explore(program, "access")
    oracle = explore(program, "opcode" if CAN_MERGE else "every")
    assert found.results == oracle.results
    assert not any(text.split(":")[0] in ("died", "error", "unsupported", "limit") for text in found.results)
    assert found.choice_points <= oracle.choice_points


def test_local_work_needs_no_choice_point() -> None:
    """As many as at granularity "sync" (another program of the module uses __dict__: left out here)."""
    local = explore(preempt_programs.local_work_only, "access", aliased=False)
    nothing = explore(preempt_programs.local_work_only, "sync")
    assert local.results == nothing.results == {"None"}
    assert local.choice_points == nothing.choice_points


@pytest.mark.parametrize("name", ["global_increment", "attribute_increment", "cell_increment"])
@pytest.mark.skipif(not CAN_MERGE, reason="states are not compared on this interpreter")
def test_unlocked_increments_have_few_states(name: str) -> None:
    assert explore(preempt_programs.PROGRAMS[name], "access").states < 100
