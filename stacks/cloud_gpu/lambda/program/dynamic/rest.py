"""Lambda's REST API (published as OpenAPI 1.10), as far as machines need it. Imports nothing of `deployer`, nor Pulumi.

The key is the user's own, `LAMBDA_API_KEY`: read when it is used, sent in a header and kept nowhere. `LAMBDA_API_URL`
sends it to another address. The API takes about one request a second: what is refused as too many is asked again.
An error says what Lambda said with its code, such as `(global/quota-exceeded)`, and after "Mend: " what to do.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

URL = "https://cloud.lambda.ai"
KEY = "LAMBDA_API_KEY"
KEYS_PAGE = "cloud.lambda.ai/api-keys"
LIMIT_S = 60.0
UNHEARD, UNAUTHORIZED, THROTTLED = 0, 401, 429
"""The status where nothing was heard (it may have been done or not), and those that mean something of their own."""
MOST_TRIES = 8
LONGEST_PAUSE_S = 15.0
"""A launch is taken every 12 seconds."""
GRANTED = ("global/quota-exceeded",)
"""What only Lambda's support can give."""
ALLOWED = ("global/invalid-api-key", "global/account-inactive", "global/invalid-address")
MENDS = {
    "global/invalid-api-key": f"set {KEY} to a key of {KEYS_PAGE}; what was made is still there",
    "global/account-inactive": "verify the e-mail address and the payment method of the account",
    "global/invalid-address": "correct the billing address of the account",
    "instance-operations/launch/insufficient-capacity": "try again later, or name another"
    " targets.cloud-gpu.instance or region",
    "global/quota-exceeded": "end machines that are not needed, or ask Lambda's support for more",
}


class ApiError(Exception):
    """Lambda refused or failed. `code` is its own word, empty where it gave none; `status` 0: nothing was heard."""

    def __init__(self, words: str, code: str = "", status: int = 0, mend: str = "") -> None:
        named = f"{words.rstrip('.')} ({code})" if code else words.rstrip(".")
        super().__init__(f"{named}. Mend: {mend}" if mend else named)
        self.words, self.code, self.status, self.mend = named, code, status, mend


class NotAllowedError(ApiError):
    """The key is missing or refused, or Lambda cannot be reached from here."""


class NotGrantedError(ApiError):
    """The quota does not allow it."""


def has_key(environ: Mapping[str, str] | None = None) -> bool:
    """Whether there is a key to ask with."""
    return bool((os.environ if environ is None else environ).get(KEY, "").strip())


class Api:
    """Asks Lambda. `send` and `sleep` are where a test puts its own."""

    def __init__(self, send: Callable[..., Any] | None = None, sleep: Any = time.sleep) -> None:
        self.send, self.sleep = send or _send, sleep

    def get(self, path: str) -> Any:
        """Return what is there.

        Raises:
            ApiError: it is refused, or not there (status 404).
        """
        return self.call("GET", path)

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Ask and return the data; again after too many requests, and where asking twice does no harm.

        Raises:
            ApiError: it is refused, or cannot be reached.
        """
        for attempt in range(1, MOST_TRIES + 1):
            try:
                return self._once(method, path, body)
            except ApiError as error:
                harmless = method != "POST" or path.endswith("/terminate")
                lost = error.status >= 500 or error.status == UNHEARD
                passing = error.status == THROTTLED or (harmless and lost)
                tries = MOST_TRIES if error.status == THROTTLED else 3
                if not passing or attempt >= tries:
                    raise
                self.sleep(min(LONGEST_PAUSE_S, 1.0 + 2.0 * (attempt - 1)))
        raise AssertionError  # pragma: no cover - the last attempt returns or raises

    def _once(self, method: str, path: str, body: Any) -> Any:
        answer = self.send(method, f"{address()}/api/v1/{path}", key(), body)
        told = _told(answer)
        if isinstance(told, Mapping) and answer.status_code == 200 and "data" in told:
            return told["data"]
        raise _refused(answer, told)


def address(environ: Mapping[str, str] | None = None) -> str:
    """Return where the API is: `LAMBDA_API_URL`, or Lambda's own address.

    Raises:
        NotAllowedError: the key would go over the network unprotected.
    """
    url = (os.environ if environ is None else environ).get("LAMBDA_API_URL") or URL
    parts = urlsplit(url)
    if parts.scheme != "https" and parts.hostname not in ("127.0.0.1", "localhost", "::1"):
        words, mend = "LAMBDA_API_URL is not an https address", "write https://..."
        raise NotAllowedError(words, status=UNAUTHORIZED, mend=mend)
    return url.rstrip("/")


def key(environ: Mapping[str, str] | None = None) -> str:
    """Return the user's key.

    Raises:
        NotAllowedError: there is none, or it cannot be one. It is not shown.
    """
    given = (os.environ if environ is None else environ).get(KEY, "").strip()
    if not given:
        words, mend = f"no Lambda API key is set ({KEY})", f"make one: {KEYS_PAGE}"
        raise NotAllowedError(words, status=UNAUTHORIZED, mend=mend)
    if not (given.isascii() and given.isprintable()) or " " in given:
        words, mend = f"{KEY} holds characters that no key has", "copy the key again"
        raise NotAllowedError(words, status=UNAUTHORIZED, mend=mend)
    return given


def _send(method: str, url: str, secret: str, body: Any) -> Any:
    import httpx

    headers = {"Authorization": f"Bearer {secret}", "Accept": "application/json"}
    more = {} if body is None else {"json": body}
    try:
        return httpx.request(method, url, headers=headers, timeout=LIMIT_S, **more)
    except httpx.TransportError as error:
        said = str(error) or type(error).__name__
        mend = "check the network, then try again"
        raise NotAllowedError(f"Lambda cannot be reached: {said}", mend=mend) from None


def _told(answer: Any) -> Any:
    try:
        return answer.json()
    except ValueError:
        return None


def _refused(answer: Any, told: Any) -> ApiError:
    status = int(answer.status_code)
    said = told.get("error") if isinstance(told, Mapping) else None
    if isinstance(said, Mapping):
        code, words = str(said.get("code", "")), str(said.get("message") or "refused")
        mend = MENDS.get(code) or str(said.get("suggestion") or "")
        kinds = {
            **dict.fromkeys(ALLOWED, NotAllowedError),
            **dict.fromkeys(GRANTED, NotGrantedError),
        }
        return kinds.get(code, ApiError)(f"Lambda: {_line(words)}", code, status, _line(mend))
    if status == UNAUTHORIZED:
        mend = MENDS["global/invalid-api-key"]
        return NotAllowedError("Lambda does not accept the API key", status=status, mend=mend)
    if status == THROTTLED or status >= 500:
        return ApiError(f"Lambda answers {status}", status=status, mend="try again later")
    return NotAllowedError(
        f"{urlsplit(address()).hostname} does not answer as Lambda's API does (status {status})",
        mend="log in to the network that you are in, or check LAMBDA_API_URL",
        status=status,
    )


def _line(text: str) -> str:
    """What Lambda said, on one line of bearable length."""
    return " ".join(text.split())[:300]
