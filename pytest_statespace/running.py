"""Exploring or replaying one pytest item: from its settings to pytest's verdict.

The plugin decides *which* items; this module does the rest and speaks to pytest by raising:
nothing (verified, or incomplete when that only warns), `StatespaceFailure` with the report,
`UnsupportedOperation`, or the skip, exit and interrupt that the test itself asked for.
"""

from __future__ import annotations

import builtins
import dataclasses
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any, NoReturn

import pytest

from pytest_statespace import replay
from pytest_statespace.errors import (
    InternalError,
    StatespaceError,
    StatespaceFailure,
    UnsupportedOperation,
)
from pytest_statespace.explore import session as searches
from pytest_statespace.explore.strategies import StrategyRegistry
from pytest_statespace.given import explore_examples, is_given, replay_example
from pytest_statespace.reporting.failure import FailureRepr, render
from pytest_statespace.reporting.progress import Progress
from pytest_statespace.reporting.terminal import race_text
from pytest_statespace.reporting.text import plural
from pytest_statespace.runtime.teardowns import forgive
from pytest_statespace.runtime.wire import to_plain
from pytest_statespace.sandbox.recording import Recorded
from pytest_statespace.sandbox.remedies import refused
from pytest_statespace.settings import Settings
from pytest_statespace.types import (
    ExplorationResult,
    Failure,
    FailureKind,
    ProgressSnapshot,
    Schedule,
    StateGraph,
    Verdict,
)

__all__ = ["RESULT_KEY", "explore_item", "refuse_async", "replay_item"]

RESULT_KEY = pytest.StashKey[ExplorationResult]()
_PROGRESS_INTERVAL = 0.2


@dataclass(frozen=True, slots=True)
class _Text:
    """A rendering that is nothing but text, in the place of a Python traceback."""

    text: str

    def __str__(self) -> str:
        return self.text


def explore_item(
    item: pytest.Function, settings: Settings, registry: StrategyRegistry, *, folder: Path | None = None
) -> None:
    """Explore the item and turn the result into pytest's terms. ``folder``: that of ``--statespace-report``."""
    __tracebackhide__ = True
    config = item.config
    config.hook.pytest_statespace_search_started(item=item, settings=settings)
    with _ProgressLine(config) as line:

        def explore(settings: Settings, brief: bool = False) -> searches.Exploration:
            return searches.explore(
                item,
                settings,
                registry=registry,
                slot=_worker_number(config),
                progress=line.update,
                note_graph=folder is not None and not brief,
                brief=brief,
            )

        given = is_given(item)
        exploration = explore_examples(item, settings, explore) if given else explore(settings)
    settings = exploration.settings
    for category, message, file, number in exploration.search.warnings:
        kind = getattr(builtins, category, None) or getattr(pytest, category, UserWarning)
        if not (isinstance(kind, type) and issubclass(kind, Warning)):
            kind = UserWarning
        warnings.warn_explicit(message, kind, file, number)
    if exploration.result is None:
        _pass_on(exploration.search.payload)
        return
    forgive(item, settings)  # not where the test skipped itself: no execution has torn anything down
    result = _keep_failures(item, settings, exploration.result)
    result = _write_report(item, result, exploration.search.graph, folder)
    _publish(item, result)
    config.hook.pytest_statespace_search_finished(item=item, result=result)
    match result.verdict:
        case Verdict.FAILED:
            _fail(item, result)
        case Verdict.UNSUPPORTED:
            raise refused(result.reason)
        case Verdict.INCOMPLETE if settings.incomplete == "fail":
            text = f"incomplete: {result.reason}"
            raise StatespaceFailure(text, _Text(text))
        case _ if settings.races == "fail" and result.races:
            text = _races_text(result)
            raise StatespaceFailure(text, _Text(text))
        case _:
            return


def _races_text(result: ExplorationResult) -> str:
    lines = [f"{plural(len(result.races), 'data race')} (the search by itself: {result.verdict.value})"]
    lines += [race_text(race) for race in result.races]
    return "\n".join([*lines, "order these accesses with a lock, or set --statespace-races to report"])


