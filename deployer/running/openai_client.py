"""Speak to an OpenAI-compatible endpoint: is it healthy, does it answer, what has it counted."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from deployer.core.errors import RemoteError
from deployer.sources import web

if TYPE_CHECKING:
    import ssl

    import httpx

ANSWER_S = 300.0
"""The longest wait for the next piece of an answer: a large model on a CPU reads a long prompt slowly."""
LOOK_S = 5.0
"""The longest wait for a health check or the metrics."""
MODELS_S = 30.0
"""The longest wait for the list of models, which says whether a key is taken."""

LOOPBACK = ("127.0.0.1", "localhost", "::1")

Message = Mapping[str, str]


@dataclass(frozen=True)
class Endpoint:
    """An endpoint and the key that opens it. The key is not shown when this is printed."""

    url: str  # ends in /v1
    key: str
    authority: Path | None = (
        None  # the file of its own certificate authority, in place of the public ones
    )

    def __repr__(self) -> str:
        return f"Endpoint({self.url})"

    @property
    def root(self) -> str:
        """The server's own address, without /v1."""
        return self.url.removesuffix("/v1")

    @property
    def headers(self) -> Mapping[str, str]:
        """What opens it, as headers."""
        return {"Authorization": f"Bearer {self.key}"} if self.key else {}

    @property
    def is_here(self) -> bool:
        """Whether it is on this machine, where no proxy leads."""
        return urlsplit(self.url).hostname in LOOPBACK


def healthy(endpoint: Endpoint, path: str) -> bool:
    """Whether the endpoint's health check, at a path such as /health, says that it is ready."""
    try:
        with _client(endpoint, LOOK_S) as client:
            return client.get(endpoint.root + path).status_code == 200
    except web.failures():
        return False


def accepts(endpoint: Endpoint) -> bool:
    """Whether it answers with the key.

    Raises:
        RemoteError: it cannot be reached.
    """
    return _asked_for_models(endpoint, endpoint.key) == 200


def open_to_all(endpoint: Endpoint) -> bool:
    """Whether it answers without the key, or with another one.

    Raises:
        RemoteError: it cannot be reached.
    """
    import secrets

    others = ("", f"dk-{secrets.token_urlsafe(32)}")
    return any(_asked_for_models(endpoint, key) == 200 for key in others)


def _asked_for_models(endpoint: Endpoint, key: str) -> int:
    try:
        with _client(endpoint, MODELS_S, key=key) as client:
            return client.get(f"{endpoint.url}/models").status_code
    except web.failures() as error:
        raise _unasked(endpoint, error) from error


def chat(
    endpoint: Endpoint, model: str, messages: Sequence[Message], max_tokens: int | None = None
) -> Iterator[str]:
    """Yield the pieces of an answer as they come.

    Raises:
        RemoteError: it cannot be reached, or refuses, or breaks off.
    """
    body: dict[str, Any] = {"model": model, "messages": list(messages), "stream": True}
    if max_tokens is not None:
        body["max_tokens"] = max_tokens
    try:
        with (
            _client(endpoint, ANSWER_S) as client,
            client.stream("POST", f"{endpoint.url}/chat/completions", json=body) as answer,
        ):
            _accepted(answer, endpoint)
            yield from pieces(answer.iter_lines(), endpoint)
    except web.failures() as error:
        raise _unasked(endpoint, error) from error


def _unasked(endpoint: Endpoint, error: Exception) -> RemoteError:
    return RemoteError(
        f"{endpoint.url} did not answer: {web.said(error)}",
        hint="check 'deployer status' and 'deployer logs NAME'",
        where=endpoint.url,
    )


def metrics(endpoint: Endpoint) -> Mapping[str, float]:
    """Return the counters and gauges at /metrics by name, those with labels added up; {} if none."""
    try:
        with _client(endpoint, LOOK_S) as client:
            answer = client.get(f"{endpoint.root}/metrics")
        return parse_metrics(answer.text) if answer.status_code == 200 else {}
    except web.failures():
        return {}


def parse_metrics(text: str) -> dict[str, float]:
    """Read the Prometheus text format."""
    found: dict[str, float] = {}
    for line in text.splitlines():
        name, _, value = line.rpartition(" ")
        if name and not line.startswith("#"):
            bare = name.partition("{")[0].strip()
            found[bare] = found.get(bare, 0.0) + float(value)
    return found


def _client(endpoint: Endpoint, seconds: float, key: str | None = None) -> httpx.Client:
    shown = endpoint if key is None else replace(endpoint, key=key)
    return web.client(
        timeout=seconds,
        headers=shown.headers,
        verify=_trust(endpoint),
        trust_env=not endpoint.is_here,  # no proxy to this machine
    )


def _trust(endpoint: Endpoint) -> ssl.SSLContext | bool:
    """Who vouches for the server. A file of authorities that cannot be read is an error, not a blank cheque."""
    if endpoint.authority is None:
        return endpoint.url.startswith("https:")  # without TLS there are no certificates to load
    import ssl

    try:
        return ssl.create_default_context(cafile=str(endpoint.authority))
    except (OSError, ssl.SSLError) as error:
        raise RemoteError(
            f"the deployment's certificate authority cannot be read: {error}",
            hint="'deployer up' writes it again",
            where=str(endpoint.authority),
        ) from error


ASLEEP = (502, 503)
"""What stands before a model answers while there is none: its service, while an endpoint wakes."""


class AsleepError(RemoteError):
    """Nothing answers behind the route, now."""

    asleep = True


def _accepted(answer: httpx.Response, endpoint: Endpoint) -> None:
    if answer.status_code != 200:
        answer.read()
        kind = AsleepError if answer.status_code in ASLEEP else RemoteError
        raise kind(
            f"the endpoint refused: {answer.status_code} {reason(answer.text)}", where=endpoint.url
        )


def reason(text: str) -> str:
    """Return what an error answer says: OpenAI's message, or else the beginning of its text."""
    try:
        return str(json.loads(text)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return text[:200]


def pieces(lines: Iterator[str], endpoint: Endpoint) -> Iterator[str]:
    """Read the texts of a streamed chat completion's server-sent events.

    Raises:
        RemoteError: it holds an error, or ends before its end.
    """
    for line in lines:
        data = line.removeprefix("data: ")
        if data == "[DONE]":
            return
        if data != line:
            yield from _texts(json.loads(data), endpoint)
    raise RemoteError("the answer was cut off before its end", where=endpoint.url)


def _texts(event: Mapping[str, Any], endpoint: Endpoint) -> Iterator[str]:
    if "error" in event:
        raise RemoteError(f"the engine failed: {event['error'].get('message')}", where=endpoint.url)
    for choice in event.get("choices", ()):
        text = choice.get("delta", {}).get("content")
        if text:
            yield text
