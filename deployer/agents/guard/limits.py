"""How much, how long and how many."""

from __future__ import annotations

import resource
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

SPARE_FILES = 128
"""Open files that are left for the engine's connections, the log and the program itself."""


@dataclass(frozen=True)
class Limits:
    """Bytes, seconds and counts. `places` is how many calls the engine is given at once.

    `waiting` more wait for a place, each at most `waiting_s`; calls that only look (GET) have `looks` places besides.
    `silent_s` is how long every place may be held by calls without a byte from the engine before it counts as hung.
    """

    places: int = 8
    looks: int = 4
    waiting: int = 2048
    waiting_s: float = 300
    body_bytes: int = 32 * 2**20
    bodies_bytes: int = 512 * 2**20
    depth: int = 100
    head_bytes: int = 32 * 2**10
    head_s: float = 10
    body_s: float = 30
    body_bytes_per_s: float = 32 * 2**10
    idle_s: float = 75
    unread_s: float = 60
    per_address: int = 2048
    connections: int = 4096
    silent_s: float = 1800

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Limits:
        """Return those that a file names, the others as they are by default."""
        known = {one.name for one in fields(cls)}
        return cls(**{name: value for name, value in told.items() if name in known})


def raise_open_files() -> int:
    """Raise this process's limit of open files as far as it may; return what it is then."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = 2**20 if hard == resource.RLIM_INFINITY else hard
    if soft != resource.RLIM_INFINITY and soft < most:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        except (OSError, ValueError):
            return soft
        return most
    return soft if soft != resource.RLIM_INFINITY else most


def fitting(limits: Limits, files: int) -> int:
    """Return how many callers may be connected with so many open files."""
    return max(16, min(limits.connections, files - SPARE_FILES - limits.places - limits.looks))
