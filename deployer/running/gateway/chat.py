"""A conversation with a model that may sleep: behind its service's own API, without a proxy in between, or at its own route."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from deployer.core.errors import RemoteError
from deployer.running import openai_client
from deployer.running.gateway.backend import Backend
from deployer.running.gateway.errors import Failed
from deployer.running.gateway.waking import Patience, awake
from deployer.running.openai_client import Endpoint, Message

HOSTED_LIMIT_S = 1800.0
"""How long a call waits for an endpoint with an OpenAI route: several times the cold starts that are known."""


def chat(
    backend: Backend,
    messages: Sequence[Message],
    max_tokens: int | None,
    say: Callable[[str], None],
    patience: Callable[..., Patience] = Patience,
) -> Iterator[str]:
    """Yield the pieces of an answer as they come; `say` gets a line while the model wakes.

    Raises:
        RemoteError: it does not wake in time, or refuses, or breaks off.
    """
    body = {"messages": list(messages), "stream": True}
    if max_tokens is not None:
        body["max_tokens"] = max_tokens
    try:
        events = backend.stream(
            body, patience(backend.limit_s, say=_waking(backend.name, backend.limit_s, say))
        )
        yield from openai_client.pieces(_lines(events), Endpoint(backend.name, ""))
    except Failed as failure:
        raise _failed(failure, backend.name) from failure


def hosted(
    endpoint: Endpoint,
    model: str,
    ask: Callable[[], Iterator[str]],
    say: Callable[[str], None],
    patience: Callable[..., Patience] = Patience,
) -> Iterator[str]:
    """Yield the pieces of an answer from an OpenAI route that answers 503 until its model has woken.

    Raises:
        RemoteError: it does not wake in time, or refuses, or breaks off.
    """

    def begun() -> tuple[list[str], Iterator[str]]:
        pieces = ask()
        return list(islice(pieces, 1)), pieces

    try:
        first, rest = awake(
            begun, patience(HOSTED_LIMIT_S, say=_waking(model, HOSTED_LIMIT_S, say))
        )
    except Failed as failure:
        raise _failed(failure, endpoint.url) from failure
    yield from first
    yield from rest


def _waking(model: str, limit_s: float, say: Callable[[str], None]) -> Callable[[float], None]:
    return lambda waited: say(f"waking {model}: {waited:.0f} of at most {limit_s:.0f} s")


def _failed(failure: Failed, where: str) -> RemoteError:
    return RemoteError(f"the call to the model failed: {failure.message}", where=where)


def _lines(events: Iterator[bytes]) -> Iterator[str]:
    """The whole lines of a stream that is cut anywhere."""
    rest = b""
    for event in events:
        *whole, rest = (rest + event).split(b"\n")
        yield from (line.decode() for line in whole)
    if rest:
        yield rest.decode()
