"""Types that this interpreter lays out unlike others are named in the result."""

from __future__ import annotations

import pytest
from support.running import Run


def test_the_report_names_what_is_compared_raw(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        """
        import _decimal, _pydecimal
        from pytest_statespace import choose

        _decimal.Decimal = _pydecimal.Decimal

        def test_it():
            assert choose([1, 2])
        """
    )
    result = run("--statespace=all")
    result.assert_outcomes(passed=1, warnings=1)
    result.stdout.fnmatch_lines(["*compared by raw memory, because*: decimal.Decimal*"])
