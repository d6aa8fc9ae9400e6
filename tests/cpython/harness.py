"""Runs CPython's own tests of the running version, each method as one execution under virtual time.

Every module is run twice, each time in a pytest process of its own: plainly, to learn what passes here at all, and
explored with a single schedule. A test counts as passed if its one execution came to its end. In that schedule a
thread runs until it has to wait; a test with a thread that polls never ends in it, and is run once more, with a
schedule that is drawn at random.

    python tests/cpython/harness.py run results-3.12.json [MODULE[=EXPRESSION] ...]
    python tests/cpython/harness.py report results-*.json > docs/cpython-tests.md

The tests are those of the Python that runs this. Some are installed without `test_concurrent_futures`, which Makefiles
forgot when it became a package: ``CPYTHON_TESTS_FROM`` names the `test` folder of another Python to take what is
missing from, as far as it can be loaded. The page says so.
"""

from __future__ import annotations

import collections
import dataclasses
import importlib.util
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest_statespace

HERE = Path(__file__).resolve().parent
SECONDS = 60  # for one execution: what the plugin gives a test by default
_MOST_SECONDS = 3600.0  # for one module


@dataclass(frozen=True, slots=True)
class Module:
    """A module of CPython's tests. ``leave_out`` is an expression of pytest's ``-k``."""

    name: str
    group: str
    leave_out: str = ""


_NO_PROCESSES = "Process or Interpreter or Spawn or Fork"
MODULES = (
    *(Module(f"test.test_{name}", "threading") for name in ("threading", "thread", "threading_local", "queue")),
    *(
        Module(f"test.test_concurrent_futures.test_{name}", "threading", _NO_PROCESSES)
        for name in ("thread_pool", "wait", "as_completed", "future", "init", "shutdown")
    ),
    *(
        Module(f"test.test_asyncio.test_{name}", "asyncio")
        for name in ("locks", "queues", "timeouts", "waitfor", "taskgroups", "threads", "futures", "futures2", "tasks")
    ),
)
GROUPS = ("threading", "asyncio")

_POLLS = "comes to the same state again: it polls, and the clock stands still while a thread can run"
_OUTSIDE = (
    (r"^loop\.", "a socket or another descriptor"),
    (r"settrace|setprofile", "tracing"),
    (r"subinterpreter", "threads in a subinterpreter"),
)


@dataclass(frozen=True, slots=True)
class Case:
    """One test method. ``needs``: what it does that is refused; ``why``: the reason in the plugin's words.

    ``drawn``: it passed with a schedule that was drawn at random.
    """

    name: str
    status: str  # passed, skipped, failed; plain: fails without the plugin as well
    why: str = ""
    needs: str = ""
    drawn: bool = False


@dataclass(slots=True)
class Result:
    """One module's cases; none if the module is not installed with this interpreter."""

    module: str
    group: str
    installed: bool
    only: str = ""  # the expression that selected some of them
    source: str = ""  # the version of the interpreter it was taken from, if not this one
    cases: list[Case] = field(default_factory=list)

    def count(self, status: str) -> int:
        return sum(case.status == status for case in self.cases)

    @property
    def needing(self) -> int:
        return sum(bool(case.needs) for case in self.cases)


def is_installed(module: Module) -> bool:
    """Is it there? Distributions often leave CPython's tests out, or put them into a package of their own."""
    try:
        return importlib.util.find_spec(module.name) is not None
    except ModuleNotFoundError:
        return False


def other_source(module: Module) -> str:
    """The version whose tests stand in for a module that is not installed here, "" if there is none."""
    folder = os.environ.get("CPYTHON_TESTS_FROM", "")
    path = Path(folder, *module.name.split(".")[1:])
    if not folder or is_installed(module) or not (path.is_dir() or path.with_suffix(".py").is_file()):
        return ""
    return Path(folder).resolve().parent.name.removeprefix("python")


def run(module: Module, *, only: str = "") -> Result:
    """Run one module, or of it what the expression ``only`` selects."""
    source = other_source(module)
    result = Result(module.name, module.group, is_installed(module) or bool(source), only, source)
    if not result.installed:
        return result
    expressions = [f"({only})"] * bool(only) + [f"not ({module.leave_out})"] * bool(module.leave_out)
    selected = ["-k", " and ".join(expressions)] if expressions else []
    try:
        plain = {entry["name"]: entry for entry in _pytest(module, [*selected])}
    except RuntimeError:
        if not source:
            raise
        return Result(module.name, module.group, False, only)  # it does not fit this version
    explored = _pytest(module, [*selected, *_EXPLORING])
    known = {entry["name"] for entry in explored}
    result.cases = [_case(entry, plain.get(entry["name"])) for entry in explored]
    result.cases = _draw(module, result.cases, plain)
    result.cases += [Case(name, "failed", "the run ended before it") for name in plain if name not in known]
    return result


