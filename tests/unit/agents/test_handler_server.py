"""The server around a user's handler: what it answers, what it refuses, and that nothing gets stuck."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from hypothesis import given, settings
from hypothesis import strategies as st

from deployer.agents.handler_server.__main__ import main
from deployer.agents.handler_server.answers import words
from deployer.agents.handler_server.app import application
from deployer.agents.handler_server.handler import Handler, HandlerError, load
from deployer.agents.handler_server.settings import Settings
from tests.kits.processes import PATIENCE_S, until

KEY = "dk-test-0123456789"
CHAT = "/v1/chat/completions"
HELLO = {"messages": [{"role": "user", "content": "Hello?"}]}


class Stage:
    """A handler that the test holds up and lets go."""

    def __init__(self) -> None:
        self.go, self.closed = threading.Event(), threading.Event()

    def predict(self, _model: Any, asked: Any) -> Any:
        said = asked["messages"][-1]["content"]
        if said == "wait":
            self.go.wait(PATIENCE_S)
        if said == "fail":
            raise ValueError("secret detail")
        return {
            "content": f"You said {said}",
            "usage": {"prompt_tokens": 2, "completion_tokens": 3},
        }

    def stream(self, _model: Any, asked: Any) -> Iterator[Any]:
        said = asked["messages"][-1]["content"]
        try:
            if said == "fail":
                raise ValueError("secret detail")
            yield "one "
            if said == "wait":
                self.go.wait(PATIENCE_S)
            if said == "break":
                raise ValueError("secret detail")
            yield "two\n\ndata: [DONE]\n\n"
            yield {"usage": {"prompt_tokens": 1, "completion_tokens": 2}}
        finally:
            self.closed.set()


class Served:
    """A server in a thread, and a client that has the key."""

    def __init__(self, folder: Path, handler: Handler, **changed: Any) -> None:
        (folder / "key").write_text(KEY)
        said = {"handler": folder, "name": "mine", "key_file": folder / "key", **changed}
        app = application(Settings(**said), handler)
        config = uvicorn.Config(app, port=0, log_level="error", ws="none", lifespan="off")
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, daemon=True)

    def __enter__(self) -> httpx.Client:
        self.thread.start()
        until(lambda: self.server.started or not self.thread.is_alive())
        port = self.server.servers[0].sockets[0].getsockname()[1]
        headers = {"Authorization": f"Bearer {KEY}"}
        self.client = httpx.Client(
            base_url=f"http://127.0.0.1:{port}",
            headers=headers,
            trust_env=False,
            timeout=PATIENCE_S,
        )
        return self.client

    def __exit__(self, *_: object) -> None:
        self.client.close()
        self.server.should_exit = self.server.force_exit = True
        self.thread.join(PATIENCE_S)


@pytest.fixture
def stage() -> Iterator[Stage]:
    one = Stage()
    yield one
    one.go.set()


@pytest.fixture
def serve(tmp_path: Path, stage: Stage) -> Iterator[Any]:
    """Serve the stage, or another handler, with changed settings."""
    with ExitStack() as stack:

        def start(handler: Handler | None = None, **changed: Any) -> httpx.Client:
            own = handler or Handler(None, stage.predict, stage.stream)
            return stack.enter_context(Served(tmp_path, own, **changed))

        yield start


def ask(text: str, **more: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}], **more}


def events(answer: httpx.Response) -> list[Any]:
    lines = [line.removeprefix("data: ") for line in answer.text.split("\n\n") if line]
    return [line if line == "[DONE]" else json.loads(line) for line in lines]


def content(found: list[Any]) -> str:
    chunks = [e["choices"][0]["delta"] for e in found if e != "[DONE]" and e.get("choices")]
    return "".join(chunk.get("content", "") for chunk in chunks)


def test_a_chat_is_answered_as_openai_has_it(serve):
    said = serve().post(CHAT, json=ask("Hi", model="any", unknown=1)).json()
    assert said["object"] == "chat.completion"
    assert said["model"] == "mine"
    assert said["choices"][0]["message"] == {"role": "assistant", "content": "You said Hi"}
    assert said["usage"] == {"prompt_tokens": 2, "completion_tokens": 3, "total_tokens": 5}


def test_a_streamed_chat_comes_in_pieces_that_cannot_forge_an_event(serve):
    asked = ask("Hi", stream=True, stream_options={"include_usage": True})
    found = events(serve().post(CHAT, json=asked))
    assert content(found) == "one two\n\ndata: [DONE]\n\n"
    assert found[-1] == "[DONE]"
    assert found[-2]["usage"]["total_tokens"] == 3


def test_without_stream_the_answer_of_predict_is_cut_into_words(serve, stage):
    client = serve(Handler(None, stage.predict))
    found = events(client.post(CHAT, json=ask("a  b", stream=True)))
    assert content(found) == "You said a  b"
    assert len(found) >= 6


@given(st.text())
def test_words_joined_again_are_the_same_text(text):
    assert "".join(words(text)) == text


@pytest.mark.parametrize("path", [CHAT, "/v1/models", "/metrics", "/invocations", "/nothing"])
@pytest.mark.parametrize("key", ["", "Bearer wrong", f"Basic {KEY}", f"Bearer {KEY}x"])
def test_everything_but_health_and_ping_needs_the_key(serve, path, key):
    client = serve()
    answer = client.request("POST", path, json=HELLO, headers={"Authorization": key})
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "invalid_api_key"
    for free in ("/health", "/ping"):
        assert client.get(free, headers={"Authorization": key}).status_code == 200


def test_on_sagemaker_there_is_only_ping_and_invocations_and_no_key(serve):
    client = serve(behind_service=True, key_file=None)
    open_to_it = {"Authorization": ""}
    assert client.get("/ping", headers=open_to_it).status_code == 200
    said = client.post("/invocations", json=ask("Hi"), headers=open_to_it).json()
    assert said["choices"][0]["message"]["content"] == "You said Hi"
    for path in (CHAT, "/v1/models", "/metrics", "/health"):
        assert client.post(path, json=HELLO, headers=open_to_it).status_code == 404


def test_it_does_not_start_without_a_key(tmp_path):
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"handler": "h.py", "name": "mine"}))
    with pytest.raises(ValueError, match="key_file is missing"):
        Settings.read(file)
    assert Settings.read(file, behind_service=True).port == 8080


@pytest.mark.parametrize("declared", [True, False], ids=["declared", "chunked"])
def test_a_request_that_is_too_large_is_refused(serve, declared):
    client = serve(max_request_bytes=1000)
    body = json.dumps(ask("x" * 2000)).encode()
    sent = body if declared else iter([body[:500], body[500:]])
    answer = client.post(CHAT, content=sent)
    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "request_too_large"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b"[" * 100_000,
        b"[]",
        b"{}",
        b'{"messages": []}',
        b'{"messages": [{"role": "root", "content": "a"}]}',
        b'{"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]}',
        b'{"messages": [{"role": "user", "content": "a"}], "max_tokens": -1}',
        b'{"messages": [{"role": "user", "content": "a"}], "temperature": NaN}',
    ],
)
def test_a_wrong_request_is_a_400_with_words(serve, body):
    answer = serve().post(CHAT, content=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_no_bytes_make_it_fail(serve):
    client = serve()

    @settings(max_examples=60)
    @given(st.binary(max_size=200) | st.text(max_size=200).map(lambda t: json.dumps(t).encode()))
    def sent(body):
        assert client.post(CHAT, content=body).status_code == 400

    sent()


def test_one_more_than_may_wait_is_refused_with_429_and_a_place_is_free_again_later(serve, stage):
    client = serve(concurrency=1, waiting=0)
    first = threading.Thread(target=client.post, args=(CHAT,), kwargs={"json": ask("wait")})
    first.start()
    until(lambda: b"handler_requests_running 1.0" in client.get("/metrics").content)
    refused = client.post(CHAT, json=HELLO)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
    stage.go.set()
    first.join()
    assert client.post(CHAT, json=HELLO).status_code == 200


@pytest.mark.parametrize("stream", [True, False])
def test_a_call_that_takes_too_long_is_a_504_and_keeps_its_place_until_it_ends(
    serve, stage, stream
):
    client = serve(Handler(None, stage.predict), concurrency=1, timeout_s=1, waiting=0)
    assert client.post(CHAT, json=ask("wait", stream=stream)).status_code == 504
    assert client.post(CHAT, json=HELLO).status_code == 429
    stage.go.set()
    until(lambda: client.post(CHAT, json=HELLO).status_code == 200)


def test_what_finds_no_place_waits_for_one(serve, stage):
    client = serve(concurrency=1)
    codes = list[int]()
    asked = [
        threading.Thread(
            target=lambda: codes.append(client.post(CHAT, json=ask("wait")).status_code)
        )
        for _ in range(4)
    ]
    for one in asked:
        one.start()
    until(lambda: b"handler_requests_running 4.0" in client.get("/metrics").content)
    stage.go.set()
    for one in asked:
        one.join()
    assert codes == [200] * 4


def test_a_wait_for_a_place_has_an_end(serve, stage):
    client = serve(concurrency=1, waiting_s=0.1)
    first = threading.Thread(target=client.post, args=(CHAT,), kwargs={"json": ask("wait")})
    first.start()
    until(lambda: b"handler_requests_running 1.0" in client.get("/metrics").content)
    assert client.post(CHAT, json=HELLO).status_code == 429
    stage.go.set()
    first.join()


def test_calls_that_hang_in_every_place_make_it_unhealthy_until_they_end(serve, stage):
    client = serve(Handler(None, stage.predict), concurrency=2, timeout_s=0.3)
    asked = [
        threading.Thread(target=client.post, args=(CHAT,), kwargs={"json": ask("wait")})
        for _ in range(2)
    ]
    for one in asked:
        one.start()
    for one in asked:
        one.join()
    for path in ("/health", "/ping"):
        assert client.get(path).status_code == 503
    stage.go.set()
    until(lambda: client.get("/health").status_code == 200)


def test_one_call_that_hangs_for_as_long_again_makes_it_unhealthy(serve, stage):
    client = serve(Handler(None, stage.predict), concurrency=4, timeout_s=0.5)
    assert client.post(CHAT, json=ask("wait")).status_code == 504
    assert client.get("/health").status_code == 200  # it may only be slow
    until(lambda: client.get("/health").status_code == 503)
    stage.go.set()


@pytest.mark.parametrize("stream", [True, False])
def test_what_the_handler_raises_is_a_500_that_tells_nothing(serve, stream):
    answer = serve().post(CHAT, json=ask("fail", stream=stream))
    assert answer.status_code == 500
    assert "secret detail" not in answer.text


OWN = """from fastapi import HTTPException