def replay_item(
    item: pytest.Function,
    settings: Settings,
    example: replay.Counterexample,
    *,
    source: str,
    folder: Path | None = None,
) -> None:
    """Run one saved schedule. ``source`` is the file or token it came from, ``folder`` as in `explore_item`.

    Raises `StatespaceFailure` if it fails and `ReplayDivergence` if it does not fit.
    """
    __tracebackhide__ = True
    saved = example.settings
    settings = dataclasses.replace(
        settings,
        granularity=saved.granularity,
        timeouts=saved.timeouts,
        trace=saved.trace,
        promoted=saved.promoted,
        seed=saved.seed,
    )
    config = item.config
    debugging = bool(config.getoption("usepdb", False))
    interactive = debugging or config.getoption("capture", "fd") == "no"
    started = monotonic()

    def run() -> Recorded:
        return searches.replay(
            item,
            settings,
            example.schedule,
            interactive=interactive,
            watched=not interactive,
            stop=example.kind is FailureKind.LIVELOCK,
        )

    try:
        recorded = replay_example(item, example.example, run) if is_given(item) else run()
    finally:
        forgive(item, settings)
    if recorded.exit:
        pytest.exit(recorded.exit)
    report = recorded.report
    used = replay.ReplaySettings.of(settings)
    if report.diverged:
        raise replay.divergence_error(
            example, report.diverged, settings=used, rootdir=config.rootpath
        )
    replay.check(example, report.schedule.choices, settings=used, rootdir=config.rootpath)
    if report.kind is None:
        for _, text in report.sections:
            sys.stdout.write(text)
        return
    inline = example.inline
    preemptions = report.schedule.preemptions
    if report.kind is FailureKind.LIVELOCK is example.kind:
        preemptions = example.schedule.preemptions  # the loop that shows it takes more, and they count for nothing
    failure = Failure(
        kind=report.kind,
        message=report.message,
        schedule=Schedule(report.schedule.choices, preemptions),
        report=report,
        executions=1,
        transitions=len(report.schedule),
        seconds=monotonic() - started,
        length=len(report.schedule),
        token=source if inline else "",
        file="" if inline else source,
        example=example.example,
    )
    result = ExplorationResult(
        nodeid=item.nodeid,
        verdict=Verdict.FAILED,
        reason=f"replay: {report.message}",
        granularity=settings.granularity,
        strategy="replay",
        preemption_bound=None,
        timeouts=settings.timeouts,
        executions=1,
        transitions=len(report.schedule),
        states=0,
        seconds=failure.seconds,
        failures=(failure,),
    )
    result = _write_report(item, result, None, folder)
    _publish(item, result)
    _fail(item, result)


def refuse_async(item: pytest.Function) -> NoReturn:
    """Raise UnsupportedOperation for an asynchronous generator."""
    __tracebackhide__ = True
    raise UnsupportedOperation(
        "a test function that is an asynchronous generator",
        where=f"{item.location[0]}:{(item.location[1] or 0) + 1}",
        remedy="write it as a coroutine function: await what it yields",
    )


class _ProgressLine:
    """Shows progress past pytest's capturing, which is on while a test runs."""

    def __init__(self, config: pytest.Config) -> None:
        self._progress = Progress.of(config)
        self._capture: Any = config.pluginmanager.getplugin("capturemanager")
        self._next = 0.0

    def __enter__(self) -> _ProgressLine:
        self._progress.start()
        self._next = monotonic() + _PROGRESS_INTERVAL
        return self

    def __exit__(self, *_: object) -> None:
        self._uncaptured(self._progress.finish)

    def update(self, snapshot: ProgressSnapshot) -> None:
        now = monotonic()
        if now >= self._next:
            self._next = now + _PROGRESS_INTERVAL
            self._uncaptured(lambda: self._progress.update(snapshot))

    def _uncaptured(self, show: Callable[[], None]) -> None:
        if self._capture is None:
            show()
            return
        with self._capture.global_and_fixture_disabled():
            show()


