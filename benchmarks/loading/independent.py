"""Another load generator, to check `deployer bench` by: threads and `http.client`. It is handed the
bodies of the requests, so that both send the same load, and shares no code that measures.

Each client is a thread with a blocking connection of its own for each request. It reads the answer line by line off the socket and
notes the time of each line that holds text. Percentiles are numpy-free and of the nearest rank, not
interpolated; tokens are counted from the usage at the end of the stream.
"""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import math
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit


@dataclass
class Seen:
    """What all threads saw together, in seconds."""

    first: list[float] = field(default_factory=list)
    between: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)
    tokens: int = 0
    errors: int = 0
    seconds: float = 0.0


def generate(
    url: str, key: str, clients: int, warm: Sequence[bytes], bodies: Sequence[bytes]
) -> Seen:
    """Send one of `warm` from each of the `clients` threads, then all `bodies`; return what was seen of these."""
    seen, lock = Seen(), threading.Lock()
    first, left = iter(warm), iter(bodies)
    ready = threading.Barrier(clients + 1)

    def client(mine: bytes) -> None:
        _one(url, key, mine)
        ready.wait()
        while True:
            with lock:
                body = next(left, None)
            if body is None:
                return
            try:
                stamps = _one(url, key, body)
            except (OSError, ValueError, http.client.HTTPException):
                with lock:
                    seen.errors += 1
                continue
            with lock:
                _note(seen, *stamps)

    threads = [threading.Thread(target=client, args=(next(first),)) for _ in range(clients)]
    for thread in threads:
        thread.start()
    ready.wait()
    began = time.monotonic()
    for thread in threads:
        thread.join()
    seen.seconds = time.monotonic() - began
    return seen


def _note(seen: Seen, sent: float, stamps: list[float], ended: float, tokens: int) -> None:
    seen.first.append(stamps[0] - sent)
    seen.between += [after - before for before, after in itertools.pairwise(stamps)]
    seen.whole.append(ended - sent)
    seen.tokens += tokens


def _one(url: str, key: str, body: bytes) -> tuple[float, list[float], float, int]:
    """Send one request; return when it was sent, when each text came, when it ended, and its tokens."""
    parts = urlsplit(url)
    line = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=300)
    line.connect()
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    with contextlib.closing(line):
        return _timed(line, f"{parts.path}/chat/completions", headers, body)


def _timed(
    line: http.client.HTTPConnection, path: str, headers: dict[str, str], body: bytes
) -> tuple[float, list[float], float, int]:
    sent = time.monotonic()
    line.request("POST", path, body, headers)
    answer = line.getresponse()
    if answer.status != 200:
        raise ValueError(answer.read())
    stamps: list[float] = []
    usage: dict[str, Any] = {}
    while raw := answer.readline():
        now = time.monotonic()
        if raw.startswith(b"data: {"):
            event = json.loads(raw[6:])
            usage = event.get("usage") or usage
            if any(c.get("delta", {}).get("content") for c in event["choices"]):
                stamps.append(now)
    return sent, stamps, time.monotonic(), int(usage["completion_tokens"])


def nearest_rank(ordered: Sequence[float], share: float) -> float:
    """Return a percentile of sorted values: the smallest value that such a share of them does not exceed."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
