"""asyncio: one thread, and still a choice wherever a timer or a worker thread ends."""

import asyncio

import pytest


class Mailbox:
    """The bell rings once when two letters come in the same iteration of the loop."""

    def __init__(self):
        self.letters = 0
        self.bell = asyncio.Event()

    async def deliver(self):
        await asyncio.sleep(1)
        self.letters += 1
        self.bell.set()

    async def read_one_a_ring(self):
        await self.bell.wait()
        self.bell.clear()
        self.letters -= 1

    async def read_one(self):
        while not self.letters:
            await self.bell.wait()
            self.bell.clear()
        self.letters -= 1


async def correspond(mailbox, read):
    async def reader():
        await read()
        await read()

    await asyncio.gather(mailbox.deliver(), mailbox.deliver(), reader())


@pytest.mark.statespace
async def test_one_letter_a_ring():
    mailbox = Mailbox()
    await correspond(mailbox, mailbox.read_one_a_ring)


@pytest.mark.statespace
async def test_all_letters():
    mailbox = Mailbox()
    await correspond(mailbox, mailbox.read_one)


class Connection:
    """Released twice if cancelling and finishing meet in one iteration of the loop."""

    def __init__(self):
        self.free = 1

    async def use(self, careful):
        self.free -= 1
        try:
            await asyncio.sleep(1)
        except asyncio.CancelledError:
            if not careful:
                self.free += 1
            raise
        finally:
            self.free += 1


async def cancel_in_time(careful):
    connection = Connection()
    user = asyncio.create_task(connection.use(careful))
    try:
        await asyncio.wait_for(user, 1)
    except asyncio.TimeoutError:
        pass
    assert connection.free == 1


@pytest.mark.statespace
async def test_cancellation_race():
    await cancel_in_time(careful=False)


@pytest.mark.statespace
async def test_careful_cancellation():
    await cancel_in_time(careful=True)


@pytest.mark.statespace(timeouts="any")
async def test_timer_race():
    """A retry that assumes that the slow answer is slower than the timer."""
    answers = []

    async def ask(seconds, answer):
        await asyncio.sleep(seconds)
        answers.append(answer)

    await asyncio.gather(ask(10, "slow"), ask(1, "fast"))
    assert answers == ["fast", "slow"]


class Statistics:
    def __init__(self):
        self.calls = 0

    def work(self):
        self.calls += 1


@pytest.mark.statespace
async def test_worker_thread_and_loop():
    """The loop and a worker thread change the same attribute."""
    statistics = Statistics()
    worker = asyncio.create_task(asyncio.to_thread(statistics.work))
    await asyncio.sleep(0)
    statistics.work()
    await worker
    assert statistics.calls == 2
