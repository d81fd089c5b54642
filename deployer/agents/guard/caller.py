"""One caller's connection: head, key, body, one request after another."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

from . import answers, content, proof, wire
from .exchange import Exchange

if TYPE_CHECKING:
    from .exchange import Linking

LARGE_BYTES = 2**18
"""A body above this is checked in a thread, so that others do not wait."""
AHEAD_BYTES = 2**16
"""What may come of the next request while one is answered."""
LINGER_S, LINGER_BYTES = 2.0, 2**22
"""How long, and how much, is still taken of a request that was refused: else its caller would not see why."""
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Caller(asyncio.Protocol):
    """Reads requests, refuses what is wrong, and hands on what is right."""

    transport: asyncio.Transport

    def __init__(self, guard: Linking) -> None:
        self.guard, self.limits = guard, guard.limits
        self.address = ""
        self.buffer = bytearray()
        self.take = self._head
        self.asked: wire.Request | None = None
        self.body: wire.Body | None = None
        self.pieces: list[bytes] = []
        self.exchange: Exchange | None = None
        self.goes_on = True
        self.is_gone = False
        self.deadline = guard.now() + self.limits.head_s
        self.unread_since: float | None = None
        self.discarded = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Let it in, if there is room."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - it is a stream
        self.transport = transport
        line = transport.get_extra_info("socket")
        if line.family in (
            socket.AF_INET,
            socket.AF_INET6,
        ):  # asyncio does not, of a socket that it was handed
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.address = str((transport.get_extra_info("peername") or ("",))[0])
        if not self.guard.callers.admit(self):
            self.transport.write(answers.refusal(429, "there are too many connections"))
            self.transport.close()

    def data_received(self, data: bytes) -> None:
        """Take bytes, whatever they are now."""
        if not self.buffer and self.take == self._head:
            self.deadline = self.guard.now() + self.limits.head_s
        self.buffer += data
        self.take()

    def _head(self) -> None:
        while self.buffer.startswith(b"\r\n"):
            del self.buffer[:2]
        end = self.buffer.find(wire.HEAD_END)
        if max(end, len(self.buffer) if end < 0 else 0) > self.limits.head_bytes:
            self.refuse(
                431, f"the head of the request is larger than {self.limits.head_bytes:,} bytes"
            )
        elif end >= 0:
            head = bytes(self.buffer[:end])
            del self.buffer[: end + 4]
            try:
                self._begin(wire.request(head))
            except wire.WireError as error:
                self.refuse(error.status, error.message)

    def _begin(self, asked: wire.Request) -> None:
        """Look at the head: who asks, and for what."""
        self.asked, self.goes_on = asked, asked.goes_on
        nonce = proof.nonce_of(asked.target.decode("ascii"))
        if nonce is not None:
            self._prove(nonce)
            return
        is_open = self.guard.is_open(asked)
        if not is_open and not self.guard.has_key(asked):
            self.refuse(401, "the API key is missing or wrong: send Authorization: Bearer KEY")
        elif self.guard.is_draining:
            self.refuse(503, "the deployment is being taken down")
        elif is_open and self.guard.is_sick:
            self.refuse(503, "the engine does not answer its health check", goes_on=True)
        elif asked.get(b"content-encoding").lower() not in (b"", b"identity"):
            self.refuse(415, "the body of a request must not be compressed")
        else:
            self.guard.callers.busy(self)
            self._read(asked, 0 if is_open else self.limits.body_bytes)

    def _prove(self, nonce: str) -> None:
        port = self.transport.get_extra_info("sockname")[1]
        self._say(200, proof.prove(self.guard.key, port, nonce).encode())

    def _read(self, asked: wire.Request, most: int) -> None:
        """Read the body, and say that it is wanted where that is asked."""
        if (asked.length or 0) > most:
            raise wire.WireError(f"the request is larger than {most:,} bytes", 413)
        self.body, self.pieces = wire.Body(asked.length, most), []
        self.deadline = self.guard.now() + self.limits.body_s
        self.take = self._more
        if not self.body.done and asked.get(b"expect").lower() == b"100-continue":
            self.transport.write(CONTINUE)
        self._more()

    def _more(self) -> None:
        body = self.body
        if body is None:
            return
        data = bytes(self.buffer)
        self.buffer.clear()
        try:
            piece, after = body.feed(data) if not body.done else (b"", data)
        except wire.WireError as error:
            self._drop()
            self.refuse(error.status, error.message)
            return
        self.buffer += after
        if piece:
            self.pieces.append(piece)
            self.deadline += len(piece) / self.limits.body_bytes_per_s
            if not self.guard.hold(len(piece)):
                self._drop()
                self.refuse(429, "too many requests are being received: try again later")
                return
        if body.done:
            self.take, self.deadline = self._ahead, float("inf")
            self._check(b"".join(self.pieces))

    def _drop(self) -> None:
        """Give back the memory of a body that is not handed on."""
        self.guard.release(sum(map(len, self.pieces)))
        self.pieces = []

    def _check(self, body: bytes) -> None:
        self.pieces = []
        asked = self.asked
        if asked is None:
            return
        is_form = asked.get(b"content-type").lower().startswith(b"multipart/form-data")
        if not body or is_form:
            self._hand_on(body, None)
        elif len(body) > LARGE_BYTES:
            self.guard.spawn(self._check_aside(body))
        else:
            self._hand_on(body, content.fault(body, self.limits.depth))

    async def _check_aside(self, body: bytes) -> None:
        loop = asyncio.get_running_loop()
        fault = await loop.run_in_executor(None, content.fault, body, self.limits.depth)
        self._hand_on(body, fault)

    def _hand_on(self, body: bytes, fault: str | None) -> None:
        if fault is not None or self.is_gone or self.asked is None:
            self.guard.release(len(body))
            if fault is not None:
                self.refuse(400, fault, goes_on=True)
            return
        self.exchange = Exchange(self.guard, self, self.asked, body)
        self.exchange.lane.enter(self.exchange)

    def _ahead(self) -> None:
        """Keep what comes of the next request until this one is answered."""
        if len(self.buffer) > AHEAD_BYTES:
            self.transport.pause_reading()

    def _say(self, status: int, body: bytes) -> None:
        self.transport.write(answers.answer(status, body, goes_on=self.goes_on, kind="text/plain"))
        self.answered()

    def answered(self) -> None:
        """An answer has been given to its end: go on with the next request, or close."""
        self.exchange = None
        if self.is_gone:
            return
        if not self.goes_on or self.guard.is_draining:
            self._linger()
            return
        self.guard.callers.rest(self)
        self.take = self._head
        self.deadline = self.guard.now() + self.limits.idle_s
        self.transport.resume_reading()
        if self.buffer:
            asyncio.get_running_loop().call_soon(self._next)

    def _next(self) -> None:
        """Begin with a request that came while the one before was answered."""
        if not self.is_gone and self.take == self._head:
            self._head()

    def refuse(self, status: int, message: str, *, goes_on: bool = False) -> None:
        """Answer with an error; the connection goes on where the whole request was read."""
        if self.is_gone or self.transport.is_closing():
            return
        self.goes_on = self.goes_on and goes_on
        self.transport.write(answers.refusal(status, message, goes_on=self.goes_on))
        self.answered()

    def _linger(self) -> None:
        """Send no more, and take for a while what still comes, so that the answer arrives."""
        self.guard.callers.rest(self)
        self.take = self._discard
        self.deadline = self.guard.now() + LINGER_S
        self.transport.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()

    def _discard(self) -> None:
        self.discarded += len(self.buffer)
        self.buffer.clear()
        if self.discarded > LINGER_BYTES:
            self.transport.abort()

    def cut(self) -> None:
        """End it in the middle of an answer."""
        self.transport.abort()

    def leave(self) -> None:
        """Close it, for others to have its place."""
        self.transport.abort()

    def look(self, now: float) -> None:
        """End what takes too long."""
        unread = self.unread_since
        if unread is not None and now - unread > self.limits.unread_s:
            self.transport.abort()
        elif now > self.deadline:
            self._late()

    def _late(self) -> None:
        if self.take == self._more:
            self._drop()
            self.refuse(408, "the request did not arrive in time")
        elif self.take == self._head and self.buffer:
            self.refuse(408, "the head of the request did not arrive in time")
        else:
            self.transport.abort()

    def pause_writing(self) -> None:
        """The caller takes nothing: let the engine wait."""
        self.unread_since = self.guard.now()
        if self.exchange is not None:
            self.exchange.pause(paused=True)

    def resume_writing(self) -> None:
        """The caller takes again."""
        self.unread_since = None
        if self.exchange is not None:
            self.exchange.pause(paused=False)

    def connection_lost(self, _why: Exception | None) -> None:
        """It has gone, and with it what it asked for."""
        self.is_gone = True
        self.guard.callers.forget(self)
        if self.take == self._more:
            self._drop()
        if self.exchange is not None:
            self.exchange.cancel()
            self.exchange = None
