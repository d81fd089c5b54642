"""Before a request is read: has it the key, and is it small enough. An ASGI middleware."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from .refusal import Refusal

Scope = MutableMapping[str, Any]
Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

OPEN = ("/health", "/ping")
"""What answers without the key: a load balancer's question."""


class Guard:
    """Lets through what has the key, with its whole body read. `key` None: everything has it."""

    def __init__(self, app: App, key: str | None, most_bytes: int, timeout_s: float) -> None:
        self.app, self.most_bytes, self.timeout_s = app, most_bytes, timeout_s
        self.expected = None if key is None else f"Bearer {key}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        try:
            self._check_key(scope)
            body = await asyncio.wait_for(self._body(scope, receive), self.timeout_s)
        except TimeoutError:
            await refuse(send, Refusal(408, "the request did not arrive in time"))
        except Refusal as refusal:
            await refuse(send, refusal)
        else:
            if body is not None:
                await self.app(scope, _again(body, receive), send)

    def _check_key(self, scope: Scope) -> None:
        if self.expected is None or scope["path"] in OPEN:
            return
        given = dict(scope["headers"]).get(b"authorization", b"")
        if not hmac.compare_digest(given, self.expected):
            raise Refusal(401, "the API key is missing or wrong: send Authorization: Bearer KEY")

    async def _body(self, scope: Scope, receive: Receive) -> bytes | None:
        """Read the body; None when the client went away."""
        declared = dict(scope["headers"]).get(b"content-length", b"")
        self._check_size(int(declared) if declared.isdigit() else 0)
        parts, size = [], 0
        while True:
            event = await receive()
            if event["type"] == "http.disconnect":
                return None
            parts.append(event.get("body", b""))
            size += len(parts[-1])
            self._check_size(size)
            if not event.get("more_body"):
                return b"".join(parts)

    def _check_size(self, size: int) -> None:
        if size > self.most_bytes:
            raise Refusal(413, f"the request is larger than {self.most_bytes:,} bytes")


def _again(body: bytes, receive: Receive) -> Receive:
    """Give the body that was read once more, then whatever comes."""
    given = False

    async def replay() -> Event:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


async def refuse(send: Send, refusal: Refusal) -> None:
    """Answer with an error and close the line: what is still being sent is not read."""
    headers = {"connection": "close"} | refusal.headers()
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": refusal.status, "headers": raw})
    await send({"type": "http.response.body", "body": refusal.body()})
