"""Hand-made executions whose reports are pinned: what the recorder would bring home."""

from __future__ import annotations

import dataclasses

from pytest_statespace.types import (
    Choice,
    ChoiceKind,
    DataRace,
    ExplorationResult,
    Failure,
    FailureKind,
    Report,
    Schedule,
    StateEdge,
    StateGraph,
    Step,
    Verdict,
    WaitingThread,
)

FILE = "tests/test_bank.py"
TOKEN = "ssp1:0{W&qTmEgX"
SAVED = ".pytest_cache/d/statespace/test_transfer-1a2b3c4d-5e6f7a8b.ssp"


def step(
    thread: int,
    line: int,
    source: str,
    operation: str = "access",
    target: str = "",
    access: str = "",
    value: str = "",
    **more: object,
) -> Step:
    return Step(
        thread=thread,
        operation=operation,
        target=target,
        access=access,
        file=str(more.pop("file", FILE)),
        line=line,
        function=str(more.pop("function", f"function_{thread}")),
        source=source,
        value=value,
        **more,  # type: ignore[arg-type]
    )


def result_of(failure: Failure, nodeid: str = "tests/test_bank.py::test_transfer", **more: object) -> ExplorationResult:
    values: dict[str, object] = {
        "nodeid": nodeid,
        "verdict": Verdict.FAILED,
        "reason": failure.message,
        "granularity": "access",
        "strategy": "exhaust",
        "preemption_bound": None,
        "timeouts": "idle",
        "executions": 14,
        "transitions": 1207,
        "states": 96,
        "seconds": 0.0812,
        "failures": (failure,),
    }
    return ExplorationResult(**{**values, **more})  # type: ignore[arg-type]


def failure_of(report: Report, preemptions: int, **more: object) -> Failure:
    values: dict[str, object] = {
        "kind": report.kind,
        "message": report.message,
        "schedule": Schedule((Choice(ChoiceKind.THREAD, 1, 2, 1, 1),) * 17, preemptions),
        "report": report,
        "executions": 3,
        "transitions": 40,
        "seconds": 0.0213,
        "length": 17,
        "fewest": True,
        "gil_reachable": True,
        "token": TOKEN,
        "file": SAVED,
    }
    return Failure(**{**values, **more})  # type: ignore[arg-type]


def lost_update() -> Failure:
    source = "counter.value += 1"
    return failure_of(
        Report(
            kind=FailureKind.ASSERTION,
            message="assert 1 == 2\n +  where 1 = Counter(1).value",
            exception_type="AssertionError",
            longrepr="""\
    def test_transfer():
        counter = Counter()
        threads = [Thread(target=increment, args=(counter,)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
>       assert counter.value == 2
E       assert 1 == 2
E        +  where 1 = Counter(1).value

tests/test_bank.py:19: AssertionError""",
            sections=(("Captured stdout call", "adding\nadding\n"),),
            threads=("main", "Thread-1 (increment)", "Thread-2 (increment)"),
            steps=(
                step(0, 16, "thread.start()", "start", "Thread-1 (increment)"),
                step(0, 16, "thread.start()", "start", "Thread-2 (increment)"),
                step(0, 18, "thread.join()", "join", "Thread-1 (increment)", outcome="blocked"),
                step(1, 8, "def increment(counter):", "begin", switch=True),
                step(1, 9, source, "access", "Counter.value", "read", "0"),
                step(2, 8, "def increment(counter):", "begin", switch=True, preemption=True),
                step(2, 9, source, "access", "Counter.value", "read", "0"),
                step(2, 9, source, "access", "Counter.value", "write", "1"),
                step(2, 0, "", "end", file=""),
                step(1, 9, source, "access", "Counter.value", "write", "1", switch=True),
                step(1, 0, "", "end", file=""),
                step(0, 18, "thread.join()", "join", "Thread-1 (increment)", switch=True),
                step(0, 18, "thread.join()", "join", "Thread-2 (increment)"),
                step(0, 19, "assert counter.value == 2", "access", "Counter.value", "read", "1"),
            ),
        ),
        preemptions=1,
    )


