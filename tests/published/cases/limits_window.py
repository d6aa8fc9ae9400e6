"""Two hits a day, and a third that must be refused."""

import asyncio

import pytest
from limits import parse
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter


@pytest.mark.statespace(trace=["limits.aio"])
async def test_third_hit_is_refused():
    limiter, limit = MovingWindowRateLimiter(MemoryStorage()), parse("2/day")
    hits = [await limiter.hit(limit, "client")]
    await asyncio.sleep(0)
    hits.append(await limiter.hit(limit, "client"))
    await asyncio.sleep(0.01)
    hits.append(await limiter.hit(limit, "client"))
    assert hits == [True, True, False]