def _keep_failures(
    item: pytest.Function, settings: Settings, result: ExplorationResult
) -> ExplorationResult:
    """Save every failure that has a schedule; note it if the folder can't be written."""
    failures: list[Failure] = []
    notes = list(result.notes)
    for failure in result.failures:
        if not failure.schedule.choices and failure.report is None:
            failures.append(failure)
            continue
        example = replay.Counterexample.of(
            failure,
            nodeid=item.nodeid,
            settings=replay.ReplaySettings.of(settings),
            rootdir=item.config.rootpath,
        )
        file = ""
        try:
            directory = replay.counterexample_directory(item.config)
            file = str(replay.save(example, directory, unique=_worker_id(item.config)))
        except OSError as error:
            notes.append(f"the counterexample could not be saved: {error}")
        token = replay.encode_token(example)
        failures.append(dataclasses.replace(failure, token=token, file=file))
    return dataclasses.replace(result, failures=tuple(failures), notes=tuple(notes))


def _write_report(
    item: pytest.Function, result: ExplorationResult, graph: StateGraph | None, folder: Path | None
) -> ExplorationResult:
    """Write the files of ``--statespace-report``, if there are to be any; note it if that fails."""
    if folder is None:
        return result
    from pytest_statespace.reporting.folder import write

    config = item.config
    try:
        write(folder, result, graph, rootdir=config.rootpath, start=config.invocation_params.dir)
    except OSError as error:
        note = f"timeline and state graph could not be written: {error}"
        return dataclasses.replace(result, notes=(*result.notes, note))
    return result


def _publish(item: pytest.Function, result: ExplorationResult) -> None:
    item.stash[RESULT_KEY] = result
    item.user_properties.extend(
        (f"statespace_{name}", str(value))
        for name, value in (
            ("verdict", result.verdict.value),
            ("executions", result.executions),
            ("transitions", result.transitions),
            ("states", result.states),
        )
    )


def plain_result(result: ExplorationResult) -> Any:
    """The result for the terminal summary and JSON, small and plain: xdist carries it."""
    failures = tuple(
        dataclasses.replace(
            failure,
            report=None,
            schedule=Schedule((), failure.schedule.preemptions),
        )
        for failure in result.failures
    )
    return to_plain(dataclasses.replace(result, failures=failures))


def _fail(item: pytest.Function, result: ExplorationResult) -> NoReturn:
    __tracebackhide__ = True
    if not result.failures:
        raise InternalError(f"{item.nodeid} failed without a failure")
    failure = result.failures[0]
    text = item.config.hook.pytest_statespace_render_failure(item=item, failure=failure)
    if text is not None:
        raise StatespaceFailure(text, _Text(text))
    raise _failure_type(item, failure)(render(result, failure), FailureRepr(result, failure))


def _failure_type(item: pytest.Function, failure: Failure) -> type[StatespaceFailure]:
    """StatespaceFailure; for a test that expects exceptions of a type, one that is of the type that was raised, too."""
    name = failure.report.exception_type if failure.report else ""
    if not name or not any(marker.kwargs.get("raises") for marker in item.iter_markers("xfail")):
        return StatespaceFailure
    module, _, kind = name.rpartition(".")
    raised = getattr(sys.modules.get(module or "builtins"), kind, None)
    if not (isinstance(raised, type) and issubclass(raised, Exception)):
        return StatespaceFailure
    try:
        return type("StatespaceFailure", (StatespaceFailure, raised), {"__init__": _init_failure})
    except TypeError:  # of another metaclass, or not meant to be inherited from
        return StatespaceFailure


def _init_failure(self: StatespaceFailure, report: str, rendering: object) -> None:
    """That of the exception's own class may want other arguments."""
    self.msg, self.pytrace, self.rendering = report, False, rendering


def _pass_on(payload: dict[str, Any]) -> None:
    """Raise in this process what the first execution of the test raised to steer pytest."""
    __tracebackhide__ = True
    message = str(payload.get("message", ""))
    match payload.get("kind"):
        case "skip":
            pytest.skip(message)
        case "xfail":
            pytest.xfail(message)
        case "exit":
            pytest.exit(message, returncode=payload.get("returncode"))
        case "interrupt":
            raise KeyboardInterrupt
        case kind:
            raise StatespaceError(f"an execution ended in an unknown way: {kind!r}")


def _worker_id(config: pytest.Config) -> str:
    worker: Any = getattr(config, "workerinput", None)
    return str(worker["workerid"]) if worker else ""


def _worker_number(config: pytest.Config) -> int | None:
    digits = _worker_id(config).removeprefix("gw")
    return int(digits) if digits.isdigit() else None
