"""Published concurrency bugs of packages on PyPI: where each was reported, which release has it, which one mends it.

``cases`` has one test for each, written as a user of the package would write it. Versions are pinned: nothing here
depends on what a package does today.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pytest_statespace.types import FailureKind

_ANYIO = ("sniffio==1.3.1", "idna==3.10")
_LIMITS = ("deprecated==1.2.18", "wrapt==1.17.2", "packaging==24.2", "typing_extensions==4.12.2")


@dataclass(frozen=True, slots=True)
class Bug:
    """One published bug. ``case``: its file in ``cases``; ``needs``: pinned packages that it can't do without."""

    case: str
    package: str
    broken: str
    fixed: str
    issue: str
    world: str  # asyncio or threads
    kind: FailureKind
    what: str
    needs: tuple[str, ...] = field(default=())

    def requirements(self, version: str) -> tuple[str, ...]:
        return (f"{self.package}=={version}", *self.needs)


BUGS = (
    Bug(
        "anyio_lock",
        "anyio",
        "3.3.4",
        "3.4.0",
        "https://github.com/agronholm/anyio/issues/387",
        "asyncio",
        FailureKind.DEADLOCK,
        "a waiter that is cancelled when the lock was just handed to it keeps the lock for ever",
        _ANYIO,
    ),
    Bug(
        "anyio_limiter",
        "anyio",
        "4.9.0",
        "4.10.0",
        "https://github.com/agronholm/anyio/issues/947",
        "asyncio",
        FailureKind.DEADLOCK,
        "a waiter cancelled when it was just notified takes the notification with it: the next one is never woken",
        _ANYIO,
    ),
    Bug(
        "anyio_stream",
        "anyio",
        "4.3.0",
        "4.4.0",
        "https://github.com/agronholm/anyio/issues/728",
        "asyncio",
        FailureKind.ASSERTION,
        "an item sent to a receiver that is being cancelled is lost",
        _ANYIO,
    ),
    Bug(
        "async_timeout_cancel",
        "async-timeout",
        "4.0.3",
        "5.0.0",
        "https://github.com/aio-libs/async-timeout/issues/229",
        "asyncio",
        FailureKind.EXCEPTION,
        "a cancellation that meets the timeout in one iteration of the loop is swallowed",
    ),
    Bug(
        "asynciolimiter_bucket",
        "asynciolimiter",
        "1.1.1",
        "1.1.2",
        "https://github.com/bharel/asynciolimiter/issues/17",
        "asyncio",
        FailureKind.DEADLOCK,
        "a bucket that was once empty wakes nobody any more",
    ),
    Bug(
        "limits_window",
        "limits",
        "5.2.0",
        "5.3.0",
        "https://github.com/alisaifee/limits/issues/277",
        "asyncio",
        FailureKind.ASSERTION,
        "what a worker thread computed before a hit is applied after it: the hit is forgotten",
        _LIMITS,
    ),
    Bug(
        "redis_answers",
        "redis",
        "4.5.3",
        "4.5.5",
        "https://github.com/redis/redis-py/issues/2665",
        "asyncio",
        FailureKind.ASSERTION,
        "after a cancelled command the connection gives its answer to whoever asks next",
        ("async-timeout==4.0.3",),
    ),
    Bug(
        "rx_dispose",
        "Rx",
        "3.1.1",
        "3.2.0",
        "https://github.com/ReactiveX/RxPY/issues/566",
        "asyncio",
        FailureKind.DEADLOCK,
        "disposing of a job on the loop's own thread waits for that loop",
    ),
    Bug(
        "fasteners_rwlock",
        "fasteners",
        "0.16.3",
        "0.17.3",
        "https://github.com/harlowja/fasteners/issues/86",
        "threads",
        FailureKind.DEADLOCK,
        "a writer that reads waits for a writer that waits",
        ("six==1.16.0",),
    ),
    Bug(
        "peewee_pool",
        "peewee",
        "4.0.5",
        "4.0.6",
        "https://github.com/coleifer/peewee/issues/3047",
        "threads",
        FailureKind.DEADLOCK,
        "closing takes the pool's lock and then the database's, connecting the other way round",
    ),
    Bug(
        "pyee_once",
        "pyee",
        "8.0.1",
        "8.1.0",
        "https://github.com/jfhbrook/pyee/issues/76",
        "threads",
        FailureKind.EXCEPTION,
        "two threads that emit at once both run a handler meant for one event",
    ),
    Bug(
        "pykka_stop",
        "pykka",
        "1.1.0",
        "1.2.0",
        "https://github.com/jodal/pykka/pull/23",
        "threads",
        FailureKind.DEADLOCK,
        "who asks an actor to stop that is stopping already is never answered",
    ),
    Bug(
        "repoze_lru_clear",
        "repoze.lru",
        "0.4",
        "0.5",
        "https://github.com/repoze/repoze.lru/issues/6",
        "threads",
        FailureKind.EXCEPTION,
        "reading meets a list that clear() is still filling",
    ),
    Bug(
        "rx_zip",
        "Rx",
        "3.1.0",
        "3.1.1",
        "https://github.com/ReactiveX/RxPY/pull/506",
        "threads",
        FailureKind.EXCEPTION,
        "both sources see a complete pair, and both take it from the queues",
    ),
    Bug(
        "urllib3_pool_manager",
        "urllib3",
        "1.26.15",
        "1.26.16",
        "https://github.com/urllib3/urllib3/issues/1252",
        "threads",
        FailureKind.EXCEPTION,
        "a pool that a thread has just been given is closed because another host is newer",
    ),
)
