"""A task that was cancelled ends as cancelled."""

import asyncio

import pytest
from async_timeout import timeout


@pytest.mark.statespace(trace=["async_timeout"])
async def test_cancelled_is_cancelled():
    async def work():
        async with timeout(0.01):
            await asyncio.sleep(1)

    async def stop(task):
        await asyncio.sleep(0.01)
        return task.cancel()

    worker = asyncio.create_task(work())
    if await stop(worker):
        with pytest.raises(asyncio.CancelledError):
            await worker
