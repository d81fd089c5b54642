"""A connection that the server closed while nothing was sent over it is no error of the engine's."""

from __future__ import annotations

import asyncio

import pytest

from deployer.running.bench.sse_client import ask, client_of
from deployer.running.openai_client import Endpoint

ANSWER = (
    b'data: {"choices": [{"delta": {"content": "a"}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n'
)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: %d\r\n\r\n" % len(
    ANSWER
)


async def errors(answered: int) -> list[str | None]:
    """Ask twice with one client; each connection is closed at the request after so many answers."""

    serving = list[asyncio.Task[None] | None]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.append(asyncio.current_task())
        for _ in range(answered):
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(x for x in head.lower().split(b"\r\n") if x.startswith(b"content-length"))
            await reader.readexactly(int(length.split(b":")[1]))
            writer.write(HEAD + ANSWER)
            await writer.drain()
        await reader.read(1)
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    endpoint = Endpoint(f"http://127.0.0.1:{port}/v1", "key")
    async with server:
        async with client_of(endpoint, 60) as client:
            seen = [(await ask(client, endpoint, {"model": "m"})).error for _ in range(2)]
        await asyncio.gather(*filter(None, serving))
    return seen


@pytest.mark.parametrize(("answered", "seen"), [(1, [None, None]), (0, ["broke off"] * 2)])
def test_a_request_is_sent_again_once_when_no_byte_of_an_answer_came(answered, seen):
    assert asyncio.run(errors(answered)) == seen
