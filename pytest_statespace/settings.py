"""The settings of one exploration: where values come from, how they are checked.

One table (`SPECS`) describes every option once: command line, ini file and marker keyword
are derived from it, so that the three can't drift apart. Precedence is command line over
marker over ini file over default. Values stay plain types because pytest-xdist sends them
to its workers.

Options whose feature is not there yet are refused with `InvalidArgument` instead of being
ignored: an option that silently does nothing would make a verdict mean less than it says.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pytest_statespace.errors import InvalidArgument

__all__ = ["GRANULARITIES", "SPECS", "Settings", "Spec", "check_keywords", "resolve"]

GRANULARITIES = ("sync", "access", "line", "opcode", "gil")


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that shapes the exploration of one test."""

    granularity: str = "access"
    trace: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    strategy: str = "exhaust"
    preemptions: int | None = None
    timeouts: str = "idle"
    timeout: float = 60.0
    max_states: int | None = None
    max_executions: int | None = None
    max_memory: int = 1024
    seed: int = 0
    workers: int = 1
    tracker: str = "auto"
    max_threads: int = 32
    incomplete: str = "warn"
    races: str = "report"
    left_running: str = "report"
    hang_seconds: float = 10.0
    explain_state: bool = False
    check: bool = False
    promoted: tuple[str, ...] = ()  # assumptions given up by an earlier search of this test


@dataclass(frozen=True, slots=True)
class Spec:
    """One option: its name (`max_states` is ``--statespace-max-states``), parser and help.

    ``parse`` takes text from the command line or an ini file, ``check`` a value of the final
    type; both raise `InvalidArgument`. ``command_line`` false: ini file and marker only;
    ``flag_only``: on the command line the option stands without a value and means "true".
    """

    name: str
    help: str
    check: Callable[[str, object], object]
    parse: Callable[[str, str], object]
    metavar: str
    repeatable: bool = False
    command_line: bool = True
    flag_only: bool = False

    @property
    def flag(self) -> str:
        return "--statespace-" + self.name.replace("_", "-")

    @property
    def ini(self) -> str:
        return "statespace_" + self.name

    @property
    def dest(self) -> str:
        return "statespace_" + self.name


def _parse_text(name: str, text: str) -> object:
    return text


def _parse_integer(name: str, text: str) -> object:
    try:
        return int(text)
    except ValueError:
        raise InvalidArgument(name, text, "give a whole number") from None


def _parse_float(name: str, text: str) -> object:
    try:
        return float(text)
    except ValueError:
        raise InvalidArgument(name, text, "give a number of seconds") from None


def _parse_truth(name: str, text: str) -> object:
    words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    if text.strip().lower() not in words:
        raise InvalidArgument(name, text, "give true or false")
    return words[text.strip().lower()]


def _integer(low: int, high: int | None = None) -> Callable[[str, object], object]:
    wanted = f"at least {low}" if high is None else f"between {low} and {high}"

    def check(name: str, value: object) -> object:
        if isinstance(value, bool) or not isinstance(value, int):
            raise InvalidArgument(name, value, f"give a whole number {wanted}")
        if value < low or (high is not None and value > high):
            raise InvalidArgument(name, value, f"give a whole number {wanted}")
        return value

    return check


def _truth(name: str, value: object) -> object:
    if not isinstance(value, bool):
        raise InvalidArgument(name, value, "give True or False")
    return value


def _seconds(name: str, value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidArgument(name, value, "give a number of seconds above 0")
    if not math.isfinite(value) or value <= 0:
        raise InvalidArgument(name, value, "give a finite number of seconds above 0")
    return float(value)


def _one_of(
    *values: str, later: Mapping[str, str] | None = None
) -> Callable[[str, object], object]:
    refused = later or {}

    def check(name: str, value: object) -> object:
        if isinstance(value, str) and value in refused:
            raise InvalidArgument(name, value, f"not supported yet: {refused[value]}")
        if value not in values:
            raise InvalidArgument(name, value, "give one of " + ", ".join(values))
        return value

    return check


def _name(name: str, value: object) -> object:
    if not isinstance(value, str) or not value or not value.isprintable():
        raise InvalidArgument(name, value, "give a name")
    return value


def _workers(name: str, value: object) -> object:
    _integer(1)(name, value)
    if value != 1:
        raise InvalidArgument(
            name, value, "not supported yet: leave it at 1 and spread tests with pytest-xdist"
        )
    return value


def _modules(name: str, value: object) -> object:
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list | tuple | set | frozenset):
        raise InvalidArgument(name, value, "give a list of importable module or package names")
    for entry in value:
        if not isinstance(entry, str) or not all(
            part.isidentifier() for part in entry.split(".")
        ):
            raise InvalidArgument(name, entry, "give importable names such as 'package.module'")
    return tuple(dict.fromkeys(value))


def _parse_modules(name: str, text: str) -> object:
    return text.replace(",", " ").split()


def _attributes(name: str, value: object) -> object:
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list | tuple | set | frozenset):
        raise InvalidArgument(name, value, "give a list of attributes: 'package.module.Class.attribute'")
    for entry in value:
        parts = entry.split(".") if isinstance(entry, str) else []
        if len(parts) < 2 or not all(part.isidentifier() for part in parts):
            raise InvalidArgument(name, entry, "give an attribute such as 'package.module.Class.attribute'")
    return tuple(dict.fromkeys(value))


