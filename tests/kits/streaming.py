"""A loopback endpoint that streams what a test tells it to, and remembers what it was asked."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "sk-test-8d1f"


@dataclass
class Behaviour:
    """What the endpoint does. Delays are in seconds; `statuses` are used up first, one a request."""

    tokens: int = 4
    first_s: float = 0.0
    gap_s: float = 0.0
    usage: bool = True
    complete: bool = True
    statuses: list[int] = field(default_factory=list)
    location: str | None = None
    lines: Sequence[str] | None = None
    refuses_usage: bool = False
    together: threading.Barrier | None = None  # an answer waits until so many are asked for
    models: Sequence[str] = ("fake",)


class Server(ThreadingHTTPServer):
    """Counts how many requests it has at once."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, behaviour: Behaviour) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.behaviour = behaviour
        self.lock = threading.Lock()
        self.now, self.most = 0, 0
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    @property
    def prompts(self) -> list[str]:
        return [body["messages"][0]["content"] for body in self.asked]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, *_: object) -> None:
        pass

    def whole(self, status: int, text: str) -> None:
        self.send_response(status)
        if self.server.behaviour.location:
            self.send_header("Location", self.server.behaviour.location)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def do_GET(self) -> None:
        self.server.keys.append(self.headers["Authorization"])
        names = self.server.behaviour.models
        self.whole(200, json.dumps({"data": [{"id": name} for name in names]}))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            self.server.asked.append(body)
            self.server.keys.append(self.headers["Authorization"])
            self.server.now += 1
            self.server.most = max(self.server.most, self.server.now)
        try:
            self.answer(body)
        finally:
            with self.server.lock:
                self.server.now -= 1

    def answer(self, body: dict[str, Any]) -> None:
        does = self.server.behaviour
        with self.server.lock:
            status = does.statuses.pop(0) if does.statuses else 200
        if does.refuses_usage and "stream_options" in body:
            status = 400
        if self.headers["Authorization"] not in (None, f"Bearer {KEY}"):
            status = 401
        if status != 200:
            said = f"no, not with {self.headers['Authorization']}"
            self.whole(status, json.dumps({"error": {"message": said}}))
            return
        if does.together and body["max_tokens"] == does.tokens:  # the first words ask for fewer
            does.together.wait(30)
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        for line in does.lines if does.lines is not None else self.stream(body):
            self.wfile.write(line.encode())
            self.wfile.flush()
        self.close_connection = True

    def stream(self, body: dict[str, Any]) -> Iterator[str]:
        does = self.server.behaviour
        yield said({"choices": [{"delta": {"role": "assistant", "content": ""}}]})
        for number in range(min(does.tokens, body.get("max_tokens", does.tokens))):
            time.sleep(does.gap_s if number else does.first_s)
            yield said({"choices": [{"delta": {"content": "word "}}]})
        if does.usage and "stream_options" in body:
            words = len(body["messages"][0]["content"].split())
            counted = {"prompt_tokens": 10 + 2 * words, "completion_tokens": does.tokens}
            yield said({"choices": [], "usage": counted})
        if does.complete:
            yield "data: [DONE]\n\n"


def said(event: Any) -> str:
    return f"data: {json.dumps(event)}\n\n"


@contextmanager
def serving(behaviour: Behaviour) -> Iterator[Server]:
    """Run the endpoint while the test lasts."""
    server = Server(behaviour)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