def deadlock() -> Failure:
    return failure_of(
        Report(
            kind=FailureKind.DEADLOCK,
            message="deadlock: 3 threads wait for each other",
            exception_type="",
            longrepr="deadlock: no thread can go on",
            sections=(),
            threads=("main", "alice", "bob"),
            steps=(
                step(0, 30, "alice.start()", "start", "alice"),
                step(0, 31, "bob.start()", "start", "bob"),
                step(0, 32, "alice.join()", "join", "alice", outcome="blocked"),
                step(1, 12, "with source.lock:", "acquire", "checking.lock", switch=True),
                step(2, 12, "with source.lock:", "acquire", "savings.lock", switch=True,
                     preemption=True),
                step(2, 13, "with target.lock:", "acquire", "checking.lock", outcome="blocked"),
                step(1, 13, "with target.lock:", "acquire", "savings.lock", switch=True,
                     outcome="blocked"),
            ),
            waiting=(
                WaitingThread(0, "main", "join", "alice", FILE, 32, "test_transfer",
                              "alice.join()"),
                WaitingThread(1, "alice", "acquire", "savings.lock", FILE, 13, "move",
                              "with target.lock:", holder=2),
                WaitingThread(2, "bob", "acquire", "checking.lock", FILE, 13, "move",
                              "with target.lock:", holder=1),
            ),
        ),
        preemptions=1,
        gil_reachable=None,
        gil_reason="the search at granularity gil was cut: timeout (5 s)",
    )  # fmt: skip


def check_then_act() -> Failure:
    """Two modules, a queue that is checked and then taken from, and an uncaught exception."""
    pool = "src/shop/pool.py"
    return failure_of(
        Report(
            kind=FailureKind.EXCEPTION,
            message="IndexError: pop from empty list",
            exception_type="IndexError",
            longrepr="""\
src/shop/pool.py:41: in take
    return self.items.pop()
E   IndexError: pop from empty list""",
            sections=(),
            threads=("MainThread", "worker", "worker"),
            steps=(
                step(0, 12, "first.start(); second.start()", "start", "worker"),
                step(0, 12, "first.start(); second.start()", "start", "worker"),
                step(0, 13, "first.join()", "join", "worker", outcome="blocked"),
                step(1, 40, "if self.items:", "access", "Pool.items", "read", "['a']",
                     file=pool, switch=True),
                step(2, 40, "if self.items:", "access", "Pool.items", "read", "['a']",
                     file=pool, switch=True, preemption=True),
                step(2, 41, "return self.items.pop()", "call", "Pool.items", "read-write", "[]",
                     file=pool),
                step(2, 0, "", "end", file=""),
                step(1, 41, "return self.items.pop()", "call", "Pool.items", "read-write",
                     file=pool, switch=True),
            ),
        ),
        preemptions=1,
        gil_reachable=False,
    )  # fmt: skip


def lost_notification() -> Failure:
    """The notification comes first; the waiter waits for ever. No preemption is needed."""
    return failure_of(
        Report(
            kind=FailureKind.DEADLOCK,
            message="deadlock: main waits for itself",
            exception_type="",
            longrepr="deadlock: no thread can go on",
            sections=(),
            threads=("main", "producer"),
            steps=(
                step(0, 20, "producer.start()", "start", "producer"),
                step(1, 9, "with ready:", "acquire", "ready", switch=True, preemption=True),
                step(1, 10, "ready.notify()", "call", "ready", "write"),
                step(1, 9, "with ready:", "release", "ready"),
                step(1, 0, "", "end", file=""),
                step(0, 21, "with ready:", "acquire", "ready", switch=True),
                step(0, 22, "ready.wait()", "release", "ready"),
                step(0, 22, "ready.wait()", "acquire", "ready", outcome="blocked"),
            ),
            waiting=(
                WaitingThread(0, "main", "acquire", "ready", FILE, 22, "test_ready",
                              "ready.wait()"),
            ),
        ),
        preemptions=1,
        file="",
        gil_reason="over another schedule",
    )  # fmt: skip


def many_threads() -> Failure:
    """More threads than columns, long names, wide characters, many values in one row."""
    steps = [step(0, 50, "start_all(threads)", "start", f"worker-{n}") for n in range(1, 7)]
    for thread in range(1, 7):
        steps += [
            step(thread, 7, 'log["größe"] = merge(left.total, right.total)', "access",
                 "Node.total", "read", str(thread), switch=True, preemption=thread > 1),
            step(thread, 7, 'log["größe"] = merge(left.total, right.total)', "access",
                 "log['größe']", "write", f"'数値' * {thread}"),
        ]  # fmt: skip
    return failure_of(
        Report(
            kind=FailureKind.ASSERTION,
            message="assert False",
            exception_type="AssertionError",
            longrepr="E   assert False",
            sections=(),
            threads=("main", *(f"worker-{n}" for n in range(1, 7))),
            steps=tuple(steps),
        ),
        preemptions=5,
        token="",
    )


