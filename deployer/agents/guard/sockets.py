"""Sockets whose port nobody else can have."""

from __future__ import annotations

import contextlib
import socket

BACKLOG = 1024


def listening(host: str, port: int) -> socket.socket:
    """Return a socket that listens, at a port that nobody else can have while it is open.

    Raises:
        OSError: somebody has it.
    """
    line = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        line.bind((host, port))
        line.listen(BACKLOG)
    except OSError:
        line.close()
        raise
    return line


def kept(port: int, host: str = "127.0.0.1") -> socket.socket:
    """Return a socket that keeps a port for this user's own processes: others cannot listen there.

    Raises:
        OSError: somebody has it.
    """
    line = socket.socket()
    try:
        with contextlib.suppress(AttributeError):
            line.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        line.bind((host, port))
    except OSError:
        line.close()
        raise
    return line
