"""Runs the one test of a file again and again, unexplored, and says after each run how it ended.

    python looping.py FILE        (prints `ready`, then `passed` or `failed` for each run)

Threads that end with an exception fail the run, as they do in an exploration.
"""

import asyncio
import importlib.util
import inspect
import sys
import threading


def load(file):
    spec = importlib.util.spec_from_file_location("case", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (test,) = (entry for name, entry in vars(module).items() if name.startswith("test_"))
    return test


def run(test):
    """One run: did it pass?"""
    thrown = []
    threading.excepthook = thrown.append
    try:
        if inspect.iscoroutinefunction(test):
            asyncio.run(test())
        else:
            test()
    except Exception:
        return False
    return not thrown


def main():
    test = load(sys.argv[1])
    print("ready", flush=True)
    while True:
        print("passed" if run(test) else "failed", flush=True)


main()
