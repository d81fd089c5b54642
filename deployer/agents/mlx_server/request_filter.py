"""What a request may ask for: the one model that is served, and nothing that would have to be fetched."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

NOT_BY_REQUEST = ("adapters", "draft_model")
"""Keys by which mlx_lm.server would load something else."""


class Refused(BaseException):
    """A request that is not served, as OpenAI says it.

    No Exception: mlx_lm would answer that with 404 and words of its own.
    """

    def __init__(self, status: int, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.code = status, message, code

    def document(self) -> bytes:
        """Return the error document."""
        kind = "authentication_error" if self.status == 401 else "invalid_request_error"
        error = {"message": self.message, "type": kind, "param": None, "code": self.code}
        return json.dumps({"error": error}).encode()


def checked(body: bytes, alias: str) -> dict[str, Any]:
    """Return a request of the one model that is served.

    Raises:
        Refused: it is none, or asks for something else to be loaded or fetched.
    """
    asked = _object(body)
    name = asked.setdefault("model", alias)
    if name != alias:
        what = f"the model {str(name)[:100]!r} is not here; {alias!r} is"
        raise Refused(404, what, "model_not_found")
    for key in NOT_BY_REQUEST:
        if asked.pop(key, None) is not None:
            raise Refused(400, f"{key} cannot be set by a request")
    templates = asked.get("chat_template_kwargs")
    if isinstance(templates, dict) and "chat_template" in templates:
        raise Refused(400, "a chat template cannot be set by a request")
    if any(_links(asked.get("messages"))):
        raise Refused(400, "links to images are not followed: send images as data: URLs")
    return asked


def _object(body: bytes) -> dict[str, Any]:
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError):
        raise Refused(400, "the request is not JSON") from None
    if not isinstance(asked, dict):
        raise Refused(400, "the request is not a JSON object")
    return asked


def _links(messages: Any) -> Iterator[bool]:
    """Say of each image in messages whether it is a link: mlx_lm would fetch it."""
    for part in _parts(messages):
        if "image" in str(part.get("type")) or "image_url" in part:
            said = part.get("image_url", part.get("image"))
            said = said.get("url") if isinstance(said, dict) else said
            yield not str(said).startswith("data:")


def _parts(messages: Any) -> Iterator[dict[str, Any]]:
    for message in messages if isinstance(messages, list) else ():
        content = message.get("content") if isinstance(message, dict) else None
        yield from (p for p in content if isinstance(p, dict)) if isinstance(content, list) else ()
