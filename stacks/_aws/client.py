"""AWS's clients, which fail as botocore declares and in no other way; loaded with the first of them.

What answers in AWS's place (a captive portal, a proxy) sends something that botocore takes for an answer or stumbles
over. Here that is an error of botocore's kind, wherever the answer is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from deployer.core.errors import DeployerError, PrerequisiteError, without_secrets


class UnreadableAnswerError(BotoCoreError, PrerequisiteError):  # type: ignore[misc]  # botocore has no types
    """What came back is not what AWS answers. Of both kinds, for it may be noticed anywhere."""

    fmt = "{said}"

    def __init__(self, said: str) -> None:
        BotoCoreError.__init__(self, said=without_secrets(said).partition("\n")[0])
        self.message = f"something else answered in AWS's place: {self}"
        self.hint = "log in to this network, or check HTTPS_PROXY and AWS_ENDPOINT_URL"
        self.where = self.key = None


class Answer(dict[str, Any]):
    """An answer. A part that AWS always sends and that is missing is an error of its own kind."""

    def __missing__(self, key: str) -> Any:
        raise UnreadableAnswerError(f"the answer has no {key}")


class Client:
    """A botocore client whose operations and pages return `Answer`s."""

    def __init__(self, real: Any) -> None:
        self._real = real

    def __getattr__(self, name: str) -> Any:
        """Return an operation, or whatever else the client has."""
        found = getattr(self._real, name)
        return _answering(found) if name in self._real.meta.method_to_api_mapping else found

    def get_paginator(self, operation: str) -> Pages:
        """Return what yields the pages of an operation."""
        return Pages(self._real.get_paginator(operation))


class Pages:
    """A botocore paginator."""

    def __init__(self, real: Any) -> None:
        self._real = real

    def paginate(self, **asked: Any) -> Iterator[Answer]:
        """Yield page by page."""
        pages = iter(_kept(lambda: self._real.paginate(**asked)))
        while True:
            page = _kept(lambda: next(pages, None))
            if page is None:
                return
            yield Answer(page)


def _answering(operation: Callable[..., Any]) -> Callable[..., Any]:
    def call(**asked: Any) -> Any:
        told = _kept(lambda: operation(**asked))
        return Answer(told) if isinstance(told, Mapping) else told

    return call


def _kept(call: Callable[[], Any]) -> Any:
    """Return what a call does; all that it raises is of botocore's kinds, or has been explained already."""
    try:
        return call()
    except (BotoCoreError, ClientError, DeployerError):
        raise
    except Exception as error:
        raise UnreadableAnswerError(f"{type(error).__name__}: {error}") from error


def refuse_html(response_dict: Mapping[str, Any], **_: Any) -> None:
    """Refuse a page where an answer is expected: botocore's event `before-parse`.

    Raises:
        UnreadableAnswerError: a web page came back, as of success or with a redirection to one.
    """
    headers = response_dict.get("headers") or {}
    kind = str(headers.get("content-type", "")).lower()
    body = response_dict.get("body")
    start = body[:64].lstrip().lower() if isinstance(body, bytes) else b""
    page = start.startswith((b"<!doctype html", b"<html"))
    unlike = start and not start.startswith((b"{", b"[", b"<?xml")) and b"response" not in start
    if (page or ("text/html" in kind and unlike)) and response_dict["status_code"] < 400:
        raise UnreadableAnswerError(f"a web page came back ({response_dict['status_code']})")
