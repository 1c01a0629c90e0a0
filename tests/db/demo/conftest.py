import smtplib
from contextlib import contextmanager

import pytest
from asgiref.sync import async_to_sync, sync_to_async

from demo.catcher import server
from tests.harness.ports import PATIENCE


@contextmanager
def connected(port: int):
    """A client of the catcher; it leaves without a word if the connection is gone."""
    client = smtplib.SMTP(server.LOOPBACK, port, timeout=PATIENCE)
    try:
        yield client
    finally:
        client.close()


@pytest.fixture
def over_smtp():
    """Run a function of an SMTP client against a listening catcher; return what it returns.

    The catcher's rows are written in this thread, in the test's own transaction.
    """

    def run(speak):
        async def scenario():
            listening = await server.listen(0)
            port = listening.sockets[0].getsockname()[1]

            def client():
                with connected(port) as smtp:
                    return speak(smtp)

            try:
                return await sync_to_async(client, thread_sensitive=False)()
            finally:
                listening.close()

        return async_to_sync(scenario)()

    return run
