"""A Docker daemon that goes away: the message names the one that was asked."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler

import pytest

from deployer.core.errors import PrerequisiteError
from deployer.running.containers.daemon import connect, mended
from tests.kits.loopback import served


class Daemon(BaseHTTPRequestHandler):
    """Answers what a client asks first: which version it is."""

    def do_GET(self) -> None:
        body = json.dumps({"ApiVersion": "1.44", "MinAPIVersion": "1.24"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Stay silent."""


def test_a_daemon_that_went_away_is_named(monkeypatch):
    with served(Daemon) as url:
        address = url.replace("http", "tcp")
        monkeypatch.setenv("DOCKER_HOST", address)
        client = connect()
    with pytest.raises(PrerequisiteError) as refused, mended():
        client.containers()
    assert refused.value.message.startswith(
        f"the Docker daemon at {address} (DOCKER_HOST) does not answer: "
    )
    assert refused.value.where == address


def test_a_socket_that_is_named_and_not_there_is_named_with_a_way_back(monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    with pytest.raises(PrerequisiteError) as refused:
        connect()
    told = refused.value
    assert "unix:///nowhere/docker.sock (DOCKER_HOST) does not answer" in told.message
    assert "unset DOCKER_HOST" in str(told.hint)
