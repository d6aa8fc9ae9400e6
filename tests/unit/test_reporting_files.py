"""The files of ``--statespace-report``: a page that any browser reads, and a graph that GraphViz reads."""

from __future__ import annotations

import dataclasses
import re
import sysconfig
from html.parser import HTMLParser
from pathlib import Path

import pytest
from golden.stories import FAILURES, lost_update, result_of

from pytest_statespace.errors import InvalidArgument
from pytest_statespace.reporting.dot import dot
from pytest_statespace.reporting.folder import STATES, TIMELINE, check, portable_paths, write
from pytest_statespace.reporting.html import MAX_ROWS, page
from pytest_statespace.types import Choice, ChoiceKind, Failure, PassingTwin, Schedule, StateEdge, StateGraph

_EMPTY = {"meta"}


class Page(HTMLParser):
    """Checks that what is opened is closed, and gathers the texts of cells and marks."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.rows: list[tuple[str, list[str]]] = []  # class, texts of the cells
        self.marks: list[tuple[str, str]] = []  # class, title
        self.headings: list[str] = []
        self.links: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attributes}
        assert not any(name.startswith("on") for name in values), values
        self.links += [value for name, value in values.items() if name in ("src", "href")]
        assert tag not in ("script", "link", "img", "iframe"), tag
        if tag not in _EMPTY:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append((values.get("class", ""), []))
        elif tag in ("td", "th"):
            self.rows[-1][1].append("")
        elif tag == "abbr":
            self.marks.append((values.get("class", ""), values["title"]))
        elif tag == "h2":
            self.headings.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "h2":
            self.headings[-1] += data
        elif "tr" in self.open and self.rows[-1][1]:
            self.rows[-1][1][-1] += data.strip("\n")


class Graph:
    """Nodes and edges of a small part of GraphViz's language, which is all that is written."""

    def __init__(self, text: str) -> None:
        string = r'"(?P<label>(?:[^"\\]|\\.)*)"'
        head, *lines, end = text.rstrip("\n").split("\n")
        assert (head, end) == ("digraph states {", "}")
        self.title = ""
        self.nodes: dict[str, str] = {}
        self.edges: list[tuple[str, str, str]] = []
        self.red: list[str] = []
        for line in lines:
            told = re.fullmatch(rf"  (?P<name>\w+)(?: -> (?P<to>\w+))? \[[^\"]*label={string}(?P<rest>.*)\];", line)
            if told is None:
                assert re.fullmatch(r"  (node|edge) \[.*\];", line), line
            elif told["to"]:
                assert told["name"] in self.nodes
                assert told["to"] in self.nodes
                self.edges.append((told["name"], told["to"], told["label"]))
                self.red += [f"{told['name']}>{told['to']}"] * ("color" in told["rest"])
            elif told["name"] == "graph":
                self.title = told["label"]
            else:
                self.nodes[told["name"]] = told["label"]
                self.red += [told["name"]] * ("color" in told["rest"])


def with_choices(failure: Failure, *steps: int) -> Failure:
    assert failure.report is not None
    choices = tuple(Choice(ChoiceKind.THREAD, number % 2, 2, 1 + number % 2, 1) for number in range(len(steps)))
    report = dataclasses.replace(failure.report, schedule=Schedule(choices, 1), choice_steps=steps)
    return dataclasses.replace(failure, report=report)


def ladder(states: int, path: tuple[tuple[int, int], ...] = ()) -> StateGraph:
    """A chain of states in which each state can also end at once."""
    chain = [StateEdge(number, number + 1, "thread 1" if number else "") for number in range(states - 1)]
    ends = [StateEdge(number, -1, "thread 2") for number in range(1, states)]
    return StateGraph(states, (*chain, *ends), ("the test ends", "failed"), path)


@pytest.mark.parametrize("name", FAILURES)
def test_every_story_has_a_page_that_needs_nothing_else(name: str) -> None:
    failure = FAILURES[name]()
    text = page(result_of(failure), failure)
    read = Page(text)
    assert read.links == []
    assert "http" not in text
    assert "url(" not in text
    assert ("No execution was recorded" in text) == (failure.report is None)
    assert read.headings[-1] == "replay" or not (failure.token or failure.file)


def test_columns_and_rows() -> None:
    failure = lost_update()
    read = Page(page(result_of(failure), failure))
    (_, heading), *rows = read.rows
    assert heading == ["choice", "line", "main", "Thread-1 (increment)", "Thread-2 (increment)"]
    steps = [cells for kind, cells in rows if kind == "step"]
    assert all(len(cells) == len(heading) and sum(bool(cell) for cell in cells[2:]) == 1 for cells in steps)
    assert ["", "test_bank.py:9", "", "counter.value += 1 read 0", ""] in steps
    assert [cells[1] for kind, cells in rows if kind.startswith("switch")] == [
        "switch: main blocked, Thread-1 begins",
        "switch: Thread-1 preempted, Thread-2 begins",
        "switch: Thread-2 ended, Thread-1 goes on",
        "switch: Thread-1 ended, main goes on",
    ]
    assert [kind for kind, _ in rows].count("switch preempted") == 1
    assert rows[-1] == ("ending", ["", "assertion: AssertionError: assert 1 == 2"])
    assert read.headings == ["schedule: 1 preemption", "conflict", "search", "replay"]


