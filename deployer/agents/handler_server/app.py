"""The routes, as a FastAPI application behind its guard."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from starlette.exceptions import HTTPException

from .answers import Service, Talk
from .fault import LOG
from .gate import Gate
from .guard import App, Guard, Receive, Scope, Send
from .handler import Handler
from .metrics import Metrics, Tally
from .refusal import Refusal
from .settings import Settings

Answering = Callable[[Request], Awaitable[Response]]
LOOK_S = 1.0
HANGS_S = 15.0
"""How long calls that hang are left to whoever asks for the health of the server, who ends it sooner."""
WENT_AWAY = 499
"""The status that is counted when the client did not wait, as nginx has it."""


def application(settings: Settings, handler: Handler) -> App:
    """Return the server for a loaded handler."""
    gate = Gate(settings.concurrency, settings.timeout_s, settings.waiting, settings.waiting_s)
    service = Service(handler, settings.name, gate, Metrics())
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, lifespan=_ending(gate))
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Refusal, _refused)
    answer = _chat(service) if settings.route == "chat" else _predict(service)
    well = _well(gate)
    app.add_api_route("/ping", well, methods=["GET"])
    app.add_api_route("/invocations", answer, methods=["POST"])
    if not settings.behind_service:
        path = "/v1/chat/completions" if settings.route == "chat" else "/predict"
        app.add_api_route(path, answer, methods=["POST"])
        app.add_api_route("/health", well, methods=["GET"])
        _add_the_rest(app, service)
    return Guard(app, settings.key(), settings.max_request_bytes, settings.timeout_s)


def _add_the_rest(app: FastAPI, service: Service) -> None:
    model = {"id": service.name, "object": "model", "created": 0, "owned_by": "deployer"}

    async def models() -> JSONResponse:
        return JSONResponse({"object": "list", "data": [model]})

    async def metrics() -> Response:
        return Response(service.metrics.text(), media_type="text/plain; version=0.0.4")

    app.add_api_route("/v1/models", models, methods=["GET"])
    app.add_api_route("/metrics", metrics, methods=["GET"])


def _well(gate: Gate) -> Callable[[], Awaitable[JSONResponse]]:
    """Say that it is ready, as the model is loaded before the server listens, or that its calls hang."""

    async def well() -> JSONResponse:
        if gate.is_stuck:
            return JSONResponse({"status": "its calls hang"}, 503)
        return JSONResponse({"status": "ok"})

    return well


def _ending(gate: Gate) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    """End the process when its calls hang and nobody who asks for its health has done so: it is started again."""

    async def look() -> None:
        since: float | None = None
        while True:
            await asyncio.sleep(LOOK_S)
            since = (since or time.monotonic()) if gate.is_stuck else None
            if since is not None and time.monotonic() - since > HANGS_S:
                LOG.error("calls of the handler hang: the server ends, to be started again")
                os.kill(os.getpid(), signal.SIGTERM)
                return

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        task = asyncio.ensure_future(look())
        yield
        task.cancel()

    return lifespan


def _chat(service: Service) -> Answering:
    async def answer(body: bytes, tally: Tally) -> Response:
        asked = service.chat_request(body)
        if asked.stream:
            return _Stream(await service.talk(asked, tally))
        return JSONResponse(await service.chat(asked))

    return _counted(service, answer)


def _predict(service: Service) -> Answering:
    async def answer(body: bytes, tally: Tally) -> Response:  # noqa: ARG001 - one signature for both
        return Response(await service.predict(body), media_type="application/json")

    return _counted(service, answer)


def _counted(service: Service, answer: Callable[[bytes, Tally], Awaitable[Response]]) -> Answering:
    """Count each request and how it ended; a streamed answer says so itself."""

    async def counted(request: Request) -> Response:
        tally = service.metrics.begin()
        try:
            response = await answer(await request.body(), tally)
        except BaseException as error:
            tally.end(error.status if isinstance(error, Refusal) else WENT_AWAY)
            raise
        if not isinstance(response, _Stream):
            tally.end(response.status_code)
        return response

    return counted


class _Stream(StreamingResponse):
    """Server-sent events that close their talk however they end, begun or not."""

    def __init__(self, talk: Talk) -> None:
        self.talk = talk
        super().__init__(talk.events(), media_type="text/event-stream")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send them."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self.talk.tally.end(WENT_AWAY)
            self.talk.close()


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)  # noqa: S101 - it is registered for nothing else
    return Response(error.body(), error.status, error.headers())


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - it is registered for nothing else
    said = f"no such route: {request.method} {request.url.path}"
    return await _refused(request, Refusal(error.status_code, said))
