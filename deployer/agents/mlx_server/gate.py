"""Stands before mlx_lm's handler: the key, the one model, the end of the context, and what is counted.

Its handlers are of Python's BaseHTTPRequestHandler; each request is one thread.
"""

from __future__ import annotations

import contextlib
import hmac
import io
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from .metrics import Meter
from .request_filter import Refused, checked

ROUTES = ("/v1/chat/completions", "/v1/completions")
MOST_BYTES = 32 * 2**20
"""The longest request."""
END_S = 6.0
"""How long answers may take to end after SIGTERM; deployer's supervisor waits 8 s."""


class Gate:
    """Checks and counts the requests of one server."""

    def __init__(self, config: Mapping[str, Any], key: str) -> None:
        self.alias, self.context = str(config["alias"]), int(config["context"])
        self.expected = f"Bearer {key}".encode()
        self.meter, self.ending = Meter(), False

    def admits(self, handler: Any) -> bool:
        """Check the key of a request whose head has been read; answer it if it is not let in."""
        given = handler.headers.get("Authorization", "").encode("latin-1", "replace")
        is_health = (handler.command, handler.path) == ("GET", "/health")
        if is_health or hmac.compare_digest(given, self.expected):
            return True
        with contextlib.suppress(Refused, OSError):
            _body(handler, 2**20)  # bytes that nobody reads would cut the answer off
        _refuse(handler, Refused(401, "the API key is missing or wrong", "invalid_api_key"))
        return False

    def get(self, handler: Any) -> None:
        """Answer GET, all of it: mlx_lm would list what else it finds on this machine."""
        path = handler.path.partition("?")[0]
        if path == "/health":
            healthy = ready(handler.response_generator) and not self.ending
            said = b'{"status": "ok"}' if healthy else b'{"status": "unavailable"}'
            _answer(handler, 200 if healthy else 503, said)
        elif path == "/metrics":
            _answer(handler, 200, self.meter.text(), "text/plain; version=0.0.4")
        elif path in ("/v1/models", f"/v1/models/{self.alias}"):
            one = {"id": self.alias, "object": "model", "created": 0, "owned_by": "mlx_lm"}
            listed = {"object": "list", "data": [one]} if path == "/v1/models" else one
            _answer(handler, 200, json.dumps(listed).encode())
        else:
            _refuse(handler, Refused(404, f"no such route: {path}"))

    def post(self, handler: Any, serve: Callable[[Any], None]) -> None:
        """Check what is asked, and let mlx_lm answer it."""
        try:
            asked = self._asked(handler)
            _give(handler, json.dumps(asked).encode())
            with self.meter.one():
                serve(handler)
        except Refused as refused:
            _refuse(handler, refused)
        except OSError:
            handler.close_connection = True  # the client has gone

    def _asked(self, handler: Any) -> Mapping[str, Any]:
        body = _body(handler)
        if handler.path not in ROUTES:
            raise Refused(404, f"no such route: {handler.path}; there are {' and '.join(ROUTES)}")
        if self.ending:
            raise Refused(503, "the server is shutting down")
        return checked(body, self.alias)

    def limited(self, context: Any, pieces: Iterator[Any]) -> Iterator[Any]:
        """Count an answer, and end it where the context ends.

        Raises:
            Refused: the prompt alone does not fit in.
        """
        length = len(context.prompt)
        if length >= self.context:
            context.stop()
            what = f"the prompt has {length} tokens; a request may have {self.context} in all"
            raise Refused(400, what, "context_length_exceeded")
        self.meter.add("prompt_tokens", length)
        return self._counted(context, pieces, self.context - length)

    def _counted(self, context: Any, pieces: Iterator[Any], most: int) -> Iterator[Any]:
        for number, piece in enumerate(pieces, 1):
            self.meter.add("completion_tokens")
            full = number == most and piece.finish_reason is None
            yield replace(piece, finish_reason="length") if full else piece
            if full:
                context.stop()
                break
        self.meter.add("request_success")

    def end(self, leave: Callable[[int], Any] = os._exit, limit_s: float = END_S) -> None:
        """Take no more requests, and leave the process once nothing is being answered, or after a while."""
        self.ending, until = True, time.monotonic() + limit_s
        while self.meter.running and time.monotonic() < until:
            time.sleep(0.05)
        leave(0)


def ready(generator: Any) -> bool:
    """Whether the model is loaded and the thread that computes with it lives."""
    return generator.is_healthy and generator.model_provider.model is not None


def _body(handler: Any, most: int = MOST_BYTES) -> bytes:
    said = handler.headers.get("Content-Length")
    if said is None and handler.command != "POST":
        return b""
    if said is None or not said.isdigit():
        raise Refused(411, "Content-Length is required")
    if int(said) > most:
        raise Refused(413, f"a request may have at most {most} bytes")
    return bytes(handler.rfile.read(int(said)))


def _give(handler: Any, body: bytes) -> None:
    """Put another body in the place of the one that was read."""
    handler.rfile.close()
    handler.rfile = io.BytesIO(body)
    handler.headers.replace_header("Content-Length", str(len(body)))


def _refuse(handler: Any, refused: Refused) -> None:
    handler.close_connection = True
    with contextlib.suppress(OSError):
        _answer(handler, refused.status, refused.document())


def _answer(handler: Any, status: int, body: bytes, kind: str = "application/json") -> None:
    handler.send_response(status)
    handler.send_header("Content-Type", kind)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)
