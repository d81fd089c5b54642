"""`deployer proxy` and `chat` for Bedrock and SageMaker: the official OpenAI client against AWS's own wire format."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import openai
import pytest
import uvicorn

from deployer.cli import main
from deployer.core.deployment import Deployment
from deployer.core.errors import RemoteError, UsageError
from deployer.running.gateway.app import application
from deployer.running.gateway.backend import Backend, backend_of, needs_gateway
from deployer.running.gateway.chat import chat
from deployer.running.gateway.waking import Patience
from deployer.running.lookup import provider_of
from deployer.running.store import Store
from tests.doubles.aws import Double, document, error, frame, serving, stream
from tests.kits.documents import printed

BEDROCK = {
    "model_arn": "arn:aws:bedrock:us-east-1:123456789012:imported-model/abc",
    "region": "us-east-1",
}
SAGEMAKER = {
    "endpoint_name": "mine-serverless",
    "inference_component": "mine-serverless",
    "region": "us-east-1",
}
KINDS = {"bedrock": BEDROCK, "sagemaker": SAGEMAKER}
ASLEEP = {
    "bedrock": error("ModelNotReadyException", 429, "Model is not ready for inference"),
    "sagemaker": error(
        "ValidationError", 400, "Inference Component has no capacity to process this request."
    ),
}
WHOLE = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [
        {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hello."}}
    ],
    "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
}
ASK: list[Any] = [{"role": "user", "content": "Say hello."}]


def chunk(text: str | None, finish: str | None = None) -> dict[str, Any]:
    delta = {} if text is None else {"content": text}
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {
        "id": "c",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": [choice],
    }


CHUNKS = [chunk("Hel"), chunk("lo."), chunk(None, "stop")]


def frames(kind: str, chunks: list[dict[str, Any]], *, done: bool = True) -> list[bytes]:
    """A streamed answer as the service sends it; SageMaker cuts the container's events where it likes."""
    if kind == "bedrock":
        texts = (base64.b64encode(json.dumps(c).encode()).decode() for c in chunks)
        return [
            frame("chunk", json.dumps({"bytes": t}).encode(), "application/json") for t in texts
        ]
    sent = b"".join(b"data: " + json.dumps(c).encode() + b"\n\n" for c in chunks)
    sent += b"data: [DONE]\n\n" if done else b""
    cuts = [sent[at : at + 37] for at in range(0, len(sent), 37)]
    return [frame("PayloadPart", cut, "application/octet-stream") for cut in cuts]


def record(kind: str, **more: Any) -> Deployment:
    return Deployment(
        name="mine-serverless",
        spec_name="mine",
        spec_digest="0" * 64,
        target="serverless",
        provider=kind,
        engine="vllm",
        model="mine",
        started_at="2026-01-01T00:00:00+00:00",
        planned=[],
        outputs=KINDS.get(kind, {}),
        **more,
    )


def connected(made: Deployment) -> Backend:
    return backend_of(made, provider_of(made))


@pytest.fixture
def double(monkeypatch: pytest.MonkeyPatch) -> Iterator[Double]:
    with serving() as made:
        monkeypatch.setenv("AWS_ENDPOINT_URL", made.url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        yield made


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class Clock:
    """Time that passes only when somebody pauses."""

    def __init__(self) -> None:
        self.now, self.pauses = 0.0, list[float]()

    def __call__(self) -> float:
        return self.now

    def pause(self, seconds: float) -> None:
        self.now += seconds
        self.pauses.append(seconds)

    def patience(self, limit_s: float, **more: Any) -> Patience:
        return Patience(limit_s, clock=self, pause=self.pause, **more)


@contextmanager
def proxy(
    backend: Backend, key: str | None = None, patience: Callable[..., Patience] = Patience
) -> Iterator[str]:
    """Run the proxy as the command does and yield its address."""
    told = uvicorn.Config(
        application(backend, key, patience=patience), port=0, log_level="warning", ws="none"
    )
    server = uvicorn.Server(told)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def client(url: str, key: str = "none") -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=url, api_key=key, max_retries=0) as made:
        yield made


def ask(to: openai.OpenAI, **more: Any) -> Any:
    return to.chat.completions.create(model="mine", messages=ASK, **more)


def test_an_answer_comes_back_as_it_was_given(double, kind):
    double.answers = [document(WHOLE)]
    with proxy(connected(record(kind))) as url, client(url) as to:
        answer = ask(to, max_tokens=8, temperature=0.5)
    assert answer.choices[0].message.content == "Hello."
    assert answer.usage.total_tokens == 5
    (seen,) = double.seen
    assert seen["body"]["messages"] == ASK
    assert (seen["body"]["max_tokens"], seen["body"]["temperature"]) == (8, 0.5)


