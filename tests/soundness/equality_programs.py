"""Random concurrent programs over many types, as source text drawn by Hypothesis.

A program shares one to three things, each made before the exploration begins or by its main thread, has
two or three threads that change them, keep values in hidden places and meet, and returns everything that
was logged and what the things have become. How many interleavings there will be is estimated while
drawing, so that most programs can be run without a visited set.
"""

from __future__ import annotations

import _thread
import builtins
import gc
import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from string import Template
from textwrap import indent

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from soundness.equality_handled import HANDLED, UNHANDLED
from soundness.equality_hiding import IN_C, MEETING, PAUSE, PYTHON, STARTING, TOGGLE, Snippet
from soundness.equality_rare import RARE_SNIPPETS, RARE_SUBJECTS
from soundness.equality_subjects import FAMILIES, Subject

_FOLDER = Path(__file__).resolve().parent / "generated"
_MOST = 40  # executions, by a rough estimate
_SOURCES = ("choose(2)", "choose(2)", "box.t", "box.t", "who", "1")


_IF = "if $v:\n"
_NEW = {"_ThreadHandle": _thread, "frozendict": builtins}
"""Types that not every version has. Other programs do without them: they are the same ones on all versions."""
_ALL_HANDLED = [*(one for name, one in HANDLED.items() if name not in _NEW), *UNHANDLED]
_NEW_HANDLED = [HANDLED[name] for name, module in _NEW.items() if hasattr(module, name)]
_FAMILIES = [family for family, weight in [*FAMILIES, (_ALL_HANDLED, 9)] for _ in range(weight)]


def load(source: str, number: int) -> Callable[[], object]:
    """Compile a program as a file of its own: code under test. Global random numbers are the same for all, and
    settings of the interpreter whose defaults differ from version to version."""
    random.seed(5)
    gc.set_threshold(700, 10, 10)
    namespace: dict[str, object] = {
        "__name__": "soundness.generated.equality",  # programs show it: the same for all
        "__file__": str(_FOLDER / f"equality_{number}.py"),
    }
    exec(compile(source, str(namespace["__file__"]), "exec"), namespace)
    program = namespace["program"]
    assert callable(program)
    return program


@dataclass(frozen=True, slots=True)
class _Start:
    """How threads begin and are waited for; what that costs each of them in choice points."""

    call: str
    main: int
    other: int


_STARTS = (_Start("together", 1, 1), _Start("together", 1, 1), _Start("as_threads", 1, 2))


class _Budget:
    """An estimate of the number of interleavings."""

    def __init__(self, start: _Start, threads: int) -> None:
        self.points = [start.main * (threads - 1), *[start.other] * (threads - 1)]
        self.choices = 0

    def executions(self, who: int = 0, points: int = 0, choices: int = 0) -> float:
        counts = list(self.points)
        counts[who] += points
        ways = float(math.factorial(sum(counts)))
        for count in counts:
            ways /= math.factorial(count)
        return ways * 2.0 ** (self.choices + choices)

    def allows(self, who: int, points: int, choices: int) -> bool:
        if self.executions(who, points, choices) > _MOST:
            return False
        self.points[who] += points
        self.choices += choices
        return True


def _fill(text: str, value: str, who: int, subject: str = "") -> str:
    value = str(who) if value == "who" else value
    return Template(text).substitute(v=value, w=who, s=subject)


_Names = list[tuple[str, Subject]]


@st.composite
def _operation(draw: st.DrawFn, names: _Names) -> Snippet:
    """One step of a thread and what it costs."""
    kind = draw(st.sampled_from("sssssssrrhhhccmmp"))
    name, subject = draw(st.sampled_from(names))
    snippet = PAUSE
    match kind:
        case "s":
            text = draw(st.sampled_from(subject.steps))
            if draw(st.integers(0, 2)) == 0:
                text = _IF + indent(text, "    ")
            snippet = Snippet(text, 0)
        case "r" if subject.reads:
            snippet = Snippet(f"log.append({draw(st.sampled_from(subject.reads))})", 0)
        case "r" | "h":
            snippet = draw(st.sampled_from(PYTHON))
        case "c":
            snippet = draw(st.sampled_from(IN_C))
        case "m":
            snippet = draw(st.sampled_from(MEETING))
    return Snippet(snippet.text.replace("$s", name), snippet.points)


