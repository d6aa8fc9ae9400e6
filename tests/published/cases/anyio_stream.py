"""An item is received or still there, whenever the receiver gives up."""

import anyio
import pytest


@pytest.mark.statespace(trace=["anyio"])
async def test_no_item_is_lost():
    send, receive = anyio.create_memory_object_stream(1)
    received = []

    async def take():
        with anyio.move_on_after(0.01):
            received.append(await receive.receive())

    async def give():
        await anyio.sleep(0.01)
        send.send_nowait("item")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(give)
        tasks.start_soon(take)
    left = receive.statistics().current_buffer_used
    send.close()
    receive.close()
    assert len(received) + left == 1
