"""Serves the double of Lambda's account (`lambda_cloud.py`) on loopback."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.doubles import openapi
from tests.doubles.lambda_cloud import Lambda


@contextmanager
def serving(folder: Path) -> Iterator[Lambda]:
    """Serve an account; its machines end with it."""
    made = Lambda(folder, described=openapi.published("lambda-openapi.json"))

    class Answers(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(size)) if size else None
            token = (self.headers.get("Authorization") or "").removeprefix("Bearer ") or None
            path = self.path.removeprefix("/api/v1/")
            answer = made.answer(self.command, path, body, token)
            if answer is None:
                self.close_connection = True
                return
            status, told = answer
            text = told if isinstance(told, str) else json.dumps(told)
            self.send_response(status)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def do_POST(self) -> None:
            self.do_GET()

        def do_PATCH(self) -> None:
            self.do_GET()

        def do_DELETE(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    made.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        made.shut_down()
