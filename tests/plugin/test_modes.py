"""What is explored when, and which requests are refused with which words."""

from __future__ import annotations

import pytest
from support.running import Run

CHOICE = """
    import pytest
    from pytest_statespace import choose, explore

    @pytest.mark.statespace
    def test_marked():
        assert choose([1, 2]) == 1

    def test_unmarked():
        assert choose([1, 2]) == 1
"""


def test_without_the_option_a_marked_test_runs_plainly(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(CHOICE)
    run("--strict-markers").assert_outcomes(passed=2)


def test_without_the_option_nothing_native_is_imported(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        """
        import sys

        def test_modules():
            heavy = [name for name in sys.modules if name.startswith("pytest_statespace.")]
            assert not [name for name in heavy if "_native" in name or "explore." in name
                        or "sandbox" in name or "replay" in name or "reporting" in name]
            assert "msgpack" not in sys.modules
        """
    )
    run().assert_outcomes(passed=1)


def test_the_option_explores_marked_tests(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(CHOICE)
    result = run("--statespace")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["statespace: granularity access*tracker *", "FAILED *::test_marked*"])


def test_the_option_without_marked_tests(pytester: pytest.Pytester, run: Run) -> None:
    """A run that explores nothing says so."""
    pytester.makepyfile("def test_unmarked(): pass")
    hint = "*none of these tests is marked*--statespace=all*"
    run("--statespace").stdout.fnmatch_lines([hint])
    run("--statespace=all").stdout.no_fnmatch_line(hint)
    run().stdout.no_fnmatch_line(hint)
    pytester.makepyfile(CHOICE)
    run("--statespace").stdout.no_fnmatch_line(hint)


def test_a_path_after_the_option_is_a_path(pytester: pytest.Pytester, run: Run) -> None:
    path = pytester.makepyfile(CHOICE)
    run("--statespace", path.name).assert_outcomes(passed=1, failed=1)


def test_all_explores_every_test(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(CHOICE)
    run("--statespace=all").assert_outcomes(failed=2)


@pytest.mark.parametrize(("value", "failed"), [("true", 1), ("all", 2), ("false", 0)])
def test_the_ini_file_turns_exploring_on(
    pytester: pytest.Pytester, run: Run, value: str, failed: int
) -> None:
    pytester.makepyfile(CHOICE)
    pytester.makeini(f"[pytest]\nstatespace = {value}\n")
    run().assert_outcomes(passed=2 - failed, failed=failed)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--statespace=some"], "statespace"),
        (["--statespace-granularity=fine"], "--statespace-granularity='fine'*sync, access"),
        (["--statespace-workers=2"], "not supported yet*xdist"),
        (["--statespace", "--statespace-report=test_usage_errors.py"], "test_usage_errors.py is a file: name a folder"),
        (["--statespace-timeout=soon"], "--statespace-timeout='soon'*number of seconds"),
        (["--statespace", "--statespace-strategy=fastest"], "strategy='fastest'*exhaust, dfs*surw"),
        (["--statespace", "--statespace-tracker=magic"], "tracker='magic'*auto"),
        (["--statespace", "--statespace-trace=no_such_thing"], "trace='no_such_thing'*no module"),
        (["--statespace-replay=nothing.ssp"], "nothing.ssp"),
    ],
)
def test_usage_errors(
    pytester: pytest.Pytester, run: Run, arguments: list[str], words: str
) -> None:
    pytester.makepyfile(CHOICE)
    result = run(*arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*{words}*"])


@pytest.mark.parametrize(
    ("marker", "words"),
    [
        ("granularity='fine'", "test_it*granularity='fine'"),
        ("granularty='sync'", "test_it*unknown keyword"),
        ("'sync'", "test_it*by keyword"),
    ],
)
def test_marker_arguments_are_checked_at_collection(
    pytester: pytest.Pytester, run: Run, marker: str, words: str
) -> None:
    pytester.makepyfile(f"import pytest\n@pytest.mark.statespace({marker})\ndef test_it(): pass\n")
    result = run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*{words}*"])


def test_precedence(pytester: pytest.Pytester, results: object) -> None:
    pytester.makeini("[pytest]\nstatespace_granularity = line\nstatespace_timeouts = any\n")
    pytester.makepyfile(
        """
        import pytest
        from pytest_statespace import explore

        @explore(granularity="sync")
        class TestIt:
            def test_class(self): pass

            @explore(granularity="opcode")
            def test_method(self): pass

        @explore
        def test_ini(): pass
        """
    )
    explored = results()  # type: ignore[operator]
    assert {name: test["granularity"] for name, test in explored.items()} == {
        "test_class": "sync",
        "test_method": "opcode",
        "test_ini": "line",
    }
    assert {test["timeouts"] for test in explored.values()} == {"any"}
    explored = results("--statespace-granularity=access")  # type: ignore[operator]
    assert {test["granularity"] for test in explored.values()} == {"access"}


def test_what_can_not_be_explored_says_so(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.statespace
        async def test_async():
            yield

        @pytest.mark.statespace
        def test_capfd(capfd): pass
        """
    )
    result = run("--statespace")
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines_random(
        [
            "UnsupportedOperation: a test function that is an asynchronous generator*",
            "UnsupportedOperation: the fixture capfd*",
            "*use capsys*",
        ]
    )


def test_strategies_of_other_plugins(pytester: pytest.Pytester, results: object) -> None:
    pytester.makeconftest(
        """
        from pytest_statespace.explore.strategies.dfs import DepthFirstSearch

        def pytest_statespace_register_strategies(registry):
            registry.register("mine", lambda settings: DepthFirstSearch(None))

        seen = []

        def pytest_statespace_search_started(item, settings):
            seen.append(("started", item.name, settings.strategy))

        def pytest_statespace_search_finished(item, result):
            seen.append(("finished", item.name, result.verdict.value))

        def pytest_sessionfinish():
            assert seen == [("started", "test_it", "mine"), ("finished", "test_it", "verified")]
        """
    )
    pytester.makepyfile("import pytest\n@pytest.mark.statespace\ndef test_it(): pass\n")
    (test,) = results("--statespace-strategy=mine").values()  # type: ignore[operator]
    assert (test["strategy"], test["verdict"]) == ("mine", "verified")


@pytest.mark.parametrize("how", ["option", "ini", "marker"])
def test_fingerprints_are_computed_twice_on_request(pytester: pytest.Pytester, run: Run, how: str) -> None:
    keyword = "(check=True)" if how == "marker" else ""
    pytester.makepyfile(CHOICE.replace("@pytest.mark.statespace", f"@pytest.mark.statespace{keyword}"))
    if how == "ini":
        pytester.makeini("[pytest]\nstatespace_check = true")
    run("--statespace", *(["--statespace-check"] if how == "option" else [])).assert_outcomes(passed=1, failed=1)