def test_the_call_is_signed_with_the_callers_own_credentials_and_not_with_the_proxys_key(
    double, kind
):
    double.answers = [document(WHOLE)]
    with proxy(connected(record(kind)), key="dk-1") as url, client(url, "dk-1") as to:
        ask(to)
    sent = double.seen[0]["headers"]
    signed = {k.lower(): v for k, v in sent.items()}["authorization"]
    assert signed.startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
    assert "dk-1" not in json.dumps(double.seen)


def test_the_model_is_named_in_the_call(double):
    double.answers = [document(WHOLE)]
    for kind, outputs in KINDS.items():
        with proxy(connected(record(kind))) as url, client(url) as to:
            ask(to)
        seen = double.seen[-1]
        if kind == "bedrock":
            assert outputs["model_arn"] in seen["path"]
            assert "model" not in seen["body"], "Bedrock takes it from the path"
        else:
            headers = {k.lower(): v for k, v in seen["headers"].items()}
            assert headers["x-amzn-sagemaker-inference-component"] == "mine-serverless"


def test_a_streamed_answer_comes_in_pieces(double, kind):
    double.answers = [stream(frames(kind, CHUNKS))]
    with proxy(connected(record(kind))) as url, client(url) as to:
        pieces = [c.choices[0].delta.content for c in ask(to, stream=True)]
    assert [p for p in pieces if p] == ["Hel", "lo."]
    assert double.seen[0]["body"]["stream"] is True


@pytest.mark.parametrize("streamed", [False, True])
def test_a_cold_model_is_asked_again_until_it_has_woken(double, kind, streamed):
    good = stream(frames(kind, CHUNKS)) if streamed else document(WHOLE)
    double.answers = [ASLEEP[kind], ASLEEP[kind], ASLEEP[kind], good]
    clock = Clock()
    with proxy(connected(record(kind)), patience=clock.patience) as url, client(url) as to:
        answer = ask(to, stream=streamed)
        if streamed:
            text = "".join(c.choices[0].delta.content or "" for c in answer)
        else:
            text = answer.choices[0].message.content
    assert text == "Hello."
    assert len(double.seen) == 4
    assert clock.pauses == sorted(clock.pauses)


def test_one_that_does_not_wake_in_time_is_a_503_that_clients_do_not_repeat(double, kind):
    double.answers = [ASLEEP[kind]]
    clock = Clock()
    backend = connected(record(kind))
    with (
        proxy(backend, patience=clock.patience) as url,
        openai.OpenAI(base_url=url, api_key="none", max_retries=2) as to,
    ):
        with pytest.raises(openai.InternalServerError) as caught:
            ask(to)
        tried = len(double.seen)
    assert caught.value.status_code == 503
    assert caught.value.code == "model_not_ready"
    assert f"did not wake within {backend.limit_s:.0f} s" in str(caught.value)
    assert clock.now <= backend.limit_s
    assert tried == len(clock.pauses) + 1, "the client itself asked once"


@pytest.mark.parametrize(
    ("code", "status", "raised"),
    [
        ("ThrottlingException", 429, openai.RateLimitError),
        ("AccessDeniedException", 403, openai.PermissionDeniedError),
        ("ResourceNotFoundException", 404, openai.NotFoundError),
        ("ValidationException", 400, openai.BadRequestError),
        ("ModelErrorException", 424, openai.InternalServerError),
        ("ModelTimeoutException", 408, openai.InternalServerError),
        ("InternalServerException", 500, openai.InternalServerError),
    ],
)
def test_what_aws_refuses_is_the_clients_own_error_with_the_reason(double, code, status, raised):
    double.answers = [error(code, status, "because of this")]
    with (
        proxy(connected(record("bedrock"))) as url,
        client(url) as to,
        pytest.raises(raised, match="because of this") as caught,
    ):
        ask(to)
    assert caught.value.code == code
    assert len(double.seen) == 1, "waiting is for models that sleep"


@pytest.mark.parametrize("cut", [False, True], ids=["ends early", "goes dead"])
def test_a_stream_that_breaks_is_an_error_and_not_a_short_answer(double, kind, cut):
    double.answers = [stream(frames(kind, CHUNKS[:2], done=False), cut=cut)]
    with (
        proxy(connected(record(kind))) as url,
        client(url) as to,
        pytest.raises(openai.APIError, match="cut off"),
    ):
        for _ in ask(to, stream=True):
            pass


