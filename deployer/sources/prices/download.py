"""The network's edge: streams a file and says how far it has come. Nothing is kept in memory or on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

from deployer.core.errors import DeployerError, PrerequisiteError, RemoteError, UsageError
from deployer.sources import web

if TYPE_CHECKING:
    import httpx

TIMEOUT_S = 60.0
GONE = (403, 404)
"""What is answered for a file that is not there."""

Advance = Callable[[int], None]
"""Is told how many more bytes have come."""
Progress = Callable[[str, int | None], AbstractContextManager[Advance]]
"""Begins to show a download: its label and its size in bytes, where that is known."""


class NotThereError(UsageError):
    """There is no such file."""


def client(headers: Mapping[str, str] | None = None) -> httpx.Client:
    """Return what downloads are made with: one for all the files of a region.

    Raises:
        PrerequisiteError: the proxy that the environment names cannot be used.
    """
    return web.client(timeout=TIMEOUT_S, follow_redirects=True, headers=headers)


@contextmanager
def stream(by: httpx.Client, url: str, label: str, progress: Progress) -> Iterator[Iterator[bytes]]:
    """Open a file and give its bytes, piece by piece.

    Raises:
        NotThereError: there is none.
        PrerequisiteError: the host cannot be reached.
        RemoteError: it answers with an error, or breaks off.
        UsageError: the address is none.
    """
    import httpx

    try:
        with by.stream("GET", url) as answer:
            if answer.status_code in GONE:
                raise NotThereError(f"{url} was not found ({answer.status_code})", where=url)
            answer.raise_for_status()
            size = answer.headers.get("content-length", "")
            with progress(label, int(size) if size.isdigit() else None) as advance:
                yield _counted(answer, advance)
    except (
        httpx.HTTPError,
        httpx.InvalidURL,
        httpx.StreamError,
        httpx.CookieConflict,
        OSError,
    ) as error:
        raise _as_ours(error, url) from None


def _counted(answer: httpx.Response, advance: Advance) -> Iterator[bytes]:
    before = 0
    for piece in answer.iter_bytes():
        advance(answer.num_bytes_downloaded - before)
        before = answer.num_bytes_downloaded
        yield piece


def _as_ours(error: Exception, url: str) -> DeployerError:
    import httpx

    said = web.said(error)
    if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol):
        return UsageError(
            f"{url} is not a valid URL: {said}", hint="set DEPLOYER_PRICES_URL to http(s)://host"
        )
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError):
        return PrerequisiteError(
            f"{url} cannot be reached: {said}",
            hint="check the network; the existing prices are kept, and plans work offline",
            where=url,
        )
    if isinstance(error, httpx.HTTPStatusError):
        return RemoteError(f"{url} answers {error.response.status_code}", where=url)
    return RemoteError(f"the price list is truncated, its download was cut off: {said}", where=url)
