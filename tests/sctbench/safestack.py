"""SafeStack: the hardest program of SCTBench, which needs three threads and at least five preemptions.

Published by Dmitriy Vyukov as an exercise for verifiers: a stack of indices without a lock, that tries to be
safe from reuse of its head (ABA) by taking an element's link out while it is popped. Written anew from that
description. Each thread takes an element, uses it as its own, and gives it back, twice or once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import nullcontext

from sctbench.programs import run
from support.atomics import Atomic

_TAKEN = -1  # a link that is held by a thread in the middle of its pop
_SIZE = 3


def safe_stack(*, right: bool, times: tuple[int, ...] = (2, 2, 1)) -> Callable[[], None]:
    """The program; the correct one pops and pushes under a lock. `times`: how often each thread takes an element."""

    def program() -> None:
        head, count = Atomic(0), Atomic(_SIZE)
        links = tuple(Atomic(index + 1 if index + 1 < _SIZE else _TAKEN) for index in range(_SIZE))
        owners = tuple(Atomic(_TAKEN) for _ in range(_SIZE))
        guard = threading.Lock() if right else nullcontext()

        def pop() -> int:
            while count.load() > 1:
                index = try_to_pop(head.load())
                if index != _TAKEN:
                    return index
            return _TAKEN

        def try_to_pop(top: int) -> int:
            link = links[top].exchange(_TAKEN)
            if link == _TAKEN:
                return _TAKEN
            if head.compare_exchange(top, link) == top:
                count.add(-1)
                return top
            links[top].store(link)
            return _TAKEN

        def push(index: int) -> None:
            top = head.load()
            while True:
                links[index].store(top)
                before = head.compare_exchange(top, index)
                if before == top:
                    break
                top = before
            count.add(1)

        def use(me: int) -> None:
            with guard:
                index = pop()
            if index != _TAKEN:
                owners[index].store(me)
                assert owners[index].load() == me
                with guard:
                    push(index)

        def worker(me: int, rounds: int) -> Callable[[], None]:
            def work() -> None:
                for _ in range(rounds):
                    use(me)

            return work

        run(*(worker(me, rounds) for me, rounds in enumerate(times)))

    return program
