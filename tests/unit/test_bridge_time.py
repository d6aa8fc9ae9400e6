"""Virtual time: clocks stand still until nothing else can run, sleeps end in order."""

from __future__ import annotations

import datetime
import threading
import time

from support.driver import explore

EPOCH = 1_700_000_000


def test_clocks_stand_still_while_something_runs() -> None:
    def program() -> object:
        before = time.time_ns(), time.monotonic_ns(), time.perf_counter_ns(), time.process_time_ns()
        sum(range(10_000))
        return before == (time.time_ns(), time.monotonic_ns(), time.perf_counter_ns(), time.process_time_ns())

    assert explore(program).results == {"True"}


def test_every_clock_moves_by_what_was_slept() -> None:
    clocks = [time.time, time.monotonic, time.perf_counter, time.process_time, time.thread_time]
    in_ns = [time.time_ns, time.monotonic_ns, time.perf_counter_ns, time.process_time_ns, time.thread_time_ns]

    def program() -> object:
        before = [clock() for clock in clocks]
        before_ns = [clock() for clock in in_ns] + [time.clock_gettime_ns(time.CLOCK_MONOTONIC)]
        time.sleep(1.25)
        after = [clock() for clock in clocks]
        after_ns = [clock() for clock in in_ns] + [time.clock_gettime_ns(time.CLOCK_MONOTONIC)]
        moved = {round(b - a, 9) for a, b in zip(before, after, strict=True)}
        moved_ns = {b - a for a, b in zip(before_ns, after_ns, strict=True)}
        return moved, moved_ns

    assert explore(program).results == {"({1.25}, {1250000000})"}


def test_wall_clock_starts_at_the_epoch_in_every_execution() -> None:
    def program() -> object:
        thread = threading.Thread(target=time.sleep, args=(1,))
        thread.start()
        started = time.time()
        thread.join()
        return started, time.time(), time.clock_gettime(time.CLOCK_REALTIME)

    assert explore(program).results == {f"({EPOCH}.0, {EPOCH + 1}.0, {EPOCH + 1}.0)"}


def test_calendar_functions_follow_the_virtual_clock() -> None:
    def program() -> object:
        time.sleep(2)
        now = datetime.datetime.fromtimestamp(EPOCH + 2, datetime.UTC)
        return (
            time.gmtime() == time.gmtime(EPOCH + 2),
            time.localtime() == time.localtime(EPOCH + 2),
            time.ctime() == time.ctime(EPOCH + 2),
            time.asctime() == time.asctime(time.localtime(EPOCH + 2)),
            time.strftime("%s") == time.strftime("%s", time.localtime(EPOCH + 2)),
            datetime.datetime.now(datetime.UTC) == now,
            datetime.datetime.now() == datetime.datetime.fromtimestamp(EPOCH + 2),
            datetime.datetime.today() == datetime.datetime.fromtimestamp(EPOCH + 2),
        )

    assert explore(program).results == {repr((True,) * 8)}


def test_sleepers_wake_in_the_order_of_their_deadlines() -> None:
    def program() -> object:
        woken: list[float] = []

        def work(seconds: float) -> None:
            time.sleep(seconds)
            woken.append(seconds)

        start = time.monotonic()
        threads = [threading.Thread(target=work, args=(seconds,)) for seconds in (2, 1, 1.5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return woken, time.monotonic() - start

    assert explore(program).results == {"([1, 1.5, 2], 2.0)"}


def test_sleepers_with_one_deadline_wake_in_any_order() -> None:
    def program() -> object:
        woken: list[str] = []

        def work(name: str) -> None:
            time.sleep(1)
            woken.append(name)

        threads = [threading.Thread(target=work, args=(name,)) for name in "ab"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return "".join(woken), time.time() - EPOCH

    assert explore(program).results == {"('ab', 1.0)", "('ba', 1.0)"}


def test_any_timeout_may_fire_first_and_the_clock_never_goes_back() -> None:
    def program() -> object:
        woken: list[tuple[int, float]] = []

        def work(seconds: int) -> None:
            time.sleep(seconds)
            woken.append((seconds, time.time() - EPOCH))

        thread = threading.Thread(target=work, args=(1,))
        thread.start()
        work(2)
        thread.join()
        return woken

    assert explore(program).results == {"[(1, 1.0), (2, 2.0)]"}
    assert explore(program, timeouts_any=True).results == {
        "[(1, 1.0), (2, 2.0)]",
        "[(2, 2.0), (1, 2.0)]",  # the shorter sleep ends late
        "[(2, 2.0), (1, 3.0)]",  # it began late
    }


def test_sleep_zero_is_a_visible_operation() -> None:
    def program() -> object:
        trace: list[str] = []

        def work() -> None:
            trace.append("worker")

        thread = threading.Thread(target=work)
        thread.start()
        trace.append("main")
        time.sleep(0)
        trace.append("main")
        thread.join()
        return " ".join(trace), time.time() - EPOCH

    assert explore(program).results == {"('main worker main', 0.0)", "('main main worker', 0.0)"}


def test_timer_fires_or_is_cancelled() -> None:
    def program() -> object:
        fired: list[float] = []
        timer = threading.Timer(5, lambda: fired.append(time.time() - EPOCH))
        timer.start()
        timer.cancel()
        timer.join()
        return fired

    def slow() -> object:
        fired: list[float] = []
        timer = threading.Timer(5, lambda: fired.append(time.time() - EPOCH))
        timer.start()
        time.sleep(6)
        timer.cancel()
        timer.join()
        return fired

    assert explore(program).results == {"[]"}
    assert explore(program, timeouts_any=True).results == {"[]", "[5.0]"}
    assert explore(slow).results == {"[5.0]"}
