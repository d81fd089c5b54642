"""A double of Hugging Face on loopback: Inference Endpoints, their log, and the models behind them.

Requests are those of huggingface_hub; each answer is read by the library's own type before it is sent. The endpoints'
addresses lead to the same server: a model that answers in the OpenAI protocol, to callers with the token alone.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import urlsplit

from huggingface_hub import InferenceEndpoint

from tests.kits.loopback import served

WHEN = "2026-01-01T00:00:00Z"
TOKEN = "hf-canary-5e1f"
Answer = tuple[int, Any]


class Hub:
    """Each look brings an endpoint one state further. `start` is the way of a new one."""

    def __init__(self) -> None:
        self.endpoints: dict[str, dict[str, Any]] = {}
        self.coming: dict[str, list[str]] = {}
        self.faults: list[tuple[str, int]] = []
        self.calls: list[str] = []
        self.asked: list[Any] = []
        self.start = ["pending", "initializing", "running"]
        self.failure = "made by the test"
        self.url = ""

    def answer(self, method: str, path: str, body: Any, token: str | None) -> Answer:
        """Answer one request."""
        if path.startswith("/model/"):
            return self._model(path, body, token)
        if token != TOKEN:
            return 401, {"error": "Invalid credentials"}
        if path == "/api/whoami-v2":
            return 200, {"type": "user", "name": "ada"}
        return self._managed(method, path, body)

    def _managed(self, method: str, path: str, body: Any) -> Answer:
        self.calls.append(f"{method} {path}")
        for fault in self.faults:
            if fault[0] == method:
                self.faults.remove(fault)
                return fault[1], {"error": self.failure}
        _, name, action = (*path.removeprefix("/endpoint/ada").split("/"), "", "")[:3]
        if not name:
            return 200, self._made(body) if method == "POST" else {"items": self._looked()}
        if name not in self.endpoints:
            return 404, {"error": "not found"}
        return 200, self._change(method, name, action, body)

    def _looked(self) -> list[Any]:
        for one, coming in list(self.coming.items()):
            if coming and one in self.endpoints:
                self.to(one, coming[0], coming[1:])
        return list(self.endpoints.values())

    def _made(self, body: dict[str, Any]) -> Any:
        name = body["name"]
        status = {"createdAt": WHEN, "updatedAt": WHEN, "state": self.start[0], "url": None}
        raw = {**body, "status": status, "healthRoute": "/health"}
        InferenceEndpoint.from_raw(raw, namespace="ada")
        self.endpoints[name] = raw
        self.to(name, self.start[0], self.start[1:])
        return raw

    def _change(self, method: str, name: str, action: str, body: Any) -> Any:
        raw = self.endpoints[name]
        if method == "DELETE":
            return self.endpoints.pop(name)
        if action == "logs":
            return "engine: loading\nengine: ready\n"
        if method == "PUT":
            for part in body:
                both = isinstance(raw.get(part), dict) and isinstance(body[part], dict)
                raw[part] = {**raw[part], **body[part]} if both else body[part]
            self.to(name, "updating", ["running"])
        elif action == "pause":
            self.to(name, "paused", [])
        elif action == "resume":
            self.to(name, "initializing", ["running"])
        elif self.coming[name]:
            self.to(name, self.coming[name][0], self.coming[name][1:])
        return raw

    def to(self, name: str, state: str, then: list[str] | None = None) -> None:
        """Bring an endpoint to a state."""
        status = self.endpoints[name]["status"]
        status["state"], self.coming[name] = state, then or []
        if state == "running":
            status["url"] = f"{self.url}/model/{name}"
        if state == "failed":
            status["message"] = self.failure

    def _model(self, path: str, body: Any, token: str | None) -> Answer:
        """The model itself: any call wakes it."""
        _, _, name, *rest = path.split("/")
        if name not in self.endpoints:
            return 404, {"error": "not found"}
        if token != TOKEN:
            return 401, {"error": {"message": "a token is asked for"}}
        state = self.endpoints[name]["status"]["state"]
        if state == "scaledToZero":
            self.to(name, "running")
        if state != "running":
            return 503, {"error": {"message": "the endpoint is not awake"}}
        if body is not None:
            self.asked.append(body)
        return 200, "" if rest == ["health"] else _answered(body)


def _answered(body: Any) -> Any:
    if body is None:
        return {"object": "list", "data": []}
    choice = {"index": 0, "delta": {"content": "Hello."}, "finish_reason": None}
    said = {"id": "c", "object": "chat.completion.chunk", "created": 1, "choices": [choice]}
    return f"data: {json.dumps(said)}\n\ndata: [DONE]\n\n"


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    lock = threading.Lock()

    def _any(self) -> None:
        text = self.rfile.read(int(self.headers.get("content-length") or 0))
        token = (self.headers.get("authorization") or "").removeprefix("Bearer ") or None
        path, body = urlsplit(self.path).path, json.loads(text) if text else None
        with self.lock:
            status, said = self.hub.answer(self.command, path, body, token)
        sent = said.encode() if isinstance(said, str) else json.dumps(said).encode()
        kind = "text/event-stream" if isinstance(said, str) else "application/json"
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _any  # noqa: N815 - the parent's names

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the parent's name
        """Say nothing."""


@contextmanager
def serving() -> Iterator[Hub]:
    """Run the double."""
    made = Hub()
    with served(_Handler, hub=made) as url:
        made.url = url
        yield made
