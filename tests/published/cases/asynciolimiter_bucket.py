"""A bucket that runs empty and fills again."""

import asyncio

import pytest
from asynciolimiter import LeakyBucketLimiter


@pytest.mark.statespace(trace=["asynciolimiter"])
async def test_bucket_drains_again():
    limiter = LeakyBucketLimiter(100, capacity=1)
    for _ in range(3):
        await limiter.wait()
        await asyncio.sleep(0.02)
