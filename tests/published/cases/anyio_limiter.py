"""One token, and a waiter who gives up while another one waits."""

import asyncio

import anyio
import pytest


@pytest.mark.statespace(trace=["anyio"])
async def test_next_waiter_gets_the_token():
    limiter = anyio.CapacityLimiter(1)
    held = asyncio.Event()

    async def hold():
        async with limiter:
            held.set()
            await asyncio.sleep(0.01)

    async def try_for_a_while():
        with anyio.move_on_after(0.01):
            async with limiter:
                pass

    async def wait():
        async with limiter:
            pass

    holder = asyncio.create_task(hold())
    await held.wait()
    await asyncio.gather(holder, try_for_a_while(), wait())