@pytest.mark.parametrize(
    ("kind", "name"), [("bedrock", "modelStreamErrorException"), ("sagemaker", "ModelStreamError")]
)
def test_an_error_inside_the_stream_is_told_to_the_client(double, kind, name):
    failure = frame(
        name,
        b'{"message": "out of memory", "Message": "out of memory"}',
        "application/json",
        "exception",
    )
    double.answers = [stream([*frames(kind, CHUNKS[:1], done=False), failure])]
    with (
        proxy(connected(record(kind))) as url,
        client(url) as to,
        pytest.raises(openai.APIError, match="cut off"),
    ):
        for _ in ask(to, stream=True):
            pass


def test_without_the_key_nobody_gets_an_answer(double):
    double.answers = [document(WHOLE)]
    with proxy(connected(record("bedrock")), key="dk-right") as url:
        with client(url, "dk-wrong") as to, pytest.raises(openai.AuthenticationError):
            ask(to)
        with client(url, "dk-right") as to:
            assert [m.id for m in to.models.list()] == ["mine"]
    assert not double.seen


def test_a_page_that_was_led_here_under_another_name_is_refused(double):
    double.answers = [document(WHOLE)]
    with proxy(connected(record("bedrock"))) as url:
        answer = httpx.get(f"{url}/models", headers={"host": "evil.example"}, trust_env=False)
    assert answer.status_code == 400


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"messages": "hi"}'])
def test_a_request_that_is_none_is_refused_before_aws_is_asked(double, body):
    with proxy(connected(record("bedrock"))) as url:
        answer = httpx.post(f"{url}/chat/completions", content=body, trust_env=False)
    assert answer.status_code == 400
    assert not double.seen


def test_health_says_that_calls_wait_for_the_model(double):
    woken, clock = threading.Event(), Clock()
    double.answers = [ASLEEP["bedrock"], document(WHOLE)]

    def patience(limit_s: float, **more: Any) -> Patience:
        return Patience(limit_s, clock=clock, pause=lambda _: woken.wait(60), **more)

    with proxy(connected(record("bedrock")), patience=patience) as url:
        with client(url) as to:
            asking = threading.Thread(target=lambda: ask(to), daemon=True)
            asking.start()
            health = f"{url.removesuffix('/v1')}/health"
            while httpx.get(health, trust_env=False).json()["state"] != "waking":
                assert asking.is_alive()
            woken.set()
            asking.join()
        assert httpx.get(health, trust_env=False).json() == {
            "state": "ready",
            "waiting": 0,
            "waited_s": 0.0,
        }


def test_chat_shows_a_line_while_the_model_wakes_and_then_the_answer(double, kind):
    double.answers = [ASLEEP[kind], ASLEEP[kind], stream(frames(kind, CHUNKS))]
    said: list[str] = []
    backend = connected(record(kind))
    pieces = list(chat(backend, ASK, 8, said.append, Clock().patience))
    assert pieces == ["Hel", "lo."]
    assert said[0].startswith("waking mine: 0 of at most")
    assert len(said) == 2


def test_chat_says_why_it_got_no_answer(double):
    double.answers = [error("AccessDeniedException", 403, "no permission")]
    with pytest.raises(RemoteError, match="no permission"):
        list(chat(connected(record("bedrock")), ASK, 8, lambda _: None))


def test_a_deployment_with_a_route_of_its_own_needs_no_proxy():
    made = record("huggingface", endpoint="https://x.endpoints.huggingface.cloud/v1")
    assert not needs_gateway(made, provider_of(made))
    with pytest.raises(UsageError, match="needs no proxy"):
        connected(made)


def test_the_commands_find_what_the_stack_exported(double, home, capsys):
    Store(home).save(record("bedrock"))
    code, document, _ = printed(capsys, "env", "mine-serverless")
    shown = document["env"]
    assert code == 0
    assert shown["OPENAI_BASE_URL"] == "http://127.0.0.1:8090/v1"
    double.answers = [stream(frames("bedrock", CHUNKS))]
    assert main(["chat", "mine-serverless", "Hi"]) == 0
    assert capsys.readouterr().out == "Hello.\n"


def test_the_proxy_names_a_port_that_is_taken(double, home, capsys):
    import socket

    Store(home).save(record("bedrock"))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert main(["proxy", "mine-serverless", "--port", port]) == 6
    assert f"cannot listen on port {port}" in capsys.readouterr().err


def test_without_aws_credentials_the_proxy_says_what_to_do(
    double, home, capsys, monkeypatch, tmp_path
):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    Store(home).save(record("bedrock"))
    assert main(["proxy", "mine-serverless"]) == 6
    assert "no AWS credentials" in capsys.readouterr().err
