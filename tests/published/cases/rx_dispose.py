"""A job that is dropped on the thread of its loop."""

import asyncio

import pytest
from rx.scheduler.eventloop import AsyncIOThreadSafeScheduler


@pytest.mark.statespace(trace=["rx"])
async def test_dispose_on_the_loop():
    scheduler = AsyncIOThreadSafeScheduler(asyncio.get_running_loop())
    job = scheduler.schedule(lambda *_: None)
    await asyncio.sleep(0)
    job.dispose()
