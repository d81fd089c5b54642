"""What a client may send to `/v1/chat/completions`, checked, and the documents it gets back."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .refusal import Refusal

Text = Annotated[str, Field(max_length=4_000_000)]


class Part(BaseModel):
    """A piece of a message. Text is the only kind that a handler is given."""

    type: Literal["text"]
    text: Text


class Message(BaseModel):
    """One message of the conversation."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: Text | list[Part] | None = None

    def plain(self) -> dict[str, str]:
        """Return role and text, the parts joined."""
        said = self.content or ""
        text = said if isinstance(said, str) else "".join(part.text for part in said)
        return {"role": self.role, "content": text}


class StreamOptions(BaseModel):
    """What a streamed answer carries besides its text."""

    include_usage: bool = False


class ChatRequest(BaseModel):
    """The part of OpenAI's chat request that is understood; other keys are left aside."""

    model_config = ConfigDict(extra="ignore")

    messages: Annotated[list[Message], Field(min_length=1, max_length=10_000)]
    model: str | None = None
    stream: bool = False
    stream_options: StreamOptions | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] | None = None
    seed: int | None = None
    stop: Text | Annotated[list[Text], Field(max_length=4)] | None = None
    n: Literal[1] | None = None

    def plain(self) -> dict[str, Any]:
        """Return what the handler is given. Keys that were not sent are not there."""
        said = self.model_dump(
            exclude_none=True, include={"temperature", "top_p", "seed", "stop", "max_tokens"}
        )
        if self.max_completion_tokens is not None:
            said["max_tokens"] = self.max_completion_tokens
        return said | {"messages": [message.plain() for message in self.messages]}


class Usage(BaseModel):
    """Tokens, as the handler counts them."""

    prompt_tokens: Annotated[int, Field(ge=0)] = 0
    completion_tokens: Annotated[int, Field(ge=0)] = 0

    def document(self) -> dict[str, int]:
        """Return OpenAI's usage object."""
        return self.model_dump() | {"total_tokens": self.prompt_tokens + self.completion_tokens}


class Answer(BaseModel):
    """What `predict` says in a chat, and the last thing that `stream` may yield."""

    model_config = ConfigDict(extra="forbid")

    content: str = ""
    usage: Usage | None = None


def understood(error: ValidationError) -> Refusal:
    """Turn a mistake in a request into a 400 that names the first key that is wrong, and not its value."""
    first, *more = error.errors(include_url=False, include_input=False, include_context=False)
    param = ".".join(map(str, first["loc"]))
    others = f" (and {len(more)} more)" if more else ""
    said = f"{param}: {first['msg']}" if param else first["msg"]
    return Refusal(400, f"{said}{others}", param or None)
