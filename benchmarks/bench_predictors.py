"""Which pages to leave unarmed: faults and comparisons of several predictors on one recording.

    python benchmarks/bench_predictors.py [--write]

The recording says, for each question to the tracker, which pages were written since the last one, which of them had
changed, and which a restore rewrote. For that a copy of the engine is built that arms all pages at every question and
writes down what `wpasync` names. Then each predictor is tried on the second half of it: a write to an armed page is a
fault, every open page is compared at the next checkpoint. A predictor sees only what the engine could see: faults, and
whether an open page had changed, not whether it was written and came out the same.

The genetic one is given more than it could have in earnest: its table is bred on the first half of the recording.
"""

from __future__ import annotations

import argparse
import array
import os
import random
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import patched  # noqa: E402
from written import publish  # noqa: E402

FAULT_US, COMPARISON_US = 8.0, 0.2  # decision 64; closing the page again is part of a fault
LOG = 777  # file descriptor
SECONDS = 3.0  # of a search that recognises no states
QUESTION, BEFORE_RESTORE, REWRITTEN, CHANGED = 1, 2, 3, 4
HISTORY = 8  # what is remembered of a page by the genetic predictor and by "k of the last n"

NOTE = """
static void note(uint32_t kind, const uint32_t *pages, uint32_t n) {
    uint32_t head[2] = {kind, n};
    SSI_SYSCALL(SYS_write, 777, head, sizeof head);
    SSI_SYSCALL(SYS_write, 777, pages, n * sizeof *pages);
}
"""
_SNAPSHOT = "engine/snapshot.c"
_COLLECT = "/* Pages that may differ from `current`, ascending, in arena->dirty. */"
_SCAN = "    arena->statistics.ns_scan += ssi_now_ns() - start;"
_OVERWRITE = "    arena->statistics.restored_pages++;"
_CHECKPOINT = "    arena->statistics.changed_pages += n_changes;"
_RESTORE = "    arena->statistics.restores++;"
CHANGES = (
    (_SNAPSHOT, _COLLECT, NOTE + _COLLECT),
    (_SNAPSHOT, "int rearm = may_rearm && !arena->tracker->rearm &&", "int rearm = 1 ||"),
    (_SNAPSHOT, _SCAN, "    note(may_rearm ? 1 : 2, arena->dirty, n);\n" + _SCAN),
    (_SNAPSHOT, _OVERWRITE, "    note(3, &(uint32_t){ss_page_index(arena, address)}, 1);\n" + _OVERWRITE),
    (
        _SNAPSHOT,
        _CHECKPOINT,
        "    for (uint32_t i = 0; i < n_changes; i++) note(4, &arena->changes[i].index, 1);\n" + _CHECKPOINT,
    ),
    (_SNAPSHOT, _RESTORE, "    arena->tracker->collect(&arena->tracked, 1, arena->dirty);\n" + _RESTORE),
)


# ---- the recording ----------------------------------------------------------------------------


@dataclass(slots=True)
class Question:
    """What happened between two questions."""

    written: list[int]
    checkpoint: bool  # else it was asked for a restore
    changed: frozenset[int] = frozenset()
    rewritten: tuple[int, ...] = ()  # by the restore, after the question


def record(folder: Path) -> list[Question]:
    """The benchmark's search with that engine, in a process of its own."""
    log = folder / "log"
    patched.build(folder, CHANGES)
    patched.run(folder, __file__, "--search", str(log))
    words = array.array("I", log.read_bytes())
    questions: list[Question] = []
    at = 0
    while at < len(words):
        kind, n = words[at : at + 2]
        pages = list(words[at + 2 : at + 2 + n])
        at += 2 + n
        if kind in (QUESTION, BEFORE_RESTORE):
            questions.append(Question(pages, kind == QUESTION))
        elif kind == CHANGED:
            questions[-1].changed |= frozenset(pages)
        elif questions:
            questions[-1].rewritten += tuple(pages)
    return questions


