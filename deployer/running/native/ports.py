"""Which port of this machine to listen on."""

from __future__ import annotations

import socket

from deployer.core.errors import PrerequisiteError

HOST = "127.0.0.1"
FIRST_PORT, LAST_PORT = 8080, 8999


def free_port(wanted: int | str, others: set[int]) -> int:
    """Return the port to listen on: the wanted one, or for "auto" the first free one from 8080 up.

    Raises:
        PrerequisiteError: it is taken.
    """
    if wanted == "auto":
        for port in range(FIRST_PORT, LAST_PORT + 1):
            if port not in others and _is_free(port):
                return port
        raise PrerequisiteError(
            f"no port from {FIRST_PORT} to {LAST_PORT} is free", hint="set targets.local.port"
        )
    port = int(wanted)
    if port in others or not _is_free(port):
        from deployer.running.native import process  # late: psutil, which a free port does not need

        by = process.holder(port)
        raise PrerequisiteError(
            f"port {port} is in use" + (f" by {by}" if by else ""),
            hint="stop the process that listens there, or set targets.local.port to another or to auto",
            where=f"{HOST}:{port}",
        )
    return port


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            line.bind((HOST, port))
            line.listen(1)
        except OSError:
            return False
    return True
