"""The load generator's client."""

import asyncio

from tools.loadtools.client import Connection

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"


async def test_a_connection_that_was_closed_while_idle_is_opened_anew() -> None:
    served = 0
    closed = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal served
        await reader.readuntil(b"\r\n\r\n")
        served += 1
        writer.write(ANSWER)
        writer.close()
        await writer.wait_closed()
        closed.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        connection = Connection(server.sockets[0].getsockname()[1])
        assert (await connection.request("/")).status == 200
        await closed.wait()
        while not connection.ended:  # noqa: ASYNC110 - the socket gives no event
            await asyncio.sleep(0)
        assert (await connection.request("/")).status == 200
        connection.close()
    assert served == 2