def search(log: str) -> None:
    """In the process of its own: two threads with three locked increments each, interleaving after interleaving."""
    from litmus import programs
    from support.search import Subject, explore_with

    os.dup2(os.open(log, os.O_CREAT | os.O_WRONLY | os.O_APPEND), LOG)

    def once(subject: Subject) -> None:
        subject.search("dfs", prune=False, seconds=SECONDS)

    explore_with(programs.locked_increments(2, 3), once, tracker="wpasync")


# ---- predictors -----------------------------------------------------------------------------------


class Predictor:
    """Told of faults and of what was found at a checkpoint; says which pages to close."""

    def fault(self, page: int) -> None:
        pass

    def checkpoint(self, open_pages: set[int], changed: frozenset[int], number: int) -> list[int]:
        raise NotImplementedError


class Everything(Predictor):
    def checkpoint(self, open_pages: set[int], changed: frozenset[int], number: int) -> list[int]:
        return list(open_pages)


class Patience(Predictor):
    """Closed when unchanged for so long: an active list with eviction by checksum."""

    def __init__(self, patience: int, most: int = 0, halved: bool = False, soon: int = 16) -> None:
        self.patience, self.most, self.halved, self.soon = patience, most, halved, soon
        self.unchanged: dict[int, int] = {}
        self.returns: dict[int, int] = {}
        self.armed: dict[int, int] = {}
        self.now = 0

    def fault(self, page: int) -> None:
        self.unchanged[page] = 0
        if page in self.armed and self.most:
            early = self.now - self.armed.pop(page) < self.soon
            n = self.returns.get(page, 0)
            if early or not self.halved:
                self.returns[page] = min(n + 1, self.most)
            else:
                self.returns[page] = max(n - 1, 0)

    def checkpoint(self, open_pages: set[int], changed: frozenset[int], number: int) -> list[int]:
        self.now = number
        close = []
        for page in open_pages:
            n = self.unchanged[page] = 0 if page in changed else self.unchanged.get(page, 0) + 1
            if n >= self.patience << self.returns.get(page, 0):
                close.append(page)
                self.armed[page] = number
                self.unchanged[page] = 0
        return close


