"""One streamed request, and when each piece of its answer came."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from deployer.running.bench.samples import Sample
from deployer.running.openai_client import Endpoint, reason
from deployer.sources import web

if TYPE_CHECKING:
    import httpx

LONGEST_LINE = 16 * 2**20
"""Bytes of one event: whatever sends more without a line's end does not speak this protocol."""
SENDING = "http11.send_request_body.started"
"""When a request counts as sent, as httpcore names it: what connecting takes, and what this client itself takes
to make the request (1 to 2 ms), is not the endpoint's."""
TEXTS = ("content", "reasoning_content", "reasoning", "tool_calls")
"""Where a piece of an answer holds what was generated: engines differ over thoughts."""

Body = Mapping[str, Any]


class LineTooLongError(ValueError):
    """More bytes without a line's end than any event has."""


@dataclass
class Events:
    """Server-sent events, taken apart as their bytes come in."""

    _rest: bytes = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield the data of every event that is complete with these bytes.

        Raises:
            LineTooLongError: a line that does not end.
        """
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > LONGEST_LINE:
            raise LineTooLongError
        for line in lines:
            if line.startswith(b"data:"):
                yield line[5:].strip()


@dataclass
class _Answer:
    """An answer as far as it has come."""

    started: float
    first: float | None = None
    last: float | None = None
    gaps: list[float] = field(default_factory=list)
    usage: Mapping[str, Any] = field(default_factory=dict)
    complete: bool = False
    began: bool = False  # the server has begun to answer
    error: str | None = None
    detail: str = ""

    def take(self, data: bytes, now: float) -> None:
        """Take one event, which came at `now`."""
        if data == b"[DONE]":
            self.complete = True
            return
        try:
            event = json.loads(data)
            self._read(event, now)
        except (ValueError, RecursionError, AttributeError, TypeError):
            self.fail("not understood", data[:200].decode(errors="replace"))

    def fail(self, kind: str, detail: str = "") -> None:
        """Note the first thing that went wrong."""
        self.error, self.detail = self.error or kind, self.detail or detail

    def _read(self, event: Mapping[str, Any], now: float) -> None:
        if "error" in event:
            self.fail("engine error", reason(json.dumps(event)))
        self.usage = event.get("usage") or self.usage
        for choice in event.get("choices") or ():
            delta = choice.get("delta") or {}
            if any(delta.get(name) for name in TEXTS):
                self._text(now)
            self.complete = self.complete or bool(choice.get("finish_reason"))

    def _text(self, now: float) -> None:
        if self.last is None:
            self.first = now
        else:
            self.gaps.append(now - self.last)
        self.last = now

    def sample(self, ended: float) -> Sample:
        """Return the request as it ended."""
        if not self.complete:
            self.fail("broke off")
        elif self.first is None:
            self.fail("empty answer")
        counted = self.usage.get("completion_tokens")
        by_usage = isinstance(counted, int) and counted > 0
        asked = self.usage.get("prompt_tokens")
        return Sample(
            started=self.started,
            ended=ended,
            first=self.first,
            last=self.last,
            gaps=tuple(self.gaps),
            input_tokens=asked if isinstance(asked, int) else None,
            output_tokens=int(counted or 0) if by_usage else len(self.gaps) + bool(self.first),
            counted_from="usage" if by_usage else "chunks",
            error=self.error,
            detail=self.detail,
        )


def client_of(endpoint: Endpoint, limit_s: float) -> httpx.AsyncClient:
    """Return a client for one endpoint. It follows no redirect: the key goes to no other host."""
    import httpx

    with web.proxied():
        return httpx.AsyncClient(
            timeout=httpx.Timeout(limit_s, connect=min(limit_s, 10.0)),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=None),
            headers={**endpoint.headers, "Accept-Encoding": "identity"},
            trust_env=not endpoint.is_here,
        )


async def ask(client: httpx.AsyncClient, endpoint: Endpoint, body: Body) -> Sample:
    """Send one request and return what became of it. Nothing is raised: a failure is a sample too."""
    import httpx

    answer = _Answer(time.perf_counter())
    try:
        try:
            await _read(client, endpoint, body, answer)
        except httpx.RemoteProtocolError:
            if answer.began:
                raise
            # a kept connection that the server had closed meanwhile: any client takes another one
            await _read(client, endpoint, body, answer)
    except httpx.ConnectError as error:
        answer.fail("no connection", web.said(error))
    except httpx.TimeoutException as error:
        answer.fail("timeout", type(error).__name__)
    except LineTooLongError as error:
        answer.fail("broke off", str(error) or type(error).__name__)
    except web.failures() as error:
        answer.fail("broke off", web.said(error))
    return answer.sample(time.perf_counter())


async def _read(client: httpx.AsyncClient, endpoint: Endpoint, body: Body, answer: _Answer) -> None:
    async def watch(event: str, _: object) -> None:
        if event == SENDING:
            answer.started = time.perf_counter()

    url = f"{endpoint.url}/chat/completions"
    told = {"trace": watch}
    async with client.stream("POST", url, json=body, extensions=told) as response:
        answer.began = True
        if response.status_code != 200:
            text = (await response.aread()).decode(errors="replace")
            answer.fail(f"http {response.status_code}", reason(text))
            return
        events = Events()
        async for data in response.aiter_raw():
            now = time.perf_counter()
            for event in events.feed(data):
                answer.take(event, now)


def body_of(model: str, prompt: str, *, usage: bool, extra: Mapping[str, object]) -> Body:
    """Return the body of a streamed chat completion; `usage` asks the server to count tokens."""
    told: dict[str, Any] = {"stream_options": {"include_usage": True}} if usage else {}
    return {
        "model": model,
        "messages": [{"role": "user", "content": prompt}],
        "stream": True,
        **told,
        **extra,
    }
