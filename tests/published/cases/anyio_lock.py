"""A lock that outlives a waiter who gave up."""

import asyncio

import anyio
import pytest


@pytest.mark.statespace(trace=["anyio"])
async def test_lock_is_free_again():
    lock = anyio.Lock()

    async def hold():
        async with lock:
            await asyncio.sleep(0.01)

    async def wait():
        async with lock:
            pass

    async def lose_patience():
        await asyncio.sleep(0.01)
        waiter.cancel()

    holder = asyncio.create_task(hold())
    waiter = asyncio.create_task(wait())
    await asyncio.gather(holder, waiter, lose_patience(), return_exceptions=True)
    async with lock:
        pass
