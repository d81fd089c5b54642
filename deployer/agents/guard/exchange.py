"""One request at the engine, and its answer on its way back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from . import wire
from .parts import Whole

if TYPE_CHECKING:
    from .parts import Asker

MOST_HEAD = 2**16
NO_LIMIT = 2**62
OUR_OWN = wire.OF_THE_LINE | {b"authorization", b"x-api-key"}


class Linking(Whole, Protocol):
    """The guard, as an exchange sees it."""

    links: Links

    async def connect(self) -> Link:
        """Connect to the engine."""


class Exchange:
    """Waits for a place, asks the engine, and hands the answer on as it comes."""

    def __init__(self, guard: Linking, caller: Asker, asked: wire.Request, body: bytes) -> None:
        self.guard, self.caller, self.asked, self.body = guard, caller, asked, body
        self.since = self.heard = guard.now()
        self.lane = guard.lane(asked)
        self.link: Link | None = None
        self.head = bytearray()
        self.answer: wire.Response | None = None
        self.rest = wire.Body(0, 0)
        self.ends_with_line = False
        self.over = False

    def start(self) -> None:
        """Ask the engine, at a connection that is there or a new one."""
        self.heard = self.guard.now()
        link = self.guard.links.take()
        if link is not None:
            self._send(link)
        else:
            self.guard.spawn(self._connect())

    async def _connect(self) -> None:
        try:
            link = await self.guard.connect()
        except OSError:
            self.refuse(503, "the engine is not ready yet: try again later")
            return
        if self.over:
            link.end()
        else:
            self._send(link)

    def _send(self, link: Link) -> None:
        self.link, link.exchange = link, self
        asked, engine = self.asked, self.guard.engine
        named = {w.strip().lower() for w in asked.get(b"connection").split(b",")}
        lines = [b"%b %b HTTP/1.1" % (asked.method, asked.target)]
        lines += (
            b"%b: %b" % field
            for field in asked.fields
            if field[0] not in OUR_OWN and field[0] not in named
        )
        if not asked.get(b"host"):  # HTTP/1.0 knows none
            lines.append(b"host: engine")
        if engine is not None and engine.key:
            lines.append(b"authorization: Bearer " + engine.key.encode())
        if self.body or asked.method not in (b"GET", b"HEAD", b"OPTIONS"):
            lines.append(b"content-length: %d" % len(self.body))
        link.transport.write(b"\r\n".join(lines) + wire.HEAD_END + self.body)
        self.guard.release(len(self.body))
        self.body = b""

    def received(self, data: bytes) -> None:
        """Take bytes of the engine's."""
        self.heard = self.guard.now()
        try:
            while self.answer is None:
                self.head += data
                end = self.head.find(wire.HEAD_END)
                if end < 0:
                    if len(self.head) > MOST_HEAD:
                        self.lost()
                    return
                data = bytes(self.head[end + 4 :])
                said = wire.response(bytes(self.head[:end]), self.asked.method)
                self.head = bytearray()
                if said.status >= 200:
                    self._begin(said, data)
                    return
            self._hand_on(b"", data)
        except wire.WireError:
            self.lost()

    def _begin(self, said: wire.Response, data: bytes) -> None:
        self.answer = said
        if said.status == 200 and self.asked.target == self.guard.health:
            self.guard.well()
        self.ends_with_line = said.length is None and not said.chunked
        chunks_kept = said.chunked and self.asked.minor == 1
        length = NO_LIMIT if self.ends_with_line else said.length
        self.rest = wire.Body(None if said.chunked else length, NO_LIMIT)
        if self.ends_with_line or (said.chunked and not chunks_kept) or self.guard.is_draining:
            self.caller.goes_on = False
        lines = [b"HTTP/1.1 %d %b" % (said.status, wire.phrase(said.status))]
        is_head = self.asked.method == b"HEAD"
        for name, value in said.fields:
            if name not in wire.OF_THE_LINE or (is_head and name == b"content-length"):
                lines.append(b"%b: %b" % (name, value))
        if chunks_kept:
            lines.append(b"transfer-encoding: chunked")
        elif said.length is not None and not is_head and said.status not in (204, 304):
            lines.append(b"content-length: %d" % said.length)
        if not self.caller.goes_on:
            lines.append(b"connection: close")
        self._hand_on(b"\r\n".join(lines) + wire.HEAD_END, data)

    def _hand_on(self, before: bytes, data: bytes) -> None:
        if self.answer is None:
            return
        piece, after = self.rest.feed(data) if data else (b"", b"")
        if self.answer.chunked and self.asked.minor == 1:
            piece = data[: len(data) - len(after)]
        if before or piece:
            self.caller.transport.write(before + piece)
        if self.rest.done:
            self._finish(reusable=not after and self.answer.goes_on)

    def _finish(self, *, reusable: bool) -> None:
        self.over, link = True, self.link
        if link is not None:
            link.exchange = None
            if reusable:
                self.guard.links.give(link)
            else:
                link.end()
        self.lane.leave(self)
        self.caller.answered()

    def lost(self) -> None:
        """The engine's connection has ended."""
        if self.over:
            return
        if self.ends_with_line:
            self._finish(reusable=False)
        elif self.answer is None:
            self.refuse(502, "the engine ended before it answered")
        else:
            self.cancel()
            self.caller.cut()

    def refuse(self, status: int, message: str) -> None:
        """Answer with an error in the engine's place."""
        if not self.over:
            self.cancel()
            self.caller.refuse(status, message, goes_on=True)

    def cancel(self) -> None:
        """Leave the place and the engine: the caller has gone, or gets another answer."""
        if self.over:
            return
        self.over = True
        self.guard.release(len(self.body))
        if self.link is not None:
            self.link.exchange = None
            self.link.end()
        self.lane.leave(self)

    def pause(self, *, paused: bool) -> None:
        """Let the engine wait while the caller takes nothing."""
        if self.link is not None and not self.link.transport.is_closing():
            if paused:
                self.link.transport.pause_reading()
            else:
                self.link.transport.resume_reading()


class Link(asyncio.Protocol):
    """A connection to the engine."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self.exchange: Exchange | None = None
        self.idle_since = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is there."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - it is a stream
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Hand on what the engine says; what nobody asked for ends the connection."""
        if self.exchange is not None:
            self.exchange.received(data)
        else:
            self.end()

    def connection_lost(self, _why: Exception | None) -> None:
        """It has ended."""
        if self.exchange is not None:
            self.exchange.lost()

    def end(self) -> None:
        """Close it at once."""
        self.transport.abort()


class Links:
    """Connections to the engine that can be used again, for so short a time that it has not closed them yet."""

    REUSE_S = 2.0

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.idle: list[Link] = []

    def take(self) -> Link | None:
        """Return the one that was used last, if it is still good."""
        while self.idle:
            link = self.idle.pop()
            if link.transport.is_closing() or self._is_old(link):
                link.end()
            else:
                return link
        return None

    def give(self, link: Link) -> None:
        """Keep one."""
        link.idle_since = self.now()
        self.idle.append(link)

    def look(self) -> None:
        """Close those that were not used for a while."""
        while self.idle and self._is_old(self.idle[0]):
            self.idle.pop(0).end()

    def clear(self) -> None:
        """Close all."""
        while self.idle:
            self.idle.pop().end()

    def _is_old(self, link: Link) -> bool:
        return self.now() - link.idle_since > self.REUSE_S
