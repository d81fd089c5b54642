"""Which API keys are taken."""

from __future__ import annotations

SHORTEST_KEY = 16


class ShortKeyError(ValueError):
    """A key that could be guessed."""


def checked(key: str) -> str:
    """Return an API key without the white space around it.

    Raises:
        ShortKeyError: it is empty, or shorter than 16 characters.
    """
    key = key.strip()
    if len(key) < SHORTEST_KEY:
        raise ShortKeyError(f"the API key is shorter than {SHORTEST_KEY} characters")
    return key
