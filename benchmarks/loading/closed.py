"""`python -m benchmarks.loading.closed PORT CLIENTS SECONDS whole|stream KEY`: raw HTTP, as light as Python can be.

Each client keeps its connection and asks again when it has its answer. Prints JSON: the milliseconds of each good answer
(`ms`), and how many were not (`other`).
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time


class Client(asyncio.Protocol):
    """One client."""

    transport: asyncio.Transport

    def __init__(self, load: Load) -> None:
        self.load, self.said, self.began = load, b"", 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - it is a stream
        self.transport = transport
        self.ask()

    def ask(self) -> None:
        """Send the request."""
        self.said, self.began = b"", time.perf_counter()
        self.transport.write(self.load.request)

    def data_received(self, data: bytes) -> None:
        """Take a part of an answer; when it is whole, ask again."""
        self.said += data
        head, found, body = self.said.partition(b"\r\n\r\n")
        if not found:
            return
        lower = head.lower()
        at = lower.find(b"content-length: ")
        if at >= 0:
            whole = len(body) >= int(lower[at + 16 :].split(b"\r\n")[0])
        else:
            whole = body.endswith(b"0\r\n\r\n")
        if whole:
            self.load.count(time.perf_counter() - self.began, good=b" 200 " in head[:20])
            if not self.load.over and not self.transport.is_closing():
                self.ask()

    def connection_lost(self, _why: Exception | None) -> None:
        """Come again."""
        if not self.load.over:
            self.load.other += 1
            self.load.again()


class Load:
    """All clients of one run."""

    def __init__(self, port: int, request: bytes) -> None:
        self.port, self.request = port, request
        self.over, self.other, self.ms = False, 0, list[float]()
        self.tasks = set[asyncio.Task[None]]()

    def count(self, seconds: float, *, good: bool) -> None:
        """Count an answer."""
        if self.over:
            return
        if good:
            self.ms.append(seconds * 1000)
        else:
            self.other += 1

    def again(self) -> None:
        """Connect one more client."""
        task = asyncio.ensure_future(self._connect())
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(lambda: Client(self), "127.0.0.1", self.port)
        except OSError:
            self.other += 1

    async def run(self, clients: int, seconds: float) -> None:
        """Load for so long."""
        for _ in range(clients):
            self.again()
        await asyncio.sleep(seconds)
        self.over = True


def main() -> None:
    """Load one server."""
    port, clients, seconds, kind, key = sys.argv[1:]
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    asked = {"messages": [{"role": "user", "content": "Hello?"}], "stream": kind == "stream"}
    body = json.dumps(asked).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n"
    more = f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    load = Load(int(port), (head + more).encode() + body)
    asyncio.run(load.run(int(clients), float(seconds)))
    print(json.dumps({"ms": load.ms, "other": load.other}))


if __name__ == "__main__":
    main()
