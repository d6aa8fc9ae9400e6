"""The concurrency bugs of SCTBench, in Python, each with a variant that is correct.

SCTBench (Thomson, Donaldson, Betts, "Concurrency testing using controlled schedulers: an empirical
study", TOPC 2016) is a collection of small buggy C programs with threads on which schedulers are
compared. These are not translations: each was written anew from what its original is known to do wrong.
Sizes are those of the originals where the number of threads makes the difficulty, else small.

`bad` fails with `kind` in some interleaving, or in every one; `good` never does.

Over 600 lines on purpose: it is a list of 31 short programs, and a list is easiest to search in one place.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

Program = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Port:
    """One program of the collection. `threads`: with the main thread; `fits`: the correct one can be exhausted."""

    name: str
    kind: str
    bad: Program
    good: Program
    threads: int = 8
    fits: bool = True


def run(*workers: Callable[[], object]) -> None:
    threads = [threading.Thread(target=worker) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


# -- an account whose check has the sign wrong --


class Account:
    def __init__(self) -> None:
        self.balance = 10
        self.deposited = False
        self.withdrawn = False


def account(*, right: bool) -> Program:
    def program() -> None:
        lock = threading.Lock()
        it = Account()

        def deposit() -> None:
            with lock:
                it.balance += 2
                it.deposited = True

        def withdraw() -> None:
            with lock:
                it.balance -= 4
                it.withdrawn = True

        def check() -> None:
            with lock:
                if it.deposited and it.withdrawn:
                    assert it.balance == (8 if right else 4)

        run(deposit, withdraw, check)

    return program


# -- a sum handed over number by number --


class Sum:
    def __init__(self) -> None:
        self.full = 0
        self.total = 0


def arithmetic_prog(*, right: bool, count: int = 2) -> Program:
    def program() -> None:
        lock = threading.Lock()
        empty, full = threading.Condition(lock), threading.Condition(lock)
        it = Sum()

        def produce() -> None:
            for _ in range(count):
                with lock:
                    while it.full:
                        empty.wait()
                    it.full = 1
                    full.notify()

        def consume() -> None:
            for i in range(count):
                with lock:
                    while not it.full:
                        full.wait()
                    it.total += i + 1
                    it.full = 0
                    empty.notify()

        run(produce, consume)
        assert (it.total == count * (count + 1) // 2) is right

    return program


# -- a driver that is stopped while a request comes in --


class Driver:
    def __init__(self) -> None:
        self.stopping = False
        self.stopped = False
        self.idle = False
        self.pending = 1


def bluetooth_driver(*, right: bool) -> Program:
    def program() -> None:
        lock = threading.Lock()
        it = Driver()

        def enter() -> bool:
            if right:
                with lock:
                    if it.stopping:
                        return False
                    it.pending += 1
                return True
            if it.stopping:
                return False
            with lock:
                it.pending += 1
            return True

        def leave() -> None:
            with lock:
                it.pending -= 1
                if not it.pending:
                    it.idle = True

        def request() -> None:
            if enter():
                assert not it.stopped
                leave()

        def stop() -> None:
            with lock:
                it.stopping = True
            leave()
            if it.idle:
                it.stopped = True

        run(request, stop)

    return program


# -- two groups that lock each other out --


class Groups:
    def __init__(self) -> None:
        self.first = 0
        self.second = 0


def carter01(*, right: bool) -> Program:
    def program() -> None:
        door, room = threading.Lock(), threading.Lock()
        it = Groups()

        def one() -> None:
            with door:
                it.first += 1
                if it.first == 1 and not right:
                    room.acquire()
            if right:
                room.acquire()
            with door:
                it.first -= 1
                if it.first == 0:
                    room.release()

        def two() -> None:
            with door:
                it.second += 1
                if it.second == 1 and not right:
                    room.acquire()
            if right:
                room.acquire()
            with door:
                it.second -= 1
                if it.second == 0:
                    room.release()

        run(one, two)

    return program


# -- a reader that counts turns instead of elements: once with a ring, once with a queue --


class Ring:
    def __init__(self) -> None:
        self.items = [-1, -1, -1, -1]
        self.first = 0
        self.next = 0
        self.may_send = True
        self.may_receive = False


def circular_buffer(*, right: bool, count: int = 3) -> Program:
    def program() -> None:
        lock = threading.Lock()
        it = Ring()

        def send() -> None:
            for i in range(count):
                with lock:
                    if it.may_send:
                        it.items[it.next] = i if not right else it.next
                        it.next = (it.next + 1) % 4
                        it.may_send, it.may_receive = False, True

        def receive() -> None:
            received = 0
            for i in range(count):
                with lock:
                    if it.may_receive:
                        item = it.items[it.first]
                        it.first = (it.first + 1) % 4
                        assert item == (received if right else i)
                        received += 1
                        it.may_send, it.may_receive = True, False

        run(send, receive)

    return program


def queue(*, right: bool, count: int = 3) -> Program:
    def program() -> None:
        lock = threading.Lock()
        it = Ring()
        stored: list[int] = []
        line: list[int] = []

        def put() -> None:
            with lock:
                line.append(7)
                stored.append(7)
            for i in range(count):
                with lock:
                    if it.may_send:
                        line.append(i)
                        stored.append(i)
                        it.may_send, it.may_receive = False, True

        def take() -> None:
            taken = 0
            for i in range(count + 1):
                with lock:
                    if it.may_receive:
                        at = taken if right else i
                        assert stored[at : at + 1] == [line.pop(0)]
                        taken += 1
                        it.may_send, it.may_receive = True, False

        run(put, take)

    return program


# -- locks in two orders, locks never given back --


def deadlock01(*, right: bool) -> Program:
    def program() -> None:
        a, b = threading.Lock(), threading.Lock()

        def one() -> None:
            with a, b:
                pass

        def two() -> None:
            first, second = (a, b) if right else (b, a)
            with first, second:
                pass

        run(one, two)

    return program


def phase01(*, right: bool) -> Program:
    def program() -> None:
        x, y = threading.Lock(), threading.Lock()

        def phases() -> None:
            with x:
                pass
            y.acquire()
            if right:
                y.release()

        run(phases, phases)

    return program


def din_phil(count: int, *, right: bool) -> Program:
    def program() -> None:
        forks = [threading.Lock() for _ in range(count)]

        def philosopher(i: int) -> Callable[[], None]:
            left, other = forks[i], forks[(i + 1) % count]
            if right and i == count - 1:
                left, other = other, left

            def dine() -> None:
                with left, other:
                    pass

            return dine

        run(*(philosopher(i) for i in range(count)))

    return program


# -- three additions, a check that forgets one order --


class Data:
    def __init__(self) -> None:
        self.value = 0


def lazy01(*, right: bool) -> Program:
    def program() -> None:
        lock = threading.Lock()
        it = Data()

        def one() -> None:
            with lock:
                it.value += 1

        def two() -> None:
            with lock:
                it.value += 2

        def check() -> None:
            with lock:
                assert it.value <= 3 if right else it.value < 3

        run(one, two, check)

    return program


# -- two stores that are taken for one --


class Pair:
    def __init__(self) -> None:
        self.a = 0
        self.b = 0


def reorder(threads: int, *, right: bool) -> Program:
    """`threads` - 1 writers and a reader."""

    def program() -> None:
        it = Pair()
        lock = threading.Lock()

        def write() -> None:
            it.a = 1
            it.b = -1

        def write_locked() -> None:
            with lock:
                it.a = 1
                it.b = -1

        def check() -> None:
            a, b = it.a, it.b
            assert (a, b) in ((0, 0), (1, -1))

        def check_locked() -> None:
            with lock:
                assert it.a + it.b == 0

        if right:
            run(*[write_locked] * (threads - 1), check_locked)
        else:
            run(*[write] * (threads - 1), check)

    return program


class Stages:
    def __init__(self) -> None:
        self.first = 0
        self.second = 0


def twostage(threads: int, *, right: bool) -> Program:
    """`threads` - 1 threads that change one value and then the other, and a reader."""

    def program() -> None:
        lock1, lock2 = threading.Lock(), threading.Lock()
        it = Stages()

        def change() -> None:
            with lock1:
                it.first = 1
                if right:
                    it.second = 2
            if not right:
                with lock2:
                    it.second = it.first + 1

        def read() -> None:
            with lock1:
                first = it.first
                second = it.second if right else 0
            if not first:
                return
            if not right:
                with lock2:
                    second = it.second
            assert second == first + 1

        run(*[change] * (threads - 1), read)

    return program


# -- a stack that is believed to be filled once it was --


class Flag:
    def __init__(self) -> None:
        self.up = False


def stack(*, right: bool, count: int = 3) -> Program:
    def program() -> None:
        lock = threading.Lock()
        items: list[int] = []
        it = Flag()

        def push() -> None:
            for i in range(count):
                with lock:
                    items.append(i)
                    it.up = True

        def pop() -> None:
            for _ in range(count):
                with lock:
                    if items if right else it.up:
                        items.pop()

        run(push, pop)

    return program


# -- one slot, handed over with conditions; what is left in it is counted wrongly --


def sync01(*, right: bool) -> Program:
    def program() -> None:
        lock = threading.Lock()
        empty, full = threading.Condition(lock), threading.Condition(lock)
        it = Data()

        def put() -> None:
            with lock:
                while it.value > 0:
                    empty.wait()
                it.value += 1
                full.notify()

        def take() -> None:
            with lock:
                while it.value == 0:
                    full.wait()
                it.value -= 1
                empty.notify()

        run(put, take)
        assert it.value == (0 if right else 1)

    return program


def bounded_buffer(*, right: bool) -> Program:
    """One condition for producers and consumers, and `notify` wakes one of them: maybe the wrong one."""

    def program() -> None:
        changed = threading.Condition()
        it = Data()

        def put() -> None:
            with changed:
                while it.value == 1:
                    changed.wait()
                it.value += 1
                if right:
                    changed.notify_all()
                else:
                    changed.notify()

        def take() -> None:
            for _ in range(2):
                with changed:
                    while it.value == 0:
                        changed.wait()
                    it.value -= 1
                    if right:
                        changed.notify_all()
                    else:
                        changed.notify()

        def put_twice() -> None:
            put()
            put()

        run(take, take, put_twice, put_twice)

    return program


# -- a token that goes round in the wrong order --


class Tokens:
    def __init__(self) -> None:
        self.x = 1
        self.y = 2
        self.z = 2
        self.done = 0


def token_ring(*, right: bool) -> Program:
    def program() -> None:
        lock = threading.Lock()
        it = Tokens()

        def one() -> None:
            with lock:
                it.x = (it.z + 1) % 4
                it.done += 1

        def two() -> None:
            with lock:
                it.y = it.x
                it.done += 1

        def three() -> None:
            with lock:
                it.z = it.y
                it.done += 1

        def check() -> None:
            with lock:
                if it.done == 3:
                    assert it.x < 4 if right else it.x == it.y == it.z

        run(one, two, three, check)

    return program


# -- two locks for one variable --


def wronglock(others: int, *, right: bool) -> Program:
    def program() -> None:
        lock = threading.Lock()
        other = lock if right else threading.Lock()
        it = Data()

        def one() -> None:
            with lock:
                before = it.value
                it.value += 1
                assert it.value == before + 1

        def two() -> None:
            with other:
                it.value += 1

        run(one, *[two] * others)

    return program


# -- library classes --


class Text:
    """A string buffer, each of whose methods is atomic."""

    def __init__(self, text: str) -> None:
        self.lock = threading.RLock()
        self.text = text

    def length(self) -> int:
        with self.lock:
            return len(self.text)

    def part(self, end: int) -> str:
        with self.lock:
            if end > len(self.text):
                raise IndexError(end)
            return self.text[:end]

    def clear(self) -> None:
        with self.lock:
            self.text = ""

    def append(self, other: Text) -> None:
        with self.lock:
            self.text += other.part(other.length())

    def append_atomically(self, other: Text) -> None:
        with other.lock:
            self.append(other)


def string_buffer(*, right: bool) -> Program:
    def program() -> None:
        one, two = Text("abc"), Text("def")
        run(lambda: one.append_atomically(two) if right else one.append(two), two.clear)

    return program


class WorkQueue:
    """Work stealing after Dijkstra's mutual exclusion: the owner takes at the tail, thieves at the head."""

    def __init__(self, items: list[int]) -> None:
        self.lock = threading.Lock()
        self.items = items
        self.head = 0
        self.tail = len(items)

    def steal(self) -> int | None:
        with self.lock:
            head = self.head
            self.head = head + 1
            if head < self.tail:
                return self.items[head]
            self.head = head
            return None

    def take(self) -> int | None:
        tail = self.tail - 1
        self.tail = tail
        if self.head <= tail:
            return self.items[tail]
        self.tail = tail + 1
        with self.lock:
            if self.head <= tail:
                self.tail = tail
                return self.items[tail]
            return None

    def take_carelessly(self) -> int | None:
        """Looks at the head before it has announced what it is about to take."""
        tail = self.tail - 1
        if self.head <= tail:
            self.tail = tail
            return self.items[tail]
        return None


