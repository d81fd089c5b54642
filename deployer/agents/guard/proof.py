"""How a guard proves that it holds the API key, without being sent it: an HMAC over a number of the asker's.

The port that it was asked at goes into it, so that somebody who listens at another one cannot pass the question on.
"""

from __future__ import annotations

import hashlib
import hmac
import re

PATH = "/.well-known/deployer"
NONCE = re.compile(r"nonce=([0-9a-f]{32,64})")


def prove(key: str, port: int, nonce: str) -> str:
    """Return the proof for a nonce and the port that was asked, in hexadecimal."""
    said = f"deployer-guard\0{port}\0{nonce}".encode()
    return hmac.new(key.encode(), said, hashlib.sha256).hexdigest()


def nonce_of(target: str) -> str | None:
    """Return the nonce that a request asks about; None: it asks for something else."""
    path, _, query = target.partition("?")
    found = NONCE.fullmatch(query) if path == PATH else None
    return found[1] if found else None
