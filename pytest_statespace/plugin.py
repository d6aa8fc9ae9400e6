"""The pytest plugin: options, markers, which items are explored, and how results are shown.

Nothing native and nothing of the search is imported here at module level: a run without
``--statespace`` pays for the option table and nothing else.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import inspect
import platform
import sys
import sysconfig
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from _pytest._code.code import TerminalRepr
from _pytest._io import TerminalWriter

from pytest_statespace import hookspecs
from pytest_statespace.errors import (
    FormatError,
    InvalidArgument,
    StatespaceError,
    StatespaceFailure,
    UnsupportedOperation,
)
from pytest_statespace.settings import (
    SPECS,
    Settings,
    check_keywords,
    check_races,
    check_text,
    resolve,
)

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter

    from pytest_statespace.explore.strategies import StrategyRegistry
    from pytest_statespace.replay import Counterexample
    from pytest_statespace.types import ExplorationResult

MARKER = "statespace"
REPRODUCE = "statespace_reproduce"
_PLATFORM = sys.platform  # a fixture may have replaced it
_MODES = {"": "off", "false": "off", "no": "off", "0": "off", "off": "off", "all": "all"}
_MODES |= dict.fromkeys(("true", "yes", "1", "on", "marked"), "marked")


@dataclass(slots=True)
class _Session:
    """What this pytest session knows about explorations."""

    mode: str  # off, marked, all
    command_line: dict[str, object]
    ini: dict[str, object]
    registry: StrategyRegistry | None = None
    ignored: tuple[str, ...] = ()  # what plugins leave out of state equality
    example: Counterexample | None = None  # of --statespace-replay
    example_source: str = ""
    report: Path | None = None  # the folder of --statespace-report
    results: list[ExplorationResult] = field(default_factory=list)

    def settings(self, item: pytest.Item | None) -> Settings:
        """The settings of an item, or of the session where there is no item."""
        markers: dict[str, object] = {}
        if item is not None:
            for marker in item.iter_markers(MARKER):  # the closest comes first
                markers = {**check_keywords(marker.kwargs), **markers}
        settings = resolve(command_line=self.command_line, markers=markers, ini=self.ini)
        if not self.ignored:
            return settings
        everything = dict.fromkeys((*settings.ignore, *self.ignored))
        return dataclasses.replace(settings, ignore=tuple(everything))


_SESSION = pytest.StashKey[_Session]()
_ASYNC = pytest.StashKey[bool]()


# -- options ----------------------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("statespace", "state-space exploration of concurrent tests")
    group.addoption(
        "--statespace",
        action="store_const",
        const="marked",
        dest="statespace",
        help="explore every test with @pytest.mark.statespace",
    )
    # argparse looks for the whole argument first, "=" and all. An optional value instead
    # would swallow the path that follows in "pytest --statespace tests/".
    group.addoption(
        "--statespace=all",
        action="store_const",
        const="all",
        dest="statespace",
        help="explore every test function",
    )
    group.addoption(
        "--statespace-replay",
        metavar="FILE|TOKEN",
        dest="statespace_replay",
        help="run exactly one saved schedule, of the test it names",
    )
    group.addoption(
        "--statespace-json",
        metavar="PATH",
        dest="statespace_json",
        help="write machine-readable results to this file",
    )
    group.addoption(
        "--statespace-report",
        metavar="DIR",
        dest="statespace_report",
        help="write each explored test's timeline (HTML) and state graph (GraphViz) below this folder",
    )
    parser.addini(
        "statespace", "explore marked tests (true) or every test (all) by default", default=""
    )
    parser.addini("statespace_json", "write machine-readable results to this file", default="")
    parser.addini("statespace_report", "write timelines and state graphs below this folder", default="")
    for spec in SPECS:
        if spec.flag_only:
            group.addoption(
                spec.flag, action="store_const", const="true", dest=spec.dest, help=spec.help
            )
        elif spec.command_line:
            group.addoption(
                spec.flag,
                action="append" if spec.repeatable else "store",
                metavar=spec.metavar,
                dest=spec.dest,
                help=spec.help,
            )
        if spec.repeatable:
            parser.addini(spec.ini, spec.help, type="linelist", default=[])
        else:
            parser.addini(spec.ini, spec.help, type="string", default="")


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    pluginmanager.add_hookspecs(hookspecs)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "statespace(**settings): explore every interleaving of this test under --statespace",
    )
    config.addinivalue_line(
        "markers", "statespace_reproduce(token): run one saved schedule of this test"
    )
    try:
        session = _configure(config)
    except InvalidArgument as error:
        raise pytest.UsageError(str(error)) from None
    config.stash[_SESSION] = session
    config.pluginmanager.register(_Reporter(config, session), "statespace-reporter")


def _configure(config: pytest.Config) -> _Session:
    session = _Session(_mode(config), {}, {})
    for spec in SPECS:
        given = config.getoption(spec.dest, None) if spec.command_line else None
        if given is not None:
            session.command_line[spec.name] = check_text(spec, given, source=spec.flag)
        ini = config.getini(spec.ini)
        if ini:
            session.ini[spec.name] = check_text(spec, ini, source=spec.ini)
    source = config.getoption("statespace_replay")
    if session.mode == "off" and not source:
        return session
    refusal = _refusal()
    if refusal:
        raise pytest.UsageError(f"--statespace: {refusal}")
    _prepare(config, session)
    report = config.getoption("statespace_report") or config.getini("statespace_report")
    if report:
        from pytest_statespace.reporting.folder import check

        session.report = config.invocation_params.dir / report
        check(session.report, given=report)
    if source:
        from pytest_statespace import replay

        try:
            session.example = replay.load(source)
        except FormatError as error:
            raise pytest.UsageError(f"--statespace-replay: {error}") from None
        session.example_source = source
    return session


def _mode(config: pytest.Config) -> str:
    given: str | None = config.getoption("statespace")
    if given is not None:
        return given
    text = str(config.getini("statespace")).strip().lower()
    if text not in _MODES:
        raise InvalidArgument("statespace", text, "give true, false or all")
    return _MODES[text]


def _refusal() -> str:
    """Why nothing can be explored on this platform, "" if it can."""
    if not _PLATFORM.startswith("linux"):
        return (
            f"exploring needs Linux, this is {_PLATFORM}; run it in a Linux container, or "
            "leave the option out to run the tests plainly"
        )
    if sys.implementation.name != "cpython":
        return f"exploring needs CPython, this is {platform.python_implementation()}"
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        return (
            "free-threaded builds of Python are not supported yet; use the ordinary build "
            f"of Python {platform.python_version()}"
        )
    try:
        importlib.import_module("pytest_statespace._native._engine")
        importlib.import_module("pytest_statespace._native._bridge")
    except ImportError as error:
        return f"the native part can't be loaded: {error}; reinstall pytest-statespace"
    return ""


def _prepare(config: pytest.Config, session: _Session) -> None:
    """Make the registry of strategies; check what can only be checked with everything loaded."""
    from pytest_statespace.explore.strategies import StrategyRegistry
    from pytest_statespace.runtime.weakening import HandlerRegistry
    from pytest_statespace.sandbox.arena import tracker_names

    registry = StrategyRegistry.with_builtins()
    config.hook.pytest_statespace_register_strategies(registry=registry)
    session.registry = registry
    handlers = HandlerRegistry()
    config.hook.pytest_statespace_register_handlers(registry=handlers)
    session.ignored = handlers.ignored
    settings = session.settings(None)
    registry.check(settings.strategy)
    names = ("auto", *tracker_names())
    if settings.tracker not in names:
        raise InvalidArgument("tracker", settings.tracker, "use one of " + ", ".join(names))


# -- collection -------------------------------------------------------------------------------


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    session = config.stash[_SESSION]
    for item in items:
        function = getattr(item, "obj", None)
        item.stash[_ASYNC] = inspect.isasyncgenfunction(function)
        try:
            _check_item(session, item)
        except StatespaceError as error:
            raise pytest.UsageError(f"{item.nodeid}: @pytest.mark.statespace: {error}") from None
    if session.example is not None:
        _select(config, items, session.example)


def _check_item(session: _Session, item: pytest.Item) -> None:
    for marker in item.iter_markers(MARKER):
        if marker.args:
            raise InvalidArgument("arguments", marker.args, "give settings by keyword")
    settings = session.settings(item)
    if _explored(session, item) and session.registry is not None:
        from pytest_statespace.runtime.tracing import check_traceable
        from pytest_statespace.runtime.weakening import check_ignored

        session.registry.check(settings.strategy)
        check_races(settings)
        check_traceable(settings.trace)
        check_ignored(settings.ignore)


def _select(config: pytest.Config, items: list[pytest.Item], example: Counterexample) -> None:
    """Keep the one item that the counterexample is about."""
    chosen = [item for item in items if item.nodeid == example.nodeid]
    if not chosen and example.inline and len(items) == 1:
        chosen = list(items)  # a token with the test named on the command line: it was moved
    if not chosen:
        raise pytest.UsageError(
            f"--statespace-replay: {example.nodeid} was not collected; name its file on the "
            "command line, or the test's own node id if it has moved (with a token)"
        )
    deselected = [item for item in items if item not in chosen]
    items[:] = chosen
    if deselected:
        config.hook.pytest_deselected(items=deselected)


def _explored(session: _Session, item: pytest.Item) -> bool:
    if session.mode == "all":
        return isinstance(item, pytest.Function)
    return session.mode == "marked" and item.get_closest_marker(MARKER) is not None


# -- running ----------------------------------------------------------------------------------


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> None:
    session = item.config.stash[_SESSION]
    if isinstance(item, pytest.Function):
        if _explored(session, item) or session.example is not None or item.get_closest_marker(REPRODUCE) is not None:
            # In its own place, not in pytest_pyfunc_call: plugins for coroutine functions (pytest-asyncio, anyio) run
            # them in a loop of theirs there or before, and unittest's methods never get there.
            item.runtest = functools.partial(_run_item, session, item)  # type: ignore[method-assign]
    elif _explored(session, item):
        raise UnsupportedOperation(
            f"a {type(item).__name__}",
            where=f"{item.location[0]}:{(item.location[1] or 0) + 1}",
            remedy="write it as a test function with fixtures",
        )


def _run_item(session: _Session, item: pytest.Function) -> None:
    """Explore or replay the item."""
    __tracebackhide__ = True
    refusal = _refusal()
    if refusal:
        raise UnsupportedOperation("this platform", remedy=refusal)
    from pytest_statespace import running
    from pytest_statespace.replay import load

    if item.stash.get(_ASYNC, False):
        running.refuse_async(item)
    _refuse_fixtures(item)
    settings, token = session.settings(item), item.get_closest_marker(REPRODUCE)
    if session.example is not None:
        running.replay_item(
            item,
            settings,
            session.example,
            source=session.example_source,
            folder=session.report,
        )
    elif token is not None:
        source = token.args[0]
        running.replay_item(item, settings, load(source), source=source, folder=session.report)
    else:
        assert session.registry is not None
        running.explore_item(item, settings, session.registry, folder=session.report)


def _refuse_fixtures(item: pytest.Function) -> None:
    for name in ("capfd", "capfdbinary"):
        if name in item.fixturenames:
            raise UnsupportedOperation(
                f"the fixture {name}",
                where=f"{item.location[0]}:{(item.location[1] or 0) + 1}",
                remedy="use capsys: output to file descriptors can't be rewound",
            )


# -- results ----------------------------------------------------------------------------------


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if call.when != "call":
        return report
    if call.excinfo is not None and report.failed:
        error = call.excinfo.value
        if isinstance(error, StatespaceFailure):
            report.longrepr = error.rendering  # type: ignore[assignment]
        elif isinstance(error, StatespaceError):
            report.longrepr = f"{type(error).__name__}: {error}"
    if "pytest_statespace.running" in sys.modules:
        from pytest_statespace.running import RESULT_KEY, plain_result

        result = item.stash.get(RESULT_KEY, None)
        if result is not None:
            vars(report)["statespace"] = plain_result(result)
    return report


def pytest_report_teststatus(report: Any) -> tuple[str, str, Any] | None:
    result = getattr(report, "statespace", None)
    if result and report.when == "call" and report.passed and result["verdict"] == "incomplete":
        return "incomplete", "I", ("INCOMPLETE", {"yellow": True})
    return None


def _relayed(text: str, result: ExplorationResult) -> TerminalRepr:
    """A failure report that came from an xdist worker as text, with its one-line message again."""
    from pytest_statespace.reporting.failure import FailureRepr

    class Relayed(TerminalRepr):
        reprcrash = FailureRepr(result, result.failures[0]).reprcrash

        def toterminal(self, tw: TerminalWriter) -> None:
            tw.write(text + "\n")

    return Relayed()


class _Reporter:
    """Collects results and shows them: a plugin object of its own, because it needs the session.

    Under xdist the results come over from the workers with their reports.
    """

    def __init__(self, config: pytest.Config, session: _Session) -> None:
        self._config = config
        self._session = session

    def pytest_report_header(self) -> str | None:
        session = self._session
        if session.mode == "off":
            return None
        from pytest_statespace.reporting.terminal import header_line
        from pytest_statespace.sandbox.probe import probe_trackers

        settings = session.settings(None)
        tracker, reason = probe_trackers(settings.tracker)
        return header_line(settings, tracker=tracker or "none", tracker_reason=reason)

    def pytest_report_collectionfinish(self, items: list[pytest.Item]) -> str | None:
        asked = self._config.getoption("statespace") == "marked" and self._session.example is None
        if not asked or not items or any(item.get_closest_marker(MARKER) for item in items):
            return None
        return "statespace: none of these tests is marked, so none is explored; --statespace=all explores every one"

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        plain = getattr(report, "statespace", None)
        if plain:
            from pytest_statespace.runtime.wire import from_plain
            from pytest_statespace.types import ExplorationResult

            result = from_plain(ExplorationResult, plain)
            self._session.results.append(result)
            if isinstance(report.longrepr, str) and result.failures:
                report.longrepr = _relayed(report.longrepr, result)

    def pytest_terminal_summary(self, terminalreporter: TerminalReporter) -> None:
        if self._session.results:
            from pytest_statespace.reporting.terminal import write_summary

            write_summary(terminalreporter, self._session.results, folder=self._session.report)

    def pytest_sessionfinish(self) -> None:
        path = self._config.getoption("statespace_json") or self._config.getini("statespace_json")
        if path and not hasattr(self._config, "workerinput") and self._session.mode != "off":
            from pytest_statespace.reporting import json

            json.write(self._config.invocation_params.dir / path, self._session.results)