@st.composite
def _meeting(draw: st.DrawFn, names: _Names, budget: _Budget, threads: int) -> list[list[str]]:
    """Threads that do various things at the same time."""
    bodies: list[list[str]] = [[] for _ in range(threads)]
    value = draw(st.sampled_from(_SOURCES))
    if value == "box.t":
        toggling = draw(st.integers(0, threads - 1))
        if budget.allows(toggling, TOGGLE.points, 0):
            bodies[toggling].append(TOGGLE.text)
    for turn in range(draw(st.integers(3, 9))):
        who = turn % threads
        snippet = draw(_operation(names))
        used = value if draw(st.integers(0, 3)) else "who"
        if budget.allows(who, snippet.points, snippet.text.count("$v") if used == "choose(2)" else 0):
            bodies[who].append(_fill(snippet.text, used, who))
            if snippet.points == 0 and draw(st.booleans()) and budget.allows(who, 1, 0):
                bodies[who].append(PAUSE.text)
        else:
            name, subject = draw(st.sampled_from(names))
            bodies[who].append(_fill(draw(st.sampled_from(subject.steps)), "who", who, name))
    return bodies


@st.composite
def _branching(draw: st.DrawFn, names: _Names, budget: _Budget) -> list[list[str]]:
    """One thread takes quiet steps or not, as it chooses; another one is there and does little."""
    bodies: list[list[str]] = [[], []]
    for turn in range(4):
        name, subject = names[turn % len(names)]
        step = draw(st.sampled_from(subject.steps))
        value = draw(st.sampled_from(["0", "1", "choose(2)"]))
        if budget.allows(0, 0, 1 + (step.count("$v") if value == "choose(2)" else 0)):
            bodies[0].append(_fill(_IF, "choose(2)", 0) + indent(_fill(step, value, 0, name), "    "))
        else:
            bodies[0].append(_fill(step, "0", 0, name))
    bodies[0].append(PAUSE.text)
    name, subject = draw(st.sampled_from(names))
    bodies[draw(st.integers(0, 1))].append(_fill(draw(st.sampled_from(subject.steps)), "1", 1, name))
    return bodies


@st.composite
def _hiding(draw: st.DrawFn, budget: _Budget) -> list[list[str]]:
    """One thread hides what it chooses while it chooses again: whoever else runs, these are choice points."""
    bodies: list[list[str]] = [[], ["box.t += 1"]]
    for _ in range(3):
        snippet = draw(st.sampled_from(draw(st.sampled_from([PYTHON, PYTHON, IN_C, IN_C, STARTING]))))
        if budget.allows(0, 0, snippet.points + snippet.text.count("$v")) or not bodies[0]:
            bodies[0].append(_fill(snippet.text, "choose(2)", 0))
    return bodies


@st.composite
def _quiet(draw: st.DrawFn, names: _Names, budget: _Budget) -> list[list[str]]:
    """What one thread chooses shows in nothing but the things themselves, while it chooses again and waits."""
    bodies: list[list[str]] = [[], []]
    for name, subject in names:
        step = draw(st.sampled_from(subject.steps))
        if "$v" not in step:
            step = _IF + indent(step, "    ")
        allowed = budget.allows(0, 0, step.count("$v"))
        bodies[0].append(_fill(step, "choose(2)" if allowed else "1", 0, name))
    bodies[0].append(PAUSE.text)
    name, subject = draw(st.sampled_from(names))
    bodies[draw(st.integers(0, 1))].append(_fill(draw(st.sampled_from(subject.steps)), "0", 1, name))
    return bodies


@st.composite
def _rare(draw: st.DrawFn, names: _Names, budget: _Budget) -> list[list[str]]:
    """One thread keeps what it chooses where one walk of the fingerprint alone sees it, and chooses again."""
    bodies: list[list[str]] = [[], ["box.t += 1"]]
    for name, subject in names:
        step = draw(st.sampled_from(subject.steps))
        bodies[0].append(_fill(step, "choose(2)" if budget.allows(0, 0, 1) else "1", 0, name))
    for _ in range(2):
        snippet = draw(st.sampled_from(RARE_SNIPPETS))
        if budget.allows(0, 0, snippet.points + 1):
            bodies[0].append(_fill(snippet.text, "choose(2)", 0))
    bodies[0].append(PAUSE.text)
    return bodies


