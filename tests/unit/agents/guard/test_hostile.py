"""What hostile peers send, byte for byte: it is refused in words, reaches no engine, and service goes on."""

from __future__ import annotations

import json
import random
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deployer.agents.guard.content import fault
from tests.kits.guarded import KEY, SAY, Guarded, answer_of, request, status_of

AUTH = f"authorization: Bearer {KEY}\r\n"
HEAD = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n{AUTH}"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    one = Guarded(tmp_path_factory.mktemp("guarded"), body_bytes=2**20, head_s=1, body_s=1)
    yield one
    one.close()


def works(guarded: Guarded) -> bool:
    return status_of(guarded.asked(request())) == 200


CHUNKED = f"{HEAD}transfer-encoding: chunked\r\n\r\n"
WRONG_HEADS = {
    "no HTTP": "hello\r\n\r\n",
    "TLS": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "HTTP 0.9": "GET /\r\n\r\n",
    "HTTP 2": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a version of its own": f"POST / HTTP/1.9\r\nhost: x\r\n{AUTH}\r\n",
    "another address": f"POST http://169.254.169.254/ HTTP/1.1\r\nhost: x\r\n{AUTH}\r\n",
    "a tunnel": f"CONNECT 169.254.169.254:80 HTTP/1.1\r\nhost: x\r\n{AUTH}\r\n",
    "two spaces": f"POST  / HTTP/1.1\r\nhost: x\r\n{AUTH}\r\n",
    "a space in the path": f"POST /a b HTTP/1.1\r\nhost: x\r\n{AUTH}\r\n",
    "lower case": f"post / HTTP/1.1\r\nhost: x\r\n{AUTH}\r\n",
    "a null in the path": f"POST /\x00 HTTP/1.1\r\nhost: x\r\n{AUTH}\r\n",
    "no host": f"POST / HTTP/1.1\r\n{AUTH}\r\n",
    "two hosts": f"POST / HTTP/1.1\r\nhost: x\r\nhost: y\r\n{AUTH}\r\n",
    "two keys": f"{HEAD}authorization: Bearer x\r\n\r\n",
    "a folded line": f"{HEAD}x: a\r\n b\r\n\r\n",
    "a space before the colon": f"{HEAD}content-length : 3\r\n\r\nabc",
    "a name with a null": f"{HEAD}x\x00y: 1\r\n\r\n",
    "a value with a null": f"{HEAD}x: \x00\r\n\r\n",
    "a value with a bare CR": f"{HEAD}x: a\rb: c\r\n\r\n",
    "a value with a bare LF": f"{HEAD}x: a\nb: c\r\n\r\n",
    "a line without a colon": f"{HEAD}hello\r\n\r\n",
    "an empty name": f"{HEAD}: x\r\n\r\n",
    "two lengths": f"{HEAD}content-length: 3\r\ncontent-length: 4\r\n\r\nabc",
    "a list of lengths": f"{HEAD}content-length: 3, 3\r\n\r\nabc",
    "a negative length": f"{HEAD}content-length: -1\r\n\r\n",
    "a signed length": f"{HEAD}content-length: +3\r\n\r\nabc",
    "a length in hexadecimal": f"{HEAD}content-length: 0x3\r\n\r\nabc",
    "a length of other digits": f"{HEAD}content-length: \u0663\r\n\r\nabc",
    "an endless length": f"{HEAD}content-length: {'9' * 40}\r\n\r\nabc",
    "chunks and a length": f"{HEAD}content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks twice": f"{HEAD}transfer-encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "another encoding": f"{HEAD}transfer-encoding: gzip\r\n\r\n",
    "identity": f"{HEAD}transfer-encoding: identity\r\n\r\n",
    "chunks with a vertical tab": f"{HEAD}transfer-encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "chunks in HTTP 1.0": CHUNKED.replace("HTTP/1.1", "HTTP/1.0") + "0\r\n\r\n",
    "a chunk without a size": f"{CHUNKED}\r\n\r\n",
    "a chunk of a negative size": f"{CHUNKED}-1\r\nabc\r\n",
    "a chunk of an endless size": f"{CHUNKED}{'f' * 20}\r\n",
    "a chunk that is too long": f"{CHUNKED}3\r\nabcdef\r\n0\r\n\r\n",
    "a chunk that ends with LF": f"{CHUNKED}3\nabc\n0\n\n",
    "an endless extension": f"{CHUNKED}3;{'x' * 5000}\r\n",
    "compressed": f"{HEAD}content-encoding: gzip\r\ncontent-length: 3\r\n\r\nabc",
}


