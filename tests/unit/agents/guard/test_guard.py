"""The guard: who is let through, what is handed on, how long anybody waits."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deployer.agents.guard import keys, proof
from deployer.agents.guard.sockets import kept, listening
from deployer.running.native import listener
from tests.kits.guarded import INNER, KEY, SAY, Guarded, answer_of, plain, request, status_of
from tests.kits.processes import free_port, until

Make = Callable[..., Guarded]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made = list[Guarded]()

    def one(**limits: object) -> Guarded:
        folder = tmp_path / str(len(made))
        folder.mkdir()
        made.append(Guarded(folder, **limits))
        return made[-1]

    yield one
    for each in made:
        each.close()


def stream(pieces: int, pause: float) -> Callable[[bytes, asyncio.StreamWriter], object]:
    async def answer(_body: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        for _ in range(pieces):
            writer.write(b"5\r\nhello\r\n")
            await asyncio.sleep(pause)
        writer.write(b"0\r\n\r\n")

    return answer


def test_a_request_with_the_key_reaches_the_engine_with_another_key(make):
    guarded = make()
    assert json.loads(guarded.asked(request()).partition(b"\r\n\r\n")[2]) == {"got": len(SAY)}
    (head,) = guarded.backend.heads
    assert f"authorization: Bearer {INNER}".encode() in head
    assert KEY.encode() not in head


@pytest.mark.parametrize("key", ["", "wrong", KEY[:-1], KEY + "x", KEY.upper(), INNER])
def test_another_key_is_refused_and_its_request_reaches_nobody(make, key):
    guarded = make()
    assert status_of(guarded.asked(request(key=key))) == 401
    assert guarded.backend.heads == []


def test_the_key_is_taken_as_anthropics_clients_send_it(make):
    said = f"POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-api-key: {KEY}\r\ncontent-length: 2\r\n\r\n{{}}"
    guarded = make()
    assert status_of(guarded.asked(said.encode())) == 200
    assert KEY.encode() not in guarded.backend.heads[0]


def test_health_needs_no_key_and_says_when_there_is_no_engine(make):
    guarded = make()
    ask = b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n"
    assert status_of(guarded.asked(ask)) == 200
    guarded.guard.call(guarded.guard.engine_ended)
    until(lambda: status_of(guarded.asked(ask)) == 503)


def test_one_connection_serves_many_requests_in_their_order(make):
    guarded = make()
    bodies = [json.dumps({"n": "x" * n}).encode() for n in range(5)]
    with guarded.line(b"".join(map(request, bodies))) as line:  # all at once
        said = b""
        while said.count(b'"got"') < 5:
            said += line.recv(65536)
    sizes = [
        json.loads(part.partition(b"\r\n\r\n")[2])["got"] for part in said.split(b"HTTP/1.1 ")[1:]
    ]
    assert sizes == [len(body) for body in bodies]


def test_a_stream_is_handed_on_piece_by_piece(make):
    guarded = make()
    guarded.backend.answer = stream(3, 0.2)
    with guarded.line(request()) as line:
        said = b""
        while b"hello" not in said:
            said += line.recv(65536)
        began = time.monotonic()
        while not said.endswith(b"0\r\n\r\n"):
            said += line.recv(65536)
    assert time.monotonic() - began > 0.3
    assert said.count(b"hello") == 3


def test_a_caller_of_http_1_0_gets_the_pieces_without_their_frames(make):
    guarded = make()
    guarded.backend.answer = stream(3, 0)
    said = request().replace(b"HTTP/1.1", b"HTTP/1.0").replace(b"host: x\r\n", b"")
    with guarded.line(said) as line:
        told = b"".join(iter(lambda: line.recv(65536), b""))
    assert told.partition(b"\r\n\r\n")[2] == b"hello" * 3
    assert b"\r\nhost: " in guarded.backend.heads[0]
    assert b"chunked" not in told


def test_who_goes_ends_the_engines_work_and_frees_the_place(make):
    guarded = make(places=1)
    guarded.backend.answer = stream(1000, 0.05)
    with guarded.line(request()) as line:
        assert line.recv(10)
    until(lambda: guarded.backend.gone == 1)
    guarded.backend.answer = plain
    assert status_of(guarded.asked(request())) == 200


def test_what_finds_no_place_waits_and_then_too_many_are_told_when_to_come_again(make):
    guarded = make(places=2, waiting=3)
    guarded.backend.answer = stream(1, 1.0)
    lines = [guarded.line(request()) for _ in range(9)]
    said = [answer_of(line) for line in lines]
    for line in lines:
        line.close()
    codes = sorted(map(status_of, said))
    assert codes == [200] * 5 + [429] * 4
    assert all(b"retry-after: 1" in one for one in said if status_of(one) == 429)


def test_a_wait_for_a_place_has_an_end(make):
    guarded = make(places=1, waiting_s=0.3)
    guarded.backend.answer = stream(1, 3.0)
    with guarded.line(request()), guarded.line(request()) as second:
        assert status_of(answer_of(second)) == 429


def test_looking_does_not_wait_for_what_computes(make):
    guarded = make(places=1)
    guarded.backend.answer = stream(1, 5.0)
    with guarded.line(request()):
        until(lambda: guarded.guard.calls.running)
        guarded.backend.answer = stream(1, 0)
        get = f"GET /v1/models HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\n\r\n"
        assert status_of(guarded.asked(get.encode())) == 200


def test_an_engine_that_crashes_is_said_and_who_comes_next_waits_for_it(make):
    guarded = make()
    guarded.backend.answer = stream(1000, 0.05)

    async def silent(_body: bytes, _writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)

    guarded.backend.answer = silent
    with guarded.line(request()) as line:
        until(lambda: guarded.backend.heads)
        guarded.backend.drop()
        assert status_of(answer_of(line)) == 502
    guarded.guard.call(guarded.guard.engine_ended)
    guarded.backend.answer = stream(1, 0)
    with guarded.line(request()) as line:
        until(lambda: guarded.guard.calls.queue)
        from deployer.agents.guard.guard import Engine

        guarded.guard.call(guarded.guard.engine_started, Engine(guarded.backend.path, INNER))
        assert status_of(answer_of(line)) == 200


def test_an_engine_that_says_it_is_not_well_is_to_be_started_again(make):
    guarded = make()
    guarded.backend.status = 503
    until(lambda: guarded.hung)
    assert "503" in guarded.hung[0]


def test_an_engine_whose_places_are_all_silent_is_to_be_started_again(make):
    guarded = make(places=2, silent_s=0.3)

    async def silent(_body: bytes, _writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)

    guarded.backend.answer = silent
    with guarded.line(request()):
        time.sleep(1)
        assert guarded.hung == []  # one place is free
        with guarded.line(request()):
            until(lambda: guarded.hung)


def test_draining_lets_answers_end_and_takes_nothing_more(make):
    guarded = make()
    guarded.backend.answer = stream(2, 0.3)
    with guarded.line(request()) as line:
        until(lambda: guarded.backend.heads)
        guarded.guard.call(guarded.guard.drain)
        until(lambda: guarded.answering)
        with pytest.raises(ConnectionRefusedError):
            guarded.line()
        assert answer_of(line).endswith(b"0\r\n\r\n")
    until(lambda: guarded.answering[-1] == 0)
    assert guarded.answering[0] == 1


def test_the_proof_is_of_the_key_the_port_and_the_nonce_and_the_key_is_not_sent(make):
    guarded = make()
    assert listener.proves("127.0.0.1", guarded.port, KEY)
    assert not listener.proves("127.0.0.1", guarded.port, KEY + "x")
    assert not listener.proves("127.0.0.1", free_port(), KEY)
    nonce = "0" * 32
    assert proof.prove(KEY, 1, nonce) != proof.prove(KEY, 2, nonce)
    said = guarded.asked(f"GET {proof.PATH}?nonce={nonce} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
    assert said.endswith(proof.prove(KEY, guarded.port, nonce).encode())


def _listen(line: socket.socket, port: int) -> None:
    line.bind(("127.0.0.1", port))
    line.listen()


def test_a_port_that_is_listened_on_can_be_had_by_nobody_else():
    port = free_port()
    with listening("127.0.0.1", port):
        for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
            with socket.socket() as other:
                other.setsockopt(socket.SOL_SOCKET, option, 1)
                with pytest.raises(OSError, match="in use"):
                    _listen(other, port)


def test_a_port_that_is_kept_is_for_whoever_shares_it_as_this_user():
    with kept(0) as mine, socket.socket() as engine:
        engine.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        engine.bind(mine.getsockname())
        engine.listen()
        with pytest.raises(OSError, match="in use"):
            listening(*mine.getsockname())


@pytest.mark.parametrize("short", ["", " ", "k" * 15, "\n" * 20, " " + "k" * 15 + "\n"])
def test_a_key_that_could_be_guessed_is_no_key(short):
    with pytest.raises(keys.ShortKeyError):
        keys.checked(short)
