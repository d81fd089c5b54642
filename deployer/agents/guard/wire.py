"""Heads and bodies of HTTP/1.1 (RFC 9112), read strictly: what two servers might read differently is refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

HEAD_END = b"\r\n\r\n"
REQUEST = re.compile(rb"([A-Z]{1,16}) (/[\x21-\x7e]*) HTTP/1\.([01])")
RESPONSE = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: [^\x00-\x08\x0a-\x1f\x7f]*)?")
NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
NOT_IN_VALUES = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\x00-\x08\x0a-\x1f\x7f]*)?")
LONGEST_LINE = 1024
"""Bytes of the line before a chunk."""
MOST_DIGITS = 15
ONCE = (b"host", b"content-length", b"transfer-encoding", b"authorization", b"content-type")
"""Fields that may stand once in a head."""
OF_THE_LINE = frozenset(
    (
        *(b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"upgrade"),
        *(b"transfer-encoding", b"content-length", b"expect", b"proxy-authorization"),
    )
)
"""Fields that are of one connection and not handed on."""

Fields = list[tuple[bytes, bytes]]


class WireError(Exception):
    """Bytes that are not HTTP, in words that repeat nothing of them."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.message, self.status = message, status


@dataclass
class Request:
    """The head of a request. Names are in lower case; `length` None: the body comes in chunks."""

    method: bytes
    target: bytes
    minor: int
    fields: Fields
    length: int | None
    goes_on: bool

    def get(self, name: bytes) -> bytes:
        """Return a field's value, empty where it is not there."""
        return next((value for key, value in self.fields if key == name), b"")


@dataclass
class Response:
    """The head of an answer. `length` None with `chunked` false: its body ends with the connection."""

    status: int
    fields: Fields
    length: int | None
    chunked: bool
    goes_on: bool


def request(head: bytes) -> Request:
    """Read the head of a request, without the empty line at its end.

    Raises:
        WireError: it is not one, or could be read in two ways.
    """
    first, *lines = head.split(b"\r\n")
    found = REQUEST.fullmatch(first)
    if found is None:
        raise WireError("the request line is not valid HTTP/1.1")
    fields, single = _fields(lines)
    minor = int(found[3])
    if minor and b"host" not in single:
        raise WireError("the Host header is missing")
    length = _length(single)
    if b"transfer-encoding" in single:
        if length is not None or not minor or single[b"transfer-encoding"].lower() != b"chunked":
            raise WireError("Transfer-Encoding must be 'chunked' alone, without Content-Length")
    else:
        length = length or 0
    return Request(found[1], found[2], minor, fields, length, _goes_on(fields, minor))


def response(head: bytes, method: bytes) -> Response:
    """Read the head of an answer to a request of a method.

    Raises:
        WireError: it is not one.
    """
    first, *lines = head.split(b"\r\n")
    found = RESPONSE.fullmatch(first)
    if found is None:
        raise WireError("the status line is not valid HTTP/1.1")
    fields, single = _fields(lines)
    status, minor = int(found[2]), int(found[1])
    chunked = single.get(b"transfer-encoding", b"").lower() == b"chunked"
    length = _length(single)
    if status < 200 or status in (204, 304) or method == b"HEAD":
        length, chunked = 0, False
    return Response(status, fields, length, chunked, _goes_on(fields, minor))


def _fields(lines: list[bytes]) -> tuple[Fields, dict[bytes, bytes]]:
    fields: Fields = []
    single: dict[bytes, bytes] = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or NAME.fullmatch(name) is None:
            raise WireError("a header is not valid")
        name, value = name.lower(), value.strip(b" \t")
        if NOT_IN_VALUES.search(value) is not None:
            raise WireError("a header holds a control character")
        if name in ONCE:
            if name in single:
                raise WireError(f"duplicate header: {name.decode()}")
            single[name] = value
        fields.append((name, value))
    return fields, single


def _length(single: dict[bytes, bytes]) -> int | None:
    said = single.get(b"content-length")
    if said is None:
        return None
    if not (said.isdigit() and len(said) <= MOST_DIGITS):
        raise WireError("Content-Length is not a number")
    return int(said)


def _goes_on(fields: Fields, minor: int) -> bool:
    """Whether the connection may be used again."""
    said = b",".join(value.lower() for name, value in fields if name == b"connection")
    words = {word.strip() for word in said.split(b",")}
    return b"close" not in words if minor else b"keep-alive" in words


class Body:
    """A body as its bytes come in. `length` None: in chunks, whose trailers are dropped."""

    def __init__(self, length: int | None, most: int) -> None:
        self.left = length or 0
        self.chunked, self.most = length is None, most
        self.size, self.done = 0, length == 0
        self.rest = bytearray()
        self.step: Callable[[list[bytes]], bool] = self._size_line

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """Return the part of the body that these bytes hold, and what comes after its end.

        Raises:
            WireError: it is longer than `most` (413), or its chunks are broken.
        """
        if self.chunked:
            return self._chunks(data)
        taken, after = data[: self.left], data[self.left :]
        self.left -= len(taken)
        self._count(len(taken))
        self.done = self.left == 0
        return taken, after

    def _count(self, more: int) -> None:
        self.size += more
        if self.size > self.most:
            raise WireError(f"the request is larger than {self.most:,} bytes", 413)

    def _chunks(self, data: bytes) -> tuple[bytes, bytes]:
        self.rest += data
        pieces: list[bytes] = []
        while not self.done and self.step(pieces):
            pass
        after = bytes(self.rest) if self.done else b""
        return b"".join(pieces), after

    def _line(self) -> bytes | None:
        end = self.rest.find(b"\r\n", 0, LONGEST_LINE + 2)
        if end < 0:
            if len(self.rest) > LONGEST_LINE:
                raise WireError("a line between chunks is too long")
            return None
        line = bytes(self.rest[:end])
        del self.rest[: end + 2]
        return line

    def _size_line(self, _pieces: list[bytes]) -> bool:
        line = self._line()
        if line is None:
            return False
        found = CHUNK.fullmatch(line)
        if found is None:
            raise WireError("the size of a chunk is not valid")
        self.left = int(found[1], 16)
        self._count(self.left)
        self.step = self._data if self.left else self._trailer
        return True

    def _data(self, pieces: list[bytes]) -> bool:
        taken = bytes(self.rest[: self.left])
        if not taken:
            return False
        pieces.append(taken)
        del self.rest[: len(taken)]
        self.left -= len(taken)
        if not self.left:
            self.step = self._data_end
        return True

    def _data_end(self, _pieces: list[bytes]) -> bool:
        if len(self.rest) < 2:
            return False
        if self.rest[:2] != b"\r\n":
            raise WireError("a chunk does not end where it should")
        del self.rest[:2]
        self.step = self._size_line
        return True

    def _trailer(self, _pieces: list[bytes]) -> bool:
        line = self._line()
        if line is None:
            return False
        self.size += len(line)  # trailers are not endless either
        self._count(0)
        self.done = line == b""
        return True


def phrase(status: int) -> bytes:
    """Return what a status is called; nothing where it has no name."""
    return _PHRASES.get(status, b"")


_PHRASES = {one.value: one.phrase.encode() for one in HTTPStatus}
