"""ignore() and view() as users meet them: the verdict says that equality was weakened."""

from __future__ import annotations

from typing import Any

import pytest
from support.running import Run

from pytest_statespace._native import _bridge

pytestmark = pytest.mark.skipif(not _bridge.supported()[0], reason=_bridge.supported()[1])

COUNTERS = """
    import threading

    import pytest
    from pytest_statespace import ignore, observe, view

    class Counter:
        def __init__(self):
            self.hits = self.value = 0
            self.lock = threading.Lock()
        def add(self, n):
            with self.lock:
                self.hits = self.hits * 2 + n
                self.value += 1
        def content(self):
            return self.value

    def run(counter):
        threads = [threading.Thread(target=counter.add, args=(n,)) for n in (0, 1)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        observe(counter.value)

    @pytest.mark.statespace(granularity="sync")
    def test_plain():
        run(Counter())

    @pytest.mark.statespace(granularity="sync")
    def test_object():
        counter = Counter()
        ignore(counter, "hits")
        run(counter)

    @pytest.mark.statespace(granularity="sync", ignore=["test_it.Counter.hits"])
    def test_marker():
        run(Counter())

    @pytest.mark.statespace(granularity="sync")
    def test_view():
        counter = Counter()
        view(counter.content)
        run(counter)

    @pytest.mark.statespace(granularity="sync")
    def test_broken_view():
        counter = Counter()
        view(lambda: counter.missing, counter)
        run(counter)
"""


def test_the_report_says_so(pytester: pytest.Pytester, run: Run, results: Any) -> None:
    pytester.makepyfile(test_it=COUNTERS)
    tests = results("test_it.py")
    weakened = {name: test["weakened"] for name, test in tests.items()}
    assert weakened == {
        "test_plain": [],
        "test_object": ["ignore(Counter.hits)"],
        "test_marker": ["ignore(Counter.hits)"],
        "test_view": ["view(Counter)"],
        "test_broken_view": [],
    }
    assert tests["test_plain"]["reason"] == "no interleaving fails"
    assert tests["test_object"]["reason"] == (
        "no interleaving fails, with equality weakened by ignore(Counter.hits)"
    )
    assert tests["test_object"]["states"] == tests["test_marker"]["states"] < tests["test_plain"]["states"]
    assert tests["test_broken_view"]["verdict"] == "failed"
    assert "missing" in tests["test_broken_view"]["failures"][0]["message"]


def test_the_ini_file_names_attributes(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(test_it=COUNTERS)
    pytester.makeini("[pytest]\nstatespace_ignore =\n    test_it.Counter.hits\n    test_it.Counter.never\n")
    result = run("--statespace", "test_it.py::test_plain")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(
        [
            "verified *::test_plain*",
            "    verified, with equality weakened by ignore(Counter.hits)",
            "1 verified (1 with equality weakened): *",
        ]
    )


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("test_it.Countr.hits", "no class Countr"),
        ("no_such_module.Class.hits", "can't be imported"),
        ("hits", "give an attribute such as"),
        ("test_it.COUNTERS.hits", "name an attribute of a class or module"),
    ],
)
def test_names_that_mean_nothing_are_refused(
    pytester: pytest.Pytester, run: Run, value: str, words: str
) -> None:
    pytester.makepyfile(test_it="import pytest\nCOUNTERS = 3\n@pytest.mark.statespace\ndef test_it(): pass\n")
    result = run("--statespace", "--statespace-ignore", value)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*{words}*"])


def test_a_plugin_declares_for_a_library(pytester: pytest.Pytester, run: Run, results: Any) -> None:
    program = COUNTERS.replace("class Counter:", "from library import Base\n    class Counter(Base):")
    pytester.makepyfile(test_it=program)
    pytester.makepyfile(library="class Base:\n    pass\n")
    pytester.makeconftest(
        """
        import library

        def pytest_statespace_register_handlers(registry):
            registry.ignore(library.Base, "hits")
        """
    )
    tests = results("test_it.py::test_plain")
    assert tests["test_plain"]["weakened"] == ["ignore(Base.hits)"]


def test_a_plugin_can_only_name_what_can_be_found(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(test_it=COUNTERS)
    pytester.makeconftest(
        """
        def pytest_statespace_register_handlers(registry):
            class Local:
                pass
            registry.ignore(Local, "hits")
        """
    )
    result = run("--statespace", "test_it.py::test_plain")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*its module has no class of this name*"])
