"""How a spec names a model: on the model hub, in a bucket, or on this machine. Pure."""

from __future__ import annotations

HUB = "hf:"
SEPARATOR = "://"


def in_bucket(source: str) -> bool:
    """Whether it lies in a bucket, which a provider reads by its URL (`scheme://bucket/prefix`)."""
    return SEPARATOR in source


def scheme(source: str) -> str:
    """Return what a bucket's URL begins with, before `://`."""
    return source.partition(SEPARATOR)[0]


def on_hub(source: str) -> bool:
    """Whether it is a repository of the model hub."""
    return source.startswith(HUB)


def on_this_machine(source: str) -> bool:
    """Whether it is a path."""
    return not on_hub(source) and not in_bucket(source)