def load():
    return None

def predict(model, request):
    said = request["messages"][-1]["content"]
    if said == "deep":
        return _deeper({})
    if said == "json":
        return int("secret detail")
    raise HTTPException(int(said), {"why": "no"} if said == "409" else f"not {said}", {"x-why": "mine"})

def _deeper(values):
    return values["secret detail"]
"""


@pytest.fixture
def own(serve, tmp_path):
    """A handler in a file of its own, served."""
    file = tmp_path / "handler.py"
    file.write_text(OWN)
    return serve(load(file))


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("status", [400, 404, 409, 418, 422, 503])
def test_a_handler_answers_an_error_of_its_own(own, status, stream):
    answer = own.post(CHAT, json=ask(str(status), stream=stream))
    assert answer.status_code == status
    error = answer.json()["error"]
    assert error["message"] == ('{"why": "no"}' if status == 409 else f"not {status}")
    assert error["type"] == ("server_error" if status >= 500 else "invalid_request_error")
    assert answer.headers["x-why"] == "mine"


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("said", "kind", "line"), [("deep", "KeyError", 15), ("json", "ValueError", 11)]
)
def test_what_a_handler_fails_by_is_told_by_type_file_and_line(
    own, caplog, said, kind, line, stream
):
    answer = own.post(CHAT, json=ask(said, stream=stream))
    assert answer.status_code == 500
    assert f"{kind} at handler.py:{line}" in answer.json()["error"]["message"]
    assert "secret" not in answer.text
    assert f"{kind} at handler.py:{line}" in caplog.text
    assert "secret detail" not in caplog.text.replace(
        '"secret detail"', ""
    )  # but for its own source


def test_refusals_and_failures_are_not_in_the_latency(own, serve, stage):
    own.post(CHAT, json=ask("422"))
    own.post(CHAT, json=ask("deep"))
    own.post(CHAT, json={})
    counted = own.get("/metrics").text
    assert "handler_request_seconds_count 0.0" in counted
    assert 'handler_request_failure_total{status="422"} 1.0' in counted
    client = serve()
    client.post(CHAT, json=HELLO)
    assert "handler_request_seconds_count 1.0" in client.get("/metrics").text


BROKEN = [  # the file, type and line
    ("def load(:\n", "SyntaxError at handler.py:1"),
    ("import json\nimport nosuchmodule\n", "ModuleNotFoundError at handler.py:2"),
    ("def load():\n    return {}['x']\ndef predict(m, r): ...\n", "KeyError at handler.py:2"),
]


@pytest.mark.parametrize(("text", "told"), BROKEN)
def test_a_handler_that_cannot_be_loaded_is_told_by_type_file_and_line(
    tmp_path, caplog, text, told
):
    (tmp_path / "handler.py").write_text(text)
    (tmp_path / "key").write_text(KEY)
    said = {"handler": str(tmp_path / "handler.py"), "name": "a", "key_file": str(tmp_path / "key")}
    (tmp_path / "c.json").write_text(json.dumps(said))
    assert main([str(tmp_path / "c.json")]) == 1
    assert told in caplog.records[-1].getMessage()


def test_a_failure_in_the_middle_of_a_stream_is_its_last_event(serve):
    found = events(serve().post(CHAT, json=ask("break", stream=True)))
    assert content(found) == "one "
    assert found[-1]["error"]["code"] == "handler_failed"


def test_a_client_that_goes_away_frees_its_place_and_ends_the_handlers_generator(serve, stage):
    client = serve(concurrency=1)
    with client.stream("POST", CHAT, json=ask("wait", stream=True)) as answer:
        next(answer.iter_lines())
    stage.go.set()
    until(stage.closed.is_set)
    until(lambda: client.post(CHAT, json=HELLO).status_code == 200)


def test_metrics_count_answers_refusals_tokens_and_the_last_request(serve):
    client = serve()
    before = time.time()
    client.post(CHAT, json=HELLO)
    client.post(CHAT, json=ask("Hi", stream=True))
    client.post(CHAT, json={})
    said = client.get("/metrics").text
    for line in (
        "handler_request_success_total 2.0",
        'handler_request_failure_total{status="400"} 1.0',
        "handler_completion_tokens_total 5.0",
        "handler_requests_running 0.0",
    ):
        assert line in said
    last = next(t for t in said.splitlines() if t.startswith("handler_last_request_timestamp"))
    assert float(last.split()[1]) >= before - 1


def write(folder: Path, text: str) -> Path:
    file = folder / "handler.py"
    file.write_text(text)
    return file


TYPED = """
from pydantic import BaseModel
class Request(BaseModel):
    number: int