@pytest.mark.parametrize("name", WRONG_HEADS)
def test_what_could_be_read_in_two_ways_is_refused(guarded, name):
    before = len(guarded.backend.heads)
    said = guarded.asked(WRONG_HEADS[name].encode("latin-1", "replace"))
    assert status_of(said) in (400, 408, 413, 415)  # 408: more is waited for, and does not come
    assert said.count(b"HTTP/1.1 ") == 1
    assert len(guarded.backend.heads) == before
    assert works(guarded)


def test_a_request_in_the_body_of_another_one_is_not_served(guarded):
    """What comes after the body that was declared is a request of its own, and needs the key."""
    smuggled = b"POST /v1/x HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n"
    with guarded.line(request() + smuggled) as line:
        said = b"".join(iter(lambda: line.recv(65536), b""))
    assert [int(part[:3]) for part in said.split(b"HTTP/1.1 ")[1:]] == [200, 401]


@pytest.mark.parametrize("size", [2**15 + 1, 2**20])
def test_a_head_without_an_end_is_refused(guarded, size):
    assert status_of(guarded.asked(HEAD.encode() + b"x: " + b"a" * size)) == 431
    assert works(guarded)


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_is_too_large_is_refused(guarded, chunked):
    if chunked:
        said = CHUNKED.encode() + b"10000\r\n" + b"a" * 65536 + b"\r\n"
        said += (b"10000\r\n" + b"a" * 65536 + b"\r\n") * 16
    else:
        said = f"{HEAD}content-length: {2**20 + 1}\r\n\r\n".encode()
    assert status_of(guarded.asked(said)) == 413
    assert works(guarded)


def test_who_sends_too_slowly_is_left(guarded):
    with (
        guarded.line(b"POST / HT") as head,
        guarded.line(HEAD.encode() + b"content-length: 9\r\n\r\nab") as body,
    ):
        assert (status_of(answer_of(head)), status_of(answer_of(body))) == (408, 408)
    assert works(guarded)


def test_who_sends_a_byte_at_a_time_is_left_too(guarded):
    began = time.monotonic()
    with guarded.line() as line:
        for one in HEAD:
            try:
                line.sendall(one.encode())
            except OSError:
                break
            time.sleep(0.05)
        said = answer_of(line)
    assert status_of(said) in (0, 408)  # a reset may have taken the answer away
    assert time.monotonic() - began < len(HEAD) * 0.05