def long_run() -> Failure:
    """Far more rows than anyone reads."""
    steps = [
        step(1 + n // 5 % 2, 5 + n % 5, f"total = total + {n % 5}", "access", "total", "write",
             str(n), switch=n % 5 == 0 and n > 0)
        for n in range(1500)
    ]  # fmt: skip
    return failure_of(
        Report(
            kind=FailureKind.LIVELOCK,
            message="the same state comes again",
            exception_type="",
            longrepr="",
            sections=(),
            threads=("main", "a", "b"),
            steps=tuple(steps),
        ),
        preemptions=0,
    )


def crash() -> Failure:
    """The child died: no traceback, and the schedule as far as it was streamed."""
    story = lost_update()
    assert story.report is not None
    return dataclasses.replace(
        failure_of(
            dataclasses.replace(
                story.report,
                kind=FailureKind.CRASH,
                message="the process was killed by SIGSEGV (segmentation fault)",
                exception_type="",
                longrepr="",
                sections=(),
                steps=story.report.steps[:5],
            ),
            preemptions=0,
        ),
        gil_reachable=None,
    )


def not_reproduced() -> Failure:
    return dataclasses.replace(lost_update(), report=None, file="", gil_reachable=None)


def never_held() -> Failure:
    """``sometimes(...)`` that held in no execution: there is no schedule to show."""
    return Failure(
        kind=FailureKind.ASSERTION,
        message="sometimes('queue fills up') held in none of 14 executions",
        schedule=Schedule(),
        report=None,
        executions=14,
        transitions=1207,
        seconds=0.08,
        length=0,
    )


def diverged() -> Failure:
    story = lost_update()
    assert story.report is not None
    report = dataclasses.replace(
        story.report,
        kind=None,
        message="",
        longrepr="",
        sections=(),
        steps=story.report.steps[:4],
        diverged="at choice 3 of 17: another operation is about to run",
    )
    return dataclasses.replace(story, report=report)


FAILURES = {
    "lost_update": lost_update,
    "deadlock": deadlock,
    "check_then_act": check_then_act,
    "lost_notification": lost_notification,
    "many_threads": many_threads,
    "long_run": long_run,
    "crash": crash,
    "not_reproduced": not_reproduced,
    "never_held": never_held,
    "diverged": diverged,
}


def graph() -> StateGraph:
    """Two locks in opposite order: five choices, of which two lead into the deadlock."""
    edges = (
        StateEdge(0, 1, ""),
        StateEdge(1, 2, "thread 1"),
        StateEdge(2, 3, "thread 1"),
        StateEdge(3, -1, "thread 2"),
        StateEdge(2, -2, "thread 2"),
        StateEdge(1, 4, "thread 2"),
        StateEdge(4, -2, "thread 1 times out"),
        StateEdge(4, -1, "alternative 1 of 2"),
    )
    return StateGraph(5, edges, ("the test ends", "deadlock"), ((0, -1), (1, 0), (4, 1)), frozenset({4}))


def session() -> list[ExplorationResult]:
    """One result of each verdict."""
    failed = result_of(lost_update())
    verified = dataclasses.replace(
        failed,
        nodeid="tests/test_bank.py::test_transfer_with_lock",
        verdict=Verdict.VERIFIED,
        reason="exhausted",
        failures=(),
        outcomes=(("'both'", 12), ("'one'", 3)),
        seconds=12.3,
        states=28561,
        notes=("2 executions ended while threads were left running",),
    )
    return [
        failed,
        verified,
        dataclasses.replace(
            verified,
            nodeid="tests/integration/test_warehouse_with_a_long_name.py::TestStock::test_many",
            verdict=Verdict.INCOMPLETE,
            reason="cut by the time budget of 60 s (--statespace-timeout); everything with up to 2 "
            "preemptions was explored",
            preemption_bound=2,
            outcomes=tuple((repr(n), n) for n in range(12)),
            races=(DataRace("Stock.count", ("stock.py:8 read", "stock.py:9 write")),),
            notes=(),
        ),
        dataclasses.replace(
            verified,
            nodeid="tests/test_mail.py::test_send",
            verdict=Verdict.UNSUPPORTED,
            reason="socket() at tests/mail.py:14 can't be rewound: use a fake transport",
            states=0,
            executions=1,
            transitions=3,
            seconds=0.01,
            outcomes=(),
            notes=(),
        ),
    ]