class Response(BaseModel):
    doubled: int
def load(): return 2
def predict(model, request): return {"doubled": model * request.number, **({} if request.number else {"doubled": "x"})}
"""


def test_predict_is_typed_by_the_handlers_own_classes(serve, tmp_path):
    client = serve(load(write(tmp_path, TYPED)), route="predict")
    assert client.post("/predict", json={"number": 4}).json() == {"doubled": 8}
    assert client.post("/invocations", json={"number": 4}).json() == {"doubled": 8}
    wrong = client.post("/predict", json={"number": "four"})
    assert (wrong.status_code, wrong.json()["error"]["param"]) == (400, "number")
    assert client.post("/predict", json={"number": 0}).status_code == 500
    assert client.post(CHAT, json=HELLO).status_code == 404


def test_untyped_predict_takes_and_gives_any_json(serve):
    client = serve(Handler(3, lambda model, asked: [model, asked]), route="predict")
    assert client.post("/predict", json={"a": None}).json() == [3, {"a": None}]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def predict(m, r): ...", "no load"),
        ("def load(): ...", "no predict"),
        ("def load(): ...\ndef predict(r): ...", "must take 2 arguments"),
        ("def load(): ...\nasync def predict(m, r): ...", "not 'async def'"),
        ("load = 1\ndef predict(m, r): ...", "is not a function"),
    ],
)
def test_a_handler_that_lacks_something_is_refused_in_words(tmp_path, text, words):
    with pytest.raises(HandlerError, match=words):
        load(write(tmp_path, text))
