"""A request becomes an answer: at once, or in pieces as server-sent events."""

from __future__ import annotations

import json
import logging
import re
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from .fault import refusal_of
from .gate import Gate, Place
from .handler import Handler
from .metrics import Metrics, Tally
from .refusal import Refusal
from .schema import Answer, ChatRequest, Usage, understood

LOG = logging.getLogger("deployer.agents.handler_server")
END = object()


@dataclass(frozen=True)
class Service:
    """All that answering needs."""

    handler: Handler
    name: str
    gate: Gate
    metrics: Metrics

    def chat_request(self, body: bytes) -> ChatRequest:
        """Read a chat request.

        Raises:
            Refusal: it is wrong (400).
        """
        try:
            return ChatRequest.model_validate_json(body)
        except ValidationError as error:
            raise understood(error) from None

    async def chat(self, asked: ChatRequest) -> dict[str, Any]:
        """Answer a chat at once, as OpenAI's document.

        Raises:
            Refusal: no place, too slow, or the handler failed.
        """
        said = answer_of(await self._asked(asked.plain()))
        self.metrics.use(said.usage)
        message = {"role": "assistant", "content": said.content}
        choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
        head = self.head("chat.completion")
        return head | {"choices": [choice], "usage": said.usage and said.usage.document()}

    async def predict(self, body: bytes) -> bytes:
        """Answer what `predict` is asked, as JSON.

        Raises:
            Refusal: the request is wrong, no place, too slow, or the handler failed.
        """
        try:
            asked = TypeAdapter(self.handler.request).validate_json(body)
        except ValidationError as error:
            raise understood(error) from None
        said = await self._asked(asked)
        try:
            kind: TypeAdapter[Any] = TypeAdapter(self.handler.response)
            return kind.dump_json(kind.validate_python(said))
        except ValueError as error:
            raise refusal_of(error, self.handler.folder) from None

    async def _asked(self, request: Any) -> Any:
        place = await self.gate.enter()
        try:
            return await place.call(self.handler.predict, self.handler.model, request)
        except Refusal:
            raise
        except Exception as error:  # noqa: BLE001 - the user's code may raise anything
            raise refusal_of(error, self.handler.folder) from None
        finally:
            place.leave()

    async def talk(self, asked: ChatRequest, tally: Tally) -> Talk:
        """Begin to answer a chat in pieces; whoever takes it must `close` it.

        Raises:
            Refusal: no place, too slow, or the handler failed before its first piece.
        """
        talk = Talk(self, await self.gate.enter(), asked, tally)
        try:
            await talk.begin()
        except BaseException:
            talk.close()
            raise
        return talk

    def head(self, kind: str) -> dict[str, Any]:
        """Return what every document of one answer begins with."""
        made = {"id": f"chatcmpl-{secrets.token_hex(12)}", "object": kind}
        return made | {"created": int(time.time()), "model": self.name}


class Talk:
    """One streamed answer: the handler's generator is moved on in a thread, one piece at a time."""

    def __init__(self, service: Service, place: Place, asked: ChatRequest, tally: Tally) -> None:
        self.service, self.place, self.asked, self.tally = service, place, asked, tally
        self.head = service.head("chat.completion.chunk")
        self.source: Iterator[Any] = iter(())
        self.piece: Any = END
        self.usage: Usage | None = None

    async def begin(self) -> None:
        """Start it and wait for its first piece."""
        self.source = await self._call(self._start)
        await self._next()

    def _start(self) -> Iterator[Any]:
        handler, request = self.service.handler, self.asked.plain()
        if handler.stream is None:
            said = answer_of(handler.predict(handler.model, request))
            return iter([*words(said.content), said])
        made = handler.stream(handler.model, request)
        if isinstance(made, str):
            raise TypeError("stream() must yield pieces of text")
        return iter(made)

    async def _call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return await self.place.call(function, *arguments)
        except Refusal:
            raise
        except Exception as error:  # noqa: BLE001 - the user's code may raise anything
            raise refusal_of(error, self.service.handler.folder) from None

    async def _next(self) -> None:
        """Move on to the next piece of text, or to the end."""
        while True:
            self.piece = await self._call(next, self.source, END)
            if self.piece is END or isinstance(self.piece, str):
                return
            self.usage = answer_of(self.piece).usage

    async def events(self) -> AsyncIterator[bytes]:
        """Yield the pieces as OpenAI's chunks; a failure on the way is the last event."""
        try:
            yield self._chunk({"role": "assistant", "content": ""})
            while self.piece is not END:
                yield self._chunk({"content": self.piece})
                await self._next()
            yield self._chunk({}, "stop")
            if self.asked.stream_options and self.asked.stream_options.include_usage:
                usage = self.usage and self.usage.document()
                yield event(self.head | {"choices": [], "usage": usage})
            yield b"data: [DONE]\n\n"
            self.tally.end(200)
        except Refusal as refusal:
            self.tally.end(refusal.status)
            yield event(refusal.document())

    def close(self) -> None:
        """Give the place back, end the handler's generator, count the tokens."""
        self.service.metrics.use(self.usage)
        self.place.leave(getattr(self.source, "close", None))

    def _chunk(self, delta: Mapping[str, str], reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": reason, "logprobs": None}
        return event(self.head | {"choices": [choice]})


def event(document: Mapping[str, Any]) -> bytes:
    """Write one server-sent event. JSON has no line's end of its own, so text cannot forge another event."""
    return f"data: {json.dumps(document)}\n\n".encode()


def words(text: str) -> list[str]:
    """Cut a text into words with the space after them; joined again it is the same text."""
    return re.findall(r"\S+\s*|^\s+", text)


def answer_of(said: Any) -> Answer:
    """Read what the handler returned for a chat.

    Raises:
        Refusal: it is neither text nor {content, usage} (500).
    """
    if isinstance(said, str):
        return Answer(content=said)
    try:
        return Answer.model_validate(said)
    except ValidationError as error:
        LOG.exception("the handler's answer has another form: %s", understood(error).message)
        raise Refusal(
            500, "the handler's answer is neither text nor {content, usage}: see its log"
        ) from None
