"""What the SDKs between us and the world raise, at any call of any command: an error in words, never a bug."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from deployer.cli import COMMANDS, main
from deployer.core.errors import DeployerError, Exit
from deployer.running import openai_client
from deployer.running.bench import sse_client
from deployer.running.containers import daemon
from deployer.running.openai_client import Endpoint
from deployer.running.store import Store
from deployer.sources import web
from deployer.sources.prices import download
from stacks._aws import client, credentials, session
from stacks.serverless.huggingface import service as hub
from tests.kits import raising
from tests.kits.documents import read
from tests.unit.running.test_store import RECORD

CLEAN = (Exit.FAILED, Exit.PREREQUISITE, Exit.REFUSED)
"""What a failure of the world may exit with: 4 where a quota or a payment is what is missing."""
NAMES = {
    "bot-local": ("local", "docker", "vllm"),
    "bot-cloud-gpu": ("cloud-gpu", "aws", "vllm"),
    "bot-serverless": ("serverless", "huggingface", "vllm"),
}


def kind(error: Exception) -> str:
    return f"{type(error).__module__}.{type(error).__name__}"


def is_clean_for_all(
    errors: Sequence[Exception], ask: Callable[[Exception], object], *more: Exit
) -> None:
    """Let something fail by each of them: it ends in an error of ours, which shows no secret."""
    for error in errors:
        with pytest.raises(DeployerError) as caught:
            ask(error)
        assert caught.value.exit_code in (*CLEAN, *more), kind(error)
        assert caught.value.message.strip(), kind(error)
        assert raising.SECRET not in f"{caught.value.message} {caught.value.hint}", kind(error)


AWS = [
    *raising.of_botocore(),
    *raising.codes_of_aws([*session.EXPIRED, *session.INVALID, *session.CLOCK, *session.DENIED]),
    *raising.codes_of_aws([*session.QUOTAS, "Throttling", "500", "InternalError", ""]),
    *raising.of_the_system(),
    *raising.UNDECLARED,
]


class RealClient:
    """A botocore client of which each call fails."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.meta = self
        self.method_to_api_mapping = {"describe_regions": "DescribeRegions"}

    def describe_regions(self, **_: Any) -> Any:
        raise self.error

    def get_paginator(self, _: str) -> Any:
        return self

    def paginate(self, **_: Any) -> Any:
        yield {"Regions": []}
        raise self.error