def test_choices_are_marked_where_they_were_made() -> None:
    # Before the switch to Thread-1, before the preemption, within a row, and behind the last step.
    failure = with_choices(lost_update(), 3, 5, 7, 14)
    failure = dataclasses.replace(failure, twin=PassingTwin(1, 1))
    read = Page(page(result_of(failure), failure))
    marked = [(cells[0], cells[1]) for _, cells in read.rows[1:] if cells[0]]
    assert marked == [
        ("1", "switch: main blocked, Thread-1 begins"),
        ("2", "switch: Thread-1 preempted, Thread-2 begins"),
        ("3", "test_bank.py:9"),
        ("4", "assertion: AssertionError: assert 1 == 2"),
    ]
    assert [kind for kind, _ in read.marks] == ["", "decisive", "", ""]
    assert read.marks[0][1] == "choice 1 of 4: alternative 1 of 2, Thread-1"
    assert read.marks[1][1].endswith("Thread-2; with Thread-1 here the test can still pass")


def test_what_comes_from_the_test_is_escaped() -> None:
    evil = "</code><script>alert('1 & 2')</script>"
    failure = lost_update()
    assert failure.report is not None
    step = dataclasses.replace(failure.report.steps[0], source=evil, target=evil, value=evil, function=evil)
    threads = (evil, *failure.report.threads[1:])
    report = dataclasses.replace(failure.report, steps=(step,), threads=threads, longrepr=evil, message=evil)
    failure = with_choices(dataclasses.replace(failure, report=report, message=evil), 0)
    read = Page(page(result_of(failure, nodeid=f"test_it.py::test[{evil}]"), failure))
    assert read.rows[1][1][2].startswith(evil)


def test_a_long_execution_is_cut_in_the_middle() -> None:
    failure = FAILURES["long_run"]()
    assert failure.report is not None
    steps = failure.report.steps * 2
    failure = dataclasses.replace(failure, report=dataclasses.replace(failure.report, steps=steps))
    read = Page(page(result_of(failure), failure))
    assert len(read.rows) == MAX_ROWS + 3
    assert [cells[1] for _, cells in read.rows if "left out" in cells[1]] == ["1 599 rows left out"]


def test_a_graph() -> None:
    failure = with_choices(lost_update(), 3, 5)
    graph = Graph(dot(result_of(failure), ladder(4, path=((0, -1), (1, 0), (4, 1)))))
    assert graph.nodes == {"s0": "start", "s1": "1", "s2": "2", "s3": "3", "end1": "the test ends"}
    source = r"thread 1\ntest_bank.py:8  def increment(counter):"
    assert ("s1", "s2", source) in graph.edges
    assert len(graph.edges) == 6
    assert graph.red == ["s0", "s1", "s2", "end1", "s0>s1", "s1>s2", "s2>end1"]
    assert graph.title == r"tests/test_bank.py::test_transfer\nfailed: 3 states, 6 edges"


def test_a_large_graph_is_cut_to_the_nearest_states_and_the_failing_execution() -> None:
    branches = tuple(StateEdge(1, state, "thread 1") for state in range(2, 50))
    far = tuple(StateEdge(state, state + 1, "thread 2") for state in range(49, 60))
    graph = StateGraph(
        states=61,
        edges=(StateEdge(0, 1, ""), *branches, *far, StateEdge(60, -1, "thread 2")),
        ends=("failed",),
        path=((0, -1), (48, 0), *((49 + number, number + 1) for number in range(12))),
        complete=False,
    )
    read = Graph(dot(result_of(lost_update()), graph, most=20))
    assert len(read.nodes) == 21
    assert {f"s{state}" for state in range(49, 61)} <= set(read.nodes)
    assert read.nodes["s1"] == r"1\n+41"
    assert len([name for name in read.red if ">" in name]) == 14
    assert r"\nCUT: 19 of them are shown, those nearest to the start and the failing execution\n" in read.title
    assert read.title.endswith("CUT: the search went on when no more could be noted")


def test_labels_of_a_graph_are_quoted() -> None:
    result = result_of(lost_update(), nodeid='test_it.py::test["\\d"]')
    assert Graph(dot(result, ladder(2))).title.startswith(r"test_it.py::test[\"\\d\"]\n")


def test_paths_of_this_machine_are_left_out(tmp_path: Path) -> None:
    library = sysconfig.get_paths()["stdlib"]
    portable = portable_paths(tmp_path / "project", tmp_path / "project")
    name = Path(library).name
    assert portable(f'File "{tmp_path}/project/test_it.py"') == 'File "test_it.py"'
    assert portable(f"{library}/queue.py:12: in put") == f"{name}/queue.py:12: in put"
    assert portable(f"../../../..{library}/queue.py:12") == f"{name}/queue.py:12"
    packages = sysconfig.get_paths()["purelib"]
    assert portable(f"{packages}/shop/pool.py:3") == "site-packages/shop/pool.py:3"
    assert portable(f"{Path.home()}/notes.txt") == "~/notes.txt"
    assert portable("../other/test_it.py, a/b.py, 1/2") == "../other/test_it.py, a/b.py, 1/2"


def test_files_of_a_test_are_replaced(tmp_path: Path) -> None:
    failure = lost_update()
    result = result_of(failure)
    folder = write(tmp_path / "new" / "out", result, ladder(3), rootdir=tmp_path, start=tmp_path)
    assert sorted(file.name for file in folder.iterdir()) == [STATES, TIMELINE]
    passed = dataclasses.replace(result, failures=())
    assert write(tmp_path / "new" / "out", passed, ladder(3), rootdir=tmp_path, start=tmp_path) == folder
    assert [file.name for file in folder.iterdir()] == [STATES]
    other = dataclasses.replace(passed, nodeid="tests/test_shop.py::test_transfer")
    assert write(tmp_path / "new" / "out", other, ladder(3), rootdir=tmp_path, start=tmp_path) != folder


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    for name in ("taken", "taken/below"):
        with pytest.raises(InvalidArgument, match=r"--statespace-report='taken.*taken is a file: name a folder"):
            check(tmp_path / name, given=name)
    check(tmp_path / "new" / "below", given="new/below")
    assert not (tmp_path / "new").exists()
