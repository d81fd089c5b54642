"""Puts the gate into the module mlx_lm.server, whose own `main` then runs with it."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from typing import Any

from .gate import Gate

QUIET_S = 60
"""A client that sends or takes nothing for so long is left."""
LOOK_S = 0.5


def guard(server: Any, gate: Gate) -> None:
    """Let every request pass the gate first."""
    _listener(server.ThreadingHTTPServer)
    _handler(server.APIHandler, gate)
    _generator(server, server.ResponseGenerator, gate)


def _listener(kind: Any) -> None:
    """Listen at a port that deployer's supervisor keeps for this user."""
    bind = kind.server_bind

    def server_bind(self: Any) -> None:
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bind(self)

    kind.server_bind = server_bind


def _handler(kind: Any, gate: Gate) -> None:
    parse, post, log = kind.parse_request, kind.do_POST, kind.log_request

    def parse_request(self: Any) -> bool:
        return bool(parse(self) and gate.admits(self))

    def do_get(self: Any) -> None:
        with contextlib.suppress(OSError):  # who only looks goes before it has heard everything
            gate.get(self)

    def do_post(self: Any) -> None:
        gate.post(self, post)

    def log_request(self: Any, *given: Any) -> None:
        if self.path not in ("/health", "/metrics"):
            log(self, *given)

    kind.timeout = QUIET_S
    kind.parse_request, kind.log_request = parse_request, log_request
    kind.do_GET, kind.do_POST = do_get, do_post


def _generator(server: Any, kind: Any, gate: Gate) -> None:
    begin, generate = kind.__init__, kind.generate

    def started(self: Any, *given: Any, **named: Any) -> None:
        begin(self, *given, **named)
        threading.Thread(target=_end_with, args=(self,), daemon=True).start()

    def generated(self: Any, request: Any, asked: Any, *given: Any, **named: Any) -> Any:
        asked.model = server.ModelDescription("default_model", "default_model", None)
        context, pieces = generate(self, request, asked, *given, **named)
        return context, gate.limited(context, pieces)

    kind.__init__, kind.generate = started, generated


def _end_with(generator: Any) -> None:
    """End the process when the thread that computes has ended: the model was not loaded, or it failed."""
    while generator.is_healthy:
        time.sleep(LOOK_S)
    print("mlx_lm cannot continue: see the messages above", flush=True)  # noqa: T201 - this program's output is the log
    os._exit(1)