def _made(draw: st.DrawFn, names: _Names) -> tuple[list[str], list[str]]:
    """What makes the subjects: before the exploration begins, and inside."""
    before: list[str] = []
    inside: list[str] = []
    for name, subject in names:
        text = subject.make if "$s" in subject.make else f"$s = {subject.make}"
        (before if draw(st.booleans()) else inside).append(text.replace("$s", name))
    return before, inside


_BRANCHING_POINTS = ["import soundness.equality_prelude as prelude\n\npoint = branch"], ["prelude.point = branch"]


@st.composite
def rare_programs(draw: st.DrawFn) -> str:
    """The source of a program about the rarest things."""
    start = _STARTS[0]
    budget = _Budget(start, 2)
    subjects = draw(st.lists(st.sampled_from(RARE_SUBJECTS), max_size=1))
    names = [(f"s{number}", subject) for number, subject in enumerate(subjects)]
    before, inside = _made(draw, names)
    bodies = draw(_rare(names, budget))
    return _source(start, names, before + _BRANCHING_POINTS[0], inside + _BRANCHING_POINTS[1], bodies)


@st.composite
def new_programs(draw: st.DrawFn) -> str:
    """The source of a quiet program about a type that not every version has."""
    start = draw(st.sampled_from(_STARTS))
    subjects = [draw(st.sampled_from(_NEW_HANDLED)), draw(st.sampled_from(_ALL_HANDLED))]
    names = [(f"s{number}", subject) for number, subject in enumerate(subjects)]
    before, inside = _made(draw, names)
    return _source(start, names, before, inside, draw(_quiet(names, _Budget(start, 2))))


@st.composite
def programs(draw: st.DrawFn) -> str:
    """The source of one program."""
    style = draw(st.sampled_from("mmmbbbhhhqqqqq"))  # meeting, branching, hiding, quiet
    threads = draw(st.sampled_from([2, 2, 2, 3])) if style == "m" else 2
    start = draw(st.sampled_from(_STARTS))
    budget = _Budget(start, threads)
    if style == "q":
        subjects = draw(st.lists(st.sampled_from(_ALL_HANDLED), min_size=3, max_size=4, unique=True))
    else:
        families = draw(st.lists(st.sampled_from(_FAMILIES), min_size=1, max_size=3))
        subjects = [draw(st.sampled_from(family)) for family in families]
    names = [(f"s{number}", subject) for number, subject in enumerate(subjects)]
    before, inside = _made(draw, names)
    match style:
        case "m":
            bodies = draw(_meeting(names, budget, threads))
        case "b":
            bodies = draw(_branching(names, budget))
        case "q":
            bodies = draw(_quiet(names, budget))
        case _:
            before += _BRANCHING_POINTS[0]
            inside += _BRANCHING_POINTS[1]
            bodies = draw(_hiding(budget))
    return _source(start, names, before, inside, bodies)


def _source(
    start: _Start, names: list[tuple[str, Subject]], before: list[str], inside: list[str], bodies: list[list[str]]
) -> str:
    lines = ["from soundness.equality_prelude import *", "from soundness.equality_prelude import _thread", ""]
    lines += [*before, "", "", "def program():"]
    body = [*inside, f"logs = [{', '.join('[]' for _ in bodies)}]"]
    for who, steps in enumerate(bodies):
        body.append(f"def worker{who}(log):")
        body += [indent(step, "    ") for step in steps or ["pass"]]
    workers = ", ".join(f"lambda: worker{who}(logs[{who}])" for who in range(len(bodies)))
    body.append(f"{start.call}({workers})")
    looks = [f"shown(lambda: {subject.show})".replace("$s", name) for name, subject in names]
    body.append(f"return ({', '.join(['logs', *looks, 'box.t', 'len(gone)'])})")
    lines += [indent(line, "    ") for line in body]
    return "\n".join(lines) + "\n"


FAMILIES_OF_PROGRAMS = ((programs(), 1), (rare_programs(), 8), *([(new_programs(), 26)] if _NEW_HANDLED else []))
"""What a batch is drawn from, one after the other, and which fraction of its size."""


def batch(number: int, size: int) -> list[str]:
    """The programs of a batch: the same ones for the same number and version of Hypothesis."""
    found: dict[str, None] = {}
    for strategy, share in FAMILIES_OF_PROGRAMS:
        if size < share:
            continue

        @seed(number)
        @settings(
            max_examples=size // share,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(strategy)
        def draw(source: str) -> None:
            found.setdefault(source)

        draw()
    return list(found)