CALLS: dict[str, Callable[[client.Client], object]] = {
    "an operation": lambda made: made.describe_regions(AllRegions=False),
    "a page": lambda made: list(made.get_paginator("describe_regions").paginate()),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_whatever_aws_raises_at_a_call_is_an_error_in_words(call):
    def ask(error: Exception) -> None:
        with session.understood("list your regions"):
            call(client.Client(RealClient(error)))

    is_clean_for_all(AWS, ask)


class Sessions:
    """A boto3 session whose credentials cannot be had."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def get_credentials(self) -> Any:
        raise self.error


def test_whatever_provides_credentials_raises_is_an_error_in_words():
    def ask(error: Exception) -> None:
        with session.understood("sign"):
            credentials.check(Sessions(error))

    is_clean_for_all(AWS, ask)


def test_a_missing_part_of_an_answer_is_an_error_in_words_wherever_it_is_read():
    with pytest.raises(DeployerError, match="the answer has no Regions") as caught:
        client.Answer()["Regions"]
    assert "something else answered in AWS's place" in caught.value.message
    assert caught.value.exit_code == Exit.PREREQUISITE


DOCKER = [*raising.of_docker(), *raising.of_the_system(), *raising.UNDECLARED[:-2]]


def test_whatever_docker_raises_is_an_error_in_words():
    def ask(error: Exception) -> None:
        with daemon.mended():
            raise error

    is_clean_for_all(DOCKER, ask)


HTTP = [*raising.of_httpx()[:-1], *raising.of_the_system(), *raising.UNDECLARED[:-1]]
HERE = Endpoint("http://127.0.0.1:9/v1", "dk-key")


@pytest.fixture
def unsent(monkeypatch: pytest.MonkeyPatch) -> Callable[[Exception], None]:
    """Lets every HTTP call fail."""
    import httpx

    def fail(error: Exception) -> None:
        def send(*_: Any, **__: Any) -> Any:
            raise error

        for library in {httpx, raising.transport_of_the_hub()}:
            monkeypatch.setattr(library.Client, "send", send)
            monkeypatch.setattr(library.AsyncClient, "send", send)

    return fail


@pytest.mark.parametrize(
    "ask",
    [lambda: openai_client.accepts(HERE), lambda: list(openai_client.chat(HERE, "bot", []))],
    ids=["a question", "a chat"],
)
def test_whatever_http_raises_is_an_error_in_words(unsent, ask):
    def failing(error: Exception) -> None:
        unsent(error)
        ask()

    is_clean_for_all(HTTP, failing)


def test_whatever_http_raises_of_a_look_is_an_answer(unsent):
    for error in HTTP:
        unsent(error)
        assert not openai_client.healthy(HERE, "/health")
        assert openai_client.metrics(HERE) == {}


def test_whatever_http_raises_of_a_request_of_bench_is_a_sample(unsent):
    async def ask() -> list[Any]:
        samples = []
        async with sse_client.client_of(HERE, 1.0) as made:
            for error in HTTP:
                unsent(error)
                samples.append(await sse_client.ask(made, HERE, {}))
        return samples

    for sample in asyncio.run(ask()):
        assert sample.error
        assert raising.SECRET not in str(sample)


def test_whatever_http_raises_of_a_price_list_is_an_error_in_words(unsent):
    progress: Any = None
    with download.client() as by:

        def ask(error: Exception) -> None:
            unsent(error)
            with download.stream(by, "http://a/b", "b", progress):
                pass

        is_clean_for_all([*raising.of_httpx()[:-1], *raising.of_the_system()], ask, Exit.USAGE)


def test_whatever_the_hubs_library_raises_is_an_error_in_words():
    def ask(error: Exception) -> None:
        with hub.understood("list your endpoints"):
            raise error

    is_clean_for_all([*raising.of_the_hub(), *raising.of_httpx(), *HTTP], ask)


@pytest.mark.parametrize(
    "proxy", ["socks5://127.0.0.1:1", "socks4://127.0.0.1:1", "gopher://a:b@c", "http://[::"]
)
def test_a_proxy_that_cannot_be_used_is_named_with_what_helps(monkeypatch, proxy):
    monkeypatch.setenv("ALL_PROXY", proxy)
    with pytest.raises(DeployerError) as caught:
        web.client()
    assert caught.value.exit_code == Exit.PREREQUISITE
    assert "a:b@" not in caught.value.message
    assert "ALL_PROXY" in str(caught.value.hint)


@pytest.fixture
def recorded(home: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """One deployment of each kind, and nothing that they can be asked with."""
    from dataclasses import replace

    store = Store(home)
    for name, (target, provider, engine) in NAMES.items():
        store.save(
            replace(
                RECORD,
                name=name,
                target=target,
                provider=provider,
                engine=engine,
                planned=[{"type": "local:index:Container", "name": "n", "inputs": {}}],
                region="us-east-1",
            )
        )
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_EC2_METADATA_DISABLED": "true",
        "HF_TOKEN": "hf_test",
        "DOCKER_HOST": "tcp://127.0.0.1:1",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    return store


ONE_OF_EACH = [
    *raising.of_the_system()[:3],
    *raising.UNDECLARED,
    *[e for e in AWS if type(e).__name__ in ("ClientError", "NoCredentialsError", "SSLError")][:3],
    *[e for e in DOCKER if type(e).__name__ in ("APIError", "StreamParseError", "ReadTimeout")],
    *[e for e in HTTP if type(e).__name__ in ("ConnectTimeout", "InvalidURL", "ReadError")],
]
ASKED = {
    **{f"{verb} {name}": [verb, name] for verb in ("status", "logs", "down") for name in NAMES},
    "status": ["status"],
    "idle": ["idle"],
    "idle stop": ["idle", "stop", "--yes"],
    "idle destroy": ["idle", "destroy", "--yes", "--region", "us-east-1"],
    "idle extend": ["idle", "extend", "bot-cloud-gpu", "--for", "1d"],
    "chat": ["chat", "bot-local", "Hello?"],
    "bench": ["bench", "--url", "http://127.0.0.1:9/v1", "--model", "m", "--requests", "1"],
    "prices": ["prices", "refresh", "--provider", "huggingface"],
}


@pytest.mark.parametrize("asked", ASKED.values(), ids=ASKED)
def test_no_command_takes_a_failure_of_the_world_for_a_bug(recorded, unsent, monkeypatch, asked):
    import docker
    import httpx
    import requests
    from botocore.client import BaseClient

    def failing(error: Exception, declared: Sequence[Exception]) -> Callable[..., Any]:
        """Fail by the error at the edge that may raise it, by one of its own at the others."""
        own = next((e for e in declared if type(e) is type(error)), TimeoutError())

        def fail(*_: Any, **__: Any) -> Any:
            raise own

        return fail

    monkeypatch.setattr(docker.APIClient, "_retrieve_server_version", lambda _: "1.44")
    for error in ONE_OF_EACH:
        declared = isinstance(error, httpx.HTTPError | OSError)
        unsent(error if declared else TimeoutError())
        monkeypatch.setattr(requests.Session, "send", failing(error, DOCKER))
        monkeypatch.setattr(BaseClient, "_make_api_call", failing(error, AWS))
        out, err = StringIO(), StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            code = main(asked)
        said = out.getvalue() + err.getvalue()
        assert code in CLEAN, f"{kind(error)}: {code}: {said}"
        assert "Traceback" not in said
        assert raising.SECRET not in said


class Full(StringIO):
    """A stream that fails as it is told."""

    def __init__(self, error: OSError) -> None:
        super().__init__()
        self.error = error

    def write(self, _: str) -> int:
        raise self.error


AS_DOCUMENT = "--" + "json"
OUTPUTS = {
    ("schema",): Exit.PREREQUISITE,
    ("--help",): Exit.PREREQUISITE,
    ("status", AS_DOCUMENT): Exit.PREREQUISITE,
    ("status",): Exit.DONE,  # what it has to say is a message
    ("status", AS_DOCUMENT, "--target", "local", "x"): Exit.USAGE,
}
"""Nobody reads these documents: the output fails before they are written."""


@pytest.mark.parametrize(("asked", "code"), OUTPUTS.items())
def test_an_output_that_fails_is_one_error_in_words(home, asked, code):
    for error in raising.of_the_system():
        err = StringIO()
        with redirect_stdout(Full(error)), redirect_stderr(err):
            assert main(asked) == code
        assert "Traceback" not in err.getvalue()
        assert err.getvalue().count("error:") == (code != Exit.DONE)


def test_messages_that_nobody_can_be_told_stop_no_work(home):
    for error in (BrokenPipeError(), *raising.of_the_system()):
        out = StringIO()
        with redirect_stdout(out), redirect_stderr(Full(error)):
            assert main(["status"]) == Exit.DONE
            assert main(["status", "--json"]) == Exit.DONE
        assert read("status", out.getvalue())["deployments"] == []


@pytest.mark.parametrize("command", [name for name in COMMANDS if name not in ("init", "schema")])
@pytest.mark.parametrize("stdin", [None, StringIO()])
def test_no_command_needs_a_standard_input(home, command, stdin, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", stdin)
    monkeypatch.chdir(home.parent)
    main([command])
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("given", ["~nobody-of-that-name/x", "/dev/null", "/dev/null/x", "/proc/x"])
@pytest.mark.parametrize("asked", [["status"], ["idle"], ["prices", "list"], ["down", "x-local"]])
def test_a_home_that_cannot_be_is_an_error_in_words(monkeypatch, capsys, given, asked):
    monkeypatch.setenv("DEPLOYER_HOME", given)
    assert main(asked) == Exit.PREREQUISITE
    assert "DEPLOYER_HOME" in capsys.readouterr().err


IN_THE_WAY = ("deployments", "deployments/bot-local/deployment.json", "locks", "catalog", "cache")


@pytest.mark.parametrize("path", IN_THE_WAY)
@pytest.mark.parametrize("asked", [["status"], ["down", "bot-local"], ["prices", "list"], ["idle"]])
def test_what_stands_in_the_way_in_a_home_is_an_error_in_words(
    home, monkeypatch, capsys, path, asked
):
    """A file in a folder's place and the other way round: what a user without rights gets, even for root."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    place = home / path
    place.parent.mkdir(parents=True)
    if place.suffix:
        place.mkdir()
    else:
        place.touch()
    assert main(asked) in (Exit.DONE, Exit.USAGE, *CLEAN)
    assert "Traceback" not in capsys.readouterr().err
