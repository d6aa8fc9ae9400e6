"""What pytest makes of a test that runs plainly is made of one that is explored: filters for warnings, xfail."""

from __future__ import annotations

import pytest
from support.running import Run


def test_filters_and_expectations(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        """
    import threading, warnings
    import pytest

    explored = pytest.mark.statespace
    strict = pytest.mark.filterwarnings("error")

    class Closing:
        def __del__(self): raise ValueError("not closed")

    class Refusal(Exception):
        def __init__(self, code, reason): super().__init__(f"{code}: {reason}")

    @explored
    @strict
    def test_warning(): warnings.warn("old", DeprecationWarning)

    @explored
    @strict
    def test_finalizer(): Closing()

    @explored
    @strict
    def test_finalizer_in_thread():
        thread = threading.Thread(target=Closing)
        thread.start()
        thread.join()

    @explored
    @strict
    def test_never_awaited():
        async def forgotten(): pass
        forgotten()

    @explored
    def test_finalizer_warns(): Closing()

    @explored
    @pytest.mark.xfail(raises=AssertionError, strict=True)
    def test_expected(): assert False

    @explored
    @pytest.mark.xfail(raises=(KeyError, Refusal), strict=True)
    def test_expected_own(): raise Refusal(7, "closed")

    @explored
    @pytest.mark.xfail(raises=KeyError)
    def test_not_expected(): raise Refusal(7, "closed")

    @explored
    @pytest.mark.xfail(raises=OSError)
    def test_expected_of_a_kind(): raise FileNotFoundError(2, "gone")

    @explored
    @pytest.mark.xfail(raises=pytest.fail.Exception)
    def test_expected_failure(): pytest.fail("so it is")
    """
    )
    for arguments in ("--statespace",), ():
        result = run(*arguments)
        result.assert_outcomes(failed=5, xfailed=4, passed=1, warnings=1)
        for name in "warning", "finalizer", "finalizer_in_thread", "never_awaited", "not_expected":
            result.stdout.fnmatch_lines([f"FAILED *::test_{name} - *"])
        result.stdout.fnmatch_lines(["*PytestUnraisableExceptionWarning*Closing.__del__*"])
