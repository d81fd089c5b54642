"""The time, and how it is written. An edge: stages are handed the time and never ask."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> str:
    """Return the time in UTC, ISO 8601 to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def iso(seconds: float | None) -> str | None:
    """Write a time in seconds since 1970 as the documents have it: UTC, ISO 8601 to the second."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
