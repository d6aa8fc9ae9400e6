"""The graph of states as a GraphViz file: states are circles, edges are choices, the failing execution is red.

GraphViz draws some hundred nodes well and thousands not at all. Of a larger graph the states nearest to the start
are written, and all of the failing execution; the title says so, and a state tells how many of its edges are left out.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable

from pytest_statespace.reporting.rows import place, short_names
from pytest_statespace.reporting.text import clean, cut, plural
from pytest_statespace.types import ExplorationResult, Failure, StateGraph

__all__ = ["MAX_STATES", "dot"]

MAX_STATES = 400
_SOURCE = 48  # characters of a source line
_RED = "#a40000"


def dot(
    result: ExplorationResult,
    graph: StateGraph,
    *,
    most: int = MAX_STATES,
    portable: Callable[[str], str] = lambda text: text,
) -> str:
    """The file's text. ``portable`` is applied to every text: it takes out what belongs to this machine."""

    def told(*lines: str) -> str:
        texts = (portable(text).replace("\\", "\\\\").replace('"', '\\"') for text in lines)
        return '"' + "\\n".join(texts) + '"'

    shown = _nearest(graph, most)
    on_path = dict(graph.path)
    path_states = {state for edge in on_path for state in (graph.edges[edge].source, graph.edges[edge].target)}
    missing = Counter(
        edge.source for edge in graph.edges if edge.source in shown and edge.target >= 0 and edge.target not in shown
    )
    lines = [
        "digraph states {",
        f"  graph [labelloc=t, labeljust=l, label={told(*_title(result, graph, len(shown)))}];",
        '  node [shape=circle, fontname="sans-serif", fontsize=10, margin=0.03];',
        '  edge [fontname="sans-serif", fontsize=9];',
    ]
    for state in sorted(shown):
        style = _red(state in path_states)
        if state in graph.unrecognised:
            style += ", style=dashed"
        text = ["start" if state == 0 else str(state)]
        if missing[state]:
            text.append(f"+{missing[state]}")
        lines.append(f"  s{state} [label={told(*text)}{style}];")
    reached = {edge.target for edge in graph.edges if edge.target < 0 and edge.source in shown}
    for number, end in enumerate(graph.ends, start=1):
        if -number in reached:
            lines.append(f"  end{number} [shape=box, label={told(end)}{_red(-number in path_states)}];")
    sources = _sources(result.failures[0] if result.failures else None)
    for number, edge in enumerate(graph.edges):
        if edge.source not in shown or (edge.target >= 0 and edge.target not in shown):
            continue
        target = f"s{edge.target}" if edge.target >= 0 else f"end{-edge.target}"
        text = [edge.choice] if edge.choice else []
        text += filter(None, [sources.get(on_path.get(number, -1), "")])
        lines.append(f"  s{edge.source} -> {target} [label={told(*text)}{_red(number in on_path)}];")
    return "\n".join([*lines, "}\n"])


def _red(marked: bool) -> str:
    return f', color="{_RED}", fontcolor="{_RED}", penwidth=2' if marked else ""


def _nearest(graph: StateGraph, most: int) -> set[int]:
    """The states to show: those of the failing execution, then those that take the fewest choices to reach."""
    followers: dict[int, list[int]] = {}
    for edge in graph.edges:
        if edge.target >= 0:
            followers.setdefault(edge.source, []).append(edge.target)
    shown = {0} | {state for edge, _ in graph.path for state in (graph.edges[edge].source, graph.edges[edge].target)}
    shown = {state for state in shown if state >= 0}
    met, todo = {0}, deque([0])
    while todo and len(shown) < most:
        state = todo.popleft()
        shown.add(state)
        for target in followers.get(state, ()):
            if target not in met:
                met.add(target)
                todo.append(target)
    return shown


def _title(result: ExplorationResult, graph: StateGraph, shown: int) -> Iterable[str]:
    yield clean(result.nodeid)
    yield f"{result.verdict.value}: {plural(graph.states - 1, 'state')}, {plural(len(graph.edges), 'edge')}"
    if shown < graph.states:
        yield f"CUT: {shown - 1} of them are shown, those nearest to the start" + (
            " and the failing execution" if graph.path else ""
        )
    if not graph.complete:
        yield "CUT: the search went on when no more could be noted"
    if graph.unrecognised:
        yield "dashed: states that were not compared with others"


def _sources(failure: Failure | None) -> dict[int, str]:
    """For each choice of the failing execution what was run next: ``bank.py:9  counter.value += 1``."""
    report = failure.report if failure is not None else None
    if report is None:
        return {}
    names = short_names([step.file for step in report.steps if step.file])
    texts: dict[int, str] = {}
    for number, index in enumerate(report.choice_steps):
        following = [step for step in report.steps[index : index + 1] if step.file]
        for step in following:
            texts[number] = f"{place(step.file, step.line, names)}  {cut(clean(step.source), _SOURCE)}"
    return texts
