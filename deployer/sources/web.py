"""What every HTTP call of ours shares: what it may fail with, and what may be said of that.

httpx declares its own errors, and raises others: of a proxy that needs a package (ImportError), of a proxy or an
address that is none (ValueError, InvalidURL), of a header that cannot be sent, of an answer that is not JSON.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from deployer.core.errors import PrerequisiteError, without_secrets

if TYPE_CHECKING:
    import httpx

PROXY_HINT = "check ALL_PROXY, HTTPS_PROXY and HTTP_PROXY; NO_PROXY names hosts that need none"


def client(**settings: Any) -> httpx.Client:
    """Return a client with httpx's own settings.

    Raises:
        PrerequisiteError: the proxy that the environment names cannot be used.
    """
    import httpx

    with proxied():
        return httpx.Client(**settings)


@contextmanager
def proxied() -> Iterator[None]:
    """Tell of a proxy that the environment names and that cannot be used.

    Raises:
        PrerequisiteError: it needs a package, or its address is none.
    """
    import httpx

    try:
        yield
    except ImportError as error:
        raise (without_socks(error) or error) from error
    except (ValueError, httpx.InvalidURL) as error:
        raise PrerequisiteError(
            f"the proxy that the environment names cannot be used: {without_secrets(str(error))}",
            hint=PROXY_HINT,
        ) from error


def without_socks(error: Exception) -> PrerequisiteError | None:
    """Return the error of a SOCKS proxy whose package is missing; None where it is something else."""
    from deployer.core import installation

    if not isinstance(error, ImportError) or "socks" not in str(error).lower():
        return None
    return PrerequisiteError(
        "the SOCKS proxy that the environment names needs the package 'socksio'",
        hint=f"{installation.this().add_package('socksio')}, or unset ALL_PROXY",
    )


def failures() -> tuple[type[Exception], ...]:
    """Return all that a call, or reading its answer, may fail with besides our own errors."""
    import httpx

    declared = (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, httpx.CookieConflict)
    unread = (ArithmeticError, AttributeError, EOFError, LookupError, TypeError, ValueError)
    return (*declared, *unread, OSError)


def unanswered() -> tuple[type[Exception], ...]:
    """Return those of them that mean that no answer came."""
    import httpx

    return (httpx.HTTPError, OSError)


def said(error: Exception) -> str:
    """Return what a failure says, in one line and without what opens something."""
    words = str(error).partition("\n")[0]
    if "header value" in words.lower() or isinstance(error, UnicodeError):
        return "a header cannot be sent: is there a line end or an unusual character in the key?"
    if isinstance(error, LookupError | TypeError | AttributeError):
        return f"the answer has an unknown format ({type(error).__name__})"
    return without_secrets(words) or type(error).__name__
