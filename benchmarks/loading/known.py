"""A server whose timing is known: `python -m benchmarks.loading.known FIRST_MS GAP_MS TOKENS`.

It prints its port, then streams to every chat completion: the first token after FIRST_MS, each later one after
GAP_MS. With a gap of 0 it sends all tokens at once, as fast as a client can take them.
"""

from __future__ import annotations

import asyncio
import json
import sys

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def _chunk(event: object) -> bytes:
    data = b"data: " + json.dumps(event).encode() + b"\n\n"
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


async def _serve(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    first: float,
    gap: float,
    tokens: int,
) -> None:
    choice = {"index": 0, "delta": {"content": "word "}}
    token = _chunk({"id": "c", "object": "chat.completion.chunk", "choices": [choice]})
    usage = {"prompt_tokens": 100, "completion_tokens": tokens}
    end = _chunk({"choices": [], "usage": usage}) + b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            length = next(
                int(line[15:])
                for line in head.lower().split(b"\r\n")
                if line.startswith(b"content-length:")
            )
            await reader.readexactly(length)
            writer.write(HEAD)
            loop = asyncio.get_running_loop()
            due = loop.time() + first
            for _ in range(tokens):
                await asyncio.sleep(due - loop.time())
                writer.write(token)
                await writer.drain()
                due += gap
            writer.write(end)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def _main(first: float, gap: float, tokens: int) -> None:
    server = await asyncio.start_server(
        lambda r, w: _serve(r, w, first, gap, tokens), "127.0.0.1", 0
    )
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    first_ms, gap_ms, count = sys.argv[1:]
    asyncio.run(_main(float(first_ms) / 1e3, float(gap_ms) / 1e3, int(count)))
