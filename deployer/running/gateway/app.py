"""The routes of `deployer proxy`: OpenAI's, on 127.0.0.1. Calls wait in threads; a caller who goes ends the wait."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from deployer.agents.handler_server.guard import Guard
from deployer.agents.handler_server.workers import in_thread
from deployer.running.gateway.backend import Backend
from deployer.running.gateway.errors import Failed
from deployer.running.gateway.waking import Patience

MOST_BYTES = 20 * 2**20
"""Of a request; a service may take less."""
BODY_S = 60.0
HOSTS = ["127.0.0.1", "localhost", "testserver"]
"""What a caller may call us: a page on the web that was led to 127.0.0.1 names itself here."""


class Gateway:
    """One model, and the calls that wait for it to wake."""

    def __init__(
        self, backend: Backend, limit_s: float | None, patience: Callable[..., Patience]
    ) -> None:
        self.backend, self.patience = backend, patience
        self.limit_s = backend.limit_s if limit_s is None else limit_s
        self.waiting: dict[int, float] = {}

    async def models(self, _request: Request) -> Response:
        """The one model that there is."""
        one = {"id": self.backend.name, "object": "model", "created": 0, "owned_by": "deployer"}
        return JSONResponse({"object": "list", "data": [one]})

    async def health(self, _request: Request) -> Response:
        """Whether calls wait for the model, and for how long already."""
        longest = max(self.waiting.values(), default=0.0)
        state = "waking" if self.waiting else "ready"
        return JSONResponse({"state": state, "waiting": len(self.waiting), "waited_s": longest})

    async def chat(self, request: Request) -> Response:
        """Answer at once or in pieces, when the model is awake."""
        gone, text = threading.Event(), await request.body()
        watch = asyncio.ensure_future(_disconnected(request, gone))
        try:
            body = _understood(text)
            patience = self._patience(id(request), gone)
            if body.get("stream"):
                pieces = await in_thread(self.backend.stream, body, patience)
                return StreamingResponse(_events(pieces), media_type="text/event-stream")
            answer = await in_thread(self.backend.complete, body, patience)
            return Response(answer, media_type="application/json")
        except Failed as failure:
            headers = failure.headers()
            return Response(failure.body(), failure.status, headers)
        finally:
            watch.cancel()
            self.waiting.pop(id(request), None)

    def _patience(self, call: int, gone: threading.Event) -> Patience:
        def note(waited: float) -> None:
            self.waiting[call] = waited

        return self.patience(self.limit_s, say=note, gone=gone)


def application(
    backend: Backend,
    key: str | None,
    limit_s: float | None = None,
    patience: Callable[..., Patience] = Patience,
    hosts: Sequence[str] = HOSTS,
) -> Any:
    """Make the application. `key` None: whoever can reach it may ask. `hosts`: what callers may call it."""
    made = Gateway(backend, limit_s, patience)
    routes = [
        Route("/v1/chat/completions", made.chat, methods=["POST"]),
        Route("/v1/models", made.models),
        Route("/health", made.health),
    ]
    only = [Middleware(TrustedHostMiddleware, allowed_hosts=list(hosts))]
    return Guard(Starlette(routes=routes, middleware=only), key, MOST_BYTES, BODY_S)


async def _disconnected(request: Request, gone: threading.Event) -> None:
    while not await request.is_disconnected():
        await asyncio.sleep(0.2)
    gone.set()


def _understood(text: bytes) -> dict[str, Any]:
    try:
        body = json.loads(text)
    except ValueError:
        body = None
    if not isinstance(body, dict) or not isinstance(body.get("messages"), list):
        said = "the request must be JSON with a list of messages"
        raise Failed(400, said, code="invalid_request")
    return body


async def _events(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Hand the pieces on as they come; a stream that breaks ends in an error event, as OpenAI's clients read it."""
    while True:
        try:
            piece = await in_thread(next, pieces, None)
        except Failed as failure:
            yield b"data: " + failure.body() + b"\n\n"
            return
        if piece is None:
            return
        yield piece
