"""CPython's own tests of threads and asyncio pass under exploration, each as one execution on virtual time.

The normal run has a dose of each group; the campaign runs all of them (`docs/cpython-tests.md` is the list).
They are part of CPython, but some distributions split them off: the dose is then skipped with that reason, and the
campaign fails. Before the defects that they revealed were mended, tests of both failed.
"""

from __future__ import annotations

import pytest
from cpython import harness

DOSE = {
    "test.test_threading": "BarrierTests or LockTests.test_with or test_excepthook or test_timer",
    "test.test_queue": "CSimpleQueueTest and (basic or reentrancy)",
    "test.test_asyncio.test_waitfor": "timeout",
}
_MODULES = {module.name: module for module in harness.MODULES}


def _not_installed(names: list[str]) -> str:
    return f"CPython's tests {', '.join(names)} are not installed with this interpreter: nothing was tested"


@pytest.mark.parametrize("name", DOSE)
def test_dose(name: str) -> None:
    result = harness.run(_MODULES[name], only=DOSE[name])
    if not result.installed:
        pytest.skip(_not_installed([name]))
    assert result.count("passed") >= 2
    assert [case for case in result.cases if case.status == "failed"] == []


@pytest.mark.campaign
def test_all() -> None:
    results = [harness.run(module) for module in harness.MODULES]
    missing = [result.module for result in results if not result.installed]
    print(harness.report([("of this run", results)]))
    if missing:
        print(_not_installed(missing))
    for group, least in (("threading", 0.95), ("asyncio", 0.90)):
        passed, everything = harness.share(results, group)
        assert passed >= least * everything > 0, harness.report([("of this run", results)])
