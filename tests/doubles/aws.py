"""A double of AWS's two inference APIs on loopback, built from botocore's own service models.

Requests are those that boto3 signed and serialised; answers and streams are encoded as AWS encodes them
(`vnd.amazon.eventstream`), so that botocore's real parser reads them.
"""

from __future__ import annotations

import binascii
import json
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import unquote

from tests.kits.loopback import served

Answer = Callable[[Any], None]


@dataclass
class Double:
    """What it answers next, in this order; the last answer is repeated. `seen` is what was asked."""

    answers: list[Callable[[Handler], None]] = field(default_factory=list)
    seen: list[dict[str, Any]] = field(default_factory=list)
    url: str = ""

    def next(self) -> Callable[[Handler], None]:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    double: Double

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        self.double.seen.append(
            {"path": unquote(self.path), "body": json.loads(body), "headers": dict(self.headers)}
        )
        self.double.next()(self)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the parent's name
        """Say nothing."""


def document(content: Any) -> Callable[[Handler], None]:
    """A whole answer."""

    def send(to: Handler) -> None:
        text = json.dumps(content).encode()
        to.send_response(200)
        to.send_header("content-type", "application/json")
        to.send_header("content-length", str(len(text)))
        to.end_headers()
        to.wfile.write(text)

    return send


def error(code: str, status: int, message: str) -> Callable[[Handler], None]:
    """A failure, in the form of restJson1."""

    def send(to: Handler) -> None:
        text = json.dumps({"message": message, "Message": message}).encode()
        to.send_response(status)
        to.send_header("x-amzn-errortype", code)
        to.send_header("content-type", "application/json")
        to.send_header("content-length", str(len(text)))
        to.end_headers()
        to.wfile.write(text)

    return send


def stream(frames: Sequence[bytes], *, cut: bool = False) -> Callable[[Handler], None]:
    """An event stream in chunked transfer; `cut`: the line goes dead in the middle of the last frame."""

    def send(to: Handler) -> None:
        to.send_response(200)
        to.send_header("content-type", "application/vnd.amazon.eventstream")
        to.send_header("transfer-encoding", "chunked")
        to.end_headers()
        for frame in frames:
            to.wfile.write(f"{len(frame):x}\r\n".encode() + frame + b"\r\n")
            to.wfile.flush()
        if cut:
            to.close_connection = True
            return
        to.wfile.write(b"0\r\n\r\n")

    return send


def frame(kind: str, payload: bytes, content: str, message: str = "event") -> bytes:
    """One message of the event stream, with its lengths and checksums."""
    name = ":exception-type" if message == "exception" else ":event-type"
    headers = b"".join(
        struct.pack("!B", len(k)) + k.encode() + b"\x07" + struct.pack("!H", len(v)) + v.encode()
        for k, v in ((":message-type", message), (name, kind), (":content-type", content))
    )
    total = 12 + len(headers) + len(payload) + 4
    prelude = struct.pack("!II", total, len(headers))
    start = prelude + struct.pack("!I", binascii.crc32(prelude)) + headers + payload
    return start + struct.pack("!I", binascii.crc32(start))


@contextmanager
def serving() -> Iterator[Double]:
    """Run the double."""
    double = Double()
    with served(Handler, double=double) as url:
        double.url = url
        yield double
