"""Real engines behind the guard, as `up` starts them: attacked byte for byte, killed, stopped, taken over, drained."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from deployer.running.native import process
from deployer.running.store import Store
from tests.e2e.test_native import ENGINES, NAME, Cli, write_for
from tests.kits.documents import read
from tests.kits.guarded import answer_of, status_of
from tests.kits.parts import need
from tests.kits.processes import free_port, until

MARK = "zebrafish-4711"
HANDLER = """
import time
from fastapi import HTTPException
def load():
    return None
def predict(model, request):
    text = request["messages"][-1]["content"]
    if "hang" in text:
        time.sleep(3600)
    if "fail" in text:
        raise KeyError(text)
    return text
def stream(model, request):
    text = request["messages"][-1]["content"]
    for n in range({"go": 100, "long": 6000}.get(text, 3)):
        time.sleep(0.1)
        yield f"{n} "
"""
HANDLER_SPEC = """
name: tiny
model: {{source: {folder}}}
serve: {{engine: fastapi, concurrency: 2, handler: {{timeout: 2s}}}}
targets: {{local: {{provider: native, port: {port}}}}}
"""
EVERY = (*ENGINES, "fastapi")


def write(cli: Cli, engine: str, tiny_gguf: Path) -> None:
    if engine != "fastapi":
        write_for(cli, engine, tiny_gguf)
        return
    need("fastapi", "the handler's server")
    folder = cli.folder / "handler"
    folder.mkdir()
    (folder / "handler.py").write_text(HANDLER)
    cli.spec.write_text(HANDLER_SPEC.format(folder=folder, port=free_port()))


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[Cli]:
    one = Cli(tmp_path)
    yield one
    process.stop(Store(one.home).folder(NAME))


@pytest.fixture(scope="module", params=EVERY)
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, tiny_gguf: Path
) -> Iterator[Cli]:
    one = Cli(tmp_path_factory.mktemp("guarded"))
    write(one, request.param, tiny_gguf)
    code, out, err = one.up()
    assert code == 0, out + err
    yield one
    one.run("down", NAME, "--drain", "0s")


@pytest.fixture
def handler(cli: Cli, tiny_gguf: Path) -> Cli:
    """A handler that is up."""
    write(cli, "fastapi", tiny_gguf)
    code, out, err = cli.up()
    assert code == 0, out + err
    return cli


def key(cli: Cli) -> str:
    return Store(cli.home).key(NAME)


def port(cli: Cli) -> int:
    return urlsplit(Store(cli.home).get(NAME).endpoint or "").port or 0


def line_to(cli: Cli, data: bytes) -> socket.socket:
    line = socket.create_connection(("127.0.0.1", port(cli)), timeout=60)
    line.sendall(data)
    return line


def sent(cli: Cli, body: bytes, path: str = "/v1/chat/completions") -> bytes:
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key(cli)}\r\n"
    with line_to(cli, f"{head}content-length: {len(body)}\r\n\r\n".encode() + body) as line:
        return answer_of(line)


def said(text: str, **more: object) -> bytes:
    messages = [{"role": "user", "content": text}]
    return json.dumps({"model": "tiny", "messages": messages, "max_tokens": 4} | more).encode()


def works(cli: Cli) -> bool:
    return status_of(sent(cli, said("Hello?"))) == 200


def logged(cli: Cli) -> str:
    return "".join(
        file.read_text(errors="replace")
        for file in Store(cli.home).folder(NAME).rglob("*.log*")
        if file.is_file()
    )


LEAKS: dict[str, bytes] = {
    "an answer": said(MARK),
    "a stream": said(MARK, stream=True),
    "a failure": said(f"fail {MARK}"),
    "broken JSON": said(MARK)[:-3],
    "JSON that is cut in a text": b'{"messages": [{"role": "user", "content": "' + MARK.encode(),
    "half an emoji": said(MARK).replace(b"zebra", b"zebra\\ud83d"),
    "bytes": said(MARK).replace(b"zebra", b"zebra\xff"),
    "a role": json.dumps({"messages": [{"role": MARK, "content": "x"}]}).encode(),
    "a kind of content": json.dumps(
        {"messages": [{"role": "user", "content": [{"type": MARK}]}]}
    ).encode(),
    "messages that are text": json.dumps({"messages": MARK}).encode(),
    "a number": said("x", max_tokens=MARK),
    "a temperature": said("x", temperature=MARK),
    "a grammar": said("x", grammar=f"{MARK} ::= ("),
    "a schema": said(
        "x", response_format={"type": "json_schema", "json_schema": {"schema": {"type": MARK}}}
    ),
    "a reference": said("x", json_schema={"$ref": f"#/{MARK}"}),
    "a choice of tools": said("x", tool_choice=MARK),
    "a tool": said(
        "x", tools=[{"type": "function", "function": {"name": MARK, "parameters": {"type": MARK}}}]
    ),
    "a reasoning format": said("x", reasoning_format=MARK),
    "samplers": said("x", samplers=[MARK]),
    "an image": json.dumps(
        {
            "messages": [
                {
                    "role": "user",
                    "content": [{"type": "image_url", "image_url": {"url": f"http://{MARK}"}}],
                }
            ]
        }
    ).encode(),
    "a long one": said(f"{MARK} " * 400),
    "another model": said("x", model=MARK),
    "stop": said("x", stop=[MARK] * 9),
    "arguments of the template": said("x", chat_template_kwargs={MARK: MARK}),
}


@pytest.mark.parametrize("name", LEAKS)
def test_no_text_of_a_request_is_in_any_log(served, name):
    assert status_of(sent(served, LEAKS[name])) >= 200
    assert status_of(sent(served, LEAKS[name], f"/v1/{MARK}")) >= 400
    assert works(served)  # what the engine said before has been read
    text = logged(served)
    assert MARK not in text
    assert "zebra" not in text


DEEP = 100_000
NESTED = {
    "a grammar": said("x", grammar="root ::= " + "(" * DEEP + '"a"' + ")" * DEEP),
    "a chain of rules": said("x", grammar="\n".join(f"r{i} ::= r{i + 1}" for i in range(9000))),
    "tools": b'{"messages":[{"role":"user","content":"x"}],"tools":'
    + b"[" * DEEP
    + b"]" * DEEP
    + b"}",
    "arguments of the template": said("x")[:-1]
    + b',"chat_template_kwargs":{"a":'
    + b"[" * DEEP
    + b"]" * DEEP
    + b"}}",
    "arguments of a call": json.dumps(
        {
            "messages": [
                {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [
                        {
                            "id": "1",
                            "type": "function",
                            "function": {
                                "name": "f",
                                "arguments": '{"a":' * DEEP + "1" + "}" * DEEP,
                            },
                        }
                    ],
                },
                {"role": "user", "content": "x"},
            ]
        }
    ).encode(),
    "a pattern": said(
        "x", json_schema={"type": "string", "pattern": f"^{'(' * DEEP}a{')' * DEEP}$"}
    ),
    "lists without end": b"[" * DEEP,
}


@pytest.mark.parametrize("name", NESTED)
def test_one_request_that_is_nested_deep_does_not_end_the_engine(served, name):
    before = served.engine()
    assert status_of(sent(served, NESTED[name])) == 400
    assert works(served)
    assert served.engine() == before


def test_fifty_half_sent_requests_and_1100_idle_ones_do_not_stop_service(served):
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key(served)}\r\n"
    )
    lines = [line_to(served, b"POST /v1/x HTTP/1.1\r\nhost") for _ in range(50)]
    lines += [line_to(served, f"{head}content-length: 50\r\n\r\n".encode()) for _ in range(50)]
    lines += [line_to(served, b"") for _ in range(1100)]
    try:
        assert works(served)
        assert served.state() == "healthy"
    finally:
        for line in lines:
            line.close()


def test_no_private_place_of_the_engine_lets_anybody_in(served):
    """What the engine itself listens on is a socket in the owner's folder, or a port with a key of its own."""
    engine = served.engine()
    assert engine
    folder = Store(served.home).folder(NAME)
    assert folder.stat().st_mode & 0o077 == 0
    inner = (folder / "inner" / "key").read_text()
    assert inner != key(served)
    assert (folder / "inner" / "key").stat().st_mode & 0o077 == 0
    for heard in [c.laddr for c in engine.net_connections("inet") if c.status == "LISTEN"]:
        with socket.create_connection((heard.ip, heard.port), timeout=20) as line:
            head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key(served)}\r\n"
            body = said("Hello?")
            line.sendall(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
            assert b" 401 " in line.recv(100)


@pytest.mark.parametrize("short", ["", "short", "k" * 15])
def test_a_key_file_that_was_emptied_serves_nobody_after_a_restart(handler, short):
    place = Store(handler.home).key_file(NAME)
    place.write_text(short)
    error = handler.json("env", NAME, code=6)["error"]
    assert "16 characters" in error["message"]
    handler.processes[0].kill()
    until(lambda: not handler.processes)
    assert handler.up_json(code=6)["error"]["where"] == str(place)
    assert handler.processes == []


IMPOSTOR = """
import socket, sys
line = socket.socket()
line.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
line.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
if len(sys.argv) > 2:
    import os
    os.setuid(int(sys.argv[2]))
try:
    line.bind(("127.0.0.1", int(sys.argv[1])))
    line.listen()
except OSError:
    print("taken", flush=True)
    sys.exit()
print("bound", flush=True)
while True:
    near, _ = line.accept()
    print(repr(near.recv(65536)), flush=True)
    near.sendall(b"HTTP/1.1 200 OK\\r\\ncontent-length: 2\\r\\nconnection: close\\r\\n\\r\\n{}")
    near.close()
"""


def test_nobody_can_listen_at_its_port_while_the_engine_restarts(handler):
    """Not even a process of the same user, which may do more than another one."""
    engine = handler.engine()
    assert engine
    engine.kill()
    tried = subprocess.run(
        [sys.executable, "-c", IMPOSTOR, str(port(handler))],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert tried.stdout == "taken\n"
    assert works(handler)  # it waits for the restart


@pytest.mark.parametrize("command", ["env", "chat", "bench", "status"])
def test_who_took_the_port_of_a_dead_deployment_is_sent_neither_key_nor_prompt(handler, command):
    where = port(handler)
    for one in handler.processes:
        one.kill()
    until(lambda: not handler.processes)
    with subprocess.Popen(
        [sys.executable, "-c", IMPOSTOR, str(where)], stdout=subprocess.PIPE, text=True
    ) as impostor:
        assert impostor.stdout
        assert impostor.stdout.readline() == "bound\n"
        words = {"chat": ("chat", NAME, MARK), "bench": ("bench", NAME, "--requests", "1")}
        code, out, _ = handler.run(*words.get(command, (command, NAME)), "--json")
        if command == "status":
            assert read("status", out)["deployments"][0]["state"] == "failed"
        else:
            refused = read(command, out, code)["error"]
            assert "is not listened on by" in refused["message"]
            assert refused["exit_code"] == 6
        impostor.terminate()
        heard = impostor.stdout.read()
    assert key(handler) not in heard
    assert MARK not in heard


def test_after_down_env_refuses(handler):
    assert handler.run("down", NAME)[0] == 0
    assert handler.run("env", NAME)[0] == 2


def test_calls_that_hang_make_it_unhealthy_and_it_is_started_again(handler):
    before = handler.engine()
    threads = [
        threading.Thread(target=sent, args=(handler, said("hang")), daemon=True) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    until(lambda: handler.engine() not in (before, None))
    assert "hangs" in logged(handler)
    assert works(handler)
    until(lambda: handler.state() == "healthy")


def test_down_lets_a_stream_end_and_says_that_it_waits(handler):
    with line_to(handler, stream_request(handler)) as line:
        assert line.recv(10)
        code, _, err = handler.run("down", NAME)
        rest = answer_of(line)
    assert code == 0
    assert "waiting up to 60 s for 1 answer to end" in err
    assert "cut off" not in err
    assert b"[DONE]" in rest
    assert b"99 " in rest


def test_down_says_how_many_streams_it_cut(handler):
    lines = [line_to(handler, stream_request(handler, "long")) for _ in range(2)]
    for line in lines:
        assert line.recv(10)
    began = time.monotonic()
    document = handler.json("down", NAME, "--drain", "1s")
    assert document["answers_cut"] == 2
    assert time.monotonic() - began < 30
    for line in lines:
        line.close()


def stream_request(cli: Cli, text: str = "go") -> bytes:
    body = said(text, stream=True)
    head = f"POST /v1/chat/completions HTTP/1.0\r\nauthorization: Bearer {key(cli)}\r\n"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


def test_an_engine_that_is_stopped_does_not_pass_for_healthy(handler):
    engine = handler.engine()
    assert engine
    os.kill(engine.pid, signal.SIGSTOP)
    assert handler.state() == "unhealthy"
    os.kill(engine.pid, signal.SIGCONT)
    until(lambda: handler.state() == "healthy")