def work_steal_queue(*, right: bool) -> Program:
    def program() -> None:
        line = WorkQueue([0, 1])
        taken = [0, 0]
        lock = threading.Lock()

        def note(item: int | None) -> None:
            if item is not None:
                with lock:
                    taken[item] += 1
                    assert taken[item] == 1

        def own() -> None:
            for _ in range(2):
                note(line.take() if right else line.take_carelessly())

        def steal() -> None:
            note(line.steal())

        run(own, steal)

    return program


PORTS = (
    Port("account", "assertion", account(right=False), account(right=True)),
    Port("arithmetic_prog", "assertion", arithmetic_prog(right=False), arithmetic_prog(right=True)),
    Port("bluetooth_driver", "assertion", bluetooth_driver(right=False), bluetooth_driver(right=True)),
    Port("carter01", "deadlock", carter01(right=False), carter01(right=True)),
    Port("circular_buffer", "assertion", circular_buffer(right=False), circular_buffer(right=True)),
    Port("deadlock01", "deadlock", deadlock01(right=False), deadlock01(right=True)),
    Port("din_phil2", "deadlock", din_phil(2, right=False), din_phil(2, right=True)),
    Port("din_phil3", "deadlock", din_phil(3, right=False), din_phil(3, right=True)),
    Port("din_phil5", "deadlock", din_phil(5, right=False), din_phil(5, right=True), fits=False),
    Port("lazy01", "assertion", lazy01(right=False), lazy01(right=True)),
    Port("phase01", "deadlock", phase01(right=False), phase01(right=True)),
    Port("queue", "assertion", queue(right=False), queue(right=True)),
    *(
        Port(f"reorder_{n}", "assertion", reorder(n, right=False), reorder(n, right=True), n + 1, n < 5)
        for n in (3, 4, 5, 10, 20, 50, 100)
    ),
    Port("stack", "exception", stack(right=False), stack(right=True)),
    Port("sync01", "assertion", sync01(right=False), sync01(right=True)),
    Port("token_ring", "assertion", token_ring(right=False), token_ring(right=True)),
    *(
        Port(
            f"twostage_{n}" if n > 2 else "twostage", "assertion", twostage(n, right=False), twostage(n, right=True),
            n + 1, n < 5,
        )
        for n in (2, 20, 50, 100)
    ),
    Port("wronglock", "assertion", wronglock(7, right=False), wronglock(7, right=True), 9, fits=False),
    Port("wronglock_3", "assertion", wronglock(3, right=False), wronglock(3, right=True)),
    Port("boundedBuffer", "deadlock", bounded_buffer(right=False), bounded_buffer(right=True), fits=False),
    Port("StringBuffer", "exception", string_buffer(right=False), string_buffer(right=True)),
    Port("WorkStealQueue", "assertion", work_steal_queue(right=False), work_steal_queue(right=True)),
)  # fmt: skip
