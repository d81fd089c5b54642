"""A guard in an event loop of its own: its listeners, its callers, its engine."""

from __future__ import annotations

import asyncio
import hmac
import socket
import threading
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from . import limits as limits_of
from . import wire
from .caller import Caller
from .callers import Callers
from .exchange import Link, Links
from .keys import checked
from .limits import Limits
from .places import Places
from .sockets import BACKLOG
from .watch import Watch

OPEN = frozenset((b"/health", b"/v1/health", b"/ping"))
"""What is answered without a key: a load balancer's question."""
LOOKING = (b"GET", b"HEAD", b"OPTIONS")
TICK_S = 0.5
LOOKS_WAIT_S = 10.0


@dataclass
class Engine:
    """A started engine: where it listens (the path of a Unix socket, or host and port), and the key it was given.

    An empty key: it takes none.
    """

    address: str | tuple[str, int]
    key: str
    was_well: bool = False


class Guard:
    """Serves at the listeners that it is given, for an engine that comes and goes.

    `on_well` is called when an engine is healthy for the first time, `on_hung` with words when one must be started
    again, and `on_answering` with how many answers are being given, while it drains.
    """

    def __init__(
        self,
        key: str,
        health_path: str,
        limits: Limits,
        *,
        on_well: Callable[[], object] = lambda: None,
        on_hung: Callable[[str], object] = lambda _: None,
        on_answering: Callable[[int], object] = lambda _: None,
    ) -> None:
        self.key, self.limits = checked(key), limits
        self._expected = self.key.encode()
        self.loop = asyncio.new_event_loop()
        self.calls = Places(limits.places, limits.waiting, limits.waiting_s)
        self.looks = Places(limits.looks, limits.waiting, LOOKS_WAIT_S)
        self.looks.open()
        most = limits_of.fitting(limits, limits_of.raise_open_files())
        self.callers = Callers(most, limits.per_address)
        self.links = Links(time.monotonic)
        self.watch, self.health = Watch(self, health_path), health_path.encode()
        self.engine: Engine | None = None
        self.is_draining = self.is_sick = False
        self.held = 0
        self.on_well, self.on_hung, self.on_answering = on_well, on_hung, on_answering
        self._servers: dict[int, asyncio.AbstractServer] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self.now = time.monotonic

    # from other threads

    def start(self) -> None:
        """Begin to work, in a thread that does not keep the process from ending."""
        self.loop.call_soon(lambda: self.spawn(self.watch.run()))
        self.loop.call_soon(lambda: self.spawn(self._tick()))
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Cut everything off and end the thread."""
        asyncio.run_coroutine_threadsafe(self._end(), self.loop).result()
        self.call(self.loop.stop)
        self._thread.join()
        self.loop.close()

    async def _end(self) -> None:
        for port in list(self._servers):
            self.hush(port)
        for one in list(self.callers.every):
            one.leave()
        self.links.clear()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.loop.shutdown_default_executor()
        await asyncio.sleep(0.05)  # those who were cut off are told of it by the loop

    def call(self, function: Callable[..., object], *arguments: Any) -> None:
        """Call a method of this guard in its thread."""
        self.loop.call_soon_threadsafe(function, *arguments)

    # in its own thread

    def listen(self, listener: socket.socket) -> None:
        """Serve those who come at a socket that listens, which stays open until `hush`."""
        self.spawn(self._listen(listener))

    async def _listen(self, listener: socket.socket) -> None:
        server = await self.loop.create_server(lambda: Caller(self), sock=listener, backlog=BACKLOG)
        self._servers[listener.getsockname()[1]] = server

    def hush(self, port: int) -> None:
        """Take nobody more at a port. Who is connected stays."""
        server = self._servers.pop(port, None)
        if server is not None:
            server.close()

    def engine_started(self, engine: Engine) -> None:
        """Serve for an engine that was just started."""
        self.links.clear()
        self.engine, self.is_sick = engine, False

    def engine_ended(self) -> None:
        """There is none, for now: who comes waits."""
        self.links.clear()
        self.engine = None
        self.calls.close()

    def well(self) -> None:
        """The engine is healthy."""
        if self.engine is not None and not self.calls.is_open:
            self.engine.was_well = True
            self.calls.open()
            self.on_well()

    def hung(self, why: str) -> None:
        """The engine must be started again."""
        self.calls.close()
        self.on_hung(why)

    def drain(self) -> None:
        """Take no new requests; say how many answers are still being given, now and whenever that changes."""
        self.is_draining = True
        for port in list(self._servers):
            self.hush(port)
        for one in list(self.callers.idle):
            one.leave()
        self.spawn(self._drained())

    async def _drained(self) -> None:
        before = -1
        while True:
            answering = len(self.calls.running) + len(self.calls.queue)
            if answering != before:
                self.on_answering(answering)
                before = answering
            await asyncio.sleep(0.02)

    async def _tick(self) -> None:
        shortest = min(self.limits.head_s, self.limits.body_s, self.limits.idle_s, TICK_S * 4)
        while True:
            await asyncio.sleep(shortest / 4)
            now = self.now()
            self.calls.look(now)
            self.looks.look(now)
            self.links.look()
            for one in list(self.callers.every):
                one.look(now)
            self.watch.look_at_places()

    def spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        """Run a coroutine to its end."""
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # for callers

    def is_open(self, asked: wire.Request) -> bool:
        """Whether a request is answered without a key: a health check."""
        return asked.method in (b"GET", b"HEAD") and asked.target.partition(b"?")[0] in OPEN

    def has_key(self, asked: wire.Request) -> bool:
        """Whether a request has the key."""
        kind, _, given = asked.get(b"authorization").partition(b" ")
        if kind.lower() != b"bearer":
            given = asked.get(b"x-api-key")
        return hmac.compare_digest(given.strip(), self._expected)

    def lane(self, asked: wire.Request) -> Places:
        """Return where a request waits: those that only look do not wait for those that compute."""
        return self.looks if asked.method in LOOKING else self.calls

    def hold(self, count: int) -> bool:
        """Count bytes of bodies that are kept; False: there is no room for them."""
        self.held += count
        return self.held <= self.limits.bodies_bytes

    def release(self, count: int) -> None:
        """Bytes of bodies are kept no more."""
        self.held -= count

    # for exchanges

    async def connect(self) -> Link:
        """Connect to the engine.

        Raises:
            OSError: it does not listen, or there is none.
        """
        address = self._address()
        if isinstance(address, str):
            _, link = await self.loop.create_unix_connection(Link, address)
        else:
            _, link = await self.loop.create_connection(Link, *address)
        return link

    async def open_stream(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect to the engine, for a question of this guard's own.

        Raises:
            OSError: it does not listen, or there is none.
        """
        address = self._address()
        if isinstance(address, str):
            return await asyncio.open_unix_connection(address)
        return await asyncio.open_connection(*address)

    def _address(self) -> str | tuple[str, int]:
        if self.engine is None:
            raise ConnectionRefusedError
        return self.engine.address
