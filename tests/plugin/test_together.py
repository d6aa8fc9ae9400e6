"""Together with xdist, without the cache, and under every way of capturing."""

from __future__ import annotations

import json

import pytest
from support.running import Run

MIXED = """
    import sys, logging, pytest
    from pytest_statespace import choose, observe

    @pytest.mark.statespace
    def test_fails():
        print("to stdout")
        print("to stderr", file=sys.stderr)
        logging.warning("to the log")
        assert choose([1, 2]) == 1

    @pytest.mark.statespace
    def test_passes():
        print("never shown")
        observe(choose("ab"))

    @pytest.mark.statespace(max_executions=1)
    def test_cut():
        choose("ab")
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ("--capture=fd",),
        ("--capture=sys",),
        ("--capture=no",),
        ("-p", "no:cacheprovider"),
        ("-p", "no:terminal"),
        ("-p", "no:faulthandler"),
        ("-p", "no:logging"),
        ("-n", "2"),
        ("-n", "0"),
    ],
    ids=" ".join,
)
def test_same_verdicts(pytester: pytest.Pytester, run: Run, arguments: tuple[str, ...]) -> None:
    pytester.makepyfile(MIXED)
    result = run("--statespace", "--statespace-json=out.json", *arguments)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    tests = json.loads((pytester.path / "out.json").read_text())["tests"]
    verdicts = {test["nodeid"].partition("::")[2]: test["verdict"] for test in tests}
    assert verdicts == {"test_fails": "failed", "test_passes": "verified", "test_cut": "incomplete"}
    if "no:terminal" not in arguments:
        assert result.parseoutcomes() == {"failed": 1, "passed": 1, "incomplete": 1}
        result.stdout.fnmatch_lines(["to stdout", "to stderr", "*chose 1*"])
        assert "never shown" not in result.stdout.str()


def test_files_without_the_cache(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(MIXED)
    run("--statespace", "-p", "no:cacheprovider")
    assert list((pytester.path / ".statespace").glob("*.ssp"))


def test_workers_settings_and_names_of_files(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(MIXED)
    result = run("--statespace", "-n", "2", "--statespace-granularity=sync", "--statespace-json=out.json")
    result.stdout.fnmatch_lines(["FAILED *::test_fails - assert 2 ==*"])
    tests = json.loads((pytester.path / "out.json").read_text())["tests"]
    assert {test["granularity"] for test in tests} == {"sync"}
    (file,) = [failure["file"] for test in tests for failure in test["failures"]]
    assert "-gw" in file