def _draw(module: Module, cases: list[Case], plain: dict[str, dict[str, str]]) -> list[Case]:
    """Give those that poll another schedule. What it can't help fails as before."""
    polling = [case.name for case in cases if case.why == _POLLS]
    if not polling:
        return cases
    selected = ["-k", " or ".join("(" + name.replace(".", " and ") + ")" for name in polling)]
    entries = _pytest(module, [*selected, *_EXPLORING, "--statespace-strategy=random"])
    again = {entry["name"]: entry for entry in entries}
    drawn = {name: _case(again[name], plain.get(name)) for name in polling if name in again}
    passed = {name: dataclasses.replace(case, drawn=True) for name, case in drawn.items() if case.status == "passed"}
    return [passed.get(case.name, case) for case in cases]


_EXPLORING = (
    "--statespace=all",
    "--statespace-strategy=dfs",
    "--statespace-max-executions=1",
    f"--statespace-timeout={SECONDS}",
    "--statespace-max-threads=512",
    "--statespace-granularity=sync",
)


def _pytest(module: Module, arguments: list[str]) -> list[dict[str, str]]:
    with tempfile.TemporaryDirectory() as folder:
        lines = Path(folder) / "results.jsonl"
        # The package that runs here: the tree itself has no compiled parts where it was installed.
        package = Path(pytest_statespace.__file__).parents[1]
        search = os.pathsep.join([str(HERE), str(package), os.environ.get("PYTHONPATH", "")])
        command = [sys.executable, "-m", "pytest", "-p", "pytest_statespace.plugin", "-p", "telling"]
        command += ["-p", "no:cacheprovider", "--assert=plain", "-c", os.devnull, "--rootdir", folder, "-q"]
        process = _run(
            [*command, *arguments, "--pyargs", module.name],
            cwd=folder,
            env={
                **os.environ,
                "PYTHONPATH": search,
                "PYTHONDONTWRITEBYTECODE": "1",
                "CPYTHON_TESTS_RESULTS": str(lines),
                "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            },
        )
        if not lines.exists():
            said = (process.stdout or "")[-3000:]
            raise RuntimeError(f"pytest ran no test of {module.name}:\n{said}")
        return _one_per_test([json.loads(line) for line in lines.read_text(encoding="utf-8").splitlines()])


def _run(command: list[str], *, cwd: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run pytest to its end, or until its time is up: tests that it has not come to are listed as not passed."""
    with tempfile.TemporaryFile("w+", encoding="utf-8") as output:
        with subprocess.Popen(
            command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, text=True
        ) as process:
            try:
                process.wait(_MOST_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
        output.seek(0)
        return subprocess.CompletedProcess(command, process.returncode, output.read())


def _one_per_test(entries: list[dict[str, str]]) -> list[dict[str, str]]:
    """A test whose tear-down fails as well has two entries: the worse one counts."""
    found: dict[str, dict[str, str]] = {}
    for entry in entries:
        if entry["name"] not in found or entry["outcome"] == "failed":
            found[entry["name"]] = entry
    return list(found.values())


def _case(entry: dict[str, str], plain: dict[str, str] | None) -> Case:
    name = entry["name"]
    if plain is None or plain["outcome"] == "failed":
        return Case(name, "plain", plain["reason"] if plain else "not run without the plugin")
    if entry["outcome"] == "skipped":
        return Case(name, "skipped" if plain["outcome"] == "skipped" else "failed", "skipped only when explored")
    if entry["outcome"] == "passed" and entry["ended"]:
        return Case(name, "passed")
    why = re.sub(r" at (/|<).*$", "", entry["reason"]).removeprefix("UnsupportedOperation: ")
    if entry["verdict"] == "incomplete":
        why = f"takes more than {SECONDS} s" if "timeout (" in why else _POLLS
    needs = next((what for pattern, what in _OUTSIDE if re.search(pattern, why)), "")
    return Case(name, "failed", why, needs)


def share(results: list[Result], group: str) -> tuple[int, int]:
    """Passed, and all, of the tests that pass plainly."""
    chosen = [result for result in results if result.group == group]
    passed = sum(result.count("passed") for result in chosen)
    return passed, passed + sum(result.count("failed") for result in chosen)


# -- files ------------------------------------------------------------------------------------


def save(results: list[Result], file: Path) -> None:
    document = {"python": platform.python_version(), "results": [dataclasses.asdict(result) for result in results]}
    file.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def load(file: Path) -> tuple[str, list[Result]]:
    document = json.loads(file.read_text(encoding="utf-8"))
    results = [
        Result(**{**entry, "cases": [Case(**case) for case in entry["cases"]]}) for entry in document["results"]
    ]
    return document["python"], results


_HEAD = """# CPython's own tests

Each method of CPython's own tests of threads and asyncio is run as one execution of an exploration: simulated threads,
virtual time, one schedule. States are compared as in a search, in long executions at some choice points only, and
there are no snapshots, since nothing would come back to them
([decision 65](decisions/0065-the-last-execution-keeps-nothing.md)). A test that the system-call guard refuses is run
again without it and without comparing states, as nothing has to be rewound
([decision 73](decisions/0073-the-only-execution-may-do-anything.md)). In that schedule a thread runs until it has to
wait. A test with a thread that polls (`while True: try: q.get(False) ...`) comes to the same state again in it; such
tests are run once more, with a schedule drawn at random, and the list says which passed with that one. Written by
`tests/cpython/harness.py` (`pytest -m campaign tests/cpython` runs the same and fails below 95 and 90 percent).
Tests that were skipped, or that fail without the plugin too, count nowhere. *Refused* are tests that do what [can't be
explored](limitations.md) in one execution either, such as threads in a subinterpreter. They have not passed.
"Takes more than N s" depends on the machine and its load.

The tests are those that are installed with each interpreter: `lib/python3.x/test` of pyenv's builds of 3.11.7, 3.12.1
and 3.13.0. The first two are installed without `test_concurrent_futures`; those of 3.13.0 stand in, as far as they can
be loaded there, and the table says so.

What the reasons mean:

- *comes to the same state again*: `as_completed(..., timeout=0)` goes round until the clock has moved on. Virtual time
  stands still while a thread can run, so it never does; the plugin says so.
- *hang*: a thread spins in code that is not under test until another one has run (`while not started[0]: pass`, or an
  event loop whose selector returns at once), at granularity `sync` without a choice point; or it waits inside a system
  call for another one, as in `test_forkinthread`: then none can go on.
- *0 not greater than 0* in `test_cancel_futures`: the test expects that one of 50 tasks was begun before `shutdown`
  cancels them. Nothing promises that, and in the schedule that is run here all of them are cancelled.
"""


def report(documents: list[tuple[str, list[Result]]]) -> str:
    """The page docs/cpython-tests.md."""
    text = [_HEAD]
    for version, results in documents:
        text.append(f"## Python {version}\n")
        for group in GROUPS:
            passed, everything = share(results, group)
            if everything:
                text.append(
                    f"- {group}: {passed} of {everything} pass ({passed / everything:.1%})"
                )
        text.append("\n| module | passed | refused | other | skipped | fails plainly |\n|---|---|---|---|---|---|")
        for result in results:
            if not result.installed:
                text.append(f"| {_short(result.module)} | **not installed with this interpreter: not run** | | | | |")
                continue
            other = result.count("failed") - result.needing
            numbers = (result.count("passed"), result.needing, other, result.count("skipped"), result.count("plain"))
            some = f", only `-k '{result.only}'`" if result.only else ""
            some += f", taken from {result.source}" if result.source else ""
            text.append(f"| {_short(result.module)}{some} | " + " | ".join(map(str, numbers)) + " |")
        known = {result.module for result in results}
        text += [f"| {_short(m.name)} | **not run** | | | | |" for m in MODULES if m.name not in known]
        text.append("")
        text += _single_tests(results)
    return "\n".join(text).rstrip() + "\n"


def _single_tests(results: list[Result]) -> list[str]:
    lines: list[str] = []
    for result in results:
        reasons: dict[tuple[str, str], list[str]] = collections.defaultdict(list)
        for case in result.cases:
            if case.status == "failed":
                reasons[case.needs, case.why].append(case.name)
        drawn = [case.name for case in result.cases if case.drawn]
        if drawn:
            names = ", ".join(f"`{name}`" for name in drawn)
            lines += [f"Passed in `{_short(result.module)}` with a schedule drawn at random: {names}", ""]
        if reasons:
            lines.append(f"Not passed in `{_short(result.module)}`:\n")
        for (needs, why), names in sorted(reasons.items()):
            label = f"needs {needs}: {why}" if needs else why
            lines.append(f"- {label[:160]}: " + ", ".join(f"`{name}`" for name in names))
        if reasons:
            lines.append("")
    return lines


def _short(module: str) -> str:
    return module.removeprefix("test.")


def main(arguments: list[str]) -> int:
    match arguments:
        case ["run", file, *names]:
            results = []
            wanted = dict(name.partition("=")[::2] for name in names)
            for module in MODULES:
                if not names or _short(module.name) in wanted:
                    results.append(run(module, only=wanted.get(_short(module.name), "")))
                    done = results[-1]
                    print(f"{_short(module.name)}: {done.count('passed')} of {len(done.cases)}", flush=True)
                    save(results, Path(file))
        case ["report", *files] if files:
            print(report([load(Path(file)) for file in files]), end="")
        case _:
            print(__doc__)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
