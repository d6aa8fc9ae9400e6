"""One connection for two commands, the first of which is given up."""

import asyncio

import pytest
from redis.asyncio import Connection, ConnectionPool, Redis


class Echo(Connection):
    """A server in memory: after a while it answers GET with the key."""

    async def _connect(self):
        self._reader = asyncio.StreamReader()
        self._writer = self

    def writelines(self, lines):
        key = b"".join(lines).split(b"\r\n")[4]
        answer = b"$%d\r\n%s\r\n" % (len(key), key)
        asyncio.get_running_loop().call_later(0.01, self._reader.feed_data, answer)

    async def drain(self):
        pass

    def close(self):
        self._reader = asyncio.StreamReader()

    async def wait_closed(self):
        pass


@pytest.mark.statespace(trace=["redis"])
async def test_answers_belong_to_their_questions():
    client = Redis(connection_pool=ConnectionPool(connection_class=Echo, max_connections=1))
    impatient = asyncio.create_task(client.get("mine"))
    await asyncio.wait([impatient], timeout=0.01)
    impatient.cancel()
    await asyncio.wait([impatient])
    assert await client.get("yours") == b"yours"
