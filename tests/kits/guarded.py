"""A guard with an engine of a few lines behind it, and callers who write raw bytes."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from deployer.agents.guard.guard import Engine, Guard
from deployer.agents.guard.limits import Limits
from deployer.agents.guard.sockets import listening
from tests.kits.processes import free_port, until

KEY, INNER = "dk-" + "k" * 30, "inner-" + "i" * 30
SAY = b'{"messages": [{"role": "user", "content": "hello"}]}'


class Backend:
    """An engine on a Unix socket. `answer` gets head and body of each request and writes what it likes."""

    def __init__(self, path: Path) -> None:
        self.path, self.heads, self.bodies = str(path), list[bytes](), list[bytes]()
        self.gone, self.status = 0, 200
        self.answer: Callable[[bytes, asyncio.StreamWriter], Any] = plain
        self.connections = set[asyncio.StreamWriter]()
        ready = threading.Event()
        self.thread = threading.Thread(target=lambda: asyncio.run(self._run(ready)), daemon=True)
        self.thread.start()
        ready.wait(10)

    async def _run(self, ready: threading.Event) -> None:
        self.loop, self.over = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_unix_server(self._serve, self.path)
        ready.set()
        await self.over.wait()
        server.close()
        for writer in [*self.connections]:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections.add(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = [
                    x for x in head.lower().split(b"\r\n") if x.startswith(b"content-length:")
                ]
                body = await reader.readexactly(int(length[0][15:]) if length else 0)
                if head.startswith(b"GET /health"):
                    writer.write(f"HTTP/1.1 {self.status} X\r\ncontent-length: 0\r\n\r\n".encode())
                    continue
                self.heads.append(head)
                self.bodies.append(body)
                said = self.answer(body, writer)
                if asyncio.iscoroutine(said):
                    task = asyncio.ensure_future(said)
                    look = asyncio.ensure_future(reader.read(1))
                    await asyncio.wait((task, look), return_when=asyncio.FIRST_COMPLETED)
                    if look.done():  # the guard has gone
                        self.gone += 1
                        task.cancel()
                        return
                    look.cancel()
                    await asyncio.wait((look,))
        except (asyncio.IncompleteReadError, OSError, RuntimeError):
            pass
        finally:
            self.connections.discard(writer)
            writer.close()

    def drop(self) -> None:
        """Cut every connection, as an engine that crashes does."""
        for writer in [*self.connections]:
            self.loop.call_soon_threadsafe(writer.transport.abort)

    def close(self) -> None:
        """End it."""
        self.loop.call_soon_threadsafe(self.over.set)
        self.thread.join()


def plain(body: bytes, writer: asyncio.StreamWriter) -> None:
    """Answer with the length of what was asked."""
    said = json.dumps({"got": len(body)}).encode()
    head = (
        f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(said)}\r\n\r\n"
    )
    writer.write(head.encode() + said)


class Guarded:
    """A guard that listens, and what stands behind it."""

    def __init__(self, folder: Path, **limits: Any) -> None:
        self.backend = Backend(folder / "b.sock")
        self.port, self.hung, self.answering = free_port(), list[str](), list[int]()
        self.guard = Guard(
            KEY,
            "/health",
            Limits(**limits),
            on_hung=self.hung.append,
            on_answering=self.answering.append,
        )
        self.guard.call(self.guard.listen, listening("127.0.0.1", self.port))
        self.guard.call(self.guard.engine_started, Engine(self.backend.path, INNER))
        self.guard.start()
        until(lambda: self.guard.calls.is_open)

    def line(self, data: bytes = b"") -> socket.socket:
        """Connect, and send something."""
        line = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        line.sendall(data)
        return line

    def asked(self, data: bytes) -> bytes:
        """Send bytes and return all that comes until the connection ends or a whole answer is there."""
        with self.line(data) as line:
            return answer_of(line)

    def close(self) -> None:
        """End both."""
        self.guard.end()
        self.backend.close()


def request(
    body: bytes = SAY, path: str = "/v1/chat/completions", key: str = KEY, more: str = ""
) -> bytes:
    """Return a request as bytes."""
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n{more}"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


def answer_of(line: socket.socket) -> bytes:
    """Read one answer: as long as its length says, or to the end of the connection."""
    said = b""
    while True:
        head, found, body = said.partition(b"\r\n\r\n")
        length = [x for x in head.lower().split(b"\r\n") if x.startswith(b"content-length:")]
        if found and length and len(body) >= int(length[0][15:]):
            return said
        if found and b"chunked" in head.lower() and body.endswith(b"0\r\n\r\n"):
            return said
        try:
            piece = line.recv(65536)
        except ConnectionError:
            return said
        if not piece:
            return said
        said += piece


def status_of(said: bytes) -> int:
    """Return the status of an answer; 0 for none."""
    return int(said.split(b" ", 2)[1]) if said.startswith(b"HTTP/1.1 ") else 0