class RandomReplacement(Predictor):
    """A list of so many open pages; whoever enters a full one replaces any other."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.random = random.Random(1)

    def checkpoint(self, open_pages: set[int], changed: frozenset[int], number: int) -> list[int]:
        too_many = len(open_pages) - self.room
        return self.random.sample(sorted(open_pages), too_many) if too_many > 0 else []


class WithHistory(Predictor):
    """Of each page the last eight checkpoints: was it seen to be written, by a fault or by what changed?"""

    def __init__(self) -> None:
        self.history: dict[int, int] = {}
        self.faulted: set[int] = set()

    def fault(self, page: int) -> None:
        self.faulted.add(page)

    def checkpoint(self, open_pages: set[int], changed: frozenset[int], number: int) -> list[int]:
        mask = (1 << HISTORY) - 1
        history = self.history
        for page in history:
            history[page] = history[page] << 1 & mask
        for page in changed | self.faulted:
            history[page] = history.get(page, 0) | 1
        self.faulted.clear()
        return [page for page in open_pages if not self.keeps(history.get(page, 0))]

    def keeps(self, history: int) -> bool:
        raise NotImplementedError


class SomeOfTheLast(WithHistory):
    def __init__(self, some: int) -> None:
        super().__init__()
        self.some = some

    def keeps(self, history: int) -> bool:
        return history.bit_count() >= self.some


class Table(WithHistory):
    """Whether to keep a page open, for each of the 256 histories."""

    def __init__(self, keeps: int) -> None:
        super().__init__()
        self.table = keeps

    def keeps(self, history: int) -> bool:
        return bool(self.table >> history & 1)


# ---- what it costs ----------------------------------------------------------------------------------


@dataclass(slots=True)
class Cost:
    checkpoints: int = 0
    faults: int = 0
    named: int = 0

    def microseconds(self) -> float:
        return (self.faults * FAULT_US + self.named * COMPARISON_US) / max(1, self.checkpoints)


def play(questions: list[Question], predictor: Predictor, warm: int = 0) -> Cost:
    """Faults and comparisons, not counting the first `warm` questions."""
    cost = Cost()
    open_pages: set[int] = set()
    number = 0
    for at, question in enumerate(questions):
        if at == warm:
            cost = Cost()
        for page in question.written:
            if page not in open_pages:
                open_pages.add(page)
                cost.faults += 1
                predictor.fault(page)
        cost.named += len(open_pages)
        if question.checkpoint:
            cost.checkpoints += 1
            number += 1
            open_pages.difference_update(predictor.checkpoint(open_pages, question.changed, number))
        open_pages.update(question.rewritten)
    return cost


def breed(questions: list[Question], generations: int = 30, size: int = 16) -> int:
    """The best table for these questions that a small genetic search comes to."""
    rng = random.Random(1)
    entries = 1 << HISTORY

    def cost(table: int) -> float:
        return play(questions, Table(table)).microseconds()

    some = sum(1 << history for history in range(entries) if history.bit_count() >= 1)
    population = [some, *(rng.getrandbits(entries) for _ in range(size - 1))]
    costs = {table: cost(table) for table in population}
    for _ in range(generations):
        population.sort(key=costs.__getitem__)
        parents = population[: size // 4]
        children = []
        while len(children) < size - len(parents):
            one, other = rng.sample(parents, 2)
            mask = rng.getrandbits(entries)
            child = one & mask | other & ~mask
            for _ in range(rng.randrange(1, 9)):
                child ^= 1 << rng.randrange(entries)
            children.append(child)
        for child in children:
            costs.setdefault(child, cost(child))
        population = parents + children
    return min(population, key=costs.__getitem__)


def contenders(first_half: list[Question]) -> Iterator[tuple[str, Callable[[], Predictor]]]:
    yield "all pages, at once", Everything
    for patience in (5, 8, 16, 32):
        yield f"active list, evicted when unchanged for {patience} checkpoints", lambda n=patience: Patience(n)
    for room in (128, 192, 256, 384):
        yield f"active list of {room} pages, random replacement", lambda n=room: RandomReplacement(n)
    for some in (1, 2, 3):
        yield f"seen to be written in {some} of the last {HISTORY}", lambda n=some: SomeOfTheLast(n)
    table = breed(first_half)
    yield f"genetic: a table of the {1 << HISTORY} histories", lambda: Table(table)
    yield "unchanged for 8, doubled after each mistake, five times", lambda: Patience(8, 5)
    in_use = "unchanged for 8, doubled after an early mistake, halved after a late one (in use)"
    yield in_use, lambda: Patience(8, 5, True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--search", metavar="LOG", help=argparse.SUPPRESS)
    arguments: Any = parser.parse_args()
    if arguments.search:
        search(arguments.search)
        return
    with tempfile.TemporaryDirectory() as folder:
        questions = record(Path(folder))
    half = len(questions) // 2
    lines = ["| which pages are closed | faults | named | µs |", "|---|---|---|---|"]
    for title, make in contenders(questions[:half]):
        cost = play(questions, make(), warm=half)
        each = max(1, cost.checkpoints)
        lines.append(f"| {title} | {cost.faults / each:.1f} | {cost.named / each:.0f} | {cost.microseconds():.0f} |")
    checkpoints = [question for question in questions if question.checkpoint]
    facts = [
        f"{len(questions)} questions, {len(checkpoints)} of them at checkpoints; per checkpoint "
        f"{sum(len(question.written) for question in questions) / len(checkpoints):.0f} pages written, "
        f"{sum(len(question.changed) for question in checkpoints) / len(checkpoints):.0f} changed",
        f"{FAULT_US:g} µs a fault, {COMPARISON_US:g} µs a comparison; for each checkpoint of the second half",
    ]
    publish("predictors", "Predictors of pages that will be written", facts, lines, write=arguments.write)


if __name__ == "__main__":
    main()