SPECS: tuple[Spec, ...] = (
    Spec(
        "granularity",
        "where code under test may be preempted: sync (visible operations only), access "
        "(default: also before accesses to data that threads may share), line, opcode, gil (as "
        "access, but only where this interpreter with its GIL can switch threads)",
        _one_of(*GRANULARITIES),
        _parse_text,
        "NAME",
    ),
    Spec(
        "trace",
        "a further module or package whose code counts as code under test (repeatable)",
        _modules,
        _parse_modules,
        "PKG",
        repeatable=True,
    ),
    Spec(
        "ignore",
        "an attribute to leave out of state equality, 'package.module.Class.attribute' (repeatable)",
        _attributes,
        _parse_modules,
        "ATTR",
        repeatable=True,
    ),
    Spec(
        "explain_state",
        "note what states consist of, and show what differs most between states that look alike",
        _truth,
        _parse_truth,
        "",
        flag_only=True,
    ),
    Spec(
        "strategy",
        "order of the search: exhaust (default: preemption bounds 0, 1, 2, then everything), "
        "dfs; dpor; random, pct, pos, surw sample whole executions; or one registered by a plugin",
        _name,
        _parse_text,
        "NAME",
    ),
    Spec(
        "preemptions",
        "stop after this preemption bound (verdict then incomplete, unless the space ended)",
        _integer(0),
        _parse_integer,
        "N",
    ),
    Spec(
        "timeouts",
        "idle (default): a timeout or sleep ends only when nothing else can run; any: any "
        "pending one may end next",
        _one_of("idle", "any"),
        _parse_text,
        "NAME",
    ),
    Spec("timeout", "seconds for one test (default 60)", _seconds, _parse_float, "S"),
    Spec("max_states", "distinct states for one test", _integer(1), _parse_integer, "N"),
    Spec("max_executions", "executions for one test (strategies that sample: 1000)", _integer(1), _parse_integer, "N"),
    Spec(
        "max_memory",
        "MiB of snapshots for one test (default 1024)",
        _integer(16, 1 << 20),
        _parse_integer,
        "MIB",
    ),
    Spec(
        "seed",
        "seed of the random module inside an exploration, and of strategies that sample (default 0)",
        _integer(0, (1 << 63) - 1),
        _parse_integer,
        "N",
    ),
    Spec("workers", "explorers for one test (only 1 so far)", _workers, _parse_integer, "N"),
    Spec(
        "tracker",
        "how changed pages are found: auto (default) or a tracker's name",
        _name,
        _parse_text,
        "NAME",
    ),
    Spec(
        "max_threads",
        "threads one execution may start, the main thread included (default 32)",
        _integer(1, 512),
        _parse_integer,
        "N",
    ),
    Spec(
        "incomplete",
        "an incomplete exploration is reported as such (warn, default) or fails the test (fail)",
        _one_of("warn", "fail"),
        _parse_text,
        "NAME",
    ),
    Spec(
        "races",
        "data races found on the way (granularity access and opcode): report (default), fail (a race "
        "fails the test), off",
        _one_of("report", "fail", "off"),
        _parse_text,
        "NAME",
    ),
    Spec(
        "left_running",
        "threads that still run when the test function returns, daemons aside: report (default) that "
        "they were left, join them, or fail the test",
        _one_of("report", "join", "fail"),
        _parse_text,
        "NAME",
    ),
    Spec(
        "hang_seconds",
        "an execution without a choice point for this many seconds hangs (default 10)",
        _seconds,
        _parse_float,
        "S",
        command_line=False,
    ),
    Spec(
        "check",
        "compute the fingerprint of every state a second time with nothing remembered from other "
        "states; a difference is an internal error (slow; to test the plugin itself)",
        _truth,
        _parse_truth,
        "",
        flag_only=True,
    ),
)

_BY_NAME = {spec.name: spec for spec in SPECS}


def check_keywords(keywords: Mapping[str, object]) -> dict[str, object]:
    """Check the keyword arguments of the marker or decorator; return them normalised.

    Raises `InvalidArgument` for an unknown keyword or a value that makes no sense.
    """
    checked: dict[str, object] = {}
    for name, value in keywords.items():
        spec = _BY_NAME.get(name)
        if spec is None:
            raise InvalidArgument(
                name, value, "unknown keyword; known are " + ", ".join(sorted(_BY_NAME))
            )
        if value is None:
            if name in ("preemptions", "max_states", "max_executions"):
                checked[name] = None
                continue
            raise InvalidArgument(name, value, "leave the keyword out to get the default")
        checked[name] = spec.check(name, value)
    return checked


def check_text(spec: Spec, text: str | list[str], *, source: str) -> object:
    """Parse and check what the command line or an ini file says about one option."""
    texts = text if isinstance(text, list) else [text]
    if spec.repeatable:
        merged: list[str] = []
        for one in texts:
            merged.extend(spec.parse(source, one))  # type: ignore[arg-type]
        return spec.check(source, merged)
    return spec.check(source, spec.parse(source, texts[-1]))


def resolve(
    *,
    command_line: Mapping[str, object],
    markers: Mapping[str, object],
    ini: Mapping[str, object],
) -> Settings:
    """Merge checked values: command line over marker over ini file over default."""
    values: dict[str, Any] = {}
    for source in (ini, markers, command_line):
        values.update(source)
    return dataclasses.replace(Settings(), **values)


def check_races(settings: Settings) -> None:
    """Raise `InvalidArgument` where data races are to fail a test that is explored too coarsely to see any."""
    if settings.races == "fail" and settings.granularity in ("sync", "line"):
        raise InvalidArgument(
            "races",
            "fail",
            f"no data races are seen at granularity {settings.granularity}: explore at access or opcode, "
            "or set races to 'report' or 'off' for this test (and 'fail' in the ini file, not on the command line)",
        )
