"""What the programs of this folder have in common, and the list of them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

Program = Callable[[], object]
PROGRAMS: dict[str, Program] = {}


def program(function: Program) -> Program:
    PROGRAMS[function.__name__] = function
    return function


class Box:
    limit = 1

    def __init__(self, value: Any = 0) -> None:
        self.value = value
        self.other: Any = 0


def threads(*workers: Callable[[], object]) -> list[threading.Thread]:
    return [threading.Thread(target=worker) for worker in workers]


def run(*workers: Callable[[], object]) -> None:
    made = threads(*workers)
    for thread in made:
        thread.start()
    for thread in made:
        thread.join()


class Last:
    def __init__(self, log: list[str]) -> None:
        self.log = log

    def __del__(self) -> None:
        self.log.append("del")
