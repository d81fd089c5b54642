"""Who listens at a port of this machine: the guard of a deployment proves that it knows the API key."""

from __future__ import annotations

import hmac
import secrets
import socket
from contextlib import suppress

from deployer.agents.guard import proof

WAIT_S = 5.0
MOST_BYTES = 4096


def is_taken(host: str, port: int) -> bool:
    """Whether anything listens there."""
    try:
        with socket.create_connection((host, port), timeout=WAIT_S):
            return True
    except ConnectionRefusedError:
        return False
    except OSError:
        return True


def proves(host: str, port: int, key: str) -> bool:
    """Whether what listens there holds the key. The key is not sent."""
    nonce = secrets.token_hex(16)
    head = f"GET {proof.PATH}?nonce={nonce} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"
    said = b""
    with suppress(OSError), socket.create_connection((host, port), timeout=WAIT_S) as line:
        line.sendall(head.encode())
        while (piece := line.recv(MOST_BYTES)) and len(said) < MOST_BYTES:
            said += piece
    expected = proof.prove(key, port, nonce)
    return hmac.compare_digest(said.rpartition(b"\r\n\r\n")[2].strip(), expected.encode())