DEEP = 100_000
NESTED: dict[str, Callable[[int], object]] = {
    "lists": lambda n: json.loads("[" * 500 + "]" * 500) if n < 1000 else None,
    "a grammar": lambda n: {"messages": [], "grammar": "root ::= " + "(" * n + '"a"' + ")" * n},
    "arguments": lambda n: {
        "messages": [
            {"role": "assistant", "tool_calls": [{"function": {"arguments": "[" * n + "]" * n}}]}
        ]
    },
    "a pattern": lambda n: {
        "json_schema": {"type": "string", "pattern": "^" + "(" * n + "a" + ")" * n + "$"}
    },
    "arguments of the template": lambda n: {"chat_template_kwargs": {"x": "{" * n}},
    "references": lambda n: {"grammar": "\n".join(f"r{i} ::= r{i + 1}" for i in range(n // 10))},
}


@pytest.mark.parametrize("name", [one for one in NESTED if one != "lists"])
def test_texts_that_an_engine_would_parse_are_not_nested_deep(guarded, name):
    body = json.dumps(NESTED[name](DEEP)).encode()
    said = guarded.asked(request(body[: 2**20]) if len(body) < 2**20 else request(body))
    assert status_of(said) in (400, 413)
    assert works(guarded)


@pytest.mark.parametrize("opened", ["[", '{"a":', '[{"a":'])
@pytest.mark.parametrize("closed", [True, False])
def test_documents_are_not_nested_deep(guarded, opened, closed):
    ends = {"[": "]", '{"a":': "}", '[{"a":': "}]"}[opened] if closed else ""
    body = (opened * DEEP + "1" + ends * DEEP).encode()
    assert status_of(guarded.asked(request(body))) == 400
    assert works(guarded)


@pytest.mark.parametrize(
    ("depth", "refused"), [(50, False), (100, False), (101, True), (900, True)]
)
def test_the_depth_is_counted_exactly(depth, refused):
    body = b'{"a":' * (depth - 1) + b'["[{(\\"\\\\"]' + b"}" * (depth - 1)
    assert (fault(body, 100) is not None) == refused


def test_what_people_write_to_a_model_may_hold_as_many_brackets_as_they_like():
    text = "((((" * 1000 + "[[{{" * 1000
    for body in (
        {"messages": [{"role": "user", "content": text}]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": text}]}]},
        {"prompt": [text, text]},
        {"input": text},
    ):
        assert fault(json.dumps(body).encode(), 100) is None


ODD = {
    "cut": SAY[:-5],
    "half an emoji, escaped": b'{"content": "\\ud83d"}',
    "half an emoji, low": b'{"content": "\\ude00 x"}',
    "half an emoji, in bytes": b'{"content": "\xf0\x9f"}',
    "latin-1": b'{"content": "\xe9"}',
    "a byte order mark": b"\xef\xbb\xbf{}",
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "UTF-32": '{"a": 1}'.encode("utf-32"),
    "NaN": b'{"a": NaN}',
    "Infinity": b'{"a": -Infinity}',
    "a number beyond all": b'{"a": 1e999}',
    "digits without end": b'{"a": ' + b"9" * 5000 + b"}",
    "a comma too many": b'{"a": 1,}',
    "a comment": b'{"a": 1 /* x */}',
    "single quotes": b"{'a': 1}",
    "a raw line's end in a text": b'{"a": "x\ny"}',
    "two documents": b"{}{}",
    "nothing but space": b"   ",
    "a form": b"a=1&b=2",
    "nulls": b"\0" * 50,
}


@pytest.mark.parametrize("name", ODD)
def test_what_engines_would_write_into_their_logs_is_refused_without_repeating_it(guarded, name):
    before = len(guarded.backend.heads)
    said = guarded.asked(request(ODD[name]))
    assert status_of(said) == 400
    assert json.loads(said.partition(b"\r\n\r\n")[2])["error"]["message"].startswith("the request ")
    assert len(guarded.backend.heads) == before
    assert works(guarded)


def test_whole_emoji_pass(guarded):
    for body in (
        b'{"content": "\\ud83d\\ude00"}',
        '{"content": "😀"}'.encode(),
        b'{"a": "\\\\ud83d"}',
    ):
        assert status_of(guarded.asked(request(body))) == 200


def test_fifty_half_sent_requests_do_not_stop_service(guarded):
    half = [guarded.line(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n") for _ in range(50)]
    half += [guarded.line(HEAD.encode() + b"content-length: 100\r\n\r\n{") for _ in range(50)]
    assert works(guarded)
    for line in half:
        line.close()


def test_more_idle_connections_than_there_is_room_for_do_not_stop_service(tmp_path: Path):
    guarded = Guarded(tmp_path, per_address=50)
    lines = list[socket.socket]()
    try:
        for _ in range(200):
            lines.append(guarded.line())
        assert works(guarded)
        assert len(guarded.guard.callers.every) <= 50
    finally:
        for line in lines:
            line.close()
        guarded.close()


def test_who_reads_nothing_of_an_endless_answer_is_left(tmp_path: Path):
    guarded = Guarded(tmp_path, unread_s=0.5)

    async def endless(_body: bytes, writer: object) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")  # type: ignore[attr-defined]
        while True:
            writer.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")  # type: ignore[attr-defined]
            await writer.drain()  # type: ignore[attr-defined]

    guarded.backend.answer = endless
    with guarded.line(request()):
        deadline = time.monotonic() + 30
        while not guarded.backend.gone and time.monotonic() < deadline:
            time.sleep(0.05)
    assert guarded.backend.gone
    guarded.close()


def test_a_thousand_broken_requests_end_neither_the_guard_nor_get_past_it(guarded):
    chance = random.Random(16)  # noqa: S311 - broken in the same way each time
    good = request()
    before = len(guarded.backend.heads)
    wrong = 0
    for _ in range(1000):
        broken = bytearray(good.replace(KEY.encode(), b"x" * len(KEY)))
        for _ in range(chance.randint(1, 8)):
            at = chance.randrange(len(broken))
            broken[at : at + chance.randint(0, 2)] = chance.randbytes(chance.randint(0, 3))
        with guarded.line(bytes(broken)) as line:
            line.shutdown(socket.SHUT_WR)
            said = answer_of(line)
        wrong += status_of(said) == 200
    assert wrong == 0
    assert len(guarded.backend.heads) == before
    assert works(guarded)
